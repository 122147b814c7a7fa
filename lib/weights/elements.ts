import { type FloatArray, widenBfloat16, widenFloat16 } from '../array/elements.ts';
import { allocate, zeros } from '../array/memory.ts';
import { product, rowMajorStrides } from '../array/tensor.ts';
import {
  arrayOf,
  isBigEndian,
  type ReadableDtype,
  type StorableDtype,
  type StoredArray,
  swapBytes,
} from './dtypes.ts';
import type { TensorInfo } from './header.ts';
import { type ByteStream, type Reading, readAsync, type Storage } from './storage.ts';

/** A tensor of an open file: what it is, and how its elements stand there. */
export interface Entry {
  readonly info: TensorInfo;
  readonly storage: Storage;
  /** Its elements are those of a big-endian machine. */
  readonly bigEndian?: boolean;
  /** Fortran's order: the first index runs fastest. */
  readonly columnMajor?: boolean;
}

/** Rows `from … to` of an entry, those of its first dimension; a single number is one row. */
export interface Part<D extends StorableDtype = StorableDtype> {
  readonly entry: Entry;
  readonly dtype: D;
  readonly from: number;
  readonly to: number;
  readonly shape: readonly number[];
}

/** Elements that are read and then put somewhere else at a time. */
const pieceLength = 2 ** 20;

/** Up to so many bytes between two stretches are read along: a call for each takes longer. */
const widestGap = 2 ** 16;

/** The part as numbers, row-major: what is shorter than float32 is widened. `ERR_SVD_TOO_LARGE` */
export function* readFloats(part: Part<ReadableDtype>, what: string): Reading<FloatArray> {
  const { dtype, shape } = part;
  const out = allocate(dtype === 'F64' ? 'float64' : 'float32', shape, what);
  if (dtype === 'F64' || dtype === 'F32') yield* fillPart(part, out);
  else yield* readHalves(part, out, dtype === 'F16' ? widenFloat16 : widenBfloat16, what);
  return out;
}

function* readHalves(
  part: Part<ReadableDtype>,
  out: FloatArray,
  widen: (halves: Uint16Array) => Float32Array,
  what: string,
): Reading {
  const all = isColumnMajor(part) ? ((yield* readStored(part, what)) as Uint16Array) : undefined;
  using stream = all ? undefined : streamOf(part);
  for (let at = 0; at < out.length; at += pieceLength) {
    const length = Math.min(pieceLength, out.length - at);
    const halves = all?.subarray(at, at + length) ?? new Uint16Array(length);
    if (stream) yield* readElements(stream, halves, part.entry);
    out.set(widen(halves), at);
  }
}

/** The part in the elements that the file has, row-major. `ERR_SVD_TOO_LARGE` */
export function* readStored(part: Part, what: string): Reading<StoredArray> {
  const { dtype, shape } = part;
  const out =
    dtype === 'F64' || dtype === 'F32'
      ? allocate(dtype === 'F64' ? 'float64' : 'float32', shape, what)
      : zeros(arrayOf(dtype), shape, what);
  yield* fillPart(part, out);
  return out;
}

/** Fills `out`, which has as many elements of that dtype as the part, row-major. */
export function* fillPart(part: Part, out: StoredArray): Reading {
  if (out.length === 0) return;
  if (isColumnMajor(part)) return yield* fillByColumns(part, out);
  using stream = streamOf(part);
  yield* readElements(stream, out, part.entry);
}

/** Bytes of a part that are in memory at a time where it is read in pieces. */
const pieceBytes = 2 ** 22;

/**
 * The elements of a part as bytes, row-major and in this machine's order, piece by piece; a piece is valid until the next is
 * asked for. Parts of the same dtype and shape come in the same pieces.
 */
export async function* readBytes(part: Part, what: string): AsyncGenerator<Uint8Array, void, void> {
  const bytesOf = ({ buffer, byteOffset, byteLength }: StoredArray) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  const [length, most] = [product(part.shape), pieceBytes / arrayOf(part.dtype).BYTES_PER_ELEMENT];
  const all = isColumnMajor(part) ? await readAsync(readStored(part, what)) : undefined;
  const buffer = all ?? zeros(arrayOf(part.dtype), [Math.min(most, length)], what);
  using stream = all ? undefined : streamOf(part);
  for (let at = 0; at < length; at += most) {
    const count = Math.min(most, length - at);
    if (stream) await readAsync(readElements(stream, buffer.subarray(0, count), part.entry));
    yield bytesOf(stream ? buffer.subarray(0, count) : buffer.subarray(at, at + count));
  }
}

const isColumnMajor = ({ entry }: Part): boolean => entry.columnMajor === true && entry.info.shape.length > 1;

/** The bytes from the first row on. */
const streamOf = ({ entry: { storage, info }, dtype, from }: Part): ByteStream =>
  storage(from * product(info.shape.slice(1)) * arrayOf(dtype).BYTES_PER_ELEMENT);

/** Fills `elements` with those that come next. */
function* readElements(stream: ByteStream, elements: StoredArray, { bigEndian = false }: Entry): Reading {
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  yield* stream.read(bytes);
  if (bigEndian !== isBigEndian) swapBytes(bytes, elements.BYTES_PER_ELEMENT);
}

/**
 * The file has one column after the other, a column being the elements that differ in the first index alone: some
 * columns at a time are read, and each is put where its rows are.
 */
function* fillByColumns(part: Part, out: StoredArray): Reading {
  const { entry, dtype, from, to } = part;
  const [length, ...others] = entry.info.shape;
  const [columns, rows, size] = [product(others), to - from, arrayOf(dtype).BYTES_PER_ELEMENT];
  const whole = (length - rows) * size <= widestGap;
  const [stretch, first] = whole ? [length, from] : [rows, 0];
  const most = Math.min(columns, Math.max(1, Math.floor(pieceLength / stretch)));
  const piece = zeros(arrayOf(dtype), [most, stretch], 'columns');
  using stream = entry.storage(whole ? 0 : from * size);
  const places = columnPlaces(others);
  for (let done = 0; done < columns; done += most) {
    const count = Math.min(most, columns - done);
    if (whole) yield* readElements(stream, piece.subarray(0, count * length), entry);
    else
      for (let c = 0; c < count; c++) {
        if (done + c > 0) yield* stream.skip((length - rows) * size);
        yield* readElements(stream, piece.subarray(c * rows, (c + 1) * rows), entry);
      }
    for (let c = 0; c < count; c++)
      scatter(piece, c * stretch + first, out, places.next().value!, columns, rows);
  }
}

/** Where in a row each column stands, in the order of the file: its first index runs fastest, that of a row the last. */
function* columnPlaces(shape: readonly number[]): Generator<number, void> {
  const strides = rowMajorStrides(shape);
  const index = shape.map(() => 0);
  for (let place = 0; ; ) {
    yield place;
    let axis = 0;
    for (; axis < shape.length; axis++) {
      place += strides[axis];
      if (++index[axis] < shape[axis]) break;
      place -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis === shape.length) return;
  }
}

/** `to[place + i·step] = from[first + i]`, bit by bit: as floating-point numbers, some kinds of NaN could change. */
function scatter(
  from: StoredArray,
  first: number,
  to: StoredArray,
  place: number,
  step: number,
  count: number,
): void {
  const words = Math.max(1, from.BYTES_PER_ELEMENT / 4);
  const [source, target] = [wordsOf(from), wordsOf(to)];
  for (let i = 0; i < count; i++)
    for (let word = 0; word < words; word++)
      target[(place + i * step) * words + word] = source[(first + i) * words + word];
}

const wordsOf = ({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT: size }: StoredArray) =>
  new (size === 1 ? Uint8Array : size === 2 ? Uint16Array : Uint32Array)(
    buffer as ArrayBuffer,
    byteOffset,
    byteLength / Math.min(size, 4),
  );

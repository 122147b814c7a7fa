import { exposedAsync } from '../arguments/boundary.ts';
import { isArray } from '../array/describe.ts';
import { type FloatArray, type Format, formatOf, sameMemory, typedArrayName } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { asInput, floatStorage, type MatrixLike, readStrided, type StridedArray } from '../array/input.ts';
import { product } from '../array/tensor.ts';
import {
  arrayOf,
  bitsPerElement,
  type StorableDtype,
  type StoredArray,
  type StoredTensor,
  storableOf,
  storedName,
} from './dtypes.ts';
import { filePath, shapeText } from './file-errors.ts';
import { limits, prefixLength } from './header.ts';
import { type Append, writeAtomically } from './output.ts';
import { isWellFormed, littleEndianPieces, mustBeRecord, narrowPieces, type View } from './pieces.ts';

/**
 * What can be written: an array of floats, or any tensor as `readStored` reads it.
 *
 * @inline
 */
export type Writable = MatrixLike | StoredTensor;

/**
 * Writes arrays of any shape as a safetensors file, strided views in row-major order. Elements stand in the file as they are
 * in memory: `Float64Array` as F64, `Float32Array` as F32, a `Uint16Array` with `dtype: 'bfloat16'` as BF16, with
 * `'float16'` as F16; integers, booleans and 8-bit floats with the `dtype` that `readStored` gives them, as `Int8Array` with
 * `'int8'`. The file appears whole or not at all: it is written under a temporary name in the same folder, synced and
 * renamed. A symbolic link is followed, and a file that is replaced passes on its permissions.
 * Tensors of larger elements come first, so that every tensor is aligned to its element size.
 * @throws `ERR_SVD_ARGUMENT` or `ERR_SVD_SHAPE` for what is no such array, before anything is written;
 * `ERR_SVD_FILE` if the file cannot be written
 * @function
 */
export const writeSafetensors = exposedAsync(
  { takes: ['path', 'tensors', 'metadata'] },
  async function writeSafetensors(
    path: string | URL,
    tensors: Readonly<Record<string, Writable>>,
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await writeTensors(path, tensors, metadata);
  },
);

/** The same; an abort leaves what was there, and rejects with `signal.reason`. */
export async function writeTensors(
  path: string | URL,
  tensors: Readonly<Record<string, Writable>>,
  metadata: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const file = filePath(path);
  const pieces = safetensorsPieces(tensors, metadata);
  const write = async (append: Append) => {
    for (const piece of pieces) await append(piece);
  };
  await writeAtomically(file, write, signal);
}

/** What stands in the header about a tensor that is written. */
export interface Declared {
  readonly dtype: StorableDtype;
  readonly shape: readonly number[];
}

/**
 * The same of tensors that are made one after another, in the order of the file: that of `declared`, those of larger
 * elements first. What `make` returns has the declared shape; floats are rounded to the declared dtype, once, to the nearest.
 * @throws what `make` throws; `ERR_SVD_OVERFLOW` for a number beyond the range of the dtype. Then nothing was written
 */
export async function writeInTurn(
  path: string | URL,
  declared: ReadonlyMap<string, Declared>,
  make: (name: string) => Promise<Writable>,
  metadata: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const entries = inOrder([...declared].map(([name, tensor]) => [checkName(name), tensor]));
  const header = encodeHeader(entries, checkMetadata(metadata));
  const write = async (append: Append) => {
    await append(header);
    for (const [name, tensor] of entries) {
      signal?.throwIfAborted();
      for (const piece of piecesAs(tensor, readView(await make(name), `tensor ${quote(name)}`)))
        await append(piece);
    }
  };
  await writeAtomically(filePath(path), write, signal);
}

/** The bytes of a tensor that was made, in the dtype that was declared. */
function piecesAs(
  { dtype, shape }: Declared,
  { name, dtype: own, ...view }: NamedView,
): Iterable<Uint8Array> {
  if (shapeText(view.shape) !== shapeText(shape))
    throw svdError('ERR_SVD_SHAPE', `${name}: shape ${shapeText(view.shape)}, declared ${shapeText(shape)}`);
  if (own === dtype) return littleEndianPieces(view);
  const format = storedName(dtype) as Format;
  if ((own === 'F32' || own === 'F64') && /^B?F\d\d$/.test(dtype))
    return narrowPieces(view as View<FloatArray>, format, name);
  throw svdError('ERR_SVD_ARGUMENT', `${name}: ${own} elements cannot be written as ${dtype}`);
}

/**
 * The bytes of a safetensors file, piece by piece; a piece is valid until the next is asked for.
 * @throws what `writeSafetensors` throws for its arguments, at once
 */
export function safetensorsPieces(
  tensors: Readonly<Record<string, Writable>>,
  metadata: Readonly<Record<string, string>>,
): Iterable<Uint8Array> {
  const entries = inOrder(
    Object.entries(mustBeRecord(tensors, 'tensors')).map(([name, x]): [string, NamedView] => [
      checkName(name),
      readView(x, `tensor ${quote(name)}`),
    ]),
  );
  const header = encodeHeader(entries, checkMetadata(mustBeRecord(metadata, 'metadata')));
  const contents = entries.map(([, x]) => littleEndianPieces(x));
  return (function* () {
    yield header;
    for (const pieces of contents) yield* pieces;
  })();
}

interface NamedView extends View, Declared {
  readonly name: string;
  readonly shape: readonly number[];
}

const dtypes = { float64: 'F64', float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;

/** The elements of `x` where they are, and what they are. */
function readView(x: Writable, name: string): NamedView {
  if (isArray(x, name)) {
    const { data, shape, stride, offset } = asInput(x, name, 0);
    return { name, dtype: dtypes[formatOf(data)], data, shape, stride, offset };
  }
  let dtype: StorableDtype | undefined;
  const view = readStrided<StoredArray>(x as StridedArray, name, (data, given, of) => {
    dtype = storableOf.get(given ?? '');
    if (dtype && !(storedName(dtype) in dtypes) && typedArrayName(data) === arrayOf(dtype).name)
      return sameMemory<StoredArray>(data as object, arrayOf(dtype));
    const floats = floatStorage(data, given, of);
    dtype = dtypes[formatOf(floats)];
    return floats;
  });
  return { name, dtype: dtype as StorableDtype, ...view };
}

/** Larger elements first. */
const inOrder = <T extends Declared>(tensors: [string, T][]): [string, T][] =>
  tensors.sort(([, a], [, b]) => bitsPerElement(b.dtype) - bitsPerElement(a.dtype));

function checkName(name: string): string {
  if (name === '__metadata__' || !isWellFormed(name))
    throw svdError('ERR_SVD_ARGUMENT', `${quote(name)} cannot be the name of a tensor`);
  return name;
}

function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(metadata))
    if (typeof value !== 'string' || !isWellFormed(key) || !isWellFormed(value))
      throw svdError('ERR_SVD_ARGUMENT', `metadata ${quote(key)}: expected a well-formed string`);
  return metadata;
}

/** Header length and JSON, padded with spaces to a multiple of eight bytes. */
function encodeHeader(
  tensors: readonly [string, Declared][],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const entries: [string, object][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  for (const [name, { dtype, shape }] of tensors) {
    const begin = end;
    end += (product(shape) * bitsPerElement(dtype)) / 8;
    if (end > limits.integer)
      throw svdError('ERR_SVD_TOO_LARGE', `the tensors have ${end} bytes`, { bytes: end });
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  // fromEntries, unlike assignment, also takes the name "__proto__".
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const bytes = Math.ceil(json.length / 8) * 8;
  if (bytes > limits.headerBytes) {
    const message = `the header needs ${bytes} bytes, the safetensors format allows ${limits.headerBytes}`;
    throw svdError('ERR_SVD_TOO_LARGE', message, { bytes });
  }
  const header = Buffer.alloc(prefixLength + bytes, ' ');
  header.writeBigUInt64LE(BigInt(bytes));
  header.set(json, prefixLength);
  return header;
}

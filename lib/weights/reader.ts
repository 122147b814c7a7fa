import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { exposedAsync, exposeMembers } from '../arguments/boundary.ts';
import { type FloatArray, widenBfloat16, widenFloat16 } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { allocate } from '../array/memory.ts';
import { isContiguous, product, type Tensor, tensor } from '../array/tensor.ts';
import { bytesPerElement, isBigEndian, isReadable, readableDtypes, swapBytes } from './dtypes.ts';
import { fileError, filePath, fileStep } from './file-errors.ts';
import { type Header, limits, parseHeader, prefixLength, type TensorInfo } from './header.ts';
import { suggestNames } from './names.ts';

/** Opens a file for reading without ever blocking; only a regular one, which has an end. `ERR_SVD_FILE` */
export async function openRegular(path: string): Promise<{ handle: FileHandle; stats: Stats }> {
  // A FIFO would hold a blocking open for ever.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  const handle = await fileStep(path, 'open', () => open(path, flags));
  try {
    const stats = await fileStep(path, 'stat', () => handle.stat());
    if (stats.isFile()) return { handle, stats };
    throw fileError(path, stats.isDirectory() ? 'is a directory' : 'is not a regular file');
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * The elements of `x` in row-major order, in pieces of at most `pieceLength`. A piece is valid until the next is asked for.
 * @throws `ERR_SVD_ARGUMENT`, while iterating, if the data was detached or resized after this call
 */
export function rowMajorPieces(x: Tensor, pieceLength: number): Iterable<FloatArray> {
  const dataLength = x.data.length;
  const size = product(x.shape);
  return (function* () {
    const take = isContiguous(x) ? slicer(x) : gatherer(x, Math.min(pieceLength, size));
    for (let from = 0; from < size; from += pieceLength) {
      if (x.data.length !== dataLength)
        throw svdError(
          'ERR_SVD_ARGUMENT',
          'the data of a tensor was detached or resized while it was written',
        );
      yield take(from, Math.min(pieceLength, size - from));
    }
  })();
}

/** Elements `from … from + length` of a view that is row-major already. */
const slicer =
  ({ data, offset }: Tensor) =>
  (from: number, length: number): FloatArray =>
    data.subarray(offset + from, offset + from + length);

/** The next `length` elements of any view, copied into one reused piece. */
function gatherer({ data, shape, stride, offset }: Tensor, pieceLength: number) {
  const piece = data instanceof Float64Array ? new Float64Array(pieceLength) : new Float32Array(pieceLength);
  const index = shape.map(() => 0);
  let at = offset;
  return (_from: number, length: number): FloatArray => {
    for (let i = 0; i < length; i++) {
      piece[i] = data[at];
      // Next element: count up the last axis, carry into the ones before it.
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        at += stride[axis];
        if (++index[axis] < shape[axis]) break;
        at -= stride[axis] * shape[axis];
        index[axis] = 0;
      }
    }
    return piece.subarray(0, length);
  };
}

/** Bytes asked of the operating system at a time; one call cannot return 2 GiB. */
const readChunk = 2 ** 30;

/** Half-precision elements read and widened at a time. */
const halvesAtATime = 2 ** 20;

/**
 * Opens a safetensors file and reads its header; the tensors stay on disk until `read` asks for one.
 * @throws `ERR_SVD_FILE` if there is no such regular file, or anything in its header or layout is not as the format says
 * @function
 */
export const openSafetensors = exposedAsync(
  { takes: ['path'] },
  async function openSafetensors(path: string | URL): Promise<SafetensorsFile> {
    const file = filePath(path);
    const { handle, stats } = await openRegular(file);
    try {
      return new SafetensorsFile(file, handle, await readHeader(file, handle, stats.size));
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
);

/** An open safetensors file. Close it with `close()` or `await using`. */
export class SafetensorsFile {
  /** The file, as it was named; of a URL its path. */
  readonly path: string;
  /** The `__metadata__` of the file; empty where it has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** dtype, shape and place of every tensor, in the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #handle: FileHandle;
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  #closed = false;

  /** Use `openSafetensors`. */
  constructor(path: string, handle: FileHandle, header: Header) {
    this.path = path;
    this.metadata = header.metadata;
    this.tensors = new Map(header.tensors); // a caller who changes it changes nothing here
    this.#tensors = header.tensors;
    this.#handle = handle;
  }

  /** Names of all tensors, in the order of the header. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /**
   * Reads one tensor, and of the file nothing else: F64 as float64, F32, F16 and BF16 as float32, row-major.
   * @throws `ERR_SVD_FILE` if the file has no such tensor, its dtype is another one, or the file has since changed;
   * `ERR_SVD_TOO_LARGE` if it does not fit in memory
   */
  async read(name: string): Promise<Tensor> {
    if (typeof name !== 'string')
      throw svdError('ERR_SVD_ARGUMENT', `expected the name of a tensor, got ${shown(name)}`);
    const info = this.#tensors.get(name);
    if (info === undefined)
      throw fileError(this.path, `no tensor ${quote(name)}; ${suggestNames(name, this.names)}`);
    const { dtype, shape, byteLength, byteOffset } = info;
    if (!isReadable(dtype))
      throw fileError(
        this.path,
        `tensor ${quote(name)} has dtype ${dtype}; only ${readableDtypes.join(', ')} can be read as numbers`,
      );
    if (this.#closed) throw fileError(this.path, `cannot read tensor ${quote(name)}: the file was closed`);
    const length = byteLength / bytesPerElement(dtype);
    const out = allocate(dtype === 'F64' ? 'float64' : 'float32', [length], `tensor ${quote(name)}`);
    if (dtype === 'F64' || dtype === 'F32') await this.#readElements(out, byteOffset);
    else await this.#readHalves(out, byteOffset, dtype === 'F16' ? widenFloat16 : widenBfloat16);
    return tensor(out, shape);
  }

  /** Fills `elements` with what stands at byte `position`. */
  async #readElements(elements: FloatArray | Uint16Array, position: number): Promise<void> {
    const bytes = new Uint8Array(elements.buffer);
    await readExactly(this.path, this.#handle, bytes, position);
    if (isBigEndian) swapBytes(bytes, elements.BYTES_PER_ELEMENT);
  }

  async #readHalves(out: FloatArray, position: number, widen: (halves: Uint16Array) => Float32Array) {
    for (let at = 0; at < out.length; at += halvesAtATime) {
      const halves = new Uint16Array(Math.min(halvesAtATime, out.length - at));
      await this.#readElements(halves, position + halves.BYTES_PER_ELEMENT * at);
      out.set(widen(halves), at);
    }
  }

  /** Closes the file; a second call does nothing. Arrays that were read stay valid. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await fileStep(this.path, 'close', () => this.#handle.close());
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

exposeMembers(SafetensorsFile, { read: { takes: ['name'] }, close: {} }, () => true);

async function readHeader(path: string, handle: FileHandle, fileSize: number): Promise<Header> {
  if (fileSize < prefixLength)
    throw fileError(
      path,
      `not a safetensors file: ${fileSize} bytes, but the header length alone takes ${prefixLength}`,
    );
  const prefix = new Uint8Array(prefixLength);
  await readExactly(path, handle, prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(limits.headerBytes))
    throw fileError(
      path,
      `not a safetensors file: the header length at byte 0 is ${length}, the format allows at most ${limits.headerBytes}`,
    );
  if (length > BigInt(fileSize - prefixLength))
    throw fileError(
      path,
      `the header length at byte 0 is ${length}, but only ${fileSize - prefixLength} bytes follow (truncated?)`,
    );
  const header = new Uint8Array(Number(length));
  await readExactly(path, handle, header, prefixLength);
  return parseHeader(path, header, fileSize);
}

/** Fills `bytes` from the file, beginning at byte `position`. */
async function readExactly(
  path: string,
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const length = Math.min(readChunk, bytes.length - filled);
    const { bytesRead } = await fileStep(path, `read at byte ${position + filled}`, () =>
      handle.read(bytes, filled, length, position + filled),
    );
    if (bytesRead === 0)
      throw fileError(
        path,
        `ends at byte ${position + filled}, expected ${bytes.length - filled} more bytes (truncated while open?)`,
      );
    filled += bytesRead;
  }
}

import { isPlain } from '../arguments/options.ts';
import { type FloatArray, type Format, narrow } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { isContiguous, product } from '../array/tensor.ts';
import { isBigEndian, type StoredArray, swapBytes } from './dtypes.ts';
import { limits } from './header.ts';

/** Elements as they are written: a strided view of any kind of them. */
export interface View<D extends StoredArray = StoredArray> {
  readonly data: D;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
}

/**
 * The elements of `x` in row-major order, in pieces of at most `pieceLength`. A piece is valid until the next is asked for.
 * @throws `ERR_SVD_ARGUMENT`, while iterating, if the data was detached or resized after this call
 */
export function rowMajorPieces<D extends StoredArray>(x: View<D>, pieceLength: number): Iterable<D> {
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
  <D extends StoredArray>({ data, offset }: View<D>) =>
  (from: number, length: number): D =>
    data.subarray(offset + from, offset + from + length) as D;

/** The next `length` elements of any view, copied into one reused piece. */
function gatherer<D extends StoredArray>({ data, shape, stride, offset }: View<D>, pieceLength: number) {
  const piece = new (data.constructor as new (length: number) => D)(pieceLength);
  const index = shape.map(() => 0);
  let at = offset;
  return (_from: number, length: number): D => {
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
    return piece.subarray(0, length) as D;
  };
}

/** Elements written, or gathered from a view that is not row-major, at a time. */
const pieceLength = 2 ** 18;

/** The same as the bytes that stand in a file. */
export function littleEndianPieces(x: View): Iterable<Uint8Array> {
  const pieces = rowMajorPieces(x, pieceLength);
  return (function* () {
    for (const piece of pieces) yield littleEndianBytes(piece);
  })();
}

/**
 * The same in `format`, each element rounded once.
 * @throws `ERR_SVD_OVERFLOW`, while iterating, with the name `what` for a number beyond its range
 */
export function* narrowPieces(x: View<FloatArray>, format: Format, what: string): Iterable<Uint8Array> {
  for (const piece of rowMajorPieces(x, pieceLength)) {
    const { data, overflow } = narrow(piece, format);
    if (overflow >= 0)
      throw svdError('ERR_SVD_OVERFLOW', `${what}: ${piece[overflow]} is beyond the range of ${format}`);
    yield littleEndianBytes(data);
  }
}

function littleEndianBytes(piece: StoredArray): Uint8Array {
  const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  if (!isBigEndian) return bytes;
  const swapped = bytes.slice();
  swapBytes(swapped, piece.BYTES_PER_ELEMENT);
  return swapped;
}

/** An object with no more entries than a file may have. */
export function mustBeRecord<T extends object>(x: T, name: string): T {
  if (!isPlain(x)) throw svdError('ERR_SVD_ARGUMENT', `${name}: expected an object, got ${shown(x)}`);
  const { length } = Object.keys(x);
  if (length > limits.headerEntries)
    throw svdError(
      'ERR_SVD_TOO_LARGE',
      `${name}: ${length} are more than a file may have, ${limits.headerEntries}`,
    );
  return x;
}

/** Whether a text can be written as UTF-8. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

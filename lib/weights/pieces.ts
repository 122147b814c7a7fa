import type { FloatArray } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { isContiguous, product, type Tensor } from '../array/tensor.ts';

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

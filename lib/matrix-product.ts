import { type SvdError, svdError } from './errors.ts';
import { batchOf, gemm, packInto, scan } from './kernels.ts';
import { allocate } from './memory.ts';
import { floats } from './owned.ts';
import type { Steps } from './steps.ts';
import {
  broadcastShapes,
  cols,
  type Dtype,
  dtypeOf,
  type Input,
  insertAxis,
  leadingDims,
  promote,
  rows,
  type Tensor,
  tensor,
} from './views.ts';

/**
 * `a · b` of plain matrices by `?gemm`: `[..., m, k]` · `[..., k, n]` → `[..., m, n]`, leading dimensions broadcast.
 * The inner dimensions must have been checked. `given` are the operands as the caller knows them, for errors.
 *
 * @throws `ERR_SVD_NON_FINITE` when an element of an operand is not finite, `ERR_SVD_OVERFLOW` when one of the result
 */
export function* matrixProduct(a: Input, b: Input, given = [a, b]): Steps<Tensor> {
  const leading = broadcastShapes(leadingDims(a), leadingDims(b), 'matrix product');
  const dtype = promote(dtypeOf(a), dtypeOf(b));
  const [left, right] = [yield* floats(a, dtype), yield* floats(b, dtype)];
  const shape = [...leading, rows(a), cols(b)];
  const out = allocate(dtype, shape, 'matrix product');
  const origin = { name: 'matrix product', leading };
  try {
    yield* gemm(batchOf(left, leading), batchOf(right, leading), origin, { out });
  } catch (error) {
    if ((error as SvdError).code !== 'ERR_SVD_OVERFLOW') throw error;
    // Was it the operands? They are only looked at now, because the product of finite ones is nearly always finite.
    yield* mustBeFinite(given[0], 'left operand');
    yield* mustBeFinite(given[1], 'right operand');
    throw error;
  }
  return tensor(out, shape);
}

/** `ERR_SVD_NON_FINITE` for the first element of `x`, a vector or matrices, that is not finite. */
export function* mustBeFinite(x: Input, name: string): Steps<void> {
  const isVector = x.shape.length === 1;
  const matrices = yield* floats(isVector ? insertAxis(x, 0) : x);
  const leading = leadingDims(matrices);
  try {
    yield* scan(batchOf(matrices, leading), { name, leading });
  } catch (error) {
    if (isVector) (error as SvdError).index?.shift();
    throw error;
  }
}

/** `factor · x`, contiguous. `ERR_SVD_OVERFLOW` when an element of the product does not fit. */
export function* scaled(x: Input, factor: number): Steps<Tensor> {
  const result = yield* copyOf(x, dtypeOf(x), factor);
  try {
    yield* mustBeFinite(result, 'mul');
  } catch (error) {
    yield* mustBeFinite(x, 'A');
    const { batchIndex } = error as SvdError;
    throw svdError('ERR_SVD_OVERFLOW', 'mul: an element is too large for its element type', { batchIndex });
  }
  return result;
}

/** A contiguous copy that shares no memory with `x`. */
export const contiguousCopy = <T extends Tensor>(x: T): Steps<T> => copyOf(x, dtypeOf(x)) as Steps<T>;

/** The same in float64. */
export const wideCopy = (x: Tensor): Steps<Tensor> => copyOf(x, 'float64');

function* copyOf(x: Input, dtype: Dtype, factor = 1): Steps<Tensor> {
  const out = allocate(dtype, x.shape, 'copy');
  yield* packInto(batchOf(x, leadingDims(x)), out, { alpha: factor });
  return tensor(out, x.shape);
}

import type { Dtype, FloatArray } from '../array/elements.ts';
import { type SvdError, svdError } from '../array/errors.ts';
import { itemOffsets } from '../array/indexing.ts';
import { allocate } from '../array/memory.ts';
import {
  broadcastShapes,
  cols,
  dropAxis,
  dtypeOf,
  type Input,
  insertAxis,
  leadingDims,
  mustBeThere,
  promote,
  rows,
  showShape,
  type Tensor,
  tensor,
} from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import { batchOf, packed } from '../native/batch.ts';
import { gemm, packInto, scan } from '../native/kernels.ts';
import { floats } from '../native/owned.ts';
import { runSync, type Steps } from '../native/steps.ts';

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
  try {
    const [x, y] = [batchOf(left, leading), batchOf(right, leading)];
    yield* gemm(x, y, 'matrix product', { out: packed(out, x.count, x.rows, y.cols) });
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
    yield* scan(batchOf(matrices, leading, name));
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
  const all = batchOf(x, leadingDims(x));
  yield* packInto(all, packed(out, all.count, all.rows, all.cols), { alpha: factor });
  return tensor(out, x.shape);
}

// Products with diag(s). Every array here is row-major and contiguous, as the factors of a decomposition are.

/** `x · diag(s)`: x `[..., m, p]`, s `[..., p]`. */
export const scaleColumns = (x: Tensor, s: Tensor): Steps<Tensor> => scale(x, s, 'columns');

/** `diag(s) · x`: s `[..., p]`, x `[..., p, n]`. */
export const scaleRows = (s: Tensor, x: Tensor): Steps<Tensor> => scale(x, s, 'rows');

const elementsPerTurn = 2 ** 18; // about a millisecond

function* scale(x: Tensor, s: Tensor, which: 'rows' | 'columns'): Steps<Tensor> {
  const [m, n] = [rows(x), cols(x)];
  const out = allocate(dtypeOf(x), x.shape, 'scaled factor');
  const rowsPerTurn = Math.ceil(elementsPerTurn / Math.max(1, n));
  for (let row = 0; row * n < out.length; row += rowsPerTurn) {
    if (row > 0) yield turn;
    mustBeThere(x);
    mustBeThere(s);
    const end = Math.min(row + rowsPerTurn, out.length / n);
    if (which === 'rows') scaleEach(x.data, s.data, n, row, end, out);
    else for (let i = row; i < end; i++) multiplyRow(x.data, s.data, Math.floor(i / m) * n, i * n, n, out);
  }
  return tensor(out, x.shape);
}

/** Row i of x times s[i]. */
function scaleEach(x: FloatArray, s: FloatArray, n: number, from: number, to: number, out: FloatArray): void {
  for (let i = from; i < to; i++) for (let e = i * n; e < (i + 1) * n; e++) out[e] = s[i] * x[e];
}

/** The row of x that begins at `at` times the one of s that begins at `first`, element by element. */
function multiplyRow(
  x: FloatArray,
  s: FloatArray,
  first: number,
  at: number,
  n: number,
  out: FloatArray,
): void {
  for (let j = 0; j < n; j++) out[at + j] = s[first + j] * x[at + j];
}

/** Element-wise `f(s)`. */
export const mapElements = (s: Tensor, f: (x: number) => number): Tensor =>
  tensor((s.data as Float64Array).map(f) as FloatArray, s.shape);

/** `diag(s)`: `[..., p]` → `[..., p, p]`; s may be any view. */
export function diagonal(s: Tensor): Tensor {
  const p = s.shape[s.shape.length - 1];
  const shape = [...s.shape, p];
  const data = allocate(dtypeOf(s), shape, 'diagEmbed').fill(0) as FloatArray;
  itemOffsets(s, s.shape.length).forEach((offset, i) => {
    data[Math.floor(i / p) * p * p + (i % p) * (p + 1)] = s.data[offset];
  });
  return tensor(data, shape);
}

/** `x · y` of plain arrays, either of which may be a vector. */
export function multiply(x: Input, y: Input): Tensor | number {
  const [rowVector, columnVector] = [x.shape.length === 1, y.shape.length === 1];
  const left = rowVector ? insertAxis(x, 0) : x;
  const right = columnVector ? insertAxis(y, 1) : y;
  if (cols(left) !== rows(right)) {
    throw svdError(
      'ERR_SVD_SHAPE',
      `matmul: inner dimensions of ${showShape(x.shape)} and ${showShape(y.shape)} differ`,
    );
  }
  let out = runSync(matrixProduct(left, right, [x, y]));
  if (rowVector) out = dropAxis(out, out.shape.length - 2);
  if (columnVector) out = dropAxis(out, out.shape.length - 1);
  return out.shape.length === 0 ? out.data[0] : out;
}

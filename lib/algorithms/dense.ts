import { cols, type Dtype, dtypeOf, epsilon, type Input, leadingDims, rows } from '../array/tensor.ts';
import { batchOf, itemsAt, offsetOf } from '../native/batch.ts';
import { checkSvdSize, type DenseDriver, svdLadder, svdShapes, type Vectors } from '../native/kernels.ts';
import { ahead, type InputOptions, owned } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { batchedSvd, type ErrorOptions } from './blocks.ts';
import type { Svd } from './result.ts';

/**
 * Singular value decomposition of plain matrices, by the steps of `?gesdd`.
 *
 * @param A `[..., m, n]`
 * @returns U `[..., m, p]`, S `[..., p]`, Vh `[..., p, n]`, p = min(m, n); square U and Vh for 'full', empty for 'none'
 * @throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* denseSvd(
  A: Input,
  vectors: Vectors = 'thin',
  { foreign, onError }: ErrorOptions & InputOptions = {},
): Steps<Svd> {
  const leading = leadingDims(A);
  const [m, n] = [rows(A), cols(A)];
  const p = Math.min(m, n);
  const dtype = dtypeOf(A);
  checkSvdSize(m, n, vectors, dtype, 'svd');
  const blockSize = Math.min(blockItems, Math.max(1, Math.floor(blockFlops / Math.max(1, 14 * m * n * p))));
  const batched = { leading, shapes: svdShapes(m, n, vectors), dtype, blockSize, onError };
  const [a] = yield* ahead([batchOf(A, leading, 'svd', foreign)], blockSize, dtype);
  return yield* batchedSvd(batched, function* (positions, out) {
    const part = yield* owned(itemsAt(a, positions));
    yield { within: [0, 1] };
    const { S, routines: driver } = yield* svdLadder(part, vectors, { out });
    const bound = driver.map((routine, i) => denseBound(dtype, m, n, S.data[offsetOf(S, i)], routine));
    return { bound, driver };
  });
}

/**
 * Error bound of the singular values of a plain m×n matrix, 4ε·σ₁·(√p + √max(m, n)/16): the errors grow with the size, to
 * some 12ε·σ₁ at 600×600. In float32 what has no more than 32 rows or columns is computed in float64, and only
 * rounded: ε·σ₁. LAPACK's own routines, and what computed results from elsewhere, drop elements of the bidiagonal form up
 * to 100 (`?bdsqr`: 49) times 2⁻⁵² beside their neighbours, in float32 100ε too: that comes on top.
 */
export function denseBound(dtype: Dtype, m: number, n: number, sigma1: number, driver?: DenseDriver): number {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  if (short === 0) return 0;
  const own = driver === 'gesdd-blocked';
  if (own && dtype === 'float32' && short <= narrow) return epsilon(dtype) * sigma1;
  return epsilon(dtype) * sigma1 * (4 * Math.sqrt(short) + Math.sqrt(long) / 4 + (own ? 0 : dropped));
}

const narrow = 32; // as in native/core/dense/narrow_reflectors.h
const dropped = 100;

const blockFlops = 2e9;
const blockItems = 4096; // what is said of each takes time on this thread, too

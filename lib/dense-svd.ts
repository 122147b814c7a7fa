import {
  allocateSvd,
  type Batch,
  batchOf,
  count,
  type DenseDriver,
  gesdd,
  items,
  svdItems,
  svdShapes,
  type Vectors,
} from './kernels.ts';
import type { Steps } from './steps.ts';
import { perMatrix, perMatrixNames, Svd } from './svd-result.ts';
import { cols, dtypeOf, epsilon, leadingDims, rows, type Tensor, tensor } from './views.ts';

/**
 * Singular value decomposition of plain matrices by `?gesdd`.
 *
 * @param A `[..., m, n]`
 * @returns U `[..., m, p]`, S `[..., p]`, Vh `[..., p, n]`, p = min(m, n); square U and Vh for 'full', empty for 'none'
 * @throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* denseSvd(A: Tensor, vectors: Vectors = 'thin'): Steps<Svd> {
  const leading = leadingDims(A);
  const [m, n] = [rows(A), cols(A)];
  const a = batchOf(A, leading);
  const dtype = dtypeOf(A);
  const out = allocateSvd(leading, m, n, vectors, dtype);
  const driver: DenseDriver[] = [];
  for (const [from, to] of blocks(a)) {
    const part = svdItems(out, from, to, count(a));
    driver.push(...(yield* gesdd(items(a, from, to), vectors, part, { name: 'svd', leading, first: from })));
    yield { done: to, total: count(a) };
  }
  const shapes = svdShapes(m, n, vectors);
  return new Svd(
    tensor(out.U, [...leading, ...shapes.U]),
    tensor(out.S, [...leading, ...shapes.S]),
    tensor(out.Vh, [...leading, ...shapes.Vh]),
    perMatrix(bounds(out.S, count(a), Math.min(m, n), epsilon(dtype)), leading),
    perMatrixNames(driver, leading),
  );
}

/** 4ε·σ₁·√p of every item: the error of `?gesdd` grows with the size, to some 12ε·σ₁ at 600×600. */
function bounds(S: ArrayLike<number>, n: number, p: number, epsilon: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => (p > 0 ? 4 * epsilon * Math.sqrt(p) * S[i * p] : 0));
}

const blockFlops = 2e9;

/** Ranges of the batch between which progress is told. */
function* blocks(a: Batch): Generator<[from: number, to: number]> {
  const n = count(a);
  const flops = 14 * a.rows * a.cols * Math.min(a.rows, a.cols);
  const step = Math.max(1, Math.floor(blockFlops / Math.max(flops, 1)));
  for (let from = 0; from < n; from += step) yield [from, Math.min(n, from + step)];
}

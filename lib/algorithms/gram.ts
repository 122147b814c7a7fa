import type { FloatArray } from '../array/tensor.ts';
import { type Batch, count, dtypeOfBatch, gemm, packed, range, transposed } from '../native/kernels.ts';
import { driverOf, type Place, statusOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import { type Balanced, type Kind, smallCore } from './core.ts';

// Steps 4 to 6 of the product SVD for float32 heads, the quick way: no QR decomposition, and of the core only its square.

/** Singular values, and X (k×p) and Y (p×k) with U = A·X and Vh = Y·B, A and B without their gauge. */
export interface GramSvd {
  /** float64 */
  readonly S: FloatArray;
  readonly X: Batch;
  readonly Y: Batch;
}

/**
 * Whether items of this kind may be decomposed from the Gram matrices of their factors: where float32 is asked for, the
 * core would be a small one in float64, and the inner dimension does not span too much. Which of them then are depends on each.
 */
export const fitsGramSvd = ({ a, left, right }: Balanced, { dtype, square }: Kind): boolean =>
  dtypeOfBatch(a) === 'float32' &&
  dtype === 'float64' &&
  square &&
  left !== undefined &&
  right !== undefined &&
  a.cols > 0 &&
  a.cols <= smallCore;

/**
 * The SVD of `A·B` from AᵀA and B·Bᵀ, with `form` singular vectors; the items that lose no digit of float32 are `served`,
 * the others `declined`. (docs/numerics.md)
 */
export function* gramSvd(
  { a, b, left, right, balance }: Balanced,
  form: number | 'none',
): Steps<GramSvd & { readonly served: Int32Array; readonly declined: Int32Array }> {
  const [n, k] = [count(a), a.cols];
  const p = form === 'none' ? 0 : form;
  const S = scratch('float64', [n, k]);
  const [x, y] = [a, b].map(() => (p > 0 ? scratch('float32', [n, k, p]) : undefined));
  const status = statusOf(n);
  const factors = [
    [a.rows, left, balance.a, x],
    [b.rows, right, balance.b, y],
  ] as const;
  const args = factors.flatMap(([rows, gram, { perm, exponents }, out]) => [
    gram?.summed ? 1 : rows, // the kernel tells the number of parts from the rows
    gram?.parts,
    gram?.source,
    perm,
    exponents,
    out,
  ]);
  yield { kernel: 'gramSvd', args: [n, k, p, ...args, S, status] };
  const all = range(0, n);
  return {
    S,
    X: packed(x ?? S, n, k, p),
    Y: packed(y ?? S, n, p, k),
    served: all.filter((i) => driverOf(status, i) === 1),
    declined: all.filter((i) => driverOf(status, i) === 0),
  };
}

/** The singular vectors, into `U` and `Vh`. */
export function* liftGramSvd(
  { a, b }: Balanced,
  { X, Y }: GramSvd,
  U: FloatArray,
  Vh: FloatArray,
  at: Place,
) {
  if (X.cols === 0) return;
  yield* gemm(a, X, { ...at, name: 'A' }, { out: U });
  yield* gemm(Y, transposed(b), { ...at, name: 'B' }, { out: Vh });
}

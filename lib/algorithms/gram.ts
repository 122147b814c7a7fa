import { type Batch, dtypeOfBatch, packed, range, transposed } from '../native/batch.ts';
import { call } from '../native/contract.ts';
import { gemm, type SvdFactors } from '../native/kernels.ts';
import { driverOf, statusOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import { type Balanced, type Kind, smallCore } from './core.ts';

// Steps 4 to 6 of the product SVD for float32 heads, the quick way: no QR decomposition, and of the core only its square.

/** Singular values, and X (k×p) and Y (p×k) with U = A·X and Vh = Y·B, A and B without their gauge. */
export interface GramSvd {
  /** float64, one row for each item */
  readonly S: Batch;
  readonly X: Batch;
  readonly Y: Batch;
}

/** Both factors are tall, and their Gram matrices known. */
export interface WithGrams {
  readonly left: Batch;
  readonly right: Batch;
}

/**
 * Whether items of this kind may be decomposed from the Gram matrices of their factors: where float32 is asked for, the
 * core would be a small one in float64, and the inner dimension does not span too much. Which of them then are depends on each.
 */
export const fitsGramSvd = (items: Balanced, { dtype, square }: Kind): items is Balanced & WithGrams =>
  dtypeOfBatch(items.a) === 'float32' &&
  dtype === 'float64' &&
  square &&
  items.left !== undefined &&
  items.right !== undefined &&
  items.a.cols > 0 &&
  items.a.cols <= smallCore;

/**
 * The SVD of `A·B` from AᵀA and B·Bᵀ, with `form` singular vectors; the items that lose no digit of float32 are `served`,
 * the others `declined`. (docs/numerics.md)
 */
export function* gramSvd(
  { a, b, left, right, balance }: Balanced & WithGrams,
  form: number | 'none',
): Steps<GramSvd & { readonly served: Int32Array; readonly declined: Int32Array }> {
  const [n, k] = [a.count, a.cols];
  const p = form === 'none' ? 0 : form;
  const s = scratch('float64', [n, k]);
  const X = packed(scratch('float32', [n, k, p]), n, k, p, a.origin);
  const Y = packed(scratch('float32', [n, p, k]), n, p, k, b.origin);
  const status = statusOf(n);
  const [x, y] = p > 0 ? [X, Y] : [];
  yield call('gramSvd', {
    left,
    leftPerm: balance.a.perm,
    leftExponents: balance.a.exponents,
    x,
    right,
    rightPerm: balance.b.perm,
    rightExponents: balance.b.exponents,
    y,
    s,
    status,
  });
  const all = range(0, n);
  return {
    S: packed(s, n, 1, k),
    X,
    Y,
    served: all.filter((i) => driverOf(status, i) === 1),
    declined: all.filter((i) => driverOf(status, i) === 0),
  };
}

/** The singular vectors, into `U` and `Vh`. */
export function* liftGramSvd({ a, b }: Balanced, { X, Y }: GramSvd, { U, Vh }: SvdFactors): Steps<void> {
  if (X.cols === 0) return;
  yield* gemm(a, X, 'A', { out: U });
  yield* gemm(Y, transposed(b), 'B', { out: Vh });
}

import type { Dtype } from '../array/elements.ts';
import { epsilon } from '../array/tensor.ts';

/** What the error of the singular values of a product depends on. */
interface Basis {
  /** Of the singular values that are returned. */
  readonly dtype: Dtype;
  /** In which everything was computed that they come from. */
  readonly computed: Dtype;
  /** Σ ‖a_j‖·‖b_j‖ */
  readonly beta: number;
  /** β²/Σ(‖a_j‖·‖b_j‖)² */
  readonly pairs: number;
  readonly sigma1: number;
}

/**
 * Error bound of the singular values of a product: 4εβ, ε that of the arithmetic. Where many columns of about one size are
 * nearly parallel the rounding errors of equal terms do not cancel, and it is 4ε·σ₁·√pairs, once that is more than twice as
 * much. For float32 factors computed in float64 the rounding of the result is added.
 */
export function productBound({ dtype, computed, beta, pairs, sigma1 }: Basis): number {
  const parallel = Math.sqrt(pairs) * sigma1;
  const arithmetic = 4 * epsilon(computed) * (parallel > 2 * beta ? parallel : beta);
  return computed === dtype ? arithmetic : arithmetic + epsilon(dtype) * sigma1;
}

/** Relative accuracy of every singular value of a product whose bad scaling is diagonal (docs/numerics.md). */
export const relativeAccuracy = (dtype: Dtype): number => (dtype === 'float32' ? 1e-5 : 1e-13);

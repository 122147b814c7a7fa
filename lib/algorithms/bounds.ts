import type { Dtype } from '../array/elements.ts';
import { epsilon } from '../array/tensor.ts';
import type { DenseDriver } from '../native/kernels.ts';

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

/**
 * Error bound of the singular values of a plain m×n matrix, 4ε·σ₁·(√p + √max(m, n)/16): the errors grow with the size, to
 * some 12ε·σ₁ at 600×600. In float32 what has no more than 32 rows or columns is computed in float64, and only
 * rounded: ε·σ₁. LAPACK's own routines, and what computed results from elsewhere, drop elements of the bidiagonal form up
 * to 100 (`?bdsqr`: 49) times 2⁻⁵² beside their neighbours, in float32 100ε too: that comes on top. So does, where
 * LAPACK is known to have answered, what its sums over all rows lose, one term after the other: max(m, n)/4·ε where
 * all are equal, because each addition rounds by up to ε/2 of a partial sum, which is half of the whole on average.
 */
export function denseBound(dtype: Dtype, m: number, n: number, sigma1: number, driver?: DenseDriver): number {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  if (short === 0) return 0;
  const own = driver === 'gesdd-blocked';
  if (own && dtype === 'float32' && short <= narrow) return epsilon(dtype) * sigma1;
  const lapack = (own ? 0 : dropped) + (own || driver === undefined ? 0 : long / 4);
  return epsilon(dtype) * sigma1 * (4 * Math.sqrt(short) + Math.sqrt(long) / 4 + lapack);
}

/**
 * What rounding can take from ‖A·B‖_F as the core of A·B gives it, β = Σ ‖a_j‖·‖b_j‖; all in float64.
 */
export const coreAllowance = (beta: number): number => 50 * epsilon('float64') * beta;

const narrow = 32; // as in native/core/dense/narrow_reflectors.h
const dropped = 100;

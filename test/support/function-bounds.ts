import { epsilon } from '../../lib/array/tensor.ts';
import * as bounds from '../../lib/testing/bounds.ts';

// How far what is computed from singular values may be off, when these are off by `delta` at most.

const float64 = epsilon('float64');

/** |‖a‖_F − computed|, of float32 matrices too: the sums are in float64. */
export const frobenius = (norm: number, m: number, n: number): number =>
  bounds.reconstruction('float64', norm, m, n);

/** |σ₁/σ_p − computed|; infinite where σ_p may be 0. */
export function condition(delta: number, sigma1: number, sigmaP: number): number {
  if (sigmaP <= delta) return Number.POSITIVE_INFINITY;
  const ratio = sigma1 / sigmaP;
  return (delta * (1 + ratio)) / (sigmaP - delta) + float64 * ratio;
}

/**
 * |exp H − computed|. The shares σ²/Σσ² change by T = ½·Σ|Δ| ≤ 2·Σ(2σδ + δ²)/Σσ² at most, and their entropy by
 * T·ln(p − 1) + h(T), h that of two shares T and 1 − T (Audenaert, J. Phys. A 40, 2007).
 */
export function effectiveRank(delta: number, sigma: readonly number[], rank: number): number {
  const total = sigma.reduce((sum, s) => sum + s ** 2, 0);
  const rounding = 4 * sigma.length * float64;
  const T = (2 * sigma.reduce((sum, s) => sum + 2 * s * delta + delta ** 2, 0)) / total + rounding;
  const h = -T * Math.log(T) - (1 - T) * Math.log1p(-T);
  return rank * Math.expm1(T * Math.log(Math.max(1, sigma.length - 1)) + h);
}

/** |‖a‖_F²/σ₁² − computed|. */
export const stableRank = (delta: number, norm: number, sigma1: number, m: number, n: number): number =>
  ((norm + frobenius(norm, m, n)) / (sigma1 - delta)) ** 2 * (1 + 4 * float64) - (norm / sigma1) ** 2;

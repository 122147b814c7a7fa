export { denseBound } from '../algorithms/bounds.ts';

import { relativeAccuracy } from '../algorithms/bounds.ts';
import { type Dtype, epsilon } from '../array/tensor.ts';

// The tolerances of docs/numerics.md, each in one place. Observed maxima are about a quarter of them or less.

/** Smallest subnormal of the dtype. */
export const eta = (dtype: Dtype): number => (dtype === 'float32' ? 2 ** -149 : 2 ** -1074);

/** The dtype whose bounds hold for a comparison of the two. */
export const coarser = (a: Dtype, b: Dtype): Dtype => (a === 'float32' ? a : b);

/**
 * The β in `bound = 4εβ`: Σ‖a_j‖‖b_j‖ of a product, about √p·σ₁ of a plain matrix. That of a finite bound is at most the
 * largest number: β itself may be beyond it where what is allowed in multiples of ε·β is not.
 */
export const beta = (dtype: Dtype, bound: number): number =>
  Number.isFinite(bound) ? Math.min(bound / (4 * epsilon(dtype)), Number.MAX_VALUE) : bound;

/** ‖UᵀU − I‖_F for p orthonormal columns. */
export const orthonormality = (dtype: Dtype, p: number): number => 40 * epsilon(dtype) * Math.sqrt(p);

/** ‖M − U·diag(S)·Vh‖_F for an l×r matrix of norm `norm`; `beta` is Σ‖a_j‖‖b_j‖ where M is a product. */
export const reconstruction = (dtype: Dtype, norm: number, l: number, r: number, beta = 0): number =>
  50 * epsilon(dtype) * Math.max(norm, beta) + l * r * eta(dtype);

/** |s − t| of the singular values of one matrix, computed twice with the given bounds (4εβ each). */
export const singularValues = (dtype: Dtype, boundS: number, boundT: number): number =>
  boundS + boundT + eta(dtype);

/** |s − t| / max(s, t) of the singular values of one such product, computed twice. */
export const relativeSingularValues = (a: Dtype, b: Dtype): number =>
  relativeAccuracy(a) + relativeAccuracy(b);

/** Neighbours closer than this belong to one cluster. */
export const clusterGap = (tau: number): number => 100 * tau;

/** ‖(I − U_c·U_cᵀ)·Ũ_c‖_F for a cluster of `size` at distance `gap` from the rest (Wedin). */
export const subspace = (tau: number, size: number, gap: number): number => (4 * Math.sqrt(size) * tau) / gap;

/** A subspace bound from here on says nothing: the comparison is undetermined. */
export const undetermined = 0.5;

/**
 * Wedin's bound where rounding allows it: `size` computed vectors are orthonormal, and can agree, no better than this.
 * (A cluster of all singular values has no gap, and Wedin's bound is 0.)
 */
export const vectors = (dtype: Dtype, tau: number, size: number, gap: number): number =>
  Math.max(subspace(tau, size, gap), orthonormality(dtype, size));

/** |‖U_cᵀx‖ − ‖Ũ_cᵀx‖| where Ũ_c is a rotation of U_c up to `vectors`. */
export const probeNorm = (vectors: number, normX: number): number => vectors * normX;

/** |xᵀU_cV_cᵀy − xᵀŨ_cṼ_cᵀy| where one rotation serves both up to `vectors`; `left` = ‖U_cᵀx‖, `right` = ‖V_cᵀy‖. */
export const probeProduct = (
  vectors: number,
  normX: number,
  normY: number,
  left: number,
  right: number,
): number => vectors * (normX * right + normY * left) + vectors ** 2 * normX * normY;

/**
 * |s − t| of a composition score ‖M·N‖_F/(‖M‖_F·‖N‖_F) over d coordinates and the exact one; `beta` is Σ‖a_j‖·‖b_j‖ of M over
 * ‖M‖_F, plus the same of N.
 */
export const compositionScore = (dtype: Dtype, d: number, beta: number): number =>
  epsilon(dtype) * (3 + Math.sqrt(d) / 4 + Math.min(d, 256) / 8) + 8 * epsilon('float64') * beta;

import { type Dtype, epsilon } from '../views.ts';

// The tolerances of docs/numerics.md, each in one place. Observed maxima are about a quarter of them or less.

/** Smallest subnormal of the dtype. */
export const eta = (dtype: Dtype): number => (dtype === 'float32' ? 2 ** -149 : 2 ** -1074);

/** ‖UᵀU − I‖_F for p orthonormal columns. */
export const orthonormality = (dtype: Dtype, p: number): number => 40 * epsilon(dtype) * Math.sqrt(p);

/** ‖M − U·diag(S)·Vh‖_F for an l×r matrix of norm `norm`; `beta` is Σ‖a_j‖‖b_j‖ where M is a product. */
export const reconstruction = (dtype: Dtype, norm: number, l: number, r: number, beta = 0): number =>
  50 * epsilon(dtype) * Math.max(norm, beta) + l * r * eta(dtype);

/** |s − t| of the singular values of one matrix, computed twice with the given bounds (4εβ each). */
export const singularValues = (dtype: Dtype, boundS: number, boundT: number): number =>
  boundS + boundT + eta(dtype);

/** Neighbours closer than this belong to one cluster. */
export const clusterGap = (tau: number): number => 100 * tau;

/** ‖(I − U_c·U_cᵀ)·Ũ_c‖_F for a cluster of `size` at distance `gap` from the rest (Wedin). */
export const subspace = (tau: number, size: number, gap: number): number => (4 * Math.sqrt(size) * tau) / gap;

/** A subspace bound from here on says nothing: the comparison is undetermined. */
export const undetermined = 0.5;

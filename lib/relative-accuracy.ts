import type { Dtype } from './views.ts';

/** Relative accuracy of every singular value of a product whose bad scaling is diagonal (docs/numerics.md). */
export const relativeAccuracy = (dtype: Dtype): number => (dtype === 'float32' ? 1e-5 : 1e-13);

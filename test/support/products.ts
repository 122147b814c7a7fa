import { expect } from 'vitest';
import type { Svd } from '../../lib/algorithms/result.ts';
import { type Dtype, epsilon, type Tensor } from '../../lib/array/tensor.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  betaOf,
  checkSameSpectrum,
  checkSvd,
  dtypeOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  vectorAt,
} from './checks.ts';
import { factoredOf } from './factored.ts';
import { array, type Product } from './matrices.ts';
import type { ProductReference } from './references.ts';

/** Checks the decomposition of a product, and that `svdvals` and `norm` agree with it. */
export function checkProduct(of: Product): void {
  const m = factoredOf(of);
  const alone = factoredOf(of).svdvals();
  const norm = factoredOf(of).norm();
  const result = m.svd();
  checkSvd(of, result);
  const at = (x: number | Tensor, index: number[]) => (typeof x === 'number' ? x : x.get(...index));
  for (const index of indices(m.shape.slice(0, -2))) {
    const tau = at(result.bound, index);
    checkSameSpectrum(dtypeOf(m.A), vectorAt(alone, index), vectorAt(result.S, index), tau, tau);
    const M = multiplyRows(matrixAt(m.A, index), matrixAt(m.B, index), m.rdim);
    const beta = betaOf(matrixAt(m.A, index), matrixAt(m.B, index));
    const close = bounds.reconstruction(dtypeOf(m.A), frobenius(M), m.ldim, m.rdim, beta);
    expect(Math.abs(at(norm, index) - frobenius(M)), 'norm').toBeLessThanOrEqual(close);
  }
}

/** |s − t|/t of every singular value as a multiple of its bound, the largest: relative accuracy. */
export function relativeError(dtype: Dtype, s: ArrayLike<number>, exact: Float64Array): number {
  const bound = bounds.relativeSingularValues(dtype, dtype);
  return exact.reduce((worst, t, j) => Math.max(worst, Math.abs(s[j] - t) / t / bound), 0);
}

/**
 * The bound that docs/numerics.md states for a product without parallel columns and with a core of no more than 128: 4εβ;
 * for float32 factors that of the arithmetic, float64, and the rounding of the result, unless CholeskyQR2 was needed.
 */
export function statedBound(dtype: Dtype, beta: number, { S, driver }: Pick<Svd, 'S' | 'driver'>): number {
  if (dtype === 'float64' || String(driver).includes('cholesky2')) return 4 * epsilon(dtype) * beta;
  return 4 * epsilon('float64') * beta + epsilon('float32') * (S.data[0] ?? 0);
}

/** The factors of a reference. */
export const stored = ({ A, B, dtype }: ProductReference): Product => ({
  A: array(A.data, A.shape, dtype),
  B: array(B.data, B.shape, dtype),
});

import { expect } from 'vitest';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
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
import type { Product } from './matrices.ts';

export const dtypes: Dtype[] = ['float64', 'float32'];
export const factored = ({ A, B }: Product) => new FactoredMatrix(A, B);

/** Checks the decomposition of a product, and that `svdvals` and `norm` agree with it. */
export function checkProduct(of: Product): void {
  const m = factored(of);
  const alone = new FactoredMatrix(of.A, of.B).svdvals();
  const norm = new FactoredMatrix(of.A, of.B).norm();
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

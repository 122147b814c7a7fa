import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import { frobenius, indices } from '../../support/checks.ts';
import { beta, dense, factored } from '../../support/factored.ts';
import { dtypes, orthogonal, productWithSpectrum, rankDeficient } from '../../support/matrices.ts';

describe('norm, rank and cond', () => {
  it.each(dtypes)('norm is ‖A·B‖_F within the bound: %s', (dtype) => {
    const m = factored(23, [7, 3, 5], dtype);
    const M = frobenius(dense(m));
    expect(Math.abs((m.norm() as number) - M)).toBeLessThanOrEqual(
      bounds.reconstruction(dtype, M, 7, 5, beta(m)),
    );
  });

  it('norm neither overflows nor underflows on the way', () => {
    for (const scale of [1e300, 1e-300, 1e-320]) {
      const m = new FactoredMatrix([[3], [4]], [[scale]]);
      const bound = bounds.reconstruction('float64', 5 * scale, 2, 1);
      expect(Math.abs((m.norm() as number) - 5 * scale)).toBeLessThanOrEqual(bound);
    }
    const cancelling = new FactoredMatrix([[1e200, 1e200]], [[1e100], [-1e100]]);
    expect(cancelling.norm()).toBeLessThanOrEqual(cancelling.svd().bound as number);
  });

  it('rank is the number of singular values above their bound', () => {
    for (const rank of [0, 1, 2, 4]) {
      const A = rankDeficient(24, 8, 6, rank);
      expect(new FactoredMatrix(A, orthogonal(25, 6, 6)).rank()).toBe(rank);
    }
    expect(factored(26, [5, 3, 7]).rank()).toBe(3);
    expect(new FactoredMatrix([[1, 1]], [[1], [-1]]).rank()).toBe(0);
  });

  it('rank counts what is above tol where that is given; tol itself does not count', () => {
    const m = new FactoredMatrix([[4, 0, 0], [0, 2, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // biome-ignore format: two matrices
    expect(Array.from(m.S.data)).toEqual([4, 2, 1]);
    const ranks = [0, 0.5, 1, 1.5, 2, 3, 4, Number.POSITIVE_INFINITY].map((tol) => m.rank({ tol }));
    expect(ranks).toEqual([3, 3, 2, 2, 1, 1, 0, 0]);
  });

  it('cond is σ₁/σ_p of p = min(l, k, r) values, infinite for a singular matrix', () => {
    const { A, B } = productWithSpectrum(27, 7, 6, [8, 4, 2]);
    const m = new FactoredMatrix(A, B);
    const tau = m.svd().bound as number;
    expect(Math.abs((m.cond() as number) * 2 - 8)).toBeLessThanOrEqual(
      2 * 4 * bounds.singularValues('float64', tau, tau),
    );
    expect(new FactoredMatrix([[1, 0], [0, 0]], [[1, 0], [0, 1]]).cond()).toBe(Number.POSITIVE_INFINITY); // biome-ignore format: two matrices
    expect(new FactoredMatrix([[0]], [[0]]).cond()).toBe(Number.POSITIVE_INFINITY);
  });

  it('are ndarrays of the leading dimensions where there are any, numbers where there are none', () => {
    const m = factored(28, [5, 3, 4], 'float64', [2, 3]);
    for (const x of [m.norm(), m.rank(), m.cond(), m.svd().bound]) {
      expect((x as Tensor).shape).toEqual([2, 3]);
      expect((x as Tensor).dtype).toBe('float64');
    }
    for (const index of indices([2, 3])) {
      const one = m.at(...index);
      expect(one.shape).toEqual([5, 4]);
      const bound = bounds.reconstruction('float64', one.norm() as number, 5, 4, beta(one));
      expect(Math.abs((m.norm() as Tensor).get(...index) - (one.norm() as number))).toBeLessThanOrEqual(
        bound,
      );
      expect((m.rank() as Tensor).get(...index)).toBe(one.rank());
    }
    for (const x of [factored(29, [5, 3, 4])].flatMap((one) => [
      one.norm(),
      one.rank(),
      one.cond(),
      one.svd().bound,
    ])) {
      expect(x).toBeTypeOf('number');
    }
    expect((factored(30, [5, 3, 4], 'float64', [1]).norm() as Tensor).shape).toEqual([1]);
    expect((factored(30, [5, 3, 4], 'float64', [0]).rank() as Tensor).shape).toEqual([0]);
  });
});

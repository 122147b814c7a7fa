import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { dist, FactoredMatrix, lowRank, lowRankAsync, norm, svd, svdvals } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { bits, checkError, distance, errorOf, indices, matrixAt } from '../support/checks.ts';
import { array, dtypes, randomMatrix, randomProduct, withSpectrum } from '../support/matrices.ts';

const sigma = [8, 4, 2, 1, 0.5];
const formed = (x: { AB: unknown }) => matrixAt(x.AB as Tensor);

describe('lowRank', () => {
  it.each(dtypes)('is the best approximation: what is left is what was cut off: %s', (dtype) => {
    const a = withSpectrum(1, 9, 7, sigma, dtype);
    for (const rank of [0, 1, 3, 5, 7]) {
      const x = lowRank(a, { rank });
      expect([x.mdim, x.shape, x.A.dtype]).toEqual([rank, [9, 7], dtype]);
      const rest = Math.hypot(...sigma.slice(rank));
      const bound = bounds.reconstruction(dtype, 10, 9, 7, 16);
      expect(Math.abs((x.truncationError as number) - rest)).toBeLessThanOrEqual(bound);
      const exact = distance(
        matrixAt(a),
        rank > 0 ? formed(x) : matrixAt(array(new Array(63).fill(0), [9, 7])),
      );
      expect(x.truncationError).toBeGreaterThanOrEqual(exact - (dtype === 'float32' ? bound : 0));
    }
  });

  it('what is left of products of subnormal numbers is rounded up', () => {
    const M = new FactoredMatrix([[-5.4e-323], [-9e-323]], [[-0.5, -0.875, 0.75]]); // the nearest of rank 1 is half a 2⁻¹⁰⁷⁴ away
    expect(lowRank(M, { rank: 1 }).truncationError).toBeGreaterThanOrEqual(2 ** -1074);
  });

  it('both factors share the singular values', () => {
    const { A, B } = lowRank(withSpectrum(2, 6, 5, [9, 4]), { rank: 2 });
    const bound = bounds.reconstruction('float64', 9, 6, 5);
    for (const [j, s] of [3, 2].entries()) {
      expect(Math.abs(Math.hypot(...matrixAt(A).map((row) => row[j])) - s)).toBeLessThanOrEqual(bound);
      expect(Math.abs(Math.hypot(...matrixAt(B)[j]) - s)).toBeLessThanOrEqual(bound);
    }
  });

  it('tol and energy take as few triplets as are enough', () => {
    const a = withSpectrum(3, 9, 7, sigma);
    const total = sigma.reduce((sum, s) => sum + s ** 2, 0);
    for (const [rank, tol] of [
      [0, 10],
      [1, 4.7],
      [2, 2.4],
      [3, 1.2],
      [4, 0.6],
      [5, 0.4],
    ]) {
      // biome-ignore format: pairs
      const x = lowRank(a, { tol });
      expect(x.mdim).toBe(rank);
      expect(x.truncationError).toBeLessThanOrEqual(tol);
    }
    for (const rank of [1, 2, 3, 4]) {
      const held = sigma.slice(0, rank).reduce((sum, s) => sum + s ** 2, 0) / total;
      expect(lowRank(a, { energy: held * 0.999 }).mdim).toBe(rank);
      expect(lowRank(a, { energy: Math.min(1, held * 1.001) }).mdim).toBe(rank + 1);
    }
    expect([lowRank(a, { energy: 0 }).mdim, lowRank(a, { tol: 0 }).mdim]).toEqual([0, 7]);
  });

  it.each(dtypes)(
    'of products, of batches and asynchronous: the same as of one matrix: %s',
    async (dtype) => {
      const { A, B } = randomProduct(4, [8, 4, 6], dtype, [2, 3]);
      const M = new FactoredMatrix(A, B);
      for (const a of [M, randomMatrix(5, [2, 3, 8, 6], dtype)])
        for (const options of [{ rank: 2 }, { tol: 1 }, { energy: 0.9 }]) {
          const all = lowRank(a, options);
          const later = await lowRankAsync(a, options);
          expect([bits(all.A as Tensor), bits(all.B as Tensor)]).toEqual([
            bits(later.A as Tensor),
            bits(later.B as Tensor),
          ]);
          expect((later.truncationError as Tensor).data).toEqual((all.truncationError as Tensor).data);
          for (const [i, j] of indices([2, 3])) {
            const one = a instanceof FactoredMatrix ? a.at(i, j) : a.pick(i, j);
            const measured = dist(one, all.at(i, j)) as number;
            const stated = (all.truncationError as Tensor).get(i, j);
            expect(measured).toBeLessThanOrEqual(stated);
            expect(stated - measured).toBeLessThanOrEqual(
              4 * bounds.reconstruction('float64', norm(one) as number, 8, 6, 100),
            );
            const rest = svdvals(one);
            const cut = Math.hypot(...Array.from(rest.data).slice(all.mdim));
            expect(Math.abs(stated - cut)).toBeLessThanOrEqual(
              bounds.reconstruction(dtype, norm(one) as number, 8, 6, 100),
            );
          }
        }
    },
  );

  it('takes as many triplets as svd does for the same share', () => {
    const a = withSpectrum(8, 9, 7, sigma); // of rank 5, but for rounding
    for (const energy of [0, 0.5, 0.99, 1]) {
      expect(lowRank(a, { energy }).mdim, `energy ${energy}`).toBe(svd(a, { energy }).S.shape[0]);
    }
  });

  it('sees an approximation that is not the best', () => {
    const a = withSpectrum(6, 9, 7, sigma);
    const x = lowRank(a, { rank: 2 });
    expect(dist(a, x.mul(1 + 1e-3))).toBeGreaterThan(x.truncationError as number);
  });

  it('refuses no share, two, and those there cannot be', () => {
    const a = [[1, 2], [3, 4]]; // biome-ignore format: a matrix
    for (const options of [{}, { rank: 1, tol: 1 }, { rank: 3 }, { rank: 1.5 }, { energy: 1.1 }, { tol: -1 }])
      checkError(
        errorOf(() => lowRank(a, options)),
        'ERR_SVD_ARGUMENT',
        'lowRank',
      );
    checkError(
      errorOf(() => lowRank([[Number.NaN]], { rank: 1 })),
      'ERR_SVD_NON_FINITE',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { dist, FactoredMatrix, matmul } from '../../../lib/index.ts';
import { checkError, errorOf } from '../../support/checks.ts';
import { array } from '../../support/matrices.ts';
import { product } from '../../support/wrong-arguments.ts';

describe('ERR_SVD_OVERFLOW', () => {
  const big = () => new FactoredMatrix([[1e200, 0], [0, 1]], [[1e200, 0], [0, 1]]); // biome-ignore format: two matrices
  it.each([
    ['AB', () => big().AB],
    ['BA', () => big().BA],
    ['svd', () => big().svd()],
    ['svdvals', () => big().svdvals()],
    ['norm', () => big().norm()],
    ['rank', () => big().rank()],
    ['three-svd', () => big().svd({ algorithm: 'three-svd' })],
    ['eigenvalues', () => big().eigenvalues()],
    ['getCorner', () => big().getCorner()],
    ['FactoredMatrix · vector', () => big().matmul([1, 1])],
    ['vector · FactoredMatrix', () => big().rmatmul([1, 1])],
    ['matmul', () => matmul([[1e200]], [[1e200]])],
    ['matmul of vectors', () => matmul([1e200], [1e200])],
    ['pinv of a tiny matrix', () => new FactoredMatrix([[1e-160]], [[1e-160]]).pinv()],
    ['dist', () => dist([[1.7e308]], [[-1.7e308]])],
    ['dist of products', () => dist(big(), product(2, 2, 2))],
    ['dist of a product and a matrix', () => dist(big(), [[1, 0], [0, 1]])], // biome-ignore format: one case, one line
  ] as [string, () => unknown][])('%s', (_, f) => {
    checkError(errorOf(f), 'ERR_SVD_OVERFLOW', /too large|not representable/);
  });

  it('of float32 comes at the largest float32: a product that float64 could hold', () => {
    const [A, B] = [array([1e30], [1, 1], 'float32'), array([1e30], [1, 1], 'float32')];
    checkError(
      errorOf(() => new FactoredMatrix(A, B).svd()),
      'ERR_SVD_OVERFLOW',
    );
    checkError(
      errorOf(() => matmul(A, B)),
      'ERR_SVD_OVERFLOW',
    );
    expect(() => new FactoredMatrix(A, [[1e30]]).svd()).not.toThrow();
  });

  it('in a batch names the item', () => {
    const A = array([1, 1e200, 1], [3, 1, 1]);
    const m = new FactoredMatrix(A, [[1e200]]);
    for (const f of [() => m.svd(), () => m.norm(), () => m.AB, () => m.svdvals()]) {
      const error = errorOf(f);
      checkError(error, 'ERR_SVD_OVERFLOW', '[1]');
      expect(error.batchIndex).toEqual([1]);
    }
  });

  it('is not for products that fit, however large their factors', () => {
    expect(new FactoredMatrix([[1e300]], [[1e-300]]).svd().S.data[0]).toBeGreaterThan(0);
    const cancelling = new FactoredMatrix([[1e300, 1e300]], [[1e7], [-1e7]]).svd();
    expect(cancelling.S.data[0]).toBeLessThanOrEqual(cancelling.bound as number);
  });
});

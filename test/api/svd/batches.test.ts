import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { svd, svdvals } from '../../../lib/index.ts';
import { checkSameSpectrum, checkSvd, matrixAt, vectorAt } from '../../support/checks.ts';

import { array, dtypes, randomMatrix } from '../../support/matrices.ts';

describe('batches', () => {
  it.each(dtypes)('are decomposed item by item: %s', (dtype) => {
    const a = randomMatrix(12, [2, 3, 6, 5], dtype);
    const result = svd(a);
    checkSvd(a, result);
    expect((result.bound as Tensor).shape).toEqual([2, 3]);
    expect(result.driver).toEqual(new Array(6).fill('gesdd-blocked'));
  });

  it('give each item the spectrum that it has alone', () => {
    const a = randomMatrix(13, [4, 7, 5]);
    const all = svd(a);
    for (let i = 0; i < 4; i++) {
      const alone = svd(a.pick(i, null, null));
      checkSameSpectrum(
        'float64',
        vectorAt(all.S, [i]),
        alone.S.data,
        (all.bound as Tensor).get(i),
        alone.bound as number,
      );
    }
  });

  it('may be broadcast views: every repeated item has the same decomposition', () => {
    const one = randomMatrix(14, [4, 3]);
    const repeated = { data: one.data, shape: [5, 4, 3], stride: [0, 3, 1] };
    const result = svd(repeated);
    checkSvd(ndarray(one.data, [5, 4, 3], [0, 3, 1]), result);
    for (let i = 1; i < 5; i++) expect(matrixAt(result.U, [i])).toEqual(matrixAt(result.U, [0]));
  });

  it('may be empty', () => {
    for (const shape of [
      [0, 4, 3],
      [2, 0, 3, 4],
    ]) {
      const a = array([], shape);
      const result = svd(a);
      checkSvd(a, result);
      expect((result.bound as Tensor).shape).toEqual(shape.slice(0, -2));
      expect(svdvals(a).shape).toEqual([...shape.slice(0, -2), 3]);
    }
  });
});

describe('empty matrices', () => {
  it.each([
    [0, 5],
    [5, 0],
    [0, 0],
  ])('%d×%d have thin factors with a 0 in their shapes, and bound 0', (m, n) => {
    for (const dtype of dtypes) {
      const a = array([], [m, n], dtype);
      const result = svd(a);
      checkSvd(a, result);
      expect(result.bound).toBe(0);
      expect(svdvals(a).shape).toEqual([0]);
    }
  });

  it('may stand in a batch', () => {
    const a = array([], [3, 0, 2]);
    checkSvd(a, svd(a));
    checkSvd(a, svd(a, { fullMatrices: true }), { fullMatrices: true });
  });
});

import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../../lib/array/tensor.ts';
import { diagEmbed, svd, svdvals, transpose } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import { checkError, checkSameSpectrum, checkSvd, errorOf, norm } from '../../support/checks.ts';

import {
  array,
  dtypes,
  mapMatrix,
  orthogonal,
  randomMatrix,
  rankDeficient,
  withSpectrum,
} from '../../support/matrices.ts';

describe('special spectra', () => {
  it.each(dtypes)('the zero matrix has S = 0 and orthonormal vectors all the same: %s', (dtype) => {
    const a = array(new Array(15).fill(0), [5, 3], dtype);
    const result = svd(a);
    checkSvd(a, result);
    expect(Array.from(result.S.data)).toEqual([0, 0, 0]);
  });

  it.each(dtypes)('a matrix of exact rank 2 has two singular values above the bound: %s', (dtype) => {
    const a = rankDeficient(15, 9, 7, 2, dtype);
    const result = svd(a);
    checkSvd(a, result);
    expect(result.S.data.filter((s) => s > (result.bound as number))).toHaveLength(2);
  });

  it.each(dtypes)('twice an orthogonal matrix has every singular value 2: %s', (dtype) => {
    const a = mapMatrix(orthogonal(16, 12, 12), (x) => 2 * x, dtype);
    const result = svd(a);
    checkSvd(a, result);
    checkSameSpectrum(
      dtype,
      result.S.data,
      new Array(12).fill(2),
      result.bound as number,
      result.bound as number,
    );
  });

  it.each(dtypes)('two clusters come out with their values and with orthonormal vectors: %s', (dtype) => {
    const sigma = [3, 3, 3, 1, 1, 1];
    const a = withSpectrum(17, 14, 9, sigma, dtype);
    const result = svd(a);
    checkSvd(a, result);
    checkSameSpectrum(
      dtype,
      result.S.data,
      [...sigma, 0, 0, 0],
      result.bound as number,
      bounds.reconstruction(dtype, norm(sigma), 14, 9), // of building it from rounded factors
    );
  });

  it.each([
    [13, 6],
    [7, 6],
    [20, 20],
  ])('the singular values of aᵀ are those of a within the two bounds: %d×%d', (m, n) => {
    for (let seed = 0; seed < 40; seed++) {
      const a = randomMatrix(seed, [m, n]);
      const [s, t] = [svd(a), svd(transpose(a))];
      checkSameSpectrum('float64', s.S.data, t.S.data, s.bound as number, t.bound as number);
    }
  });

  it('the singular values of diag(s) are s, whatever its order', () => {
    const s = [0.5, 4, 0, 2, 1];
    const { S, bound } = svd(diagEmbed(s));
    checkSameSpectrum('float64', S.data, [4, 2, 1, 0.5, 0], bound as number, 0);
  });
});

describe('scaling', () => {
  it.each([
    ['float64', 1e300],
    ['float64', 1e-300],
    ['float64', 1e-310], // subnormal
    ['float64', 1e-322], // the last two bits
    ['float32', 1e37],
    ['float32', 1e-37],
    ['float32', 1e-41],
  ] as [Dtype, number][])('%s near %d loses nothing but what the dtype cannot hold', (dtype, scale) => {
    const a = mapMatrix(randomMatrix(19, [8, 6]), (x) => x * scale, dtype);
    checkSvd(a, svd(a));
  });

  it('entries from 1e-300 to 1e300 in one matrix are no trouble', () => {
    const a = mapMatrix(randomMatrix(20, [8, 6]), (x, i) => x * 10 ** (300 - 85 * i));
    checkSvd(a, svd(a));
  });

  it.each([
    ['float64', Number.MAX_VALUE],
    ['float32', 2 ** 127 * (2 - 2 ** -23)],
  ] as [Dtype, number][])(
    '%s: the largest finite number as the only entry is its singular value',
    (dtype, largest) => {
      const { S } = svd(array([largest, 0, 0, 0], [2, 2], dtype));
      checkSameSpectrum(
        dtype,
        [S.data[0] / largest, S.data[1]],
        [1, 0],
        bounds.eta(dtype),
        4 * (dtype === 'float32' ? 2 ** -23 : 2 ** -52),
      );
    },
  );

  it.each([
    ['float64', Number.MAX_VALUE],
    ['float32', 2 ** 127 * (2 - 2 ** -23)],
  ] as [Dtype, number][])(
    '%s: a singular value above the largest finite number is ERR_SVD_OVERFLOW',
    (dtype, largest) => {
      const a = array([largest, largest, largest, largest], [2, 2], dtype);
      checkError(
        errorOf(() => svd(a)),
        'ERR_SVD_OVERFLOW',
        /svd/,
      );
      checkError(
        errorOf(() => svdvals(a)),
        'ERR_SVD_OVERFLOW',
      );
      checkError(
        errorOf(() => svd(a, { fullMatrices: true })),
        'ERR_SVD_OVERFLOW',
      );
    },
  );

  it('an overflow in a batch names its item', () => {
    const big = new Array(4).fill(Number.MAX_VALUE);
    const a = array([1, 0, 0, 1, ...big, 1, 2, 3, 4], [3, 2, 2]);
    const error = errorOf(() => svd(a));
    checkError(error, 'ERR_SVD_OVERFLOW', 'batch item [1]');
    expect(error.batchIndex).toEqual([1]);
  });
});

import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { svd, svdAsync, svdLegacy, svdLegacyAsync, svdvals, svdvalsAsync } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import {
  allBits,
  bits,
  checkSameSpectrum,
  checkSvd,
  indices,
  matrixAt,
  transposeRows,
  vectorAt,
} from '../../support/checks.ts';

import { array, dtypes, mapMatrix, randomMatrix } from '../../support/matrices.ts';
import { denseReferences } from '../../support/references.ts';

const shapes: [m: number, n: number][] = [
  [1, 1],
  [1, 7],
  [7, 1],
  [2, 2],
  [9, 9],
  [12, 4],
  [4, 12],
  [70, 9],
  [9, 70],
  [65, 64],
];
const each = dtypes.flatMap((dtype) => shapes.map(([m, n]) => ({ dtype, m, n })));

describe('svd', () => {
  it.each(each)(
    'gives U·diag(S)·Vh = a within 50ε‖a‖, with orthonormal U and Vh: $dtype $m×$n',
    ({ dtype, m, n }) => {
      const a = randomMatrix(1, [m, n], dtype);
      checkSvd(a, svd(a));
    },
  );

  it('gives it for every shape from 1×1 to 20×20, at any scale', () => {
    const cases = fc.record({
      m: fc.integer({ min: 1, max: 20 }),
      n: fc.integer({ min: 1, max: 20 }),
      seed: fc.nat(),
      dtype: fc.constantFrom(...dtypes),
      exponent: fc.integer({ min: -100, max: 100 }),
    });
    fc.assert(
      fc.property(cases, ({ m, n, seed, dtype, exponent }) => {
        const a = mapMatrix(randomMatrix(seed, [m, n]), (x) => x * 2 ** exponent, dtype);
        checkSvd(a, svd(a));
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it.each(denseReferences)(
    'has the singular values of 60-digit arithmetic: $name',
    ({ dtype, matrix, singularValues }) => {
      const a = array(matrix.data, matrix.shape, dtype);
      const result = svd(a);
      checkSvd(a, result);
      checkSameSpectrum(dtype, result.S.data, singularValues, result.bound as number, 0);
      checkSameSpectrum(dtype, svdvals(a).data, singularValues, result.bound as number, 0);
    },
  );

  it('takes plain nested numbers: the singular values of [[3, 0], [4, 5]] are √45 and √5', () => {
    const { S, bound } = svd([
      [3, 0],
      [4, 5],
    ]);
    checkSameSpectrum('float64', S.data, [Math.sqrt(45), Math.sqrt(5)], bound as number, 0);
  });

  it.each([5, -5, 0])('of the 1×1 matrix [%d] has S = |x| and unit vectors', (x) => {
    const result = svd([[x]]);
    checkSvd(array([x], [1, 1]), result);
    expect(result.S.data).toEqual(Float64Array.of(Math.abs(x)));
  });

  it.each(dtypes)('tells the bound of its size and its driver: %s', (dtype) => {
    const { S, bound, driver } = svd(randomMatrix(2, [6, 5], dtype));
    expect(driver).toBe('gesdd-blocked');
    expect(bound).toBe(bounds.denseBound(dtype, 6, 5, S.data[0], 'gesdd-blocked'));
  });
});

describe('fullMatrices', () => {
  it.each(each)('gives square orthogonal U and Vh: $dtype $m×$n', ({ dtype, m, n }) => {
    const a = randomMatrix(3, [m, n], dtype);
    checkSvd(a, svd(a, { fullMatrices: true }), { fullMatrices: true });
  });

  it('adds vectors and leaves the singular values within the bound', () => {
    const a = randomMatrix(4, [11, 6]);
    const [thin, full] = [svd(a), svd(a, { fullMatrices: true })];
    checkSameSpectrum('float64', thin.S.data, full.S.data, thin.bound as number, full.bound as number);
  });

  it('is false where it is not given', () => {
    const a = randomMatrix(5, [7, 3]);
    expect(svd(a).U.shape).toEqual([7, 3]);
    expect(svd(a, {}).U.shape).toEqual([7, 3]);
    expect(svd(a, { fullMatrices: false }).U.shape).toEqual([7, 3]);
    expect(svd(a, { fullMatrices: undefined }).U.shape).toEqual([7, 3]);
  });

  it('completes an empty matrix with orthogonal matrices', () => {
    for (const [m, n] of [
      [0, 3],
      [3, 0],
      [0, 0],
    ]) {
      const a = array([], [m, n]);
      checkSvd(a, svd(a, { fullMatrices: true }), { fullMatrices: true });
    }
  });

  it('works on batches', () => {
    const a = randomMatrix(6, [2, 2, 5, 3]);
    checkSvd(a, svd(a, { fullMatrices: true }), { fullMatrices: true });
  });
});

describe('svdvals', () => {
  it.each(each)('equals svd(a).S within the bounds: $dtype $m×$n', ({ dtype, m, n }) => {
    const a = randomMatrix(7, [m, n], dtype);
    const { S, bound } = svd(a);
    const alone = svdvals(a);
    expect(alone.shape).toEqual(S.shape);
    checkSameSpectrum(dtype, alone.data, S.data, bound as number, bound as number);
  });

  it('keeps leading dimensions', () => {
    const a = randomMatrix(8, [2, 3, 5, 4]);
    const { S, bound } = svd(a);
    const alone = svdvals(a);
    expect(alone.shape).toEqual([2, 3, 4]);
    for (const index of indices([2, 3])) {
      const tau = (bound as Tensor).get(...index);
      checkSameSpectrum('float64', vectorAt(alone, index), vectorAt(S, index), tau, tau);
    }
  });
});

describe('svdLegacy', () => {
  it.each(dtypes)('gives V, the transpose of Vh, contiguous: %s', (dtype) => {
    const a = randomMatrix(9, [2, 6, 4], dtype);
    const [now, legacy] = [svd(a), svdLegacy(a)];
    expect(Object.keys(legacy).sort()).toEqual(['S', 'U', 'V']);
    expect(bits(legacy.U)).toBe(bits(now.U));
    expect(bits(legacy.S)).toBe(bits(now.S));
    expect(legacy.V.shape).toEqual([2, 4, 4]);
    for (const index of indices([2])) {
      expect(matrixAt(legacy.V, index)).toEqual(transposeRows(matrixAt(now.Vh, index)));
    }
    expect(legacy.V.stride).toEqual([16, 4, 1]);
  });

  it('is frozen and iterable as [U, S, V]', () => {
    const legacy = svdLegacy(randomMatrix(10, [4, 3]));
    const [U, S, V] = legacy;
    expect(U).toBe(legacy.U);
    expect(S).toBe(legacy.S);
    expect(V).toBe(legacy.V);
    expect(Object.isFrozen(legacy)).toBe(true);
  });

  it('has an Async twin with the same bits', async () => {
    const a = randomMatrix(11, [5, 3]);
    expect(allBits(await svdLegacyAsync(a))).toEqual(allBits(svdLegacy(a)));
  });
});

describe('results', () => {
  it('are frozen, and iterable as [U, S, Vh]', () => {
    const result = svd(randomMatrix(21, [5, 4]));
    const [U, S, Vh] = result;
    expect(U).toBe(result.U);
    expect(S).toBe(result.S);
    expect(Vh).toBe(result.Vh);
    expect(Object.isFrozen(result)).toBe(true);
    expect(() => Object.assign(result, { S: U })).toThrow(TypeError);
  });

  it('are scijs ndarrays: views of them work', () => {
    const { U } = svd(randomMatrix(22, [5, 4]));
    expect(U.constructor).toBe(ndarray(new Float64Array(20), [5, 4]).constructor);
    expect(U.transpose(1, 0).get(3, 2)).toBe(U.get(2, 3));
    expect(U.dtype).toBe('float64');
  });

  it('have the dtype of the input', () => {
    for (const dtype of dtypes) {
      for (const x of svd(randomMatrix(23, [3, 4], dtype))) expect(x.dtype).toBe(dtype);
    }
  });

  it.each(each)('leave the input as it was, and share no memory with it: $dtype $m×$n', ({ dtype, m, n }) => {
    const a = randomMatrix(24, [m, n], dtype);
    const before = bits(a);
    for (const options of [{}, { fullMatrices: true }]) {
      for (const x of svd(a, options)) {
        expect(x.data.buffer).not.toBe(a.data.buffer);
        x.data.fill(7);
      }
    }
    svdvals(a).data.fill(7);
    expect(bits(a)).toBe(before);
  });

  it('share no memory with each other', () => {
    const { U, S, Vh } = svd(randomMatrix(25, [3, 3]));
    expect(new Set([U.data.buffer, S.data.buffer, Vh.data.buffer]).size).toBe(3);
  });

  it('are the same bits every time', () => {
    const a = randomMatrix(26, [40, 30]);
    expect(allBits(svd(a))).toEqual(allBits(svd(a)));
  });
});

describe('svdAsync and svdvalsAsync', () => {
  it.each(each)('give the bits of the synchronous functions: $dtype $m×$n', async ({ dtype, m, n }) => {
    const a = randomMatrix(27, [m, n], dtype);
    const result = await svdAsync(a);
    expect(allBits(result)).toEqual(allBits(svd(a)));
    expect(bits(await svdvalsAsync(a))).toBe(bits(svdvals(a)));
    expect(Object.isFrozen(result)).toBe(true);
  });

  it('take fullMatrices, batches, views and empty matrices', async () => {
    const batch = randomMatrix(28, [2, 3, 6, 4]);
    const view = batch.transpose(1, 0, 3, 2).step(-1, 1, -1, 1);
    const empty = array([], [0, 3, 2]);
    for (const a of [batch, view, empty]) {
      for (const options of [{}, { fullMatrices: true }]) {
        expect(allBits(await svdAsync(a, options))).toEqual(allBits(svd(a, options)));
      }
      expect(bits(await svdvalsAsync(a))).toBe(bits(svdvals(a)));
    }
  });
});

import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Dtype, Tensor } from '../lib/array/tensor.ts';
import {
  diagEmbed,
  svd,
  svdAsync,
  svdLegacy,
  svdLegacyAsync,
  svdvals,
  svdvalsAsync,
  transpose,
} from '../lib/index.ts';
import * as bounds from '../lib/testing/bounds.ts';
import {
  allBits,
  bits,
  checkError,
  checkSameSpectrum,
  checkSvd,
  errorOf,
  indices,
  matrixAt,
  norm,
  transposeRows,
  vectorAt,
} from './support/checks.ts';
import {
  array,
  mapMatrix,
  orthogonal,
  randomMatrix,
  rankDeficient,
  withSpectrum,
} from './support/matrices.ts';
import { denseReferences } from './support/references.ts';

const dtypes: Dtype[] = ['float64', 'float32'];
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

/** A copy of a decomposition with some of its arrays replaced. */
const altered = (
  svd: { U: Tensor; S: Tensor; Vh: Tensor },
  change: Partial<{ U: Tensor; S: Tensor; Vh: Tensor }>,
) => ({
  U: svd.U,
  S: svd.S,
  Vh: svd.Vh,
  ...change,
});

const mapVector = (x: Tensor, f: (value: number, i: number) => number): Tensor =>
  ndarray(x.data.map(f) as Float64Array, x.shape);

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

describe('the checks of this file', () => {
  const a = randomMatrix(29, [6, 6]);
  const result = svd(a);
  const { S } = result;
  const resolution = bounds.reconstruction('float64', norm(Array.from(S.data)), 6, 6);

  it('accept the decomposition itself', () => {
    expect(() => checkSvd(a, altered(result, {}))).not.toThrow();
  });

  it('see V in place of Vh', () => {
    expect(() => checkSvd(a, altered(result, { Vh: transpose(result.Vh) }))).toThrow(/stride/);
    const V = svdLegacy(a).V;
    expect(() => checkSvd(a, altered(result, { Vh: V }))).toThrow(/reconstruction/);
  });

  it('see one singular value that is off by twice the bound', () => {
    const off = mapVector(S, (s, j) => (j === 2 ? s + 2 * resolution : s));
    expect(() => checkSvd(a, altered(result, { S: off }))).toThrow(/reconstruction/);
    expect(() =>
      checkSameSpectrum('float64', off.data, S.data, result.bound as number, result.bound as number),
    ).toThrow(/spectrum/);
  });

  it('see singular values that are negative, not sorted, NaN or missing', () => {
    const swapped = mapVector(S, (_, j) => S.data[[1, 0, 2, 3, 4, 5][j]]);
    expect(() => checkSvd(a, altered(result, { S: swapped }))).toThrow(/sorted/);
    expect(() => checkSvd(a, altered(result, { S: mapVector(S, (s, j) => (j === 5 ? -s : s)) }))).toThrow(
      /≥ 0/,
    );
    expect(() => checkSvd(a, altered(result, { S: mapVector(S, () => Number.NaN) }))).toThrow(/finite/);
    expect(() => checkSvd(a, altered(result, { S: array(S.data.slice(1), [5]) }))).toThrow(/shape of S/);
  });

  it('see columns that are not of unit length, though their product is right', () => {
    const U = mapMatrix(result.U, (x) => x * 2);
    const half = mapVector(S, (s) => s / 2);
    expect(() => checkSvd(a, altered(result, { U, S: half }))).toThrow(/orthonormality: columns of U/);
    const Vh = mapMatrix(result.Vh, (x) => x * 2);
    expect(() => checkSvd(a, altered(result, { Vh, S: half }))).toThrow(/orthonormality: rows of Vh/);
  });

  it('see one sign flipped in U alone', () => {
    const U = mapMatrix(result.U, (x, _, j) => (j === 3 ? -x : x));
    expect(() => checkSvd(a, altered(result, { U }))).toThrow(/reconstruction/);
  });

  it('see a float32 result for a float64 matrix', () => {
    expect(() => checkSvd(a, svd(mapMatrix(a, (x) => x, 'float32')))).toThrow(/dtype/);
  });

  it('see an error in tiny weights: there is no absolute tolerance', () => {
    const tiny = mapMatrix(a, (x) => x * 1e-200);
    const right = svd(tiny);
    checkSvd(tiny, right);
    const off = mapVector(right.S, (s) => s * (1 + 2 * resolution));
    expect(() => checkSvd(tiny, altered(right, { S: off }))).toThrow(/reconstruction/);
  });
});

import ndarray from 'ndarray';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SvdErrorCode } from '../lib/array/errors.ts';
import type { Tensor } from '../lib/array/tensor.ts';
import {
  type AsyncOptions,
  diagEmbed,
  dist,
  distAsync,
  FactoredMatrix,
  type Index,
  type MatrixLike,
  matmul,
  type Slice,
  type Svd,
  setThreads,
  slice,
  svd,
  svdAsync,
  svdLegacy,
  svdLegacyAsync,
  svdvals,
  svdvalsAsync,
  threads,
  transpose,
} from '../lib/index.ts';
import { kernels } from '../lib/native/addon.ts';
import * as bounds from '../lib/testing/bounds.ts';
import {
  allBits,
  checkError,
  checkSameSpectrum,
  errorOf,
  indices,
  matrixAt,
  rejectionOf,
  vectorAt,
} from './support/checks.ts';
import { array, randomMatrix, randomProduct } from './support/matrices.ts';

afterEach(() => vi.restoreAllMocks());

const invalid = (x: unknown) => x as MatrixLike;
const product = (l: number, k: number, r: number, leading: number[] = []) => {
  const { A, B } = randomProduct(1, [l, k, r], 'float64', leading);
  return new FactoredMatrix(A, B);
};

/** A copy with one element replaced. */
function withElement(x: Tensor, index: readonly number[], value: number): Tensor {
  const out = ndarray(x.data.slice(), [...x.shape]) as Tensor;
  out.set(...index, value);
  return out;
}

/** `x` without its element 1. */
function holed(x: number[]): number[] {
  delete x[1];
  return x;
}

/** One number that looks like a large array. */
const repeated = (...shape: number[]): MatrixLike => ({
  data: new Float32Array(1),
  shape,
  stride: shape.map(() => 0),
});

describe('errors', () => {
  it.each([
    ['ERR_SVD_ARGUMENT', TypeError, () => svd(invalid(undefined))],
    ['ERR_SVD_SHAPE', RangeError, () => matmul([[1, 2]], [[1, 2]])],
    ['ERR_SVD_NON_FINITE', RangeError, () => svd([[Number.NaN]])],
    ['ERR_SVD_OVERFLOW', RangeError, () => matmul([[1e200]], [[1e200]])],
    ['ERR_SVD_TOO_LARGE', RangeError, () => diagEmbed(repeated(1e9))],
  ] as [SvdErrorCode, ErrorConstructor, () => unknown][])(
    '%s is a %o with the code as its own property',
    (code, kind, f) => {
      const error = errorOf(f);
      expect(error).toBeInstanceOf(kind);
      expect(error.code).toBe(code);
      expect(Object.keys(error)).toContain('code');
      expect(error.stack).toContain(error.message);
      checkError(error, code);
    },
  );

  it('of asynchronous functions are rejections, never thrown by the call', async () => {
    const m = product(2, 2, 2);
    const bad = invalid('no matrix');
    const calls: [SvdErrorCode, () => Promise<unknown>][] = [
      ['ERR_SVD_ARGUMENT', () => svdAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => svdvalsAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => svdLegacyAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => distAsync(bad, m)],
      ['ERR_SVD_SHAPE', () => distAsync([[1]], m)],
      ['ERR_SVD_ARGUMENT', () => m.svdAsync({ algorithm: 'fast' as 'product' })],
      ['ERR_SVD_ARGUMENT', () => m.rankAsync({ tol: -1 })],
      ['ERR_SVD_ARGUMENT', () => m.pinvAsync({ tol: Number.NaN })],
      ['ERR_SVD_ARGUMENT', () => m.truncateAsync(3)],
      ['ERR_SVD_SHAPE', () => product(2, 2, 3).eigenvaluesAsync()],
      ['ERR_SVD_SHAPE', () => product(2, 0, 3).condAsync()],
      ['ERR_SVD_NON_FINITE', () => svdAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => svdvalsAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => svdLegacyAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => distAsync([[Number.NaN]], [[1]])],
      ['ERR_SVD_OVERFLOW', () => svdAsync([[1.7e308, 1.7e308]])],
      ['ERR_SVD_TOO_LARGE', () => svdAsync(repeated(1e6, 1), { fullMatrices: true })],
    ];
    for (const [code, call] of calls) {
      const promise = call();
      expect(promise).toBeInstanceOf(Promise);
      checkError(await rejectionOf(promise), code);
    }
  });

  it('leave nothing behind: the next call works', () => {
    errorOf(() => svd([[Number.NaN]]));
    expect(svd([[2]]).S.data).toEqual(Float64Array.of(2));
  });
});

describe('ERR_SVD_ARGUMENT', () => {
  it.each([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 3, '3'],
    ['a string', 'a', "'a'"],
    ['a boolean', true, 'true'],
    ['a bigint', 3n, '3'],
    ['a function', () => [[1]], 'function'],
    ['an object', {}, 'data'],
    ['a bare typed array', new Float64Array(4), 'data'],
    ['a Map', new Map(), 'data'],
    ['an ArrayBuffer as data', { data: new ArrayBuffer(8), shape: [1, 1] }, 'ArrayBuffer'],
    ['no data', { shape: [1, 1] }, 'data'],
    ['plain numbers as data', { data: [1], shape: [1, 1] }, 'Array'],
    ['no shape', { data: new Float64Array(1) }, 'shape'],
    ['Int32Array', { data: new Int32Array(1), shape: [1, 1] }, 'Int32Array'],
    ['Uint8Array', { data: new Uint8Array(1), shape: [1, 1] }, 'Uint8Array'],
    ['BigInt64Array', { data: new BigInt64Array(1), shape: [1, 1] }, 'BigInt64Array'],
    ['DataView', { data: new DataView(new ArrayBuffer(8)), shape: [1, 1] }, 'DataView'],
    ['Uint16Array without dtype', { data: new Uint16Array(1), shape: [1, 1] }, "'bfloat16' or 'float16'"],
    ['Uint16Array of uint16', { data: new Uint16Array(1), shape: [1, 1], dtype: 'uint16' }, "'uint16'"],
    ['scijs ndarray of uint16', ndarray(new Uint16Array(1), [1, 1]), "'uint16'"],
    ['scijs ndarray of int32', ndarray(new Int32Array(1), [1, 1]), 'Int32Array'],
    ['scijs ndarray of plain numbers', ndarray([1], [1, 1]), 'Array'],
    [
      'dtype float64 of Float32Array',
      { data: new Float32Array(1), shape: [1, 1], dtype: 'float64' },
      'float64',
    ],
    ['type float16 of Float32Array', { data: new Float32Array(1), dims: [1, 1], type: 'float16' }, 'float16'],
    ['dtype int64 of Float64Array', { data: new Float64Array(1), shape: [1, 1], dtype: 'int64' }, 'int64'],
    ['a negative dimension', { data: new Float64Array(9), shape: [-3, 3] }, 'shape'],
    ['a fractional dimension', { data: new Float64Array(9), shape: [1.5, 3] }, 'shape'],
    ['a NaN dimension', { data: new Float64Array(9), shape: [Number.NaN, 3] }, 'shape'],
    ['an infinite dimension', { data: new Float64Array(9), shape: [Number.POSITIVE_INFINITY, 3] }, 'shape'],
    ['a dimension above 2^53', { data: new Float64Array(9), shape: [2 ** 60, 3], stride: [0, 0] }, 'shape'],
    ['a dimension that is a string', { data: new Float64Array(9), shape: ['3', 3] }, 'shape'],
    ['a shape that is a string', { data: new Float64Array(9), shape: '33' }, 'shape'],
    ['a shape with a hole', { data: new Float64Array(9), shape: holed([3, 2, 3]) }, 'shape'],
    [
      'too few strides',
      { data: new Float64Array(9), shape: [3, 3], stride: [1] },
      '1 strides for 2 dimensions',
    ],
    ['too many strides', { data: new Float64Array(9), shape: [3, 3], strides: [9, 3, 1] }, '3 strides for 2'],
    ['fractional strides', { data: new Float64Array(9), shape: [3, 3], stride: [1.5, 1] }, 'strides'],
    ['NaN strides', { data: new Float64Array(9), shape: [3, 3], stride: [Number.NaN, 1] }, 'strides'],
    ['strides that are a number', { data: new Float64Array(9), shape: [3, 3], stride: 3 }, 'strides'],
    [
      'a method stride that returns nonsense',
      { data: new Float64Array(9), shape: [3, 3], stride: () => 'x' },
      'strides',
    ],
    ['a negative offset', { data: new Float64Array(9), shape: [2, 2], offset: -1 }, 'offset'],
    ['a fractional offset', { data: new Float64Array(9), shape: [2, 2], offset: 0.5 }, 'offset'],
    ['a NaN offset', { data: new Float64Array(9), shape: [2, 2], offset: Number.NaN }, 'offset'],
    ['an offset that is a string', { data: new Float64Array(9), shape: [2, 2], offset: '1' }, 'offset'],
    ['an offset that is a bigint', { data: new Float64Array(9), shape: [2, 2], offset: 1n }, 'offset'],
    ['a vector', [1, 2, 3], '[3]'],
    ['an ndarray of one dimension', array([1, 2, 3], [3]), '[3]'],
    ['an empty array', [], '[0]'],
  ] as [string, unknown, string][])('%s is not a matrix', (_, x, says) => {
    for (const [name, f] of [
      ['svd', () => svd(invalid(x))],
      ['svdvals', () => svdvals(invalid(x))],
      ['A', () => new FactoredMatrix(invalid(x), [[1]])],
      ['B', () => new FactoredMatrix([[1]], invalid(x))],
    ] as [string, () => unknown][]) {
      checkError(errorOf(f), 'ERR_SVD_ARGUMENT', name, says);
    }
  });

  it.each([
    ['a string', [['1']], '[0][0]'],
    ['null in the last place', [[1, 2], [3, null]], '[1][1]'], // biome-ignore format: one case, one line
    ['a number beside rows', [[1, 2], 3], '[1]'],
    ['rows beside a number', [1, [2]], '[1]'],
    ['a row too deep', [[1, 2], [3, [4]]], '[1][1]'], // biome-ignore format: one case, one line
    ['a hole', [holed([1, 2, 3])], '[0][1]'],
    ['an integer array as a row', [Int32Array.of(1, 2)], '[0]'],
  ] as [string, unknown, string][])(
    'nested arrays with %s are no matrix; the text says where',
    (_, x, where) => {
      checkError(
        errorOf(() => svd(invalid(x))),
        'ERR_SVD_ARGUMENT',
        where,
      );
    },
  );

  it.each([
    ['shorter data than the shape', { shape: [3, 4] }, '11'],
    ['an offset that pushes the end out', { shape: [3, 3], offset: 2 }, '10'],
    ['an offset behind the data', { shape: [1, 1], offset: 10 }, '10'],
    ['a stride that leaves at the end', { shape: [2, 2], stride: [9, 1] }, '10'],
    ['a stride that leaves at the start', { shape: [2, 2], stride: [-1, 1] }, '-1'],
    ['a reversed view without its offset', { shape: [3, 3], stride: [-3, -1] }, '-8'],
    ['a reversed view with an offset too small', { shape: [3, 3], stride: [-3, -1], offset: 7 }, '-1'],
    ['a batch stride that leaves', { shape: [2, 2, 2], stride: [7, 2, 1] }, '10'],
    [
      'a stride whose product with the size leaves the 64-bit range',
      { shape: [2 ** 40, 2], stride: [2 ** 40, 1] },
      'reaches',
    ],
    [
      'two strides that would cancel after a wrap',
      { shape: [3, 3], stride: [2 ** 52, -(2 ** 52)], offset: 2 ** 52 },
      'reaches',
    ],
  ] as [string, object, string][])('%s is a view outside its data', (_, view, says) => {
    const data = new Float64Array(10);
    checkError(
      errorOf(() => svd(invalid({ data, ...view }))),
      'ERR_SVD_ARGUMENT',
      says,
      'data that has 10',
    );
    checkError(
      errorOf(() => matmul(invalid({ data, ...view }), [[1]])),
      'ERR_SVD_ARGUMENT',
      'data that has 10',
    );
    expect(() =>
      svd({ data: Float64Array.from({ length: 10 }, (_, e) => e), shape: [3, 3], offset: 1 }),
    ).not.toThrow();
  });

  it.each([-1, Number.NaN, Number.NEGATIVE_INFINITY, 'x', {}] as number[])(
    'tol %o is not a number ≥ 0',
    (tol) => {
      const m = product(3, 2, 3);
      checkError(
        errorOf(() => m.rank({ tol })),
        'ERR_SVD_ARGUMENT',
        'tol',
      );
      checkError(
        errorOf(() => m.pinv({ tol })),
        'ERR_SVD_ARGUMENT',
        'tol',
      );
    },
  );

  it.each([-1, 3, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', undefined] as number[])(
    'truncate(%o) of a matrix with two singular values',
    (p) => {
      checkError(
        errorOf(() => product(4, 2, 3).truncate(p)),
        'ERR_SVD_ARGUMENT',
        'truncate',
        'from 0 to 2',
        String(p),
      );
    },
  );

  it.each([-1, 0.5, Number.NaN, '2', null] as number[])('getCorner(%o)', (k) => {
    checkError(
      errorOf(() => product(4, 2, 3).getCorner(k)),
      'ERR_SVD_ARGUMENT',
      'getCorner',
    );
  });

  it.each([2, 3, -1, -2, -5, 0.5, Number.NaN, '0'] as number[])(
    'unsqueeze(%o) of a batch: the last two dimensions stay last',
    (axis) => {
      checkError(
        errorOf(() => product(4, 2, 3, [5]).unsqueeze(axis)),
        'ERR_SVD_ARGUMENT',
        'unsqueeze',
        'from 0 to 1',
      );
    },
  );

  const handMade = (x: object) => x as Slice;
  it.each([
    ['an item too far', [2], '2'],
    ['an item too far from the end', [-3], '-3'],
    ['a row too far', [0, 4], '4'],
    ['a column too far', [0, 0, -4], '-4'],
    ['a gathered item too far', [[0, 2]], '2'],
    ['a fraction', [0.5], '0.5'],
    ['NaN', [Number.NaN], 'NaN'],
    ['a string', ['0' as unknown as number], '0'],
    ['a boolean', [true as unknown as number], 'true'],
    ['a gathered fraction', [[0.5]], '0.5'],
    ['a gathered null', [[null as unknown as number]], 'null'],
    ['nested gathering', [[[0]] as unknown as number[]], 'index'],
    ['too many', [0, 0, 0, 0], '4 indices'],
    ['a new axis after the row', [0, 0, null], 'new axis'],
    ['a new axis at the end', [0, 0, 0, null], 'indices|axis'],
    ['a hand-made slice with step 0', [handMade({ start: 0, stop: 2, step: 0 })], 'step|slice'],
    ['a hand-made slice with a fraction', [handMade({ start: 0, stop: 1.5, step: 1 })], '1.5|slice'],
    [
      'a hand-made slice with a fractional step',
      [0, handMade({ start: 0, stop: 3, step: 1.5 })],
      '1.5|slice',
    ],
    ['a hand-made slice with NaN', [0, handMade({ start: Number.NaN, stop: null, step: 1 })], 'NaN|slice'],
  ] as [string, Index[], string][])('at: %s', (_, index, says) => {
    checkError(
      errorOf(() => product(4, 2, 3, [2]).at(...index)),
      'ERR_SVD_ARGUMENT',
      new RegExp(says),
    );
  });

  it.each([
    [[0, 1, 0]],
    [[0.5]],
    [[0, '1']],
    [[Number.NaN]],
    [[0, Number.POSITIVE_INFINITY]],
    [[0, 1, 0.5]],
  ] as unknown as [[number, number, number]][])('slice(%o)', (bounds) => {
    checkError(
      errorOf(() => slice(...bounds)),
      'ERR_SVD_ARGUMENT',
      'slice',
    );
  });

  it.each([0, -1, 1.5, 1025, Number.NaN, Number.POSITIVE_INFINITY, '2', undefined, null] as number[])(
    'setThreads(%o) changes nothing',
    (n) => {
      const before = threads();
      checkError(
        errorOf(() => setThreads(n)),
        'ERR_SVD_ARGUMENT',
        'setThreads',
        'from 1 to',
        String(n),
      );
      expect(threads()).toBe(before);
    },
  );

  it.each(['two-svd', '', 'PRODUCT', null] as unknown as 'product'[])('algorithm %o', (algorithm) => {
    checkError(
      errorOf(() => product(2, 2, 2).svd({ algorithm })),
      'ERR_SVD_ARGUMENT',
      'algorithm',
      'three-svd',
      `${algorithm}`,
    );
  });

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    [Number.NaN],
    'x',
    undefined,
    null,
    { data: Int32Array.of(2), shape: [] },
  ] as number[])('mul(%o)', (scalar) => {
    checkError(
      errorOf(() => product(2, 2, 2).mul(scalar)),
      'ERR_SVD_ARGUMENT',
      'mul',
    );
  });

  it('memory that was transferred away after a FactoredMatrix was made of it', () => {
    const { A, B } = randomProduct(2, [4, 3, 4]);
    const members: (keyof FactoredMatrix)[] = ['svd', 'svdvals', 'norm', 'eigenvalues'];
    const m = new FactoredMatrix(A, B);
    structuredClone(A.data.buffer, { transfer: [A.data.buffer as ArrayBuffer] });
    for (const member of members)
      checkError(
        errorOf(() => (m[member] as () => unknown).call(m)),
        'ERR_SVD_ARGUMENT',
      );
  });
});

describe('ERR_SVD_SHAPE', () => {
  it.each([
    [
      'inner dimensions of two matrices',
      () => matmul(randomMatrix(1, [2, 3]), randomMatrix(2, [4, 5])),
      ['[2, 3]', '[4, 5]'],
    ],
    ['matrix and vector', () => matmul(randomMatrix(1, [2, 3]), [1, 2]), ['[2, 3]', '[2]']],
    ['vector and matrix', () => matmul([1, 2, 3], randomMatrix(1, [2, 3])), ['[3]', '[2, 3]']],
    ['two vectors', () => matmul([1, 2, 3], [1, 2]), ['[3]', '[2]']],
    ['batches', () => matmul(randomMatrix(1, [2, 3, 3]), randomMatrix(2, [4, 3, 3])), ['[2]', '[4]']],
    [
      'the inner dimension of a FactoredMatrix',
      () => new FactoredMatrix(randomMatrix(1, [2, 3]), randomMatrix(2, [4, 5])),
      ['[2, 3]', '[4, 5]'],
    ],
    [
      'its leading dimensions',
      () => new FactoredMatrix(randomMatrix(1, [2, 2, 3]), randomMatrix(2, [3, 3, 5])),
      ['[2]', '[3]'],
    ],
    [
      'FactoredMatrix and matrix',
      () => product(4, 2, 3).matmul(randomMatrix(1, [4, 2])),
      ['[4, 3]', '[4, 2]'],
    ],
    ['FactoredMatrix and vector', () => product(4, 2, 3).matmul([1, 2, 3, 4]), ['[4, 3]', '[4]']],
    ['FactoredMatrix and FactoredMatrix', () => product(4, 2, 3).matmul(product(4, 2, 3)), ['[4, 3]']],
    [
      'matrix and FactoredMatrix',
      () => product(4, 2, 3).rmatmul(randomMatrix(1, [2, 3])),
      ['[2, 3]', '[4, 3]'],
    ],
    ['vector and FactoredMatrix', () => product(4, 2, 3).rmatmul([1, 2, 3]), ['[3]', '[4, 3]']],
    ['batches of them', () => product(4, 2, 3, [2]).matmul(randomMatrix(1, [5, 3, 3])), ['[2]', '[5]']],
    ['BA of a matrix that is not square', () => product(4, 2, 3).BA, ['BA', '[4, 3]']],
    ['eigenvalues of one', () => product(4, 2, 3).eigenvalues(), ['[4, 3]']],
    ['mul by a matrix', () => product(4, 2, 3).mul([[1, 2]]), ['[1, 2]']],
    ['cond of an empty matrix', () => product(4, 0, 3).cond(), ['cond']],
    [
      'dist of other shapes',
      () => dist(randomMatrix(1, [2, 3]), randomMatrix(2, [3, 2])),
      ['[2, 3]', '[3, 2]'],
    ],
    [
      'dist of other batches',
      () => dist(randomMatrix(1, [2, 3, 3]), randomMatrix(2, [4, 3, 3])),
      ['[2]', '[4]'],
    ],
    ['dist to a FactoredMatrix', () => dist(randomMatrix(1, [2, 3]), product(4, 2, 3)), ['[2, 3]', '[4, 3]']],
    [
      'dist to factors of two matrices',
      () => dist([[1]], { U: [[1]], S: [1, 2], Vh: [[1]] }),
      ['[1, 1], [2], [1, 1]'],
    ],
    [
      'dist to V of too few columns',
      () => dist([[1], [1]], { U: [[1], [1]], S: [1], V: array([], [1, 0]) }),
      ['b'],
    ],
    ['a ragged nested array', () => svd([[1, 2], [3]]), ['[1]', '1', '2']],
    ['a ragged batch', () => svd([[[1], [2]], [[3]]]), ['[1]']],
    ['a row where others are empty', () => svd([[], [1]]), ['[1]']],
  ] as [string, () => unknown, string[]][])('%s: the text has the shapes', (_, f, says) => {
    checkError(errorOf(f), 'ERR_SVD_SHAPE', ...says);
  });
});

const nonFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

describe('ERR_SVD_NON_FINITE', () => {
  const everywhere = (shape: number[]) =>
    indices(shape).flatMap((index) => nonFinite.map((value) => [index, value] as const));

  it('names the position of NaN and ±Inf at every place of a matrix, in every function', () => {
    for (const shape of [
      [3, 4],
      [9, 2],
    ]) {
      const x = randomMatrix(3, shape);
      for (const [index, value] of everywhere(shape)) {
        const bad = withElement(x, index, value);
        for (const f of [
          () => svd(bad),
          () => svdvals(bad),
          () => svdLegacy(bad),
          () => svd(bad, { fullMatrices: true }),
          () => dist(bad, x),
          () => dist(x, bad),
        ]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', `[${index.join(', ')}]`, 'finite');
          expect(error.index).toEqual(index);
          expect(error.batchIndex).toBeUndefined();
        }
      }
    }
  });

  it('also in float32, for which an Inf may be an overflow of float64', () => {
    const x = array([1, 2, 3, 1e39], [2, 2], 'float32');
    expect(errorOf(() => svd(x)).index).toEqual([1, 1]);
    const m = new FactoredMatrix(x, [[1], [1]]);
    expect(errorOf(() => m.svd()).index).toEqual([1, 1]);
  });

  it('names positions in the view, not in its memory: transposed, reversed, sliced', () => {
    const x = randomMatrix(4, [4, 3]);
    for (const [[i, j], value] of everywhere([4, 3])) {
      const bad = withElement(x, [i, j], value);
      expect(errorOf(() => svd(bad.transpose(1, 0))).index).toEqual([j, i]);
      expect(errorOf(() => svd(bad.step(-1, 1))).index).toEqual([3 - i, j]);
      if (i > 0) expect(errorOf(() => svd(bad.lo(1, 0))).index).toEqual([i - 1, j]);
      const B = randomMatrix(5, [4, 2]);
      expect(errorOf(() => new FactoredMatrix(bad.transpose(1, 0), B).svd()).index).toEqual([j, i]);
      expect(errorOf(() => new FactoredMatrix(B.transpose(1, 0), bad).svd()).index).toEqual([i, j]);
    }
  });

  it('reports the first one in row-major order', () => {
    const x = withElement(withElement(randomMatrix(6, [3, 3]), [2, 0], Number.NaN), [0, 2], Number.NaN);
    expect(errorOf(() => svd(x)).index).toEqual([0, 2]);
    expect(errorOf(() => svd(transpose(x))).index).toEqual([0, 2]);
    const eye = randomMatrix(7, [3, 3]);
    expect(errorOf(() => new FactoredMatrix(x, eye).svd()).index).toEqual([0, 2]);
    expect(errorOf(() => new FactoredMatrix(eye, x).svd()).index).toEqual([0, 2]);
    expect(errorOf(() => matmul(x, eye)).index).toEqual([0, 2]);
    expect(errorOf(() => matmul(eye, x)).index).toEqual([0, 2]);
    expect(errorOf(() => dist(x, eye)).index).toEqual([0, 2]);
  });

  it('names the item of a batch as well', () => {
    const x = randomMatrix(8, [2, 3, 3, 2]);
    for (const index of indices([2, 3, 3, 2])) {
      const error = errorOf(() => svd(withElement(x, index, Number.NaN)));
      checkError(error, 'ERR_SVD_NON_FINITE', `batch item [${index.slice(0, 2).join(', ')}]`);
      expect(error.batchIndex).toEqual(index.slice(0, 2));
      expect(error.index).toEqual(index.slice(2));
    }
  });

  it('of a factor: which one, and where in it, for every member that computes', () => {
    for (const [l, k, r] of [
      [5, 2, 4],
      [2, 5, 3],
      [3, 3, 3],
    ]) {
      const { A, B } = randomProduct(9, [l, k, r]);
      for (const [index, value] of everywhere([l, k])) {
        const m = new FactoredMatrix(withElement(A, index, value), B);
        for (const f of [
          () => m.svd(),
          () => m.svdvals(),
          () => m.norm(),
          () => m.pinv(),
          () => m.makeEven(),
        ]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', /^A: /);
          expect(error.index).toEqual(index);
        }
        for (const f of [() => m.svd({ algorithm: 'three-svd' }), () => m.AB]) {
          expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        }
      }
      for (const [index, value] of everywhere([k, r])) {
        const m = new FactoredMatrix(A, withElement(B, index, value));
        for (const f of [() => m.svd(), () => m.svdvals(), () => m.norm(), () => m.rank(), () => m.cond()]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', /^B: /);
          expect(error.index).toEqual(index);
        }
        for (const f of [() => m.svd({ algorithm: 'three-svd' }), () => m.AB]) {
          expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        }
      }
    }
  });

  it('of a factor beside a zero factor: 0·NaN is not 0', () => {
    const zero = array(new Array(6).fill(0), [3, 2]);
    const bad = array([1, Number.NaN, 3, 4], [2, 2]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).svd()).index).toEqual([0, 1]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).norm()).index).toEqual([0, 1]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).AB).index).toEqual([0, 1]);
    expect(errorOf(() => matmul(zero, bad)).index).toEqual([0, 1]);
    expect(errorOf(() => dist(new FactoredMatrix(zero, bad), zero)).index).toEqual([0, 1]);
  });

  it('of broadcast factors: the item of the product', () => {
    const { A } = randomProduct(10, [3, 2, 3], 'float64', [2, 1]);
    const { B } = randomProduct(11, [3, 2, 3], 'float64', [3]);
    const badA = new FactoredMatrix(withElement(A, [1, 0, 2, 1], Number.NaN), B);
    expect(errorOf(() => badA.svd())).toMatchObject({ index: [2, 1], batchIndex: [1, 0] });
    const badB = new FactoredMatrix(A, withElement(B, [2, 0, 1], Number.NaN));
    expect(errorOf(() => badB.svd())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
    expect(errorOf(() => badB.norm())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
    expect(errorOf(() => badB.eigenvalues())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
  });

  it('in matmul: every place of both operands, matrices and vectors', () => {
    const [x, y] = [randomMatrix(12, [3, 4]), randomMatrix(13, [4, 2])];
    for (const [index, value] of everywhere([3, 4])) {
      expect(errorOf(() => matmul(withElement(x, index, value), y))).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index,
      });
    }
    for (const [index, value] of everywhere([4, 2])) {
      expect(errorOf(() => matmul(x, withElement(y, index, value)))).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index,
      });
    }
    const vector = randomMatrix(14, [4]);
    for (const [index, value] of everywhere([4])) {
      const bad = withElement(vector, index, value);
      for (const f of [
        () => matmul(x, bad),
        () => matmul(bad, y),
        () => matmul(bad, vector),
        () => matmul(vector, bad),
      ]) {
        expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
    }
  });

  it('in a product with a FactoredMatrix, at once or when it is decomposed, but always', () => {
    const m = product(5, 2, 4);
    for (const [index, value] of everywhere([4, 3])) {
      const bad = withElement(randomMatrix(15, [4, 3]), index, value);
      expect(errorOf(() => (m.matmul(bad) as FactoredMatrix).svd()).code).toBe('ERR_SVD_NON_FINITE');
      expect(errorOf(() => (m.T.rmatmul(transpose(bad)) as FactoredMatrix).svd()).code).toBe(
        'ERR_SVD_NON_FINITE',
      );
    }
    for (const value of nonFinite) {
      expect(errorOf(() => m.matmul([1, 2, value, 4])).code).toBe('ERR_SVD_NON_FINITE');
      expect(errorOf(() => m.rmatmul([1, 2, value, 4, 5])).code).toBe('ERR_SVD_NON_FINITE');
    }
  });

  it('in dist: the position in the operand that has it', () => {
    const [m, other] = [product(4, 2, 3), product(4, 3, 3)];
    for (const [name, x] of [
      ['FactoredMatrix', other],
      ['dense', other.AB],
    ] as const) {
      for (const index of indices([4, 2])) {
        const bad = new FactoredMatrix(withElement(m.A, index, Number.NaN), m.B);
        expect(
          errorOf(() => dist(bad, x)),
          name,
        ).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        expect(
          errorOf(() => dist(x, bad)),
          name,
        ).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
      for (const index of indices([2, 3])) {
        const bad = new FactoredMatrix(m.A, withElement(m.B, index, Number.NaN));
        expect(
          errorOf(() => dist(bad, x)),
          name,
        ).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        expect(
          errorOf(() => dist(x, bad)),
          name,
        ).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
    }
  });

  it('in 16-bit floats', () => {
    const data = Uint16Array.of(0x3c00, 0x7c00, 0, 0x3c00);
    expect(errorOf(() => svd({ data, shape: [2, 2], dtype: 'float16' })).index).toEqual([0, 1]);
    expect(
      errorOf(() => svd({ data: Uint16Array.of(0x3f80, 0, 0x7fc0, 0), shape: [2, 2], dtype: 'bfloat16' }))
        .index,
    ).toEqual([1, 0]);
  });

  it('off the event loop too', async () => {
    const x = withElement(randomMatrix(16, [2, 4, 3]), [1, 2, 0], Number.POSITIVE_INFINITY);
    const m = new FactoredMatrix(x, randomMatrix(17, [3, 4]));
    const rejections = [
      svdAsync(x),
      svdvalsAsync(x),
      distAsync(x, randomMatrix(18, [4, 3])),
      m.svdAsync(),
      m.svdvalsAsync(),
      m.normAsync(),
      m.eigenvaluesAsync(),
      m.svdAsync({ algorithm: 'three-svd' }),
    ].map(rejectionOf);
    for (const error of await Promise.all(rejections)) {
      expect(error).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index: [2, 0],
        batchIndex: [1],
      });
    }
  });

  it('does not concern what a view leaves out', () => {
    const x = withElement(randomMatrix(19, [4, 4]), [3, 3], Number.NaN);
    expect(() => svd(x.hi(3, 4))).not.toThrow();
    expect(() => svd(x.hi(4, 3))).not.toThrow();
  });
});

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

describe('ERR_SVD_TOO_LARGE', () => {
  /** Bytes that the process holds at most, so far. */
  const peak = () => process.resourceUsage().maxRSS * 1024;

  it.each([
    ['fullMatrices of a very tall matrix', () => svd(repeated(1e9, 1), { fullMatrices: true })],
    ['fullMatrices of a very wide matrix', () => svd(repeated(1, 1e9), { fullMatrices: true })],
    ['a square matrix whose LAPACK workspace has more than 2^31 elements', () => svd(repeated(30000, 30000))],
    ['the smallest such matrix', () => svd(repeated(26754, 26754))],
    ['more rows than a LAPACK integer counts', () => svdvals(repeated(2 ** 31, 1))],
    ['more columns than a LAPACK integer counts', () => svdvals(repeated(1, 2 ** 31))],
    ['rows near 2^53', () => svd(repeated(2 ** 53 - 1, 2 ** 53 - 1))],
    ['AB of two vectors', () => new FactoredMatrix(repeated(1e7, 1), repeated(1, 1e7)).AB],
    ['matmul of two vectors', () => matmul(repeated(1e7, 1), repeated(1, 1e7))],
    ['diagEmbed', () => diagEmbed(repeated(1e9))],
    ['a batch of 2^40 matrices', () => svd(repeated(2 ** 40, 1, 1))],
    ['a batch of 2^40 products', () => new FactoredMatrix(repeated(2 ** 40, 1, 1), [[1]]).svd()],
    ['dist of 2^40 matrices', () => dist(repeated(2 ** 40, 1, 1), [[1]])],
  ] as [string, () => unknown][])('%s: an error with `bytes`, and no such memory is taken', (_, f) => {
    const before = peak();
    const error = errorOf(f);
    checkError(error, 'ERR_SVD_TOO_LARGE', String(error.bytes), 'bytes');
    expect(error.bytes).toBeGreaterThan(2 ** 31);
    expect(peak() - before).toBeLessThan(2 ** 28);
  });

  it('has the shape in its text', () => {
    checkError(
      errorOf(() => svd(repeated(30000, 30000))),
      'ERR_SVD_TOO_LARGE',
      '[30000, 30000]',
    );
  });

  it('off the event loop too: the size is looked at before the elements are copied', async () => {
    const before = peak();
    const full = await rejectionOf(svdAsync(repeated(1e6, 1), { fullMatrices: true }));
    checkError(full, 'ERR_SVD_TOO_LARGE', '[1000000, 1000000]');
    expect(full.bytes).toBe(4 * 1e12);
    checkError(await rejectionOf(svdAsync(repeated(26754, 26754))), 'ERR_SVD_TOO_LARGE', '[26754, 26754]');
    expect(peak() - before).toBeLessThan(2 ** 28);
  });

  it('is not for views of great shapes whose results are small', () => {
    expect(svd(repeated(20000, 2)).S.shape).toEqual([2]);
    expect(new FactoredMatrix(repeated(1e6, 1), repeated(1, 1e6)).getCorner().shape).toEqual([3, 3]);
    expect(new FactoredMatrix(repeated(1e6, 1), repeated(1, 1e6)).norm()).toBe(0);
  });
});

describe('ERR_SVD_NO_CONVERGENCE', () => {
  // LAPACK does converge; the addon's answer for a matrix where nothing did is put in its place.
  const failure = 2;
  const info = 5;
  const fail =
    (item: number) =>
    (...args: readonly unknown[]) => {
      const status = args[args.length - 1] as Float64Array;
      status.set([failure, info], 3 * item);
    };

  it('has `info`, and `batchIndex` in a batch', () => {
    vi.spyOn(kernels(), 'gesdd').mockImplementation(fail(0));
    const alone = errorOf(() => svd(randomMatrix(20, [3, 3])));
    checkError(alone, 'ERR_SVD_NO_CONVERGENCE', 'svd', '5');
    expect(alone).toMatchObject({ info });
    expect(alone.batchIndex).toBeUndefined();
    vi.spyOn(kernels(), 'gesdd').mockImplementation(fail(4));
    const batch = errorOf(() => svd(randomMatrix(21, [2, 3, 3, 3])));
    checkError(batch, 'ERR_SVD_NO_CONVERGENCE', '[1, 1]');
    expect(batch).toMatchObject({ info, batchIndex: [1, 1] });
    const product = errorOf(() =>
      new FactoredMatrix(randomMatrix(22, [5, 3, 3]), randomMatrix(23, [3, 3])).svd(),
    );
    expect(product).toMatchObject({ code: 'ERR_SVD_NO_CONVERGENCE', info, batchIndex: [4] });
  });

  it('rejects off the event loop', async () => {
    vi.spyOn(kernels(), 'gesddAsync').mockImplementation(async (_, ...args) => fail(0)(...args));
    checkError(await rejectionOf(svdAsync(randomMatrix(24, [3, 3]))), 'ERR_SVD_NO_CONVERGENCE', '5');
  });

  it('is not cached: the next call computes', () => {
    const m = product(3, 3, 3);
    const spy = vi.spyOn(kernels(), 'gesdd').mockImplementation(fail(0));
    expect(errorOf(() => m.svd()).code).toBe('ERR_SVD_NO_CONVERGENCE');
    spy.mockRestore();
    expect(m.svd().S.shape).toEqual([3]);
  });
});

describe("onError: 'collect'", () => {
  const bad = [1, 4];
  /** Six matrices, two of them with a NaN in different places. */
  const batch = () =>
    bad.reduce((x, i) => withElement(x, [i, i % 3, 1], Number.NaN), randomMatrix(30, [6, 5, 3]));
  const itemOf = ({ U, S, Vh }: Svd, i: number) => ({
    U: U.pick(i, null, null),
    S: S.pick(i, null),
    Vh: Vh.pick(i, null, null),
  });
  /** Distance of two decompositions of one matrix, each right to 50εβ. */
  const apart = ({ U, Vh, bound }: Svd) =>
    2 * bounds.reconstruction('float64', bounds.beta('float64', bound as number), U.shape[0], Vh.shape[1]);
  const results: [string, (onError: 'collect' | 'throw') => Promise<Svd>, (i: number) => Svd][] = [
    ['svd', async (onError) => svd(batch(), { onError }), (i) => svd(batch().pick(i, null, null))],
    ['svdAsync', (onError) => svdAsync(batch(), { onError }), (i) => svd(batch().pick(i, null, null))],
    [
      'FactoredMatrix.svd, bad A',
      async (onError) => new FactoredMatrix(batch(), randomMatrix(31, [3, 4])).svd({ onError }),
      (i) => new FactoredMatrix(batch().pick(i, null, null), randomMatrix(31, [3, 4])).svd(),
    ],
    [
      'FactoredMatrix.svdAsync, bad B',
      (onError) => new FactoredMatrix(randomMatrix(32, [4, 5]), batch()).svdAsync({ onError }),
      (i) => new FactoredMatrix(randomMatrix(32, [4, 5]), batch().pick(i, null, null)).svd(),
    ],
  ];

  it.each(results)(
    'decomposes the others, and has an error for each that failed: %s',
    async (_, all, one) => {
      const found = await all('collect');
      expect(found.errors.map(({ code, batchIndex, index }) => ({ code, batchIndex, index }))).toEqual(
        bad.map((i) => ({ code: 'ERR_SVD_NON_FINITE', batchIndex: [i], index: [i % 3, 1] })),
      );
      for (let i = 0; i < 6; i++) {
        const { U, S, Vh } = itemOf(found, i);
        if (bad.includes(i)) {
          expect([...matrixAt(U), vectorAt(S), ...matrixAt(Vh)].flat().every(Number.isNaN)).toBe(true);
          expect((found.bound as Tensor).get(i)).toBeNaN();
          expect(found.driver[i]).toBe('failed');
          expect(errorOf(() => one(i)).code).toBe('ERR_SVD_NON_FINITE');
        } else {
          const alone = one(i);
          expect((found.bound as Tensor).get(i)).toBe(alone.bound);
          checkSameSpectrum(
            'float64',
            vectorAt(S),
            alone.S.data,
            alone.bound as number,
            alone.bound as number,
          );
          expect(dist(alone, { U, S, Vh })).toBeLessThanOrEqual(apart(alone));
        }
      }
    },
  );

  it.each(results)("'throw' is what it is without: the first error: %s", async (_, all) => {
    const error = await rejectionOf(all('throw'));
    expect(error).toMatchObject({ code: 'ERR_SVD_NON_FINITE', batchIndex: [1] });
  });

  it('has no errors where nothing failed, and the same bits', () => {
    const a = randomMatrix(33, [3, 4, 2]);
    const found = svd(a, { onError: 'collect' });
    expect(found.errors).toEqual([]);
    expect(Object.isFrozen(found.errors)).toBe(true);
    expect(allBits(found)).toEqual(allBits(svd(a)));
  });

  it('collects the one matrix where there is no batch', () => {
    const found = svd([[Number.NaN]], { onError: 'collect' });
    expect(found.errors).toHaveLength(1);
    expect(found.S.get(0)).toBeNaN();
  });

  it('collects overflow and failures to converge, too', () => {
    const big = array([1, 0, 0, 1, ...new Array(4).fill(Number.MAX_VALUE)], [2, 2, 2]);
    expect(svd(big, { onError: 'collect' }).errors).toMatchObject([
      { code: 'ERR_SVD_OVERFLOW', batchIndex: [1] },
    ]);
    const A = array([1e200, 1], [2, 1, 1]);
    expect(new FactoredMatrix(A, [[1e200]]).svd({ onError: 'collect' }).errors).toMatchObject([
      { code: 'ERR_SVD_OVERFLOW', batchIndex: [0] },
    ]);
  });

  it('is no option of what is made from a decomposition', async () => {
    const M = new FactoredMatrix([[1e200]], [[1e200]]);
    const options = { onError: 'collect' } as AsyncOptions;
    const made = [
      M.pinvAsync(options),
      M.makeEvenAsync(options),
      M.truncateAsync(1, options),
      M.collapseLAsync(options),
      M.collapseRAsync(options),
      M.svdLegacyAsync(options),
    ];
    for (const error of await Promise.all(made.map(rejectionOf)))
      checkError(error, 'ERR_SVD_ARGUMENT', 'onError');
  });

  it('does not collect what concerns the whole call', () => {
    expect(errorOf(() => svd([1, 2] as unknown as MatrixLike, { onError: 'collect' })).code).toMatch(
      /^ERR_SVD_/,
    );
    expect(errorOf(() => svd(repeated(1e9, 1), { fullMatrices: true, onError: 'collect' })).code).toBe(
      'ERR_SVD_TOO_LARGE',
    );
  });

  it('is not cached by a FactoredMatrix: svd() throws all the same', () => {
    const m = new FactoredMatrix(batch(), randomMatrix(34, [3, 4]));
    expect(m.svd({ onError: 'collect' }).errors).toHaveLength(2);
    expect(errorOf(() => m.svd()).code).toBe('ERR_SVD_NON_FINITE');
    expect(errorOf(() => m.U).code).toBe('ERR_SVD_NON_FINITE');
    const good = product(3, 2, 3);
    expect(good.svd({ onError: 'collect' })).toEqual(good.svd());
  });

  it.each(['ignore', '', null] as unknown as 'throw'[])('onError %o is ERR_SVD_ARGUMENT', (onError) => {
    checkError(
      errorOf(() => svd([[1]], { onError })),
      'ERR_SVD_ARGUMENT',
      'onError',
      'collect',
    );
    checkError(
      errorOf(() => product(2, 2, 2).svd({ onError })),
      'ERR_SVD_ARGUMENT',
      'onError',
    );
  });
});

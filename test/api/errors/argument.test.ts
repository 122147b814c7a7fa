import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import {
  FactoredMatrix,
  type Index,
  matmul,
  type Slice,
  setThreads,
  slice,
  svd,
  svdvals,
  threads,
} from '../../../lib/index.ts';
import { checkError, errorOf } from '../../support/checks.ts';
import { array, randomProduct } from '../../support/matrices.ts';
import { invalid, product } from '../../support/wrong-arguments.ts';

/** `x` without its element 1. */
function holed(x: number[]): number[] {
  delete x[1];
  return x;
}

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

import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import {
  diagEmbed,
  dist,
  FactoredMatrix,
  type MatrixLike,
  matmul,
  prepare,
  svd,
  svdAsync,
  transpose,
} from '../../lib/index.ts';
import { validSvd } from '../../lib/testing/index.ts';
import { allBits, bits, checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { array, randomMatrix } from '../support/matrices.ts';

// Arrays that another realm made, as tests under Jest or in a `vm` context have them, and arrays that are not what they say.

const elsewhere = (code: string): unknown => runInNewContext(code);
const foreign = (type: string, values: ArrayLike<number>): Float64Array =>
  elsewhere(`${type}.from([${Array.from(values)}])`) as Float64Array;

describe('arrays of another realm', () => {
  it.each(['Float32Array', 'Float64Array'] as const)('%s is taken as one of this realm', async (type) => {
    const x = randomMatrix(1, [6, 4], type === 'Float32Array' ? 'float32' : 'float64');
    const a = { data: foreign(type, x.data), shape: [6, 4] };
    expect(a.data instanceof Float32Array || a.data instanceof Float64Array).toBe(false);
    const expected = allBits(svd(x));
    expect(allBits(svd(a))).toEqual(expected);
    expect(allBits(await svdAsync(a))).toEqual(expected);
    expect(bits(matmul(a, transpose(a)) as Tensor)).toBe(bits(matmul(x, transpose(x)) as Tensor));
    expect(allBits(new FactoredMatrix(a, transpose(a)).svd())).toEqual(
      allBits(new FactoredMatrix(x, transpose(x)).svd()),
    );
    expect(bits(prepare(a))).toBe(bits(x));
    expect(dist(a, x)).toBe(0);
    expect(validSvd(svd(x), a).pass).toBe(true);
    expect(transpose(a).data.buffer).toBe(a.data.buffer);
  });

  it('16-bit floats, nested arrays, and results of another copy of this package too', () => {
    const half = {
      data: elsewhere('Uint16Array.of(0x3c00, 0, 0, 0x4000)') as Uint16Array,
      shape: [2, 2],
      dtype: 'float16',
    };
    expect(bits(transpose(half))).toBe(bits(array([1, 0, 0, 2], [2, 2], 'float32')));
    const nested = elsewhere('[[1, 2], Float64Array.of(3, 4)]') as MatrixLike;
    const plain = [[1, 2], [3, 4]]; // biome-ignore format: one line
    expect(dist(nested, plain)).toBe(0);
    expect(dist({ ...elsewhere('({ U: [[1, 0], [0, 1]], S: [2, 1], Vh: [[1, 0], [0, 1]] })') as object } as never, [[2, 0], [0, 1]])).toBe(0); // biome-ignore format: one line
  });
});

const revoked = <T extends object>(x: T): T => {
  const { proxy, revoke } = Proxy.revocable(x, {});
  revoke();
  return proxy;
};

describe('arrays that are not what they say', () => {
  const long = (): Float64Array =>
    Object.defineProperty(Float64Array.of(1, 2, 3, 4), 'length', { value: 1e5 });
  class Longer extends Float64Array {
    override get length() {
      return 1e5;
    }
  }

  it.each([
    ['an own length', long],
    ['the length of a subclass', () => new Longer(4)],
  ])('%s does not count', async (_, make) => {
    const a = { data: make(), shape: [100, 100] };
    const calls: ((x: MatrixLike) => unknown)[] = [
      svd,
      diagEmbed,
      transpose,
      prepare,
      (x: MatrixLike) => new FactoredMatrix(x, x),
    ];
    for (const call of calls)
      checkError(
        errorOf(() => call(a)),
        'ERR_SVD_ARGUMENT',
        'of data that has 4',
      );
    checkError(await rejectionOf(svdAsync(a)), 'ERR_SVD_ARGUMENT', 'of data that has 4');
    checkError(
      errorOf(() => diagEmbed({ ...a, shape: [20_000] })),
      'ERR_SVD_ARGUMENT',
    );
    expect(
      dist({ ...a, shape: [2, 2] }, { data: Float64Array.from(make()).subarray(0, 4), shape: [2, 2] }),
    ).toBe(0);
  });

  it('every property is read once: what was checked is what is computed with', async () => {
    const reads: Record<string, number> = {};
    const changing = (first: Record<string, unknown>) => {
      const then: Record<string, unknown> = {
        data: new Float64Array(1),
        shape: [1e4, 1e4],
        stride: [9, 9],
        offset: 99,
      };
      for (const key of [...Object.keys(then), 'dtype', 'type']) reads[key] = 0;
      return new Proxy(
        {},
        { get: (_, key: string) => (reads[key]++ === 0 ? first : then)[key] },
      ) as MatrixLike;
    };
    const x = randomMatrix(2, [3, 3]);
    const first = { data: x.data, shape: [3, 3], stride: [3, 1], offset: 0 };
    expect(allBits(svd(changing(first)))).toEqual(allBits(svd(x)));
    expect(allBits(await svdAsync(changing(first)))).toEqual(allBits(svd(x)));
    expect(reads).toEqual({ data: 1, shape: 1, stride: 1, offset: 1, dtype: 1, type: 1 });
  });

  it('a shape that changes when it is read again', () => {
    let reads = 0;
    const shape = new Proxy([2, 2], {
      get: (target, key) => (key === '0' && reads++ > 0 ? 1e6 : Reflect.get(target, key)),
    });
    expect(svd({ data: Float64Array.of(1, 0, 0, 1), shape }).U.shape).toEqual([2, 2]);
  });

  it.each([
    ['a revoked proxy', revoked({})],
    ['a revoked array', revoked([[1]])],
    ['a revoked row', [[1], revoked([1])]],
    ['a revoked shape', { data: new Float64Array(4), shape: revoked([2, 2]) }],
    ['revoked data', { data: revoked(new Float64Array(4)), shape: [2, 2] }],
    ['a proxy of a typed array', { data: new Proxy(new Float64Array(4), {}), shape: [2, 2] }],
    ['data with get and set', { data: { get: () => 1, set: () => {}, length: 4 }, shape: [2, 2] }],
    ['an array as data', { data: [1, 2, 3, 4], shape: [2, 2] }],
    ['more dimensions than there can be', { data: new Float64Array(1), shape: new Array(65).fill(1) }],
    ['a constructor that has no name', { data: { constructor: { name: Symbol('x') } }, shape: [1, 1] }],
  ] as [string, unknown][])('%s is ERR_SVD_ARGUMENT', async (_, x) => {
    checkError(
      errorOf(() => svd(x as MatrixLike)),
      'ERR_SVD_ARGUMENT',
    );
    checkError(await rejectionOf(svdAsync(x as MatrixLike)), 'ERR_SVD_ARGUMENT');
  });

  it('frozen and sealed objects are as good as others', () => {
    const x = randomMatrix(3, [2, 2]);
    for (const close of [Object.freeze, Object.seal, Object.preventExtensions]) {
      const a = close({ data: x.data, shape: close([2, 2]), stride: close([2, 1]) }) as MatrixLike;
      expect(allBits(svd(a))).toEqual(allBits(svd(x)));
    }
  });
});

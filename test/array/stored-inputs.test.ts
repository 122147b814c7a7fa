import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import {
  dist,
  distAsync,
  FactoredMatrix,
  type MatrixLike,
  matmul,
  prepare,
  prepareAsync,
  type StridedArray,
  svd,
  svdAsync,
} from '../../lib/index.ts';
import { allBits, bits } from '../support/checks.ts';
import { longestTurn } from '../support/event-loop.ts';
import { array, random, randomMatrix } from '../support/matrices.ts';

// Inputs that are stored in another format than they are computed in: 16-bit floats, and operands of mixed dtypes.

type Half = 'bfloat16' | 'float16';
const halves: Half[] = ['bfloat16', 'float16'];
const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/** Numbers of about 1 with few bits, exact in either format. */
function halfMatrix(seed: number, shape: readonly number[], dtype: Half) {
  const next = random(seed);
  const [one, digits] = dtype === 'bfloat16' ? [0x3f80, 7] : [0x3c00, 10];
  const data = Uint16Array.from({ length: size(shape) }, () => {
    const x = next();
    return (x < 0 ? 0x8000 : 0) | (one + (Math.floor(Math.abs(x) * 127) << (digits - 7)));
  });
  return { data, shape, dtype };
}

/** The same numbers in float32. */
function widened({ data, shape }: ReturnType<typeof halfMatrix>, dtype: Half): Tensor {
  const value = (bits: number) =>
    (bits & 0x8000 ? -1 : 1) * (1 + ((bits >> (dtype === 'bfloat16' ? 0 : 3)) & 127) / 128);
  return array(Array.from(data, value), shape, 'float32');
}

const turned = (x: { shape: readonly number[] } & StridedArray): MatrixLike => {
  const [m, n] = x.shape.slice(-2);
  const leading = x.shape.slice(0, -2);
  const apart = leading.map((_, axis) => size(x.shape.slice(axis + 1)));
  return { ...x, shape: [...leading, n, m], stride: [...apart, 1, n] };
};

describe.each(halves)('%s', (dtype) => {
  // Several slices; several blocks; a factor that is repeated.
  const shapes: [number[], number[]][] = [
    [
      [1500, 1000],
      [1000, 20],
    ],
    [
      [3, 900, 512],
      [3, 512, 900],
    ],
    [
      [4, 60, 40],
      [40, 6000],
    ],
  ];

  it.each(shapes)('factors %j and %j have the bits of their float32 copies, sync and async', async (l, r) => {
    const [A, B] = [halfMatrix(1, l, dtype), halfMatrix(2, r, dtype)];
    const expected = allBits(new FactoredMatrix(widened(A, dtype), widened(B, dtype)).svd());
    const M = new FactoredMatrix(A, B);
    expect(allBits(await M.svdAsync())).toEqual(expected);
    expect(allBits(new FactoredMatrix(A, B).svd())).toEqual(expected);
    expect(await new FactoredMatrix(A, B).normAsync()).toEqual(new FactoredMatrix(A, B).norm());
    expect([M.A.shape, M.A.dtype]).toEqual([[...M.shape.slice(0, -2), ...l.slice(-2)], 'float32']);
  });

  it('a plain matrix of several slices, transposed or not, async as sync', async () => {
    const a = halfMatrix(3, [5, 1000, 220], dtype);
    for (const x of [a, turned(a)]) expect(allBits(await svdAsync(x))).toEqual(allBits(svd(x)));
    expect(allBits(svd(a))).toEqual(allBits(svd(widened(a, dtype))));
  });

  it('prepared, in products and in distances', async () => {
    const [a, b] = [halfMatrix(4, [70, 50], dtype), halfMatrix(5, [50, 70], dtype)];
    const [x, y] = [widened(a, dtype), widened(b, dtype)];
    expect(bits(matmul(a, b) as Tensor)).toBe(bits(matmul(x, y) as Tensor));
    expect(dist(a, turned(b))).toBe(dist(x, turned(b)));
    expect(await distAsync(a, new FactoredMatrix(a, matmul(b, a) as Tensor))).toBe(
      dist(x, new FactoredMatrix(x, matmul(y, x) as Tensor)),
    );
    const expected = allBits(new FactoredMatrix(x, y).svd());
    for (const p of [prepare(a), await prepareAsync(a)]) {
      expect(bits(p)).toBe(bits(x));
      expect(allBits(new FactoredMatrix(p, b).svd())).toEqual(expected);
    }
  });

  it('of a view into much data only what is read is widened', async () => {
    const data = new Uint16Array(2 ** 24);
    const view = { data, shape: [2, 3], stride: [2 ** 23, 2 ** 21], dtype } as const;
    const before = process.memoryUsage().arrayBuffers;
    svd(view);
    await svdAsync(view);
    const M = new FactoredMatrix(view, [[1], [2], [3]]);
    M.svd();
    expect(M.A.data.length).toBe(6);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(data.byteLength / 8);
  });

  it('factors are kept as they are stored until they are looked at', () => {
    const A = halfMatrix(6, [2000, 500], dtype);
    const before = process.memoryUsage().arrayBuffers;
    const M = new FactoredMatrix(A, turned(A));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(A.data.byteLength);
    expect(M.T.at([0, 1], 3).shape).toEqual([2, 1]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(A.data.byteLength);
    expect(bits(M.A)).toBe(bits(widened(A, dtype)));
    expect(M.A).toBe(M.A);
  });

  it('the event loop turns while a large one is read', async () => {
    const a = halfMatrix(7, [4000, 768], dtype);
    expect(await longestTurn(() => prepareAsync(a))).toBeLessThan(50);
  });
});

describe('operands of mixed dtypes', () => {
  it('have the bits of float64 copies, sync and async', async () => {
    const A = randomMatrix(8, [3, 500, 128], 'float32');
    const B = randomMatrix(9, [128, 700]);
    const wide = array(Array.from(A.data), A.shape);
    const expected = allBits(new FactoredMatrix(wide, B).svd());
    expect(allBits(new FactoredMatrix(A, B).svd())).toEqual(expected);
    expect(allBits(await new FactoredMatrix(A, B).svdAsync())).toEqual(expected);
    for (const algorithm of ['product', 'three-svd'] as const) {
      const [sync, async] = [new FactoredMatrix(A, B), new FactoredMatrix(A, B)];
      expect(allBits(await async.svdAsync({ algorithm }))).toEqual(allBits(sync.svd({ algorithm })));
    }
  });

  it('a product with one of them is computed in float64', () => {
    const [A, B] = [randomMatrix(10, [9, 5]), randomMatrix(11, [5, 7], 'float32')];
    const x = randomMatrix(12, [7, 4], 'float32');
    const wide = array(Array.from(B.data), B.shape);
    const found = new FactoredMatrix(A, B).matmul(x) as FactoredMatrix;
    expect(found.pair.map(bits)).toEqual(
      (new FactoredMatrix(A, wide).matmul(x) as FactoredMatrix).pair.map(bits),
    );
  });

  it('are promoted when they are computed with, not before', () => {
    const A = randomMatrix(13, [1000, 1000], 'float32');
    const before = process.memoryUsage().arrayBuffers;
    const M = new FactoredMatrix(A, randomMatrix(14, [1000, 1]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(A.data.byteLength);
    expect(M.A.dtype).toBe('float64');
  });
});

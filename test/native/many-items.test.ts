import { describe, expect, it } from 'vitest';
import { itemOffsets } from '../../lib/array/indexing.ts';
import { ndarray } from '../../lib/array/ndarray.ts';
import { repeat, swapLast, unravel } from '../../lib/array/tensor.ts';
import { svdAsync, svdvals, svdvalsAsync } from '../../lib/index.ts';
import { batchOf, offsetOf, transposed } from '../../lib/native/batch.ts';
import { bits } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

// What runs on the JavaScript thread for each matrix of a batch.

describe('a batch of very many small matrices', () => {
  const n = 300_000;

  it('is described by a few numbers, repeated or not: no list has an entry for each', () => {
    const a = randomMatrix(1, [n, 2, 2]);
    const views = [a, swapLast(a), repeat(randomMatrix(1, [1, 2, 2]), [2 ** 40, 2, 2])];
    for (const x of views) expect(batchOf(x, x.shape.slice(0, -2)).offsets).toBeUndefined();
  });

  it('has the bits of the synchronous call', async () => {
    const a = randomMatrix(2, [n, 1, 2], 'float32');
    expect(bits(await svdvalsAsync(a))).toBe(bits(svdvals(a)));
    expect((await svdAsync(a)).driver).toHaveLength(n);
  });
});

describe('offsets of the items', () => {
  it.each([
    [[], []],
    [[5], [3]],
    [[0], [3]],
    [
      [3, 0, 2],
      [1, 1, 1],
    ],
    [
      [2, 3, 4],
      [100, -7, 0],
    ],
    [
      [4, 1, 3, 2],
      [1, 5, 24, -2],
    ],
  ])('of leading dimensions %j with strides %j', (leading, stride) => {
    const x = ndarray(new Float64Array(1000), [...leading, 1, 1], [...stride, 1, 1], 50);
    const size = leading.reduce((p, m) => p * m, 1);
    const expected = Array.from({ length: size }, (_, i) =>
      unravel(i, leading).reduce((sum, j, axis) => sum + j * stride[axis], 50),
    );
    expect([...itemOffsets(x)]).toEqual(expected);
    const batch = batchOf(ndarray(x.data, x.shape, x.stride, 50), leading);
    for (const all of [batch, transposed(batch)])
      expect(expected.map((_, i) => offsetOf(all, i))).toEqual(expected);
  });
});

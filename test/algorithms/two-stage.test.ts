import { afterEach, describe, expect, it } from 'vitest';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { setThreads, svd, svdvals, svdvalsAsync, threads, transpose } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { array, dtypes, mapMatrix, randomMatrix } from '../support/matrices.ts';

// Singular values alone of large matrices, by way of a band matrix.

const made = (m: number, n: number, dtype: Dtype, element: (i: number, j: number) => number): Tensor =>
  array(
    Array.from({ length: m * n }, (_, e) => element(Math.floor(e / n), e % n)),
    [m, n],
    dtype,
  );

const matrices: Readonly<Record<string, (m: number, n: number, dtype: Dtype) => Tensor>> = {
  'random elements': (m, n, dtype) => randomMatrix(1, [m, n], dtype),
  'coin tosses': (m, n, dtype) => mapMatrix(randomMatrix(2, [m, n], dtype), (x) => Math.sign(x) || 1),
  'equal elements': (m, n, dtype) => made(m, n, dtype, () => 1 / 3),
  'rows that decay': (m, n, dtype) => {
    const x = randomMatrix(3, [m, n], 'float64');
    return made(m, n, dtype, (i, j) => x.get(i, j) * 2 ** (-i / 20));
  },
  'a band alone': (m, n, dtype) => made(m, n, dtype, (i, j) => (Math.abs(i - j) < 3 ? 1 : 0)),
  'one row': (m, n, dtype) => made(m, n, dtype, (i, j) => (i === 5 ? j + 1 : 0)),
  'ones on the diagonal': (m, n, dtype) => made(m, n, dtype, (i, j) => (i === j ? 1 : 0)),
};

/** The largest difference between singular values, in bounds of both. */
function difference(a: Tensor, b: Tensor, dtype: Dtype): number {
  const [x, y] = [svdvals(a).data, svd(b).S.data];
  const bound = 2 * bounds.singularValues(dtype, bounds.denseBound(dtype, a.shape[0], a.shape[1], y[0]), 0);
  return Math.max(...Array.from(x, (s: number, i: number) => Math.abs(s - y[i]))) / bound;
}

describe.each(dtypes)('%s', (dtype) => {
  describe.each(Object.entries(matrices))('%s', (_, make) => {
    it('are those of the whole decomposition', () => {
      const a = make(660, 650, dtype);
      expect(difference(a, a, dtype)).toBeLessThanOrEqual(1);
    });
  });

  it('of a matrix that is wide, and of one whose rows are reduced first', () => {
    const wide = randomMatrix(4, [650, 700], dtype);
    expect(difference(wide, wide, dtype)).toBeLessThanOrEqual(1);
    const tall = transpose(randomMatrix(5, [650, 1100], dtype)) as Tensor;
    expect(difference(tall, tall, dtype)).toBeLessThanOrEqual(1);
  });

  it('another matrix has others', () => {
    const a = randomMatrix(6, [650, 650], dtype);
    const changed = mapMatrix(a, (x) => x * (1 + (dtype === 'float32' ? 1e-4 : 1e-12)));
    expect(difference(a, changed, dtype)).toBeGreaterThan(1);
  });
});

describe('on several threads', () => {
  const before = threads();
  afterEach(() => setThreads(before));

  it('have the same bits', async () => {
    const a = randomMatrix(7, [700, 690], 'float32');
    setThreads(1);
    const alone = svdvals(a).data;
    setThreads(3);
    expect(svdvals(a).data).toEqual(alone);
    expect((await svdvalsAsync(a)).data).toEqual(alone);
  });
});

it('tell how far they are, and stop', async () => {
  const a = randomMatrix(8, [1500, 1500], 'float64');
  const controller = new AbortController();
  let last = 0;
  const onProgress = ({ done }: { done: number }) => {
    expect(done).toBeGreaterThanOrEqual(last);
    last = done;
    if (done > 0.5 && done < 1) controller.abort();
  };
  const pending = svdvalsAsync(a, { signal: controller.signal, onProgress });
  await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
  expect(last).toBeGreaterThan(0.5);
});

import { describe, expect, it } from 'vitest';
import {
  dist,
  distAsync,
  FactoredMatrix,
  type MatrixLike,
  prepareAsync,
  svd,
  svdvals,
  svdvalsAsync,
} from '../../lib/index.ts';
import { bits, checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { array, randomMatrix } from '../support/matrices.ts';

const rowsOf = (values: ArrayLike<number>, m: number, n: number): number[][] =>
  Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => values[i * n + j]));

describe('nested arrays', () => {
  const long = 2 ** 19; // elements; several slices

  it.each([
    ['many rows', 2 ** 17, 4],
    ['long rows', 2, 2 ** 18],
  ])('are read in slices: %s', async (_, m, n) => {
    const values = Float64Array.from({ length: long }, (_, i) => Math.cos(i));
    let read = 0;
    const rows = rowsOf(values, m, n).map(
      (row) =>
        new Proxy(row, {
          get: (target, key) => {
            if (typeof key === 'string' && /^\d+$/.test(key)) read++;
            return Reflect.get(target, key);
          },
        }),
    );
    let [most, before, running] = [0, 0, true];
    const look = () => {
      most = Math.max(most, read - before);
      before = read;
      if (running) setImmediate(look);
    };
    const result = prepareAsync(rows);
    look();
    expect(bits(await result)).toBe(bits(array(values, [m, n])));
    running = false;
    look();
    expect(read).toBeGreaterThanOrEqual(long);
    expect(most).toBeLessThanOrEqual(long / 2);
  });

  it('give the same asynchronously', async () => {
    const x = randomMatrix(1, [700, 300]);
    const rows = rowsOf(x.data, 700, 300);
    expect(bits(await svdvalsAsync(rows))).toBe(bits(svdvals(x)));
    expect(await distAsync(rows, x)).toBe(0);
    const product = [rows.map((row) => [row[0]]), [rows[0]]];
    const copies = [array(product[0].flat(), [700, 1]), array(product[1].flat(), [1, 300])];
    expect(await distAsync(new FactoredMatrix(product[0], product[1]), x)).toBe(
      dist(new FactoredMatrix(copies[0], copies[1]), x),
    );
  });

  it('that are ragged reject with the place, in whatever slice', async () => {
    const rows: unknown[][] = rowsOf(new Float64Array(long), 2 ** 17, 4);
    rows[2 ** 17 - 1] = [0, 0, 0];
    checkError(
      await rejectionOf(svdvalsAsync(rows as number[][])),
      'ERR_SVD_SHAPE',
      '[131071]: has 3 entries where others have 4',
    );
    rows[2 ** 17 - 1] = [0, 0, 0, '0'];
    checkError(
      await rejectionOf(svdvalsAsync(rows as number[][])),
      'ERR_SVD_ARGUMENT',
      '[131071][3]: expected a number',
    );
  });

  it('that change between slices are an error or an answer', async () => {
    const rows = rowsOf(new Float64Array(long).fill(1), 2 ** 17, 4);
    const result = rejectionOf(prepareAsync(rows));
    rows.length = 100_000;
    checkError(await result, 'ERR_SVD_ARGUMENT', '[100000]: expected an array of 4, got undefined');
  });

  it('may have typed rows', () => {
    const rows = [Float32Array.of(1, 2), Float64Array.of(3, 4)] as unknown as MatrixLike;
    expect(bits(svd(rows).S)).toBe(bits(svd([[1, 2], [3, 4]]).S)); // biome-ignore format: one line
    const integers = [Int8Array.of(1, 2)] as unknown as MatrixLike;
    checkError(
      errorOf(() => svd(integers)),
      'ERR_SVD_ARGUMENT',
      '[0]: expected a number, got Int8Array',
    );
  });
});

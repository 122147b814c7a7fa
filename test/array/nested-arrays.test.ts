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
  transpose,
} from '../../lib/index.ts';
import { allBits, bits, checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { array, randomMatrix } from '../support/matrices.ts';

const rowsOf = (values: ArrayLike<number>, m: number, n: number): number[][] =>
  Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => values[i * n + j]));

describe('nested arrays', () => {
  it('of numbers are float64 matrices', () => {
    const x = randomMatrix(5, [5, 4]);
    expect(allBits(svd(rowsOf(x.data, 5, 4)))).toEqual(allBits(svd(x)));
    expect(dist(rowsOf(x.data, 5, 4), x)).toBe(0);
  });

  it('of three levels and more are batches', () => {
    const x = randomMatrix(6, [2, 3, 2, 2]);
    const levels = [0, 1].map((i) =>
      [0, 1, 2].map((j) => [0, 1].map((k) => [0, 1].map((l) => x.get(i, j, k, l)))),
    );
    expect(allBits(svd(levels))).toEqual(allBits(svd(x)));
  });

  it('may be empty, frozen and readonly', () => {
    expect(svd([[], []]).U.shape).toEqual([2, 0]);
    const frozen = Object.freeze([Object.freeze([1, 2]), Object.freeze([3, 4])]);
    expect(allBits(svd(frozen))).toEqual(allBits(svd(array([1, 2, 3, 4], [2, 2]))));
  });

  it('of float32 values promote to float64, as every nested array is float64', () => {
    expect(svd([[Math.fround(0.1)]]).S.dtype).toBe('float64');
  });

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

describe('rows that are typed arrays', () => {
  const rows = [[1, 2.5], [-3, 4]]; // biome-ignore format: a matrix
  const of = (type: Float32ArrayConstructor | Float64ArrayConstructor) => rows.map((row) => type.from(row));

  it('stay float32 where all are, and are float64 otherwise', () => {
    expect(transpose(of(Float32Array)).dtype).toBe('float32');
    expect(transpose(of(Float64Array)).dtype).toBe('float64');
    expect(transpose([rows[0], Float32Array.from(rows[1])]).dtype).toBe('float64');
    expect(transpose([of(Float32Array), of(Float64Array)]).dtype).toBe('float64');
  });

  it('hold the elements of the same rows of numbers', () => {
    for (const type of [Float32Array, Float64Array])
      expect(Array.from(transpose([of(type), of(type)]).data)).toEqual([...rows.flat(), ...rows.flat()]);
    expect(svd(of(Float64Array)).S).toEqual(svd(rows).S);
  });

  it('must have the same length', () => {
    expect(errorOf(() => svd([Float32Array.of(1, 2), Float32Array.of(1)])).code).toBe('ERR_SVD_SHAPE');
  });
});

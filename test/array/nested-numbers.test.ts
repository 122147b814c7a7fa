import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { dist, svd, transpose } from '../../lib/index.ts';
import { allBits, errorOf } from '../support/checks.ts';
import { cols, rows } from '../support/forms.ts';
import { array, randomMatrix } from '../support/matrices.ts';

const nested = (x: Tensor): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => x.get(i, j)));

describe('nested arrays', () => {
  it('of numbers are float64 matrices', () => {
    const x = randomMatrix(5, [rows, cols]);
    expect(allBits(svd(nested(x)))).toEqual(allBits(svd(x)));
    expect(dist(nested(x), x)).toBe(0);
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

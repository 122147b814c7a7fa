import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { diagEmbed, dist, FactoredMatrix, matmul, transpose } from '../../lib/index.ts';
import { randomMatrix } from '../support/matrices.ts';

describe('transpose and diagEmbed', () => {
  it('transpose is a view: it shares memory with its argument', () => {
    const x = randomMatrix(10, [2, 3, 4]);
    const t = transpose(x);
    expect(t.shape).toEqual([2, 4, 3]);
    expect(t.data).toBe(x.data);
    for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) expect(t.get(1, j, i)).toBe(x.get(1, i, j));
  });

  it('transpose of a FactoredMatrix is its T', () => {
    const m = new FactoredMatrix(randomMatrix(11, [3, 2]), randomMatrix(12, [2, 5]));
    expect(transpose(m)).toBeInstanceOf(FactoredMatrix);
    expect(dist(transpose(m), transpose(m.AB))).toBe(dist(m.T, transpose(m.AB)));
    expect(transpose(m).shape).toEqual([5, 3]);
  });

  it('diagEmbed puts vectors on the diagonals of zero matrices, of any view and dtype', () => {
    const s = ndarray(Float32Array.of(1, 9, 2, 9, 3, 9, 4, 9), [2, 2], [4, 2]);
    const d = diagEmbed(s);
    expect(d.shape).toEqual([2, 2, 2]);
    expect(Array.from(d.data)).toEqual([1, 0, 0, 2, 3, 0, 0, 4]);
    expect(d.dtype).toBe('float32');
    expect(diagEmbed([]).shape).toEqual([0, 0]);
    expect(Array.from(diagEmbed([5]).data)).toEqual([5]);
  });

  it('mixed dtypes promote to float64, equal ones stay', () => {
    const [single, double] = [randomMatrix(13, [3, 3], 'float32'), randomMatrix(14, [3, 3])];
    expect((matmul(single, single) as Tensor).dtype).toBe('float32');
    expect((matmul(single, double) as Tensor).dtype).toBe('float64');
    expect((matmul([[1, 0, 0]], single) as Tensor).dtype).toBe('float64');
  });
});

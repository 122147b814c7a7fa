import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix, matmul } from '../../../lib/index.ts';
import {
  checkArray,
  checkSameSpectrum,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  transposeRows,
  vectorAt,
} from '../../support/checks.ts';
import { beta, checkClose, dense, denseItems, exact, factored, items } from '../../support/factored.ts';
import { array, dtypes, integerMatrix } from '../../support/matrices.ts';

describe('AB, BA and T', () => {
  it.each(dtypes)('AB is the product, contiguous: %s', (dtype) => {
    const m = factored(8, [6, 3, 5], dtype, [2]);
    checkArray(m.AB, [2, 6, 5], dtype, 'AB');
    for (const i of [0, 1]) {
      const M = dense(m, [i]);
      checkClose(matrixAt(m.AB, [i]), M, frobenius(M), dtype, beta(m, [i]));
    }
    expect(items(exact(9, [6, 3, 5], [2]).AB)).toEqual(denseItems(exact(9, [6, 3, 5], [2])));
  });

  it('BA is the product the other way round', () => {
    const m = exact(10, [5, 2, 5], [3]);
    expect(m.BA.shape).toEqual([3, 2, 2]);
    for (const i of [0, 1, 2]) {
      expect(matrixAt(m.BA, [i])).toEqual(multiplyRows(matrixAt(m.B, [i]), matrixAt(m.A, [i])));
    }
  });

  it('T is Bᵀ·Aᵀ, of views; T of T is the matrix', () => {
    const m = exact(11, [5, 2, 4], [3]);
    expect(m.T.shape).toEqual([3, 4, 5]);
    expect(m.T.mdim).toBe(2);
    expect(m.T.A.data).toBe(m.B.data);
    expect(items(m.T.AB)).toEqual(denseItems(m).map((M) => transposeRows(M)));
    expect(items(m.T.T.AB)).toEqual(denseItems(m));
  });

  it('an inner dimension of 0 gives the zero matrix', () => {
    const m = factored(12, [3, 0, 2]);
    expect(matrixAt(m.AB)).toEqual([[0, 0], [0, 0], [0, 0]]); // biome-ignore format: one matrix
    expect(m.norm()).toBe(0);
    expect(m.rank()).toBe(0);
    expect(matrixAt(m.pinv().AB)).toEqual([[0, 0, 0], [0, 0, 0]]); // biome-ignore format: one matrix
  });
});

describe('matmul and rmatmul', () => {
  const sizes = fc.integer({ min: 1, max: 5 });

  it('are the product, on either side and of every kind', () => {
    fc.assert(
      fc.property(fc.tuple(sizes, sizes, sizes, sizes, sizes), fc.nat(), ([l, k, r, n, q], seed) => {
        const m = exact(seed, [l, k, r]);
        const right = integerMatrix(seed + 2, [r, n]);
        const left = integerMatrix(seed + 3, [n, l]);
        const other = exact(seed + 4, [r, q, n]);
        const M = dense(m);
        expect(matrixAt((m.matmul(right) as FactoredMatrix).AB)).toEqual(multiplyRows(M, matrixAt(right)));
        expect(matrixAt((m.rmatmul(left) as FactoredMatrix).AB)).toEqual(multiplyRows(matrixAt(left), M));
        expect(matrixAt(m.matmul(other).AB)).toEqual(multiplyRows(M, dense(other)));
        expect(matrixAt(other.rmatmul(m).AB)).toEqual(multiplyRows(M, dense(other)));
        for (const [a, b] of [
          [m, right],
          [left, m],
          [m, other],
        ] as const) {
          // biome-ignore format: one case, one line
          expect(matmul(a, b)).toBeInstanceOf(FactoredMatrix);
        }
        expect(matrixAt((matmul(left, m) as FactoredMatrix).AB)).toEqual(multiplyRows(matrixAt(left), M));
        expect(matrixAt(matmul(m, other).AB)).toEqual(multiplyRows(M, dense(other)));
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  it('keep the inner dimension smallest: of k and the shared one for a matrix, of both k and it for a product', () => {
    fc.assert(
      fc.property(fc.tuple(sizes, sizes, sizes, sizes, sizes), ([l, k, r, n, q]) => {
        const m = exact(1, [l, k, r]);
        expect((m.matmul(integerMatrix(2, [r, n])) as FactoredMatrix).mdim).toBe(Math.min(k, r));
        expect((m.rmatmul(integerMatrix(2, [n, l])) as FactoredMatrix).mdim).toBe(Math.min(k, l));
        const other = exact(3, [r, q, n]);
        expect(m.matmul(other).mdim).toBe(Math.min(k, r, q));
        expect(other.rmatmul(m).mdim).toBe(Math.min(k, r, q));
        expect(matmul(m, other).mdim).toBe(Math.min(k, r, q));
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it('a vector gives a vector', () => {
    const m = exact(45, [4, 2, 3]);
    const [x, y] = [integerMatrix(46, [3]), integerMatrix(47, [4])];
    const Mx = dense(m).map((row) => row.reduce((sum, v, j) => sum + v * x.get(j), 0));
    const yM = transposeRows(dense(m)).map((column) => column.reduce((sum, v, i) => sum + v * y.get(i), 0));
    for (const result of [m.matmul(x), matmul(m, x), m.matmul(Array.from(x.data))] as Tensor[]) {
      expect(result.shape).toEqual([4]);
      expect(vectorAt(result)).toEqual(Mx);
    }
    for (const result of [m.rmatmul(y), matmul(y, m), m.T.matmul(y)] as Tensor[]) {
      expect(result.shape).toEqual([3]);
      expect(vectorAt(result)).toEqual(yM);
    }
  });

  it('a vector and a batch give a batch of vectors', () => {
    const m = exact(48, [4, 2, 3], [2, 2]);
    const [x, y] = [integerMatrix(49, [3]), integerMatrix(50, [4])];
    const right = m.matmul(x) as Tensor;
    const left = m.rmatmul(y) as Tensor;
    expect([right.shape, left.shape]).toEqual([[2, 2, 4], [2, 2, 3]]); // biome-ignore format: two shapes
    for (const index of indices([2, 2])) {
      expect(vectorAt(right, index)).toEqual(vectorAt(m.at(...index).matmul(x) as Tensor));
      expect(vectorAt(left, index)).toEqual(vectorAt(m.at(...index).rmatmul(y) as Tensor));
    }
  });

  it('leading dimensions broadcast', () => {
    const m = exact(51, [4, 2, 3], [2, 1]);
    const x = integerMatrix(52, [5, 3, 2]);
    const result = m.matmul(x) as FactoredMatrix;
    expect(result.shape).toEqual([2, 5, 4, 2]);
    for (const index of indices([2, 5])) {
      expect(dense(result, index)).toEqual(multiplyRows(dense(m, index), matrixAt(x, index)));
    }
  });

  it('matmul of plain arrays is that of numpy: matrices, vectors, batches, a number from two vectors', () => {
    const [x, y] = [integerMatrix(53, [3, 4]), integerMatrix(54, [2, 4, 5])];
    const batch = matmul(x, y) as Tensor;
    checkArray(batch, [2, 3, 5], 'float64', 'x·y');
    for (const i of [0, 1]) expect(matrixAt(batch, [i])).toEqual(multiplyRows(matrixAt(x), matrixAt(y, [i])));
    expect((matmul([1, 2, 3], x) as Tensor).shape).toEqual([4]);
    expect((matmul(x, [1, 2, 3, 4]) as Tensor).shape).toEqual([3]);
    expect((matmul([1, 2, 3, 4], y) as Tensor).shape).toEqual([2, 5]);
    expect(matmul([1, 2, 3], [4, 5, 6])).toBe(32);
    expect(matmul([], [])).toBe(0);
    expect(matrixAt(matmul(array([], [2, 0]), array([], [0, 3])) as Tensor)).toEqual([[0, 0, 0], [0, 0, 0]]); // biome-ignore format: one matrix
    expect((matmul(array([], [0, 3]), x) as Tensor).shape).toEqual([0, 4]);
  });
});

describe('mul', () => {
  it('scales A and leaves B: by a number or an array of one element', () => {
    const m = exact(55, [4, 2, 3], [2]);
    for (const scalar of [
      -3,
      [-3],
      [[-3]],
      ndarray(Float32Array.of(1, -3), [1], [1], 1),
      array([-3], [1, 1, 1]),
    ]) {
      const scaled = m.mul(scalar);
      expect(items(scaled.A)).toEqual(items(m.A).map((A) => A.map((row) => row.map((x) => -3 * x))));
      expect(scaled.B.data).toBe(m.B.data);
    }
  });

  it('by 0, by a number below the float32 range, and of float32 keep the dtype', () => {
    const m = factored(56, [4, 2, 3], 'float32');
    expect(m.mul(2).A.dtype).toBe('float32');
    expect(m.mul(0).norm()).toBe(0);
    expect(m.mul([0.5]).A.dtype).toBe('float32');
  });

  it('scales the singular values', () => {
    const m = factored(57, [5, 3, 4]);
    const scaled = m.mul(-4).svd();
    checkSameSpectrum(
      'float64',
      scaled.S.data,
      m.S.data.map((s) => 4 * s),
      scaled.bound as number,
      4 * (m.svd().bound as number),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { FactoredMatrix } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import {
  distance,
  frobenius,
  matrixAt,
  multiplyRows,
  type Rows,
  transposeRows,
} from '../../support/checks.ts';
import { dense, factored } from '../../support/factored.ts';
import { integerMatrix, rankDeficient } from '../../support/matrices.ts';

describe('pinv', () => {
  it('has factors whose rows lie one after the other', () => {
    const { A, B } = new FactoredMatrix([[1, 2], [3, 4], [5, 6]], [[1, 0, 2, 1], [0, 1, 1, 3]]).pinv(); // biome-ignore format: matrices
    expect([A.stride, B.stride]).toEqual([[2, 1], [3, 1]]); // biome-ignore format: strides
  });

  /** Distances from the four Penrose conditions, each as a multiple of its bound. */
  function penrose(M: Rows, X: Rows): number[] {
    const [MX, XM] = [multiplyRows(M, X), multiplyRows(X, M)];
    const [m, x] = [frobenius(M), frobenius(X)];
    const bound = (size: number) => bounds.reconstruction('float64', size, M.length, X.length);
    return [
      distance(multiplyRows(MX, M), M) / bound(m * x * m),
      distance(multiplyRows(XM, X), X) / bound(x * m * x),
      distance(MX, transposeRows(MX)) / bound(m * x),
      distance(XM, transposeRows(XM)) / bound(m * x),
    ];
  }
  const cases: [string, FactoredMatrix][] = [
    ['tall', factored(31, [7, 3, 5])],
    ['wide', factored(32, [4, 3, 8])],
    ['inner dimension largest', factored(33, [4, 9, 6])],
    ['square', factored(34, [4, 4, 4])],
    ['rank 2', new FactoredMatrix(rankDeficient(35, 7, 4, 2), integerMatrix(36, [4, 6]))],
    ['rank 0', new FactoredMatrix([[0, 0]], [[1], [2]])],
    ['tiny', factored(37, [5, 3, 4]).mul(1e-150)],
    ['huge', factored(38, [5, 3, 4]).mul(1e150)],
  ];

  it.each(cases)('meets the four conditions of Penrose: %s', (_, m) => {
    const X = m.pinv();
    expect(X).toBeInstanceOf(FactoredMatrix);
    expect(X.shape).toEqual([m.rdim, m.ldim]);
    for (const ratio of penrose(dense(m), dense(X))) expect(ratio).toBeLessThanOrEqual(1);
  });

  it('the transpose does not meet them, nor does an inverse that is off by 1e-9', () => {
    const m = factored(39, [6, 3, 5]);
    const off = m.pinv().mul(1 + 1e-9);
    for (const X of [m.T, off]) expect(Math.max(...penrose(dense(m), dense(X)))).toBeGreaterThan(1);
  });

  it('treats singular values up to tol as zero', () => {
    const m = new FactoredMatrix([[4, 0], [0, 1]], [[1, 0], [0, 1]]); // biome-ignore format: two matrices
    expect(matrixAt(m.pinv({ tol: 1 }).AB).map((row) => row.map(Math.abs))).toEqual([[0.25, 0], [0, 0]]); // biome-ignore format: one matrix
    expect(matrixAt(m.pinv({ tol: 0.5 }).AB).map((row) => row.map(Math.abs))).toEqual([[0.25, 0], [0, 1]]); // biome-ignore format: one matrix
  });

  it('of a batch is that of every item', () => {
    const m = factored(40, [5, 3, 4], 'float64', [2]);
    const X = m.pinv();
    expect(X.shape).toEqual([2, 4, 5]);
    for (const i of [0, 1]) {
      for (const ratio of penrose(dense(m, [i]), dense(X, [i]))) expect(ratio).toBeLessThanOrEqual(1);
    }
  });
});

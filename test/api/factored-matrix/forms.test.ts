import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { dist, FactoredMatrix, matmul, svd, transpose } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import {
  checkArray,
  distance,
  dtypeOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  norm,
  transposeRows,
  vectorAt,
} from '../../support/checks.ts';
import { beta, checkClose, dense, factored } from '../../support/factored.ts';
import { integerMatrix, randomMatrix, rankDeficient } from '../../support/matrices.ts';

describe('makeEven, collapseL, collapseR and truncate', () => {
  const matrices: [string, FactoredMatrix][] = [
    ['float64', factored(58, [7, 3, 5])],
    ['float32', factored(59, [7, 3, 5], 'float32')],
    ['wide', factored(60, [4, 6, 9])],
    ['a batch', factored(61, [5, 3, 4], 'float64', [2])],
    ['rank 1', new FactoredMatrix(rankDeficient(62, 5, 4, 1), integerMatrix(63, [4, 5]))],
  ];
  const each = (m: FactoredMatrix) => indices(m.shape.slice(0, -2));

  it.each(matrices)('makeEven is the same matrix, its factors with AᵀA = BBᵀ = diag(S): %s', (_, m) => {
    const even = m.makeEven();
    const dtype = dtypeOf(m.A);
    expect(even.mdim).toBe(Math.min(m.ldim, m.mdim, m.rdim));
    for (const index of each(m)) {
      const M = dense(m, index);
      checkClose(dense(even, index), M, frobenius(M), dtype, beta(m, index));
      const S = vectorAt(m.S, index);
      const diagonal = S.map((s, i) => S.map((_, j) => (i === j ? s : 0)));
      const [A, B] = [matrixAt(even.A, index), matrixAt(even.B, index)];
      checkClose(multiplyRows(transposeRows(A), A), diagonal, norm(S), dtype);
      checkClose(multiplyRows(B, transposeRows(B)), diagonal, norm(S), dtype);
    }
  });

  it.each(matrices)('collapseL is diag(S)·Vh = Uᵀ·M, collapseR is U·diag(S) = M·V: %s', (_, m) => {
    const [left, right] = [m.collapseL(), m.collapseR()];
    const p = Math.min(m.ldim, m.mdim, m.rdim);
    const dtype = dtypeOf(m.A);
    checkArray(left, [...m.shape.slice(0, -2), p, m.rdim], dtype, 'collapseL');
    checkArray(right, [...m.shape.slice(0, -2), m.ldim, p], dtype, 'collapseR');
    for (const index of each(m)) {
      const M = dense(m, index);
      const U = matrixAt(m.U, index);
      checkClose(
        matrixAt(left, index),
        multiplyRows(transposeRows(U), M),
        frobenius(M),
        dtype,
        beta(m, index),
      );
      checkClose(
        matrixAt(right, index),
        multiplyRows(M, matrixAt(m.V, index)),
        frobenius(M),
        dtype,
        beta(m, index),
      );
    }
  });

  it.each(matrices)(
    'truncate(p) is at the distance of the singular values left out (Eckart–Young): %s',
    (_, m) => {
      const full = m.S.shape.at(-1)!;
      for (let p = 0; p <= full; p++) {
        const best = m.truncate(p);
        expect(best.mdim).toBe(p);
        expect(best.shape).toEqual(m.shape);
        for (const index of each(m)) {
          const tail = norm(vectorAt(m.S, index).slice(p));
          const M = dense(m, index);
          const off = distance(M, dense(best, index));
          const bound = bounds.reconstruction(dtypeOf(m.A), frobenius(M), m.ldim, m.rdim, beta(m, index));
          expect(Math.abs(off - tail)).toBeLessThanOrEqual(bound);
          const reported = dist(m, best);
          const value = typeof reported === 'number' ? reported : reported.get(...index);
          expect(Math.abs(value - tail)).toBeLessThanOrEqual(bound);
        }
      }
    },
  );

  it('no other matrix of rank p is nearer: 50 random ones', () => {
    const m = factored(64, [6, 4, 5]);
    const nearest = dist(m, m.truncate(2)) as number;
    for (let seed = 0; seed < 50; seed++) {
      const { U } = svd(randomMatrix(seed, [6, 2]));
      const projected = matmul(matmul(U, transpose(U)) as Tensor, m); // the best with this column space
      expect(dist(m, projected as FactoredMatrix)).toBeGreaterThan(nearest);
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import * as api from '../../lib/index.ts';
import { cond, lstsq, matrixRank, pinv, svdvals } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  checkError,
  errorOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  type Rows,
  vectorAt,
} from '../support/checks.ts';
import { array, dtypes, randomMatrix } from '../support/matrices.ts';

// The cases of numpy's own tests of numpy.linalg, as properties. `hermitian` has no counterpart: symmetric matrices are
// matrices. What is NaN there is ERR_SVD_NON_FINITE here, and what LinAlgError is has its code.

const norm = api.norm as (a: api.MatrixLike, ord?: api.Norm) => number;

const eye = (n: number, last = 1): Rows =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => (i !== j ? 0 : i === n - 1 ? last : 1)),
  );
const filled = (m: number, n: number, x: number): Rows =>
  Array.from({ length: m }, () => new Array(n).fill(x));
const ramp = array(Array.from({ length: 24 }, (_, i) => i + 1), [2, 3, 4]); // biome-ignore format: an array

describe('norm', () => {
  const root = Math.sqrt;
  it.each([
    [
      '2 by 2',
      [
        [1, 3],
        [5, 7],
      ],
      { fro: root(84), nuc: 10, 2: 9.123105625617661 },
    ],
    [
      '3 by 3',
      [
        [0.1, 0.2, 0.3],
        [0.6, 0, 0.5],
        [0.3, 0.2, 0.1],
      ],
      { fro: root(0.89), nuc: 1.3366836911774835, 2: 0.8872294032346127 },
    ],
    [
      '2 by 3',
      [
        [1, 0, 1],
        [0, 1, 1],
      ],
      { fro: 2, nuc: 1 + root(3), 2: root(3) },
    ],
    ['empty', array([], [1, 0]), { fro: 0, nuc: 0, 2: 0 }],
  ])('of what is known: %s', (_, a, { fro, nuc, 2: spectral }) => {
    // biome-ignore format: a table
    const bound = bounds.reconstruction('float64', fro, 3, 3);
    expect(Math.abs(norm(a) - fro)).toBeLessThanOrEqual(bound);
    expect(norm(a, 'fro')).toBe(norm(a));
    expect(Math.abs(norm(a, 'nuc') - nuc)).toBeLessThanOrEqual(3 * bound);
    expect(Math.abs(norm(a, 2) - spectral)).toBeLessThanOrEqual(bound);
  });

  it('of a stack is that of every matrix', () => {
    for (const ord of ['fro', 'nuc', 2] as const) {
      expect(vectorAt(api.norm(ramp, ord) as Tensor)).toEqual(
        [0, 1].map((i) => norm(ramp.pick(i) as Tensor, ord)),
      );
    }
  });

  it.each(['nofro', -3, 0, 3, 1, -1, -2])('has no ord %s', (ord) => {
    checkError(
      errorOf(() => norm([[1, 2], [3, 4]], ord as 2)), // biome-ignore format: a matrix
      'ERR_SVD_ARGUMENT',
    );
  });
});

describe('cond', () => {
  it('is the ratio of the largest and the smallest singular value', () => {
    for (const a of [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 0, 1],
        [0, -2, 0],
        [0, 0, 3],
      ],
      [
        [1, 2, 3],
        [3, 4, 6],
      ],
    ]) {
      // biome-ignore format: matrices
      const S = vectorAt(svdvals(a));
      expect(cond(a)).toBe(S[0] / S[S.length - 1]);
    }
  });

  it('of singular matrices is huge, in a stack for those alone', () => {
    expect(cond(filled(2, 2, 0))).toBe(Number.POSITIVE_INFINITY);
    expect(cond(filled(2, 2, 1))).toBeGreaterThan(1e15);
    const stack = randomMatrix(1234, [2, 2, 2, 2]);
    for (const [i, j] of indices([2, 2])) {
      stack.set(0, 0, i, j, 0);
      stack.set(1, 1, i, j, 0);
    }
    const all = cond(stack) as unknown as Tensor;
    expect(indices([2, 2]).map(([i, j]) => Number.isFinite(all.get(i, j)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('of %s is an error with its place', (x) => {
    const stack = array([1, 1, 1, 1, 1, x, 1, 1, 1, 1, 1, 1], [3, 2, 2]);
    const functions: ((a: Tensor) => unknown)[] = [cond, matrixRank, pinv, (a) => norm(a, 'nuc')];
    for (const f of functions) {
      const error = errorOf(() => f(stack));
      checkError(error, 'ERR_SVD_NON_FINITE');
      expect([error.batchIndex, error.index]).toEqual([[1], [0, 1]]);
    }
  });
});

describe('matrixRank', () => {
  it('of diagonal matrices counts what is not zero, in a stack for each', () => {
    expect([eye(4), eye(4, 0), filled(4, 4, 0), filled(4, 4, 1)].map((a) => matrixRank(a))).toEqual([
      4, 3, 0, 1,
    ]);
    expect(vectorAt(matrixRank([eye(4, 0), eye(4), filled(4, 4, 0)]))).toEqual([3, 4, 0]);
  });

  it('a tolerance on either side of the smallest singular value', () => {
    const a = eye(4, 1e-8);
    expect([matrixRank(a), matrixRank(a, { tol: 0.99e-8 }), matrixRank(a, { tol: 1.01e-8 })]).toEqual([
      4, 4, 3,
    ]);
    expect([matrixRank(a, { rtol: 0.99e-8 }), matrixRank(a, { rtol: 1.01e-8 })]).toEqual([4, 3]);
  });

  it.each(dtypes)('columns that are sums of others are no rank of their own: %s', (dtype) => {
    for (let seed = 0; seed < 20; seed++) {
      const x = randomMatrix(20120714 + seed, [40, 10], dtype);
      const sum = (to: number, from: readonly number[]) => {
        for (let i = 0; i < 40; i++)
          x.set(
            i,
            to,
            from.reduce((all, j) => all + x.get(i, j), 0),
          );
      };
      sum(0, [1, 2]);
      expect(matrixRank(x)).toBe(9);
      sum(3, [4, 5]);
      expect(matrixRank(x)).toBe(8);
    }
  });
});

const shapes: [number, number][] = [[2, 2], [8, 8], [1, 1], [2, 3], [3, 2], [8, 11], [11, 8], [1, 5], [5, 1], [0, 4], [4, 0], [0, 0]]; // biome-ignore format: shapes

describe('pinv', () => {
  it.each(dtypes)('a·a⁺·a = a, symmetric matrices and stacks too: %s', (dtype) => {
    const symmetric = array([1, 2, 2, 1], [2, 2], dtype);
    const singular = array([1, 2, 2, 4], [2, 2], dtype);
    const cases = shapes.map(([m, n], i) => randomMatrix(40 + i, [m, n], dtype));
    for (const a of [symmetric, singular, ...cases]) {
      const [m, n] = a.shape;
      const [A, X] = [matrixAt(a), matrixAt(pinv(a) as Tensor)];
      const back = multiplyRows(multiplyRows(A, X, m), A, n);
      const off = frobenius(back.map((row, i) => row.map((x, j) => x - A[i][j])));
      const size = frobenius(A) ** 2 * frobenius(X);
      expect(off).toBeLessThanOrEqual(bounds.reconstruction(dtype, size, m, n));
    }
    const stack = randomMatrix(60, [3, 2, 2, 3], dtype);
    const all = pinv(stack) as Tensor;
    for (const [i, j] of indices([3, 2]))
      expect(matrixAt(all, [i, j])).toEqual(matrixAt(pinv(stack.pick(i, j) as Tensor) as Tensor));
  });
});

describe('lstsq', () => {
  it.each(shapes.map(([m, n]) => ({ m, n })))('of $m by $n', ({ m, n }) => {
    const [a, b] = [randomMatrix(70, [m, n]), randomMatrix(71, [m, 2])];
    const { x, residuals, rank, S } = lstsq(a, b);
    expect([rank, x.shape, residuals.shape]).toEqual([Math.min(m, n), [n, 2], [m > n ? 2 : 0]]);
    const bound = bounds.singularValues('float64', bounds.denseBound('float64', m, n, 1 + m + n), 0);
    vectorAt(svdvals(a) as Tensor).forEach((s, i) => {
      expect(Math.abs(S.get(i) - s)).toBeLessThanOrEqual(2 * bound);
    });
    const left = multiplyRows(matrixAt(a), matrixAt(x as Tensor), 2).map((row, i) =>
      row.map((v, j) => b.get(i, j) - v),
    );
    const rounding = bounds.reconstruction(
      'float64',
      frobenius(matrixAt(a)) * frobenius(matrixAt(x as Tensor)) + frobenius(matrixAt(b)),
      m,
      n,
    );
    if (m <= n) expect(frobenius(left)).toBeLessThanOrEqual(rounding);
    residuals.data.forEach((square, j) => {
      expect(Math.abs(Math.sqrt(square) - Math.hypot(...left.map((row) => row[j])))).toBeLessThanOrEqual(
        rounding,
      );
    });
  });

  it('a matrix that is singular up to rounding has no residuals', () => {
    const columns = [[0, 1, 0, 1, 2, 0], [0, 2, 0, 0, 1, 0], [1, 0, 1, 0, 0, 4], [0, 0, 0, 2, 3, 0]]; // biome-ignore format: columns
    const a = columns[0].map((_, i) => columns.map((column) => column[i]));
    const b = [1, 0, 0, 0, 0, 0];
    const found = lstsq(a, b);
    expect([found.rank, found.residuals.shape]).toEqual([3, [0]]);
    expect(lstsq(a, b, { tol: found.S.get(2) }).rank).toBe(2);
  });

  it('other numbers of rows are an error', () => {
    const a = [[0, 1], [1, 1], [2, 1], [3, 1]]; // biome-ignore format: a matrix
    checkError(
      errorOf(() => lstsq(a, [-1, 0.2, 0.9, 2.1, 3.3])),
      'ERR_SVD_SHAPE',
    );
  });
});

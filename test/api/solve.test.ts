import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import {
  FactoredMatrix,
  lstsq,
  lstsqAsync,
  type MatrixLike,
  matmul,
  pinv,
  pinvAsync,
  transpose,
} from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  bits,
  checkError,
  distance,
  errorOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  type Rows,
  rejectionOf,
  transposeRows,
} from '../support/checks.ts';
import { array, dtypes, mapMatrix, randomMatrix, randomProduct, rankDeficient } from '../support/matrices.ts';

type Dtype = (typeof dtypes)[number];
const rowsOf = (x: unknown): Rows => matrixAt(x as Tensor);

/** Distances from the four Penrose conditions, each as a multiple of its bound. */
function penrose(M: Rows, X: Rows, dtype: Dtype = 'float64'): number {
  const [MX, XM] = [multiplyRows(M, X), multiplyRows(X, M)];
  const [m, x] = [frobenius(M), frobenius(X)];
  const bound = (size: number) => bounds.reconstruction(dtype, size, M.length, X.length);
  return Math.max(
    distance(multiplyRows(MX, M), M) / bound(m * x * m),
    distance(multiplyRows(XM, X), X) / bound(x * m * x),
    distance(MX, transposeRows(MX)) / bound(m * x),
    distance(XM, transposeRows(XM)) / bound(m * x),
  );
}

describe('pinv', () => {
  const cases = dtypes.flatMap((dtype): [string, Tensor, Dtype][] => [
    [`tall, ${dtype}`, randomMatrix(1, [7, 3], dtype), dtype],
    [`wide, ${dtype}`, randomMatrix(2, [3, 8], dtype), dtype],
    [`square, ${dtype}`, randomMatrix(3, [5, 5], dtype), dtype],
    [`of rank 2, ${dtype}`, rankDeficient(4, 7, 5, 2, dtype), dtype],
    [`zero, ${dtype}`, array([0, 0, 0, 0, 0, 0], [2, 3], dtype), dtype],
    [`transposed, ${dtype}`, transpose(randomMatrix(5, [4, 6], dtype)) as Tensor, dtype],
  ]);
  it.each(cases)('meets the four conditions of Penrose: %s', async (_, a, dtype) => {
    const X = pinv(a) as Tensor;
    expect([X.shape, X.dtype]).toEqual([[a.shape[1], a.shape[0]], dtype]);
    expect(penrose(rowsOf(a), rowsOf(X), dtype)).toBeLessThanOrEqual(1);
    expect(bits((await pinvAsync(a)) as Tensor)).toBe(bits(X));
  });

  it('the conditions see the transpose, and an inverse that is off by 1e-9', () => {
    const a = randomMatrix(6, [6, 4]);
    const off = mapMatrix(pinv(a) as Tensor, (x) => x * (1 + 1e-9));
    for (const X of [transpose(a), off]) expect(penrose(rowsOf(a), rowsOf(X))).toBeGreaterThan(1);
  });

  it('counts as zero what tol and rtol say', () => {
    const a = [[4, 0], [0, 1]]; // biome-ignore format: a matrix
    const size = (options: object) => rowsOf(pinv(a, options)).map((row) => row.map(Math.abs));
    expect(size({ tol: 1 })).toEqual([[0.25, 0], [0, 0]]); // biome-ignore format: a matrix
    expect(size({ rtol: 0.25 })).toEqual([[0.25, 0], [0, 0]]); // biome-ignore format: a matrix
    expect(size({ rtol: 0.2 })).toEqual([[0.25, 0], [0, 1]]); // biome-ignore format: a matrix
  });

  it('of a multiple is the inverse multiple, exactly for powers of two', () => {
    const a = randomMatrix(7, [6, 4]);
    for (const e of [800, -800]) {
      const X = pinv(mapMatrix(a, (x) => x * 2 ** e)) as Tensor;
      expect(X.data).toEqual(mapMatrix(pinv(a) as Tensor, (x) => x * 2 ** -e).data);
    }
    checkError(
      errorOf(() => pinv([[1e-310]])),
      'ERR_SVD_OVERFLOW',
      'pinv',
    );
  });

  it('of a batch is that of every item, of a product a product, of an empty matrix empty', () => {
    const batch = randomMatrix(8, [2, 3, 5, 4]);
    const all = pinv(batch) as Tensor;
    expect(all.shape).toEqual([2, 3, 4, 5]);
    for (const [i, j] of indices([2, 3]))
      expect(rowsOf(all.pick(i, j))).toEqual(rowsOf(pinv(batch.pick(i, j))));
    const { A, B } = randomProduct(9, [6, 3, 5]);
    const M = new FactoredMatrix(A, B);
    expect(pinv(M)).toBeInstanceOf(FactoredMatrix);
    expect(rowsOf(pinv(M).AB)).toEqual(rowsOf(M.pinv().AB));
    for (const [m, n] of [
      [0, 3],
      [3, 0],
      [0, 0],
    ])
      expect((pinv(array([], [m, n])) as Tensor).shape).toEqual([n, m]);
  });

  it('says what is wrong', async () => {
    const bad = [[1, 2], [3, Number.NaN]]; // biome-ignore format: a matrix
    for (const error of [errorOf(() => pinv(bad)), await rejectionOf(pinvAsync(bad))]) {
      checkError(error, 'ERR_SVD_NON_FINITE');
      expect(error.index).toEqual([1, 1]);
    }
  });
});

describe('lstsq', () => {
  const shapes: [number, number][] = [
    [8, 4],
    [4, 8],
    [5, 5],
    [6, 1],
    [1, 6],
  ];
  const cases = dtypes.flatMap((dtype) => shapes.map(([m, n]) => ({ dtype, m, n })));

  /** What b − a·x leaves in the range of a, and x outside the range of aᵀ, as multiples of their bounds. */
  function optimality(a: Rows, b: Rows, x: Rows, dtype: Dtype): number {
    const residual = multiplyRows(a, x).map((row, i) => row.map((v, j) => b[i][j] - v));
    const [X, size] = [rowsOf(pinv(a as MatrixLike)), frobenius(a)];
    const inside = multiplyRows(X, multiplyRows(a, x)).map((row, i) => row.map((v, j) => x[i][j] - v));
    const [lengthB, lengthX] = [frobenius(b), frobenius(x)];
    const bound = (s: number) => bounds.reconstruction(dtype, s, a.length, x.length);
    return Math.max(
      frobenius(multiplyRows(transposeRows(a), residual)) / bound(size * (lengthB + size * lengthX)),
      frobenius(inside) / bound(size * frobenius(X) * lengthX),
    );
  }

  it.each(cases)('is optimal, and of least length: $m by $n, $dtype', async ({ dtype, m, n }) => {
    const [a, b] = [randomMatrix(20, [m, n], dtype), randomMatrix(21, [m, 3], dtype)];
    const { x, residuals, rank, S } = lstsq(a, b);
    expect([(x as Tensor).shape, (x as Tensor).dtype, rank]).toEqual([[n, 3], dtype, Math.min(m, n)]);
    expect(S.shape).toEqual([Math.min(m, n)]);
    expect(optimality(rowsOf(a), rowsOf(b), rowsOf(x), dtype)).toBeLessThanOrEqual(1);
    expect(residuals.shape).toEqual([m > n ? 3 : 0]);
    const other = await lstsqAsync(a, b);
    expect([bits(other.x as Tensor), bits(other.residuals), bits(other.S)]).toEqual([
      bits(x as Tensor),
      bits(residuals),
      bits(S),
    ]);
  });

  it('the conditions see a solution that is off by 1e-9', () => {
    const [a, b] = [randomMatrix(22, [8, 4]), randomMatrix(23, [8, 2])];
    const off = mapMatrix(lstsq(a, b).x as Tensor, (x) => x * (1 + 1e-9));
    expect(optimality(rowsOf(a), rowsOf(b), rowsOf(off), 'float64')).toBeGreaterThan(1);
  });

  it('residuals are the squared lengths of the columns of b − a·x, where a has full rank and more rows', () => {
    const [a, b] = [randomMatrix(24, [9, 4]), randomMatrix(25, [9, 2])];
    const { x, residuals } = lstsq(a, b);
    const left = multiplyRows(rowsOf(a), rowsOf(x)).map((row, i) => row.map((v, j) => rowsOf(b)[i][j] - v));
    for (const j of [0, 1]) {
      const square = left.reduce((sum, row) => sum + row[j] ** 2, 0);
      const length = Math.sqrt(square) + bounds.reconstruction('float64', frobenius(rowsOf(b)), 9, 4);
      expect(Math.abs(residuals.get(j) - square)).toBeLessThanOrEqual(length ** 2 - square);
    }
    const deficient = lstsq(rankDeficient(26, 9, 4, 2), b);
    expect([deficient.rank, deficient.residuals.shape]).toEqual([2, [0]]);
  });

  it('a vector gives a vector, and the numbers of a fit that is known', () => {
    const { x, residuals, rank } = lstsq([[0, 1], [1, 1], [2, 1], [3, 1]], [-1, 0.2, 0.9, 2.1]); // biome-ignore format: a matrix
    expect([x.shape, residuals.shape, rank]).toEqual([[2], [1], 2]);
    const bound = bounds.reconstruction('float64', 4, 4, 2);
    expect(Math.abs(x.get(0) - 1)).toBeLessThanOrEqual(bound);
    expect(Math.abs(x.get(1) + 0.95)).toBeLessThanOrEqual(bound);
    expect(Math.abs(residuals.get(0) - 0.05)).toBeLessThanOrEqual(bound);
  });

  it('neither overflows nor underflows on the way', () => {
    const near = (x: number, y: number) =>
      expect(Math.abs(x / y - 1)).toBeLessThanOrEqual(bounds.reconstruction('float64', 4, 2, 2));
    for (const [a, b] of [
      [1e-300, 1e-300],
      [1e300, 1e300],
      [1e-200, 1e100],
      [1e200, 1e-100],
      [1e-300, 5],
      [1e300, 1.5e308],
    ]) {
      const { x } = lstsq(
        [
          [a, 0],
          [0, 2 * a],
        ],
        [b, b],
      );
      near(x.get(0), b / a);
      near(x.get(1), b / a / 2);
    }
    checkError(
      errorOf(() => lstsq([[1e-200]], [1e200])),
      'ERR_SVD_OVERFLOW',
      'lstsq',
    );
  });

  it('leading dimensions broadcast, and every item is that of its own', async () => {
    const [a, b] = [randomMatrix(27, [2, 1, 6, 3]), randomMatrix(28, [4, 6, 2])];
    const all = lstsq(a, b);
    expect([all.x.shape, all.residuals.shape, all.S.shape]).toEqual([[2, 4, 3, 2], [2, 4, 2], [2, 1, 3]]); // biome-ignore format: shapes
    const later = await lstsqAsync(a, b);
    expect([bits(later.x as Tensor), bits(later.residuals)]).toEqual([
      bits(all.x as Tensor),
      bits(all.residuals),
    ]);
    for (const [i, j] of indices([2, 4])) {
      const one = lstsq(a.pick(i, 0), b.pick(j));
      expect(rowsOf((all.x as Tensor).pick(i, j))).toEqual(rowsOf(one.x));
    }
    expect(lstsq(a, randomMatrix(29, [6])).x.shape).toEqual([2, 1, 3]);
  });

  it('of a product is that of the formed matrix, and mixed operands are float64', async () => {
    const { A, B } = randomProduct(30, [8, 3, 5], 'float32');
    const M = new FactoredMatrix(A, B);
    for (const b of [randomMatrix(31, [8, 2], 'float32'), randomMatrix(31, [8, 2])]) {
      const { x, rank, residuals } = lstsq(M, b);
      expect([(x as Tensor).dtype, rank, residuals.shape]).toEqual([b.dtype, 3, [0]]);
      const formed = matmul(
        mapMatrix(A, (v) => v, 'float64'),
        mapMatrix(B, (v) => v, 'float64'),
      );
      expect(optimality(rowsOf(formed), rowsOf(b), rowsOf(x), b.dtype as Dtype)).toBeLessThanOrEqual(1);
      expect(bits((await lstsqAsync(M, b)).x as Tensor)).toBe(bits(x as Tensor));
    }
    expect((lstsq(randomMatrix(32, [4, 2], 'float32'), [1, 2, 3, 4]).x as Tensor).dtype).toBe('float64');
  });

  it.each([
    [4, 2, 2],
    [0, 4, 1],
    [0, 4, 2],
    [4, 0, 1],
    [4, 0, 2],
    [4, 2, 0],
    [0, 0, 0],
  ])(
    // biome-ignore format: shapes
    'of empty arrays as in numpy: %i by %i, %i columns',
    (m, n, k) => {
      const ramp = (rows: number, cols: number) =>
        array(
          Array.from({ length: rows * cols }, (_, i) => i),
          [rows, cols],
        );
      const [a, b] = [ramp(m, n), array(new Array(m * k).fill(1), [m, k])];
      const { x, residuals, rank, S } = lstsq(a, b);
      expect([x.shape, rank, S.shape]).toEqual([[n, k], Math.min(m, n), [Math.min(m, n)]]);
      expect(residuals.shape).toEqual([m > n ? k : 0]);
      if (m === 0) expect(Array.from((x as Tensor).data).every((v) => v === 0)).toBe(true);
      if (n === 0) expect(Array.from(residuals.data)).toEqual(new Array(k).fill(m));
    },
  );

  it('is frozen, and says what is wrong', async () => {
    const a = [[1, 2], [3, 4], [5, 6]]; // biome-ignore format: a matrix
    expect(Object.isFrozen(lstsq(a, [1, 2, 3]))).toBe(true);
    checkError(
      errorOf(() => lstsq(a, [1, 2])),
      'ERR_SVD_SHAPE',
      '[3, 2]',
      '[2]',
    );
    checkError(
      errorOf(() => lstsq([a, a], array(new Array(9).fill(1), [3, 3, 1]))),
      'ERR_SVD_SHAPE',
    );
    for (const error of [
      errorOf(() => lstsq(a, [1, Number.NaN, 3])),
      await rejectionOf(lstsqAsync(a, [1, Number.NaN, 3])),
    ]) {
      checkError(error, 'ERR_SVD_NON_FINITE', 'b');
      expect(error.index).toEqual([1]);
    }
  });
});

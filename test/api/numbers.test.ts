import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import * as api from '../../lib/index.ts';
import {
  cond,
  effectiveRank,
  FactoredMatrix,
  matmul,
  matrixRank,
  type Norm,
  stableRank,
  svd,
  svdvals,
  transpose,
} from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { checkError, errorOf, indices, rejectionOf } from '../support/checks.ts';
import * as within from '../support/function-bounds.ts';
import {
  array,
  dtypes,
  mapMatrix,
  orthogonal,
  randomMatrix,
  randomProduct,
  rankDeficient,
  withSpectrum,
} from '../support/matrices.ts';
import { denseReferences, productReferences } from '../support/references.ts';

const norm = api.norm as (a: api.MatrixLike | api.Factored, ord?: Norm) => number;
const norms = ['fro', 'nuc', 2] as const;
const near = (x: api.PerMatrix, y: number, bound: number): void =>
  expect(Math.abs((x as number) - y), `${x} and ${y}`).toBeLessThanOrEqual(bound);
const identity = (n: number) =>
  array(
    Array.from({ length: n * n }, (_, e) => (e % (n + 1) === 0 ? 1 : 0)),
    [n, n],
  );
const zero = (m: number, n: number) => array(new Array(m * n).fill(0), [m, n]);

describe('of matrices with exact references', () => {
  it.each(denseReferences)('$name', ({ matrix, norm: exact, singularValues, dtype }) => {
    const sigma = Array.from(singularValues);
    const [m, n] = matrix.shape;
    const delta = bounds.singularValues(dtype, svd(matrix).bound as number, 0);
    const nuclear = sigma.reduce((sum, s) => sum + s, 0);
    near(norm(matrix), exact, within.frobenius(exact, m, n));
    near(norm(matrix, 2), sigma[0], delta);
    if (nuclear * 2 ** -971 < 2 ** 53) near(norm(matrix, 'nuc'), nuclear, sigma.length * delta * 2);
    const condition = within.condition(delta, sigma[0], sigma[sigma.length - 1]);
    if (Number.isFinite(condition)) near(cond(matrix), sigma[0] / sigma[sigma.length - 1], condition);
    else expect(cond(matrix)).toBeGreaterThanOrEqual(sigma[0] / (2 * delta + sigma[sigma.length - 1]));
    if (sigma[0] === 0) {
      expect([effectiveRank(matrix), stableRank(matrix), matrixRank(matrix)]).toEqual([0, 0, 0]);
      return;
    }
    const shares = sigma.map((s) => (s / sigma[0]) ** 2);
    const total = shares.reduce((sum, s) => sum + s, 0);
    const rank = Math.exp(
      -shares.reduce((sum, s) => (s > 0 ? sum + (s / total) * Math.log(s / total) : sum), 0),
    );
    const relative = sigma.map((s) => s / sigma[0]);
    near(effectiveRank(matrix), rank, within.effectiveRank(delta / sigma[0], relative, rank));
    near(stableRank(matrix), total, within.stableRank(delta / sigma[0], exact / sigma[0], 1, m, n));
  });

  it.each(productReferences)('products: $name', ({ A, B, singularValues, norm: exact, dtype }) => {
    const M = new FactoredMatrix(A, B);
    const delta = bounds.singularValues(dtype, M.svd().bound as number, 0);
    near(norm(M, 2), singularValues[0], delta);
    near(norm(M), exact, delta + within.frobenius(exact, M.ldim, M.rdim));
    const rank = singularValues.filter((s) => s > 2 * delta).length;
    expect(matrixRank(M, { tol: 2 * delta })).toBe(rank);
  });
});

describe('norm', () => {
  it.each(dtypes)('times a power of two is that of the multiple, exactly: %s', (dtype) => {
    const a = randomMatrix(1, [9, 6], dtype);
    for (const scale of dtype === 'float64' ? [2 ** 900, 2 ** -900] : [2 ** 100, 2 ** -90])
      for (const ord of norms)
        expect(
          norm(
            mapMatrix(a, (x) => x * scale),
            ord,
          ),
        ).toBe(norm(a, ord) * scale);
  });

  it('of one element is its modulus, however large or small', () => {
    for (const x of [1e200, -1e-200, 1e308, 5e-324, 0])
      for (const ord of norms) expect(norm([[x]], ord)).toBe(Math.abs(x));
    for (const s of [1e200, 1e-200])
      near(
        norm([
          [3 * s, 0],
          [4 * s, 0],
        ]),
        5 * s,
        within.frobenius(5 * s, 2, 2),
      );
  });

  it('is too large for float64: ERR_SVD_OVERFLOW with the matrix', () => {
    const batch = [identity(2), mapMatrix(identity(2), (x) => x * 1.5e308)].map((x) => [[x.get(0, 0), x.get(0, 1)], [x.get(1, 0), x.get(1, 1)]]); // biome-ignore format: a batch
    for (const ord of ['fro', 'nuc'] as const) {
      const error = errorOf(() => norm(batch, ord));
      checkError(error, 'ERR_SVD_OVERFLOW', 'norm');
      expect(error.batchIndex).toEqual([1]);
    }
  });

  it.each(dtypes)('does not depend on orientation, nor on rotations: %s', (dtype) => {
    const a = randomMatrix(2, [8, 5], dtype);
    const rotated = matmul(orthogonal(3, 8, 8), a) as Tensor;
    const delta = bounds.singularValues(dtype, svd(a).bound as number, 0);
    const rounding = bounds.reconstruction('float64', norm(a), 8, 5);
    for (const ord of norms) {
      const size = norm(a, ord);
      near(norm(transpose(a), ord), size, 2 * 5 * delta);
      near(norm(rotated, ord), size, 2 * 5 * (delta + rounding));
    }
    expect(norm(transpose(a))).toBe(norm(a));
  });

  it('keeps ‖a‖₂ ≤ ‖a‖_F ≤ ‖a‖_* ≤ √rank·‖a‖_F, and the triangle inequality', () => {
    for (const seed of [4, 5, 6]) {
      const [a, b] = [randomMatrix(seed, [7, 4]), randomMatrix(seed + 10, [7, 4])];
      const slack = 4 * 4 * bounds.singularValues('float64', svd(a).bound as number, svd(b).bound as number);
      const sum = mapMatrix(a, (x, i, j) => x + b.get(i, j));
      for (const ord of norms)
        expect(norm(sum, ord)).toBeLessThanOrEqual(norm(a, ord) + norm(b, ord) + slack);
      const [fro, nuc, two] = norms.map((ord) => norm(a, ord));
      expect(two).toBeLessThanOrEqual(fro + slack);
      expect(fro).toBeLessThanOrEqual(nuc + slack);
      expect(nuc).toBeLessThanOrEqual(2 * fro + slack);
    }
  });

  it('of a column is its length, of a diagonal matrix the norm of the diagonal', () => {
    expect(norm([[3], [4]])).toBe(5);
    expect(norm([[1, 0], [0, -2]], 'nuc')).toBe(3); // biome-ignore format: a matrix
    expect(norm([[1, 0], [0, -2]], 2)).toBe(2); // biome-ignore format: a matrix
    near(norm([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), Math.sqrt(285), within.frobenius(17, 3, 3)); // biome-ignore format: a matrix
  });

  it('the bound is one: an error of 1e-12 is seen', () => {
    expect(() => near(norm([[3 * (1 + 1e-12)], [4]]), 5, within.frobenius(5, 2, 1))).toThrow();
  });
});

describe('cond', () => {
  it.each([
    ['1 of a unitary matrix', [[0, 1], [-1, 0]], 1],
    ['of a diagonal one the ratio', [[4, 0], [0, -0.5]], 8],
    ['of a column 1', [[3], [4]], 1],
    ['infinite of a singular one', [[1, 0], [0, 0]], Number.POSITIVE_INFINITY],
    ['infinite of zero', [[0]], Number.POSITIVE_INFINITY],
    ['infinite where the ratio is too large', [[1e300, 0], [0, 1e-300]], Number.POSITIVE_INFINITY],
  ])('%s', (_, a, expected) => {
    expect(cond(a)).toBe(expected);
  }); // biome-ignore format: matrices

  it('grows without bound where a matrix is singular up to rounding', () => {
    expect(cond([[1, 2, 3], [4, 5, 6], [7, 8, 9]])).toBeGreaterThan(1e15); // biome-ignore format: a matrix
  });

  it('of an empty matrix is not defined; of no matrices at all there is none', () => {
    for (const shape of [
      [0, 0],
      [0, 3],
      [3, 0],
      [2, 0, 4],
    ])
      checkError(
        errorOf(() => cond(array([], shape))),
        'ERR_SVD_SHAPE',
        'empty',
      );
    expect((cond(array([], [0, 3, 2])) as unknown as Tensor).shape).toEqual([0]);
  });
});

describe('matrixRank', () => {
  it.each(dtypes)('is the number of independent rows: %s', (dtype) => {
    for (const rank of [0, 1, 3, 5])
      expect(matrixRank(rankDeficient(7 + rank, 9, 7, rank, dtype))).toBe(rank);
    expect(matrixRank(identity(4))).toBe(4);
    expect(matrixRank(zero(4, 3))).toBe(0);
  });

  it('counts what is above tol and above rtol·σ₁; these themselves do not count', () => {
    const a = [[4, 0, 0], [0, 2, 0], [0, 0, 1]]; // biome-ignore format: a matrix
    expect([0, 0.5, 1, 2, 4].map((tol) => matrixRank(a, { tol }))).toEqual([3, 3, 2, 1, 0]);
    expect([0, 0.125, 0.25, 0.5, 1].map((rtol) => matrixRank(a, { rtol }))).toEqual([3, 3, 2, 1, 0]);
    expect(matrixRank(a, { tol: 1, rtol: 0.5 })).toBe(1);
    expect(matrixRank(a, { tol: 2, rtol: 0.25 })).toBe(1);
  });

  it.each(dtypes)(
    'by default takes for zero what is below max(m, n)·ε·σ₁, and below the bound: %s',
    (dtype) => {
      const epsilon = bounds.orthonormality(dtype, 1) / 40;
      const diagonal = (s: number) => mapMatrix(zero(100, 2), (_, i, j) => (i === j ? [1, s][i] : 0), dtype);
      const bound = svd(diagonal(0)).bound as number;
      expect(matrixRank(diagonal(1.5 * Math.max(100 * epsilon, bound)))).toBe(2);
      expect(matrixRank(diagonal(0.75 * 100 * epsilon))).toBe(1);
    },
  );
});

describe('effectiveRank and stableRank', () => {
  it('are k for k equal singular values, whatever their size', () => {
    for (const scale of [1, 1e200, 1e-200]) {
      const a = withSpectrum(
        8,
        7,
        5,
        [1, 1, 1].map((s) => s * scale),
      );
      const delta = bounds.singularValues('float64', svd(a).bound as number, 0) / scale;
      near(effectiveRank(a), 3, within.effectiveRank(2 * delta, [1, 1, 1, 0, 0], 3));
      near(stableRank(a), 3, within.stableRank(2 * delta, Math.sqrt(3), 1, 7, 5));
    }
  });

  it('lie between 1 and the rank; one large value makes both 1', () => {
    const a = randomMatrix(9, [6, 4]);
    for (const f of [effectiveRank, stableRank]) {
      expect(f(a)).toBeGreaterThan(1);
      expect(f(a)).toBeLessThan(4);
      expect(f([[1, 0], [0, 1e-200]])).toBe(1); // biome-ignore format: a matrix
      expect(f(zero(2, 3))).toBe(0);
      expect(f(array([], [0, 3]))).toBe(0);
    }
    near(stableRank([[2, 0], [0, 1]]), 1.25, within.stableRank(0, Math.sqrt(5), 2, 2, 2)); // biome-ignore format: a matrix
  });
});

const functions: Record<string, (x: api.MatrixLike | api.Factored) => unknown> = {
  ...Object.fromEntries(
    norms.map((ord: Norm) => [`norm ${ord}`, (x: api.MatrixLike | api.Factored) => norm(x, ord)]),
  ),
  cond,
  matrixRank,
  'matrixRank with tol': (x) => matrixRank(x, { tol: 0.5 }),
  effectiveRank,
  stableRank,
};
const asynchronous: typeof functions = {
  ...Object.fromEntries(
    norms.map((ord: Norm) => [`norm ${ord}`, (x: api.MatrixLike | api.Factored) => api.normAsync(x, ord)]),
  ),
  cond: (x) => api.condAsync(x),
  matrixRank: (x) => api.matrixRankAsync(x),
  'matrixRank with tol': (x) => api.matrixRankAsync(x, { tol: 0.5 }),
  effectiveRank: (x) => api.effectiveRankAsync(x),
  stableRank: (x) => api.stableRankAsync(x),
};

describe.each(Object.entries(functions))('%s', (name, f) => {
  it('of a batch is that of every item, and asynchronous the same bits', async () => {
    for (const dtype of dtypes) {
      const batch = transpose(randomMatrix(10, [2, 3, 5, 4], dtype)) as Tensor;
      const all = f(batch) as Tensor;
      expect([all.shape, all.dtype]).toEqual([[2, 3], 'float64']);
      for (const [i, j] of indices([2, 3])) {
        const item = batch.pick(i, j);
        expect(f(item)).toBe(all.get(i, j));
        expect(await asynchronous[name](item)).toBe(all.get(i, j));
      }
      expect(((await asynchronous[name](batch)) as Tensor).data).toEqual(all.data);
    }
  });

  it('of a product is what its members say, and asynchronous the same bits', async () => {
    const make = () => {
      const { A, B } = randomProduct(11, [7, 3, 5], 'float32', [2]);
      return new FactoredMatrix(A, B);
    };
    const all = f(make()) as Tensor;
    expect(((await asynchronous[name](make())) as Tensor).data).toEqual(all.data);
    const M = make();
    const members: Record<string, unknown> = {
      'norm fro': M.norm(),
      'norm nuc': M.norm('nuc'),
      'norm 2': M.norm(2),
      cond: M.cond(),
      matrixRank: M.rank(),
      'matrixRank with tol': M.rank({ tol: 0.5 }),
    };
    if (name in members) expect(all.data).toEqual((members[name] as Tensor).data);
    else expect(all.shape).toEqual([2]);
  });

  it('says what is wrong with a matrix, and where', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const a = [[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, bad, 6]]]; // biome-ignore format: a batch
      for (const error of [
        errorOf(() => f(a)),
        await rejectionOf(asynchronous[name](a) as Promise<unknown>),
      ]) {
        checkError(error, 'ERR_SVD_NON_FINITE');
        expect([error.index, error.batchIndex]).toEqual([[1, 1], [1]]);
      }
    }
    checkError(
      errorOf(() => f([1, 2])),
      'ERR_SVD_ARGUMENT',
      'matrix',
    );
  });

  it('changes nothing it is given', () => {
    const a = randomMatrix(12, [4, 3]);
    const before = Array.from(a.data);
    f(a);
    expect(Array.from(a.data)).toEqual(before);
  });

  it('of an empty matrix is 0, if it is defined', () => {
    if (name === 'cond') return;
    for (const shape of [
      [0, 0],
      [0, 3],
      [3, 0],
    ])
      expect(f(array([], shape))).toBe(0);
    expect((f(array([], [2, 0, 3])) as Tensor).data).toEqual(new Float64Array(2));
  });
});

it('singular values of a product that is known are not computed again', () => {
  const { A, B } = randomProduct(13, [6, 3, 5]);
  const M = new FactoredMatrix(A, B);
  const S = svdvals(M);
  M.svd();
  expect(norm(M, 2)).toBe(S.get(0));
});

import { inspect } from 'node:util';
import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Dtype, Tensor } from '../lib/array/tensor.ts';
import {
  dist,
  FactoredMatrix,
  type Index,
  matmul,
  type PerMatrix,
  type Slice,
  slice,
  svd,
  transpose,
} from '../lib/index.ts';
import * as bounds from '../lib/testing/bounds.ts';
import {
  allBits,
  betaOf,
  bits,
  checkArray,
  checkSameSpectrum,
  checkSvd,
  distance,
  dtypeOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  norm,
  type Rows,
  transposeRows,
  vectorAt,
} from './support/checks.ts';
import {
  array,
  integerMatrix,
  orthogonal,
  productWithSpectrum,
  randomMatrix,
  randomProduct,
  rankDeficient,
} from './support/matrices.ts';
import { eigenvalueReferences } from './support/references.ts';

const dtypes: Dtype[] = ['float64', 'float32'];

type Sizes = readonly [l: number, k: number, r: number];

/** Random factors; products of them round. */
function factored(
  seed: number,
  sizes: Sizes,
  dtype: Dtype = 'float64',
  leading: readonly number[] = [],
): FactoredMatrix {
  const { A, B } = randomProduct(seed, sizes, dtype, leading);
  return new FactoredMatrix(A, B);
}

/** Small integers: products of them are exact, and can be compared with toEqual. */
const exact = (seed: number, [l, k, r]: Sizes, leading: readonly number[] = []): FactoredMatrix =>
  new FactoredMatrix(integerMatrix(seed, [...leading, l, k]), integerMatrix(seed + 1, [...leading, k, r]));

/** Item of the product, by plain loops over the factors. */
const dense = (m: FactoredMatrix, index: readonly number[] = []): Rows =>
  multiplyRows(matrixAt(m.A, index), matrixAt(m.B, index), m.rdim);

/** All items of the product as one nested array. */
const denseItems = (m: FactoredMatrix): Rows[] =>
  indices(m.shape.slice(0, -2)).map((index) => dense(m, index));

const items = (x: Tensor): Rows[] => indices(x.shape.slice(0, -2)).map((index) => matrixAt(x, index));

/** ‖x − y‖ ≤ 50ε·max(size, β): two ways to compute the same matrix of norm `size`. */
function checkClose(x: Rows, y: Rows, size: number, dtype: Dtype = 'float64', beta = 0): void {
  expect(x.length).toBe(y.length);
  const bound = bounds.reconstruction(dtype, size, x.length, x[0]?.length ?? 0, beta);
  expect(distance(x, y), 'difference').toBeLessThanOrEqual(bound);
}

const beta = (m: FactoredMatrix, index: readonly number[] = []) =>
  betaOf(matrixAt(m.A, index), matrixAt(m.B, index));

describe('shape', () => {
  it('l, k, r and leading dimensions are those of the factors', () => {
    const m = factored(1, [5, 2, 4], 'float64', [3]);
    expect(m.shape).toEqual([3, 5, 4]);
    expect([m.ndim, m.ldim, m.mdim, m.rdim]).toEqual([3, 5, 2, 4]);
    expect(m.hasLeadingDims).toBe(true);
    expect(factored(1, [5, 2, 4]).hasLeadingDims).toBe(false);
    expect(factored(1, [5, 2, 4]).ndim).toBe(2);
    expect(Object.isFrozen(m.shape)).toBe(true);
  });

  it('leading dimensions broadcast as in numpy, in the factors too', () => {
    for (const [a, b, both] of [
      [[2, 1], [3], [2, 3]],
      [[], [4], [4]],
      [[4], [], [4]],
      [[1], [1, 1], [1, 1]],
      [
        [2, 1, 3],
        [5, 1],
        [2, 5, 3],
      ],
      [[0], [1], [0]],
    ]) {
      const A = integerMatrix(2, [...a, 4, 2]);
      const B = integerMatrix(3, [...b, 2, 3]);
      const m = new FactoredMatrix(A, B);
      expect(m.shape).toEqual([...both, 4, 3]);
      expect(m.A.shape).toEqual([...both, 4, 2]);
      expect(m.B.shape).toEqual([...both, 2, 3]);
      for (const index of indices(both)) {
        expect(matrixAt(m.AB, index)).toEqual(multiplyRows(matrixAt(A, index), matrixAt(B, index)));
      }
    }
  });

  it('pair is [A, B], without copying the arrays it was made of', () => {
    const { A, B } = randomProduct(4, [5, 2, 4]);
    const m = new FactoredMatrix(A, B);
    expect(m.pair).toEqual([m.A, m.B]);
    expect(m.A.data).toBe(A.data);
    expect(m.B.data).toBe(B.data);
  });

  it('factors of different dtypes both become float64', () => {
    const single = randomMatrix(5, [4, 2], 'float32');
    for (const m of [
      new FactoredMatrix(single, randomMatrix(6, [2, 3])),
      new FactoredMatrix(randomMatrix(6, [3, 4]), single),
    ]) {
      expect([m.A.dtype, m.B.dtype, m.AB.dtype, m.S.dtype, m.U.dtype]).toEqual(new Array(5).fill('float64'));
      checkSvd({ A: m.A, B: m.B }, m.svd());
    }
    expect(new FactoredMatrix(single, transpose(single)).S.dtype).toBe('float32');
  });

  it('toString is that of TransformerLens; util.inspect is one short line without elements', () => {
    const m = factored(7, [500, 30, 400]);
    expect(String(m)).toBe('FactoredMatrix: Shape([500, 400]), Hidden Dim(30)');
    const shown = inspect(m);
    expect(shown).toMatch(/^FactoredMatrix \[500, 400\].*\[500, 30\].*\[30, 400\].*float64$/);
    expect(shown.length).toBeLessThan(100);
    expect(inspect({ layers: [m] })).toContain(shown);
  });
});

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

describe('svd', () => {
  it('of a batch with broadcast leading dimensions is that of every item', () => {
    const { A } = randomProduct(13, [6, 3, 5], 'float64', [2, 1]);
    const { B } = randomProduct(14, [6, 3, 5], 'float64', [3]);
    const m = new FactoredMatrix(A, B);
    checkSvd({ A, B }, m.svd());
    expect(m.S.shape).toEqual([2, 3, 3]);
  });

  it('has the same bits on every call and from every member', () => {
    const m = factored(15, [6, 3, 5]);
    const result = allBits(m.svd());
    expect(allBits(m.svd())).toEqual(result);
    expect(allBits(m.svd({}))).toEqual(result);
    expect(allBits(m.svd({ algorithm: 'product' }))).toEqual(result);
    expect(allBits([m.U, m.S, m.Vh])).toEqual(result);
    expect(m.V).toEqual(m.V);
    expect(m.svdvals()).toEqual(m.svd().S);
  });

  it('svdvals is computed once, and equal to S within the bound', () => {
    const m = factored(16, [6, 3, 5]);
    const alone = m.svdvals();
    const { S, bound } = m.svd();
    checkSameSpectrum('float64', alone.data, S.data, bound as number, bound as number);
    expect(m.svdvals()).toEqual(alone);
  });

  it('an asynchronous result has the same bits, also of calls that overlap', async () => {
    const m = factored(17, [6, 3, 5]);
    const [first, second] = await Promise.all([m.svdAsync(), m.svdAsync()]);
    expect(allBits(second)).toEqual(allBits(first));
    expect(allBits(m.svd())).toEqual(allBits(first));
    expect(allBits(await m.svdAsync())).toEqual(allBits(first));
    const n = factored(17, [6, 3, 5]);
    const [s, t] = await Promise.all([n.svdvalsAsync(), n.svdvalsAsync()]);
    expect(t).toEqual(s);
    expect(n.svdvals()).toEqual(s);
    const o = factored(17, [6, 3, 5]);
    const result = o.svd();
    expect(allBits(await o.svdAsync())).toEqual(allBits(result));
    expect(await o.svdvalsAsync()).toEqual(result.S);
  });

  it('a synchronous call while an asynchronous one runs has the same bits', async () => {
    const m = factored(18, [6, 3, 5]);
    const promise = m.svdAsync();
    const now = m.svd();
    expect(allBits(await promise)).toEqual(allBits(now));
    expect(allBits(m.svd())).toEqual(allBits(now));
  });

  it('three-svd is computed on every call, and never cached', async () => {
    const m = factored(19, [6, 3, 5]);
    const three = m.svd({ algorithm: 'three-svd' });
    expect(three.driver).toBe('three-svd');
    checkSvd({ A: m.A, B: m.B }, three);
    expect(m.svd({ algorithm: 'three-svd' })).not.toBe(three);
    expect(allBits(await m.svdAsync({ algorithm: 'three-svd' }))).toEqual(allBits(three));
    expect(m.svd()).not.toBe(three);
    expect(m.svd().driver).not.toBe('three-svd');
    expect(m.svd({ algorithm: 'three-svd' }).driver).toBe('three-svd');
  });

  it('Vh is Vᵀ: V has the right singular vectors as columns', () => {
    const m = factored(20, [6, 3, 5], 'float64', [2]);
    expect(m.Vh.shape).toEqual([2, 3, 5]);
    checkArray(m.V, [2, 5, 3], 'float64', 'V');
    for (const i of [0, 1]) expect(matrixAt(m.V, [i])).toEqual(transposeRows(matrixAt(m.Vh, [i])));
    const VhInPlaceOfV = { U: m.U, S: m.S, Vh: transpose(m.Vh) };
    expect(() => checkSvd({ A: m.A, B: m.B }, VhInPlaceOfV)).toThrow();
  });

  it('svdLegacy is { U, S, V } of the same decomposition', () => {
    const m = factored(21, [6, 3, 5]);
    const legacy = m.svdLegacy();
    expect(bits(legacy.U)).toBe(bits(m.U));
    expect(bits(legacy.S)).toBe(bits(m.S));
    expect(bits(legacy.V)).toBe(bits(m.V));
    expect('Vh' in legacy).toBe(false);
  });

  it('leaves the factors as they were', () => {
    const { A, B } = randomProduct(22, [6, 3, 6]);
    const before = [bits(A), bits(B)];
    const m = new FactoredMatrix(A, B);
    m.svd();
    m.svdvals();
    m.norm();
    m.eigenvalues();
    m.pinv();
    m.mul(2);
    m.makeEven();
    m.truncate(1);
    m.matmul(m);
    m.svd({ algorithm: 'three-svd' });
    expect([bits(A), bits(B)]).toEqual(before);
  });
});

describe('norm, rank and cond', () => {
  it.each(dtypes)('norm is ‖A·B‖_F within the bound: %s', (dtype) => {
    const m = factored(23, [7, 3, 5], dtype);
    const M = frobenius(dense(m));
    expect(Math.abs((m.norm() as number) - M)).toBeLessThanOrEqual(
      bounds.reconstruction(dtype, M, 7, 5, beta(m)),
    );
  });

  it('norm neither overflows nor underflows on the way', () => {
    for (const scale of [1e300, 1e-300, 1e-320]) {
      const m = new FactoredMatrix([[3], [4]], [[scale]]);
      const bound = bounds.reconstruction('float64', 5 * scale, 2, 1);
      expect(Math.abs((m.norm() as number) - 5 * scale)).toBeLessThanOrEqual(bound);
    }
    const cancelling = new FactoredMatrix([[1e200, 1e200]], [[1e100], [-1e100]]);
    expect(cancelling.norm()).toBeLessThanOrEqual(cancelling.svd().bound as number);
  });

  it('rank is the number of singular values above their bound', () => {
    for (const rank of [0, 1, 2, 4]) {
      const A = rankDeficient(24, 8, 6, rank);
      expect(new FactoredMatrix(A, orthogonal(25, 6, 6)).rank()).toBe(rank);
    }
    expect(factored(26, [5, 3, 7]).rank()).toBe(3);
    expect(new FactoredMatrix([[1, 1]], [[1], [-1]]).rank()).toBe(0);
  });

  it('rank counts what is above tol where that is given; tol itself does not count', () => {
    const m = new FactoredMatrix([[4, 0, 0], [0, 2, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // biome-ignore format: two matrices
    expect(Array.from(m.S.data)).toEqual([4, 2, 1]);
    const ranks = [0, 0.5, 1, 1.5, 2, 3, 4, Number.POSITIVE_INFINITY].map((tol) => m.rank({ tol }));
    expect(ranks).toEqual([3, 3, 2, 2, 1, 1, 0, 0]);
  });

  it('cond is σ₁/σ_p of p = min(l, k, r) values, infinite for a singular matrix', () => {
    const { A, B } = productWithSpectrum(27, 7, 6, [8, 4, 2]);
    const m = new FactoredMatrix(A, B);
    const tau = m.svd().bound as number;
    expect(Math.abs((m.cond() as number) * 2 - 8)).toBeLessThanOrEqual(
      2 * 4 * bounds.singularValues('float64', tau, tau),
    );
    expect(new FactoredMatrix([[1, 0], [0, 0]], [[1, 0], [0, 1]]).cond()).toBe(Number.POSITIVE_INFINITY); // biome-ignore format: two matrices
    expect(new FactoredMatrix([[0]], [[0]]).cond()).toBe(Number.POSITIVE_INFINITY);
  });

  it('are ndarrays of the leading dimensions where there are any, numbers where there are none', () => {
    const m = factored(28, [5, 3, 4], 'float64', [2, 3]);
    for (const x of [m.norm(), m.rank(), m.cond(), m.svd().bound]) {
      expect((x as Tensor).shape).toEqual([2, 3]);
      expect((x as Tensor).dtype).toBe('float64');
    }
    for (const index of indices([2, 3])) {
      const one = m.at(...index);
      expect(one.shape).toEqual([5, 4]);
      const bound = bounds.reconstruction('float64', one.norm() as number, 5, 4, beta(one));
      expect(Math.abs((m.norm() as Tensor).get(...index) - (one.norm() as number))).toBeLessThanOrEqual(
        bound,
      );
      expect((m.rank() as Tensor).get(...index)).toBe(one.rank());
    }
    for (const x of [factored(29, [5, 3, 4])].flatMap((one) => [
      one.norm(),
      one.rank(),
      one.cond(),
      one.svd().bound,
    ])) {
      expect(x).toBeTypeOf('number');
    }
    expect((factored(30, [5, 3, 4], 'float64', [1]).norm() as Tensor).shape).toEqual([1]);
    expect((factored(30, [5, 3, 4], 'float64', [0]).rank() as Tensor).shape).toEqual([0]);
  });
});

describe('pinv', () => {
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

describe('eigenvalues', () => {
  /** Pairs every expected number with the nearest computed one not taken yet; the largest distance. */
  function farthest(found: [number, number][], expected: [number, number][]): number {
    const left = [...found];
    return expected.reduce((worst, [re, im]) => {
      const distances = left.map(([x, y]) => Math.hypot(x - re, y - im));
      const nearest = distances.indexOf(Math.min(...distances));
      left.splice(nearest, 1);
      return Math.max(worst, distances[nearest]);
    }, 0);
  }
  const pairs = (m: FactoredMatrix): [number, number][] => {
    const { real, imag } = m.eigenvalues();
    return Array.from(real.data, (re: number, i) => [re, imag.data[i]]);
  };

  it.each(eigenvalueReferences)('are those of 60-digit arithmetic: $name', ({ A, B, dtype, eigenvalues }) => {
    const m = new FactoredMatrix(array(A.data, A.shape, dtype), array(B.data, B.shape, dtype));
    const expected = Array.from(eigenvalues.real, (re, i): [number, number] => [re, eigenvalues.imag[i]]);
    expect(m.eigenvalues().real.shape).toEqual([m.mdim]);
    const size = frobenius(matrixAt(m.BA));
    expect(farthest(pairs(m), expected)).toBeLessThanOrEqual(
      bounds.reconstruction(dtype, size, m.mdim, m.mdim, beta(m)),
    );
    const negated = expected.map(([re, im]): [number, number] => [-re, im]);
    expect(farthest(pairs(m), negated)).toBeGreaterThan(
      bounds.reconstruction(dtype, size, m.mdim, m.mdim, beta(m)),
    );
  });

  it('of a triangular BA are its diagonal; of a rotation ±i', () => {
    const eye = [[1, 0], [0, 1]]; // biome-ignore format: one matrix
    expect(pairs(new FactoredMatrix(eye, [[2, 5], [0, -3]])).sort(([x], [y]) => y - x)).toEqual([[2, 0], [-3, 0]]); // biome-ignore format: two matrices
    const turn = pairs(new FactoredMatrix(eye, [[0, -1], [1, 0]])); // biome-ignore format: one matrix
    expect(farthest(turn, [[0, 1], [0, -1]])).toBeLessThanOrEqual(bounds.reconstruction('float64', 1, 2, 2)); // biome-ignore format: one line
    expect(turn[0][1]).toBe(-turn[1][1]);
  });

  it('those of AB are the same, and zeros', () => {
    const m = factored(41, [7, 3, 7]);
    const formed = new FactoredMatrix(m.AB, orthogonalIdentity(7));
    const expected = [...pairs(m), ...new Array<[number, number]>(4).fill([0, 0])];
    const size = frobenius(dense(m));
    expect(farthest(pairs(formed), expected)).toBeLessThanOrEqual(
      bounds.reconstruction('float64', size, 7, 7, beta(m)),
    );
  });

  it.each(dtypes)('have the leading dimensions, and `real` and `imag` apart: %s', (dtype) => {
    const { real, imag } = factored(42, [4, 3, 4], dtype, [2, 2]).eigenvalues();
    checkArray(real, [2, 2, 3], dtype, 'real');
    checkArray(imag, [2, 2, 3], dtype, 'imag');
  });

  it('their sum is the trace of BA', () => {
    const m = factored(43, [6, 4, 6]);
    const sum = pairs(m).reduce((total, [re]) => total + re, 0);
    const trace = matrixAt(m.BA).reduce((total, row, i) => total + row[i], 0);
    expect(Math.abs(sum - trace)).toBeLessThanOrEqual(
      bounds.reconstruction('float64', Math.abs(trace), 4, 4, beta(m)),
    );
  });

  it('of an empty inner dimension are none', () => {
    expect(factored(44, [3, 0, 3]).eigenvalues().real.shape).toEqual([0]);
  });
});

function orthogonalIdentity(n: number): Tensor {
  return array(
    Array.from({ length: n * n }, (_, e) => (e % (n + 1) === 0 ? 1 : 0)),
    [n, n],
  );
}

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

describe('unsqueeze and getCorner', () => {
  it('unsqueeze adds a leading dimension of 1, counted from the front or the back', () => {
    const m = exact(65, [4, 2, 3], [5, 6]);
    for (const [axis, shape] of [
      [0, [1, 5, 6, 4, 3]],
      [1, [5, 1, 6, 4, 3]],
      [2, [5, 6, 1, 4, 3]],
      [-3, [5, 6, 1, 4, 3]],
      [-4, [5, 1, 6, 4, 3]],
      [-5, [1, 5, 6, 4, 3]],
    ] as [number, number[]][]) {
      expect(m.unsqueeze(axis).shape).toEqual(shape);
      expect(m.unsqueeze(axis).A.shape).toEqual([...shape.slice(0, -2), 4, 2]);
      expect(denseItems(m.unsqueeze(axis))).toEqual(denseItems(m));
    }
    expect(exact(66, [4, 2, 3]).unsqueeze(0).shape).toEqual([1, 4, 3]);
  });

  it('getCorner cuts the last two dimensions, and never the leading ones', () => {
    const m = exact(67, [4, 2, 5], [6, 7]);
    expect(m.getCorner().shape).toEqual([6, 7, 3, 3]);
    expect(m.getCorner(2).shape).toEqual([6, 7, 2, 2]);
    expect(m.getCorner(0).shape).toEqual([6, 7, 0, 0]);
    expect(m.getCorner(100).shape).toEqual([6, 7, 4, 5]);
    for (const index of indices([6, 7])) {
      const M = dense(m, index);
      expect(matrixAt(m.getCorner(2), index)).toEqual(M.slice(0, 2).map((row) => row.slice(0, 2)));
    }
  });
});

describe('at', () => {
  // What Python would select of one axis: [indices, keeps the axis].
  function selection(entry: Exclude<Index, null>, n: number): number[] {
    if (typeof entry === 'number') return [entry < 0 ? entry + n : entry];
    if (Array.isArray(entry)) return entry.map((i) => (i < 0 ? i + n : i));
    const { start, stop, step } = entry as Slice;
    const bound = (x: number | null, missing: number) =>
      x === null ? missing : Math.min(Math.max(x < 0 ? x + n : x, step < 0 ? -1 : 0), step < 0 ? n - 1 : n);
    const out: number[] = [];
    if (step > 0) for (let i = bound(start, 0); i < bound(stop, n); i += step) out.push(i);
    else for (let i = bound(start, n - 1); i > bound(stop, -1); i += step) out.push(i);
    return out;
  }

  /** Shape and elements of numpy's `AB[index]`, one axis at a time, with size 1 kept for an integer row or column. */
  function oracle(m: FactoredMatrix, index: readonly Index[]): { shape: number[]; values: number[] } {
    const leading = m.shape.length - 2;
    const shape: number[] = [];
    const picks: number[][] = [];
    const rest = [...index];
    while (rest[0] === null || picks.length < m.shape.length) {
      const entry = rest.length > 0 ? rest.shift()! : slice();
      if (entry === null) {
        shape.push(1);
        continue;
      }
      const picked = selection(entry, m.shape[picks.length]);
      if (typeof entry !== 'number' || picks.length >= leading) shape.push(picked.length);
      picks.push(picked);
    }
    const walk = (axis: number, at: number[]): number[] =>
      axis === picks.length
        ? [dense(m, at.slice(0, leading))[at[leading]][at[leading + 1]]]
        : picks[axis].flatMap((i) => walk(axis + 1, [...at, i]));
    return { shape, values: walk(0, []) };
  }

  function checkAt(m: FactoredMatrix, ...index: Index[]): void {
    const expected = oracle(m, index);
    const part = m.at(...index);
    expect({ index, shape: part.shape }).toEqual({ index, shape: expected.shape });
    expect(part.mdim).toBe(m.mdim);
    expect({ index, values: items(part.AB).flat(2) }).toEqual({ index, values: expected.values });
  }

  const m = exact(68, [5, 2, 4], [3, 2]);
  const one = exact(69, [5, 2, 4]);

  it.each([
    [[]],
    [[0]],
    [[-1]],
    [[1, 1]],
    [[1, -2]],
    [[null]],
    [[null, null, 0]],
    [[0, null]],
    [[0, 1, 2]],
    [[0, 1, -1, 3]],
    [[slice(), slice(), 2]],
    [[slice(1), slice(0, 1), slice(1, 4), slice(2)]],
    [[slice(null, null, -1)]],
    [[slice(null, null, -2), 0, slice(4, 0, -2), slice(-1, -4, -1)]],
    [[slice(-2, 100), slice(-100, 1)]],
    [[slice(2, 1)]],
    [[0, 0, slice(5), slice(3, 3)]],
    [[[2, 0, 0]]],
    [[[2, 0], [1]]],
    [[[2, -3], [1, 0, 1], [4, 0], [3]]],
    [[[], 0]],
    [[0, 0, [], 1]],
    [[null, slice(0, 3, 2), null, [1, 1], null, 3]],
  ] as [Index[]][])('of a batch selects as numpy does: %o', (index) => {
    checkAt(m, ...index);
  });

  it.each([
    [[]],
    [[2]],
    [[-1, -4]],
    [[slice(null, null, -1), [3, 0, 3]]],
    [[null, 1]],
    [[null, null]],
    [[[4, 1], slice(1, 3)]],
  ] as [Index[]][])('of one matrix: %o', (index) => checkAt(one, ...index));

  it('selects as numpy does, whatever the kinds and their order', () => {
    const axis = (n: number) => {
      const entry = fc.integer({ min: -n, max: n - 1 });
      const bound = fc.option(fc.integer({ min: -n - 2, max: n + 2 }));
      const step = fc.integer({ min: -3, max: 3 }).filter((s) => s !== 0);
      return fc.oneof(
        entry,
        fc.tuple(bound, bound, step).map(([start, stop, by]) => slice(start, stop, by)),
        fc.array(entry, { maxLength: 4 }),
      );
    };
    const newAxes = fc.array(fc.constant(null), { maxLength: 1 });
    const index = fc
      .tuple(newAxes, axis(3), newAxes, axis(2), newAxes, axis(5), axis(4), fc.nat({ max: 7 }))
      .map(([a, b, c, d, e, row, column, n]): Index[] => {
        const leading = [...a, b, ...c, d, ...e];
        return [...leading, row, column].slice(0, n >= 6 ? undefined : Math.min(n, leading.length));
      });
    fc.assert(
      fc.property(index, (entries) => checkAt(m, ...entries)),
      { seed: 4, numRuns: 300 },
    );
  });

  it('of a broadcast batch selects what the broadcast array has', () => {
    const broadcast = new FactoredMatrix(integerMatrix(70, [3, 1, 4, 2]), integerMatrix(71, [2, 2, 3]));
    for (const index of [
      [2, 1],
      [
        [2, 0],
        [1, 0, 1],
      ],
      [slice(null, null, -1), 0],
      [1, slice(), 3],
      [0, [1], -1, [2, 2]],
    ] as Index[][]) {
      // biome-ignore format: one case, one line
      checkAt(broadcast, ...index);
    }
  });

  it('an integer drops a leading dimension and keeps a row or column as size 1', () => {
    expect(m.at(1).shape).toEqual([2, 5, 4]);
    expect(m.at(1, 1).shape).toEqual([5, 4]);
    expect(m.at(1, 1, 3).shape).toEqual([1, 4]);
    expect(m.at(1, 1, 3, 0).shape).toEqual([1, 1]);
  });

  it('gives matrices that can be decomposed', () => {
    const part = m.at(slice(null, null, -1), 1, [4, 0, 2], slice(1));
    checkSvd({ A: part.A, B: part.B }, part.svd());
  });

  it('slice is frozen, and null bounds are the ends', () => {
    expect(slice()).toEqual({ start: null, stop: null, step: 1 });
    expect(slice(1, 5, -2)).toEqual({ start: 1, stop: 5, step: -2 });
    expect(Object.isFrozen(slice())).toBe(true);
  });
});

describe('every Async twin gives what its synchronous form gives', () => {
  const result = (x: unknown): unknown => {
    if (typeof x === 'number') return x;
    if (x instanceof FactoredMatrix) return [bits(ndarrayOf(x.A)), bits(ndarrayOf(x.B))];
    if (x !== null && typeof x === 'object' && 'data' in x) return bits(x as Tensor);
    return Object.fromEntries(
      Object.entries(x as object)
        .filter(([, v]) => v?.data)
        .map(([key, v]) => [key, bits(v)]),
    );
  };
  const ndarrayOf = (x: Tensor): Tensor => array(items(x).flat(2), x.shape, dtypeOf(x));
  const twins: Record<string, [(m: FactoredMatrix) => unknown, (m: FactoredMatrix) => Promise<unknown>]> = {
    svd: [(m) => m.svd(), (m) => m.svdAsync()],
    'three-svd': [(m) => m.svd({ algorithm: 'three-svd' }), (m) => m.svdAsync({ algorithm: 'three-svd' })],
    svdvals: [(m) => m.svdvals(), (m) => m.svdvalsAsync()],
    svdLegacy: [(m) => m.svdLegacy(), (m) => m.svdLegacyAsync()],
    norm: [(m) => m.norm(), (m) => m.normAsync()],
    rank: [(m) => m.rank(), (m) => m.rankAsync()],
    'rank with tol': [(m) => m.rank({ tol: 0.5 }), (m) => m.rankAsync({ tol: 0.5 })],
    cond: [(m) => m.cond(), (m) => m.condAsync()],
    pinv: [(m) => m.pinv(), (m) => m.pinvAsync()],
    'pinv with tol': [(m) => m.pinv({ tol: 0.5 }), (m) => m.pinvAsync({ tol: 0.5 })],
    eigenvalues: [(m) => m.eigenvalues(), (m) => m.eigenvaluesAsync()],
    makeEven: [(m) => m.makeEven(), (m) => m.makeEvenAsync()],
    collapseL: [(m) => m.collapseL(), (m) => m.collapseLAsync()],
    collapseR: [(m) => m.collapseR(), (m) => m.collapseRAsync()],
    truncate: [(m) => m.truncate(2), (m) => m.truncateAsync(2)],
  };
  const makers: [string, () => FactoredMatrix][] = [
    ['float64', () => factored(72, [6, 3, 6])],
    ['float32', () => factored(73, [6, 3, 6], 'float32')],
    ['a batch', () => factored(74, [5, 3, 5], 'float64', [2, 3])],
    [
      'views, broadcast',
      () =>
        new FactoredMatrix(
          transpose(randomMatrix(75, [2, 1, 3, 5])),
          randomMatrix(76, [4, 6, 5]).step(1, -2, 1),
        ),
    ],
    ['inner dimension largest', () => factored(77, [4, 7, 4])],
  ];
  const cases = makers.flatMap(([kind, make]) =>
    Object.entries(twins).map(([name, twin]) => ({ kind, make, name, twin })),
  );

  it.each(cases)('$name of $kind, bit for bit', async ({ make, twin: [sync, async] }) => {
    const expected = result(sync(make()));
    expect(result(await async(make()))).toEqual(expected); // computed
    const known = make();
    known.svd();
    expect(result(await async(known))).toEqual(result(sync(known))); // from the cache, where it has one
  });

  it('none is missing: every Async member has a synchronous one and is tested here', () => {
    const members = Object.getOwnPropertyNames(FactoredMatrix.prototype).filter((name) =>
      name.endsWith('Async'),
    );
    expect(members.map((name) => name.slice(0, -5)).sort()).toEqual(
      Object.keys(twins).filter((name) => name in FactoredMatrix.prototype).sort(), // biome-ignore format: two lists
    );
  });

  it('result() tells matrices apart', () => {
    const [x, y] = [factored(78, [3, 2, 3]), factored(79, [3, 2, 3])];
    expect(result(x)).not.toEqual(result(y));
    expect(result(x.svd())).not.toEqual(result(y.svd()));
    expect(result(x.eigenvalues())).not.toEqual(result(y.eigenvalues()));
    expect(result(x.norm() as PerMatrix)).not.toEqual(result(y.norm()));
  });
});

import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { Svd } from '../../lib/algorithms/result.ts';
import { type Dtype, swapLast, type Tensor } from '../../lib/array/tensor.ts';
import { dist, FactoredMatrix, svd } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { validSvd } from '../../lib/testing/index.ts';
import { checkSvd, matrixAt, norm, transposeRows } from '../support/checks.ts';
import {
  array,
  type Product,
  random,
  randomMatrix,
  rankDeficient,
  scaleColumnsBy,
  scaleRowsBy,
  shuffled,
} from '../support/matrices.ts';
import { paths } from '../support/paths.ts';

// Products whose ‖a_j‖·‖b_j‖ span more than the exponents of one number, and such whose two levels lie so far apart that an
// error relative to the largest singular value would take digits from the smallest.

const dtypes = ['float64', 'float32'] as const;
const largest: Record<Dtype, number> = { float64: 1000, float32: 110 }; // exponents of what can be held
const smallest: Record<Dtype, number> = { float64: -1070, float32: -145 };

/** Sylvester's matrix: ±1, of which rows and columns are orthogonal. */
const hadamard = (n: number): number[][] =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => (-1) ** [...(i & j).toString(2)].filter((bit) => bit === '1').length),
  );

/** H·diag(2^left) and diag(2^right)·H, H of order n: its singular values are n·2^(left + right). */
function scaledHadamard(left: number[], right: number[], dtype: Dtype): Product {
  const n = left.length;
  const H = array(hadamard(n).flat(), [n, n]);
  const power = (e: number) => 2 ** e;
  const [A, B] = [scaleColumnsBy(H, left.map(power)), scaleRowsBy(right.map(power), H)];
  return { A: array(A.data, [n, n], dtype), B: array(B.data, [n, n], dtype) };
}

/** n·2^exponents, descending, in the dtype. */
const scaledBack = (n: number, exponents: number[], dtype: Dtype): number[] =>
  exponents
    .map((e) => 2 ** Math.trunc(e / 2) * n * 2 ** (e - Math.trunc(e / 2)))
    .map((x) => (dtype === 'float32' ? Math.fround(x) : x))
    .sort((x, y) => y - x);

/** The exponents of n pairs from 2^top to 2^bottom, cut in two that each dtype can hold. */
function exponents(n: number, top: number, bottom: number): { left: number[]; right: number[] } {
  const all = shuffled(
    n,
    Array.from({ length: n }, (_, j) => Math.round(top + ((bottom - top) * j) / (n - 1))),
  );
  const left = all.map((e, j) => Math.round(e / 2) + (j % 3) * 9);
  return { left, right: all.map((e, j) => e - left[j]) };
}

const decompose = ({ A, B }: Product): Svd => new FactoredMatrix(A, B).svd();

/** With all vectors and without any. */
function everyWay({ A, B }: Product): Svd[] {
  return paths.flatMap((force) =>
    (['thin', 'none'] as const).map((vectors) => runSync(productSvd(A, B, { force, vectors }))),
  );
}

/** That every singular value is as exact as is promised of products whose bad scaling is diagonal. */
function checkDigits(S: ArrayLike<number>, exact: readonly number[], dtype: Dtype, what: string): void {
  expect(S.length).toBe(exact.length);
  exact.forEach((t, j) => {
    const limit = (bounds.relativeSingularValues(dtype, dtype) / 2) * t + bounds.eta(dtype);
    expect(Math.abs(S[j] - t), `S[${j}] of ${what}: ${S[j]} for ${t}`).toBeLessThanOrEqual(limit);
  });
}

describe.each(dtypes)('a range that no single exponent spans: %s', (dtype) => {
  const [top, bottom] = [largest[dtype], smallest[dtype]];
  const checkPairs = (n: number, from: number, to: number) => {
    const { left, right } = exponents(n, from, to);
    const of = scaledHadamard(left, right, dtype);
    const product = left.map((e, j) => e + right[j]);
    const exact = scaledBack(n, product, dtype);
    for (const result of everyWay(of)) {
      checkDigits(result.S.data, exact, dtype, String(result.driver));
      if (result.U.size > 0) checkSvd(of, result);
    }
  };

  it.each([
    [2, top, bottom],
    [4, top, bottom],
    [16, top, bottom],
    [16, 0, bottom],
    [8, bottom + 100, bottom],
    [8, bottom + 4, bottom],
    [16, 0, 2 * bottom],
  ])('%d pairs from 2^%d to 2^%d: every singular value that fits has its digits', checkPairs);

  // Of more than 32 columns: those that are not steep begin with singular vectors whose errors are relative to the largest value.
  it.each([
    [64, 0, -8],
    [64, 0, -45],
    [64, 0, -100],
  ])('%d pairs from 2^%d to 2^%d: every singular value has its digits', checkPairs);

  it('a pair that is next to nothing is not one of zeros', () => {
    const tiny = bounds.eta(dtype);
    for (const [a, b, exact] of [
      [
        [1, tiny, 0, tiny],
        [1, 0, 0, 1],
        [1, tiny],
      ],
      [
        [1, 0, 0, 2 ** (bottom / 2)],
        [1, 0, 0, 2 ** (bottom / 2)],
        [1, 2 ** bottom],
      ],
      [
        [1, 0, 0, tiny],
        [1, 0, 0, 2 ** -20],
        [1, 0],
      ],
      [
        [1, 2 ** -9 * tiny, 0, 1],
        [1, 0, 0, 1],
        [1, 1],
      ],
      [
        [2 ** top, 0, 0, 2 ** -30],
        [1, 0, 0, 1],
        [2 ** top, 2 ** -30],
      ],
    ]) {
      const of = { A: array(a, [2, 2], dtype), B: array(b, [2, 2], dtype) };
      for (const result of everyWay(of)) {
        checkDigits(result.S.data, exact, dtype, String(a));
        if (result.U.size > 0) checkSvd(of, result);
      }
    }
  });

  it('what is made of the singular values is right too', () => {
    const tiny = 2 ** (bottom / 2);
    const M = new FactoredMatrix(
      array([1, 0, 0, tiny], [2, 2], dtype),
      array([1, 0, 0, tiny], [2, 2], dtype),
    );
    expect(M.rank()).toBe(1);
    expect(Array.from((M.pinv() as FactoredMatrix).AB.data)).toEqual([1, 0, 0, 0]);
    expect(M.norm()).toBe(1);
  });

  it('the vectors of matrices without full rank are orthonormal, however the pairs are scaled', () => {
    const next = random(31);
    const span = (top - bottom) / 4;
    for (let seed = 0; seed < 150; seed++) {
      const k = 2 + (seed % 11);
      const scales = () =>
        Array.from({ length: k }, () => 2 ** Math.round((span / (1 + (seed % 7))) * next()));
      const [rankA, rankB] = [1 + (seed % k), 1 + ((3 * seed) % k)];
      const A = scaleColumnsBy(rankDeficient(seed, k + (seed % 3), k, rankA, dtype), scales());
      const B = scaleRowsBy(scales(), rankDeficient(seed + 1, k, k + (seed % 2), rankB, dtype));
      checkSvd({ A, B }, decompose({ A, B }));
    }
  });
});

describe('what rests on products of a wide range', () => {
  it('the decomposition of a matrix of equal elements is at no distance from it, for 510 shapes', () => {
    for (let l = 1; l <= 30; l++) {
      for (let r = 10; r <= 26; r++) {
        const ones = array(new Array(l * r).fill(1), [l, r]);
        const limit = bounds.reconstruction('float64', Math.sqrt(l * r), l, r);
        expect(dist(ones, svd(ones)), `${l}×${r}`).toBeLessThanOrEqual(limit);
      }
    }
  });

  it('a decomposition that lacks a small singular value is refused, the right one is not', () => {
    const M = new FactoredMatrix([[1e300, 0], [0, 1e-30]], [[1, 0], [0, 1]]); // biome-ignore format: as matrices
    const { U, S, Vh, bound } = M.svd();
    expect(validSvd({ U, S, Vh, bound }, M).pass).toBe(true);
    expect(validSvd({ U, S: array([1e300, 0.7e300], [2]), Vh, bound }, M).pass).toBe(false);
  });
});

/** The same with one more row, column and pair, which meet nothing else and are as good as nothing. */
function withTinyPair({ A, B }: Product, dtype: Dtype): Product {
  const [[l, k], r] = [A.shape, B.shape[1]];
  const corner = (x: Tensor, m: number, n: number) =>
    array(
      Array.from({ length: (m + 1) * (n + 1) }, (_, e) => {
        const [i, j] = [Math.floor(e / (n + 1)), e % (n + 1)];
        return i < m && j < n ? x.get(i, j) : i === m && j === n ? 2 ** -50 : 0;
      }),
      [m + 1, n + 1],
      dtype,
    );
  return { A: corner(A, l, k), B: corner(B, k, r) };
}

/** Random columns of the given lengths. */
function ofLengths(seed: number, m: number, lengths: readonly number[]): Tensor {
  const x = randomMatrix(seed, [m, lengths.length]);
  const own = transposeRows(matrixAt(x)).map(norm);
  return scaleColumnsBy(
    x,
    lengths.map((length, j) => length / own[j]),
  );
}

describe.each([
  ['float64', 10],
  ['float64', 5],
  ['float32', 4],
  ['float32', 1],
] as const)('two levels in a core above 128: %s, 2^%d apart and almost four times that', (dtype, apart) => {
  it('a further pair that meets none of the others changes no digit of theirs', () => {
    const [l, k, r] = [300, 136, 280];
    // Their exponents are `apart` apart, and the lengths of their columns are at either end of what an exponent can mean.
    const lengths = Array.from({ length: k }, (_, j) => (j % 10 > 0 ? 0.99 : 0.505));
    const levels = lengths.map((length) => (length > 0.9 ? 2 ** apart : 1));
    const A = scaleColumnsBy(ofLengths(1, l, lengths), levels);
    const B = swapLast(ofLengths(2, r, lengths));
    const of = { A: array(A.data, [l, k], dtype), B: array(matrixAt(B).flat(), [k, r], dtype) };
    const exact = decompose(withTinyPair(of, dtype)).S.data.slice(0, k);
    checkDigits(decompose(of).S.data, Array.from(exact), dtype, `a core of ${k}`);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Driver } from '../../lib/algorithms/result.ts';
import type { Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { betaOf, checkSameSpectrum, checkSvd, indices, matrixAt, norm, vectorAt } from '../support/checks.ts';
import { factoredOf } from '../support/factored.ts';
import {
  array,
  dtypes,
  mapMatrix,
  orthogonal,
  type Product,
  productWithSpectrum,
  randomMatrix,
  randomProduct,
  scaleColumnsBy,
  scaleRowsBy,
} from '../support/matrices.ts';
import { checkProduct, statedBound } from '../support/products.ts';

describe('every order of l, k and r', () => {
  const dimension = fc.integer({ min: 0, max: 7 });

  it('from 0 to 7, with batches that broadcast, in both dtypes', () => {
    const leading = fc.constantFrom<[number[], number[]]>(
      [[], []],
      [[], []],
      [[2], []],
      [[2, 1], [3]],
      [[1], [2]],
      [[0], []],
    );
    const cases = fc.record({
      l: dimension,
      k: dimension,
      r: dimension,
      leading,
      seed: fc.nat(),
      dtype: fc.constantFrom(...dtypes),
    });
    fc.assert(
      fc.property(cases, ({ l, k, r, leading: [a, b], seed, dtype }) => {
        const A = randomMatrix(seed, [...a, l, k], dtype);
        const B = randomMatrix(seed + 1, [...b, k, r], dtype);
        checkProduct({ A, B });
        const m = new FactoredMatrix(A, B);
        expect(m.S.shape.at(-1)).toBe(Math.min(l, k, r));
      }),
      { seed: 5, numRuns: 250 },
    );
  });

  it.each([
    [300, 6, 40],
    [40, 6, 300],
    [6, 300, 40],
    [40, 300, 6],
    [150, 70, 66],
    [66, 70, 150],
    [600, 3, 520],
  ])('%d×%d times it×%d', (l, k, r) => {
    for (const dtype of dtypes) checkProduct(randomProduct(1, [l, k, r], dtype));
  });

  it('0 and 1 in every place', () => {
    for (const l of [0, 1, 3])
      for (const k of [0, 1, 3]) for (const r of [0, 1, 3]) checkProduct(randomProduct(2, [l, k, r]));
  });
});

describe('bound and driver', () => {
  it('bound is 4εβ with β = Σ‖a_j‖·‖b_j‖, or less where float64 computes, per item', () => {
    for (const dtype of dtypes) {
      const { A, B } = randomProduct(3, [5, 3, 4], dtype, [2, 3]);
      const result = factoredOf({ A, B }).svd();
      const bound = result.bound as Tensor;
      expect(bound.shape).toEqual([2, 3]);
      for (const index of indices([2, 3])) {
        const beta = betaOf(matrixAt(A, index), matrixAt(B, index));
        const S = array(vectorAt(result.S, index), [3], dtype);
        const expected = statedBound(dtype, beta, { driver: (result.driver as readonly Driver[])[0], S });
        expect(Math.abs(bound.get(...index) - expected)).toBeLessThanOrEqual(
          bounds.reconstruction('float64', expected, 1, 1),
        );
      }
    }
  });

  it('driver names the way of both factors and the routine of the core: a tall factor has a QR decomposition', () => {
    const qr = '(cholesky|cholesky2|householder)';
    for (const [l, k, r, path] of [
      [5, 3, 4, `${qr}/${qr}/gesdd-blocked`],
      [5, 4, 3, `${qr}/direct/gesdd-blocked`],
      [3, 4, 5, `direct/${qr}/gesdd-blocked`],
      [3, 4, 3, 'direct/direct/gesdd-blocked'],
    ] as const) {
      expect(factoredOf(randomProduct(4, [l, k, r])).svd().driver).toMatch(new RegExp(`^${path}$`));
      const batch = factoredOf(randomProduct(4, [l, k, r], 'float64', [2, 3])).svd().driver as string[];
      expect(batch).toHaveLength(6);
      for (const one of batch) expect(one).toMatch(new RegExp(`^${path}$`));
      expect(Object.isFrozen(batch)).toBe(true);
    }
  });
});

describe('special products', () => {
  it('with zero columns, zero rows and zero factors', () => {
    const of = randomProduct(10, [6, 4, 5]);
    const zeroColumn = { A: scaleColumnsBy(of.A, [1, 0, 1, 1]), B: of.B };
    const zeroRow = { A: of.A, B: scaleRowsBy([0, 1, 1, 0], of.B) };
    const zero = { A: scaleColumnsBy(of.A, [0, 0, 0, 0]), B: of.B };
    for (const x of [zeroColumn, zeroRow, zero, { A: zeroColumn.A, B: zeroRow.B }]) checkProduct(x);
    expect(factoredOf(zero).svd().bound).toBe(0);
    expect(Array.from(factoredOf(zero).S.data)).toEqual([0, 0, 0, 0]);
  });

  it('with a zero pair beside columns of extreme length', () => {
    const of = randomProduct(11, [6, 4, 5]);
    const A = scaleColumnsBy(of.A, [1e300, 0, 1e-300, 1]);
    const B = scaleRowsBy([1e-300, 1e300, 1e300, 1], of.B);
    checkProduct({ A, B });
  });

  it('that cancel completely, or nearly', () => {
    const X = randomMatrix(12, [6, 2]);
    const Y = randomMatrix(13, [2, 5]);
    const A = mapMatrix(array(new Array(24).fill(0), [6, 4]), (_, i, j) => X.get(i, j % 2));
    const B = mapMatrix(
      array(new Array(20).fill(0), [4, 5]),
      (_, i, j) => (i < 2 ? 1 : -1) * Y.get(i % 2, j),
    );
    checkProduct({ A, B });
    expect(factoredOf({ A, B }).rank()).toBe(0);
    const near = mapMatrix(B, (x, i, j) => (i === 3 && j === 4 ? x * (1 + 1e-9) : x));
    checkProduct({ A, B: near });
    expect(factoredOf({ A, B: near }).rank()).toBe(1);
  });

  it('with repeated and clustered spectra', () => {
    for (const sigma of [
      [1, 1, 1, 1],
      [3, 3, 2, 2],
      [1, 1 - 1e-14, 1 - 2e-14, 0.5],
    ]) {
      const of = productWithSpectrum(14, 9, 8, sigma);
      checkProduct(of);
      const { S, bound } = factoredOf(of).svd();
      const built = bounds.reconstruction('float64', Math.hypot(...sigma), 9, 8); // of the rounded factors
      checkSameSpectrum('float64', S.data, sigma, bound as number, built);
    }
  });

  it('of orthogonal factors have every singular value 1', () => {
    const of = { A: orthogonal(15, 12, 6), B: orthogonal(16, 9, 6).transpose(1, 0) };
    const { S, bound } = factoredOf(of).svd();
    checkSameSpectrum('float64', S.data, new Array(6).fill(1), bound as number, bound as number);
  });

  it.each([
    [1e300, 1e-300],
    [1e-300, 1e300],
    [1e-310, 1e300],
    [1e150, 1e150],
    [1e-160, 1e-150],
    [1e-160, 1e-160],
    [1e-200, 1e-200],
    [1e307, 1e-10],
  ])('with factors near %d and %d', (x, y) => {
    const of = randomProduct(17, [7, 3, 5]);
    checkProduct({ A: mapMatrix(of.A, (a) => a * x), B: mapMatrix(of.B, (b) => b * y) });
  });

  it('with columns that are longer than the largest number: the singular values of the same product in another gauge', () => {
    const of = randomProduct(24, [20, 4, 15]);
    /** A·D times D⁻¹·B·2^23, D of 2^e and 2^(23−e) in turns. */
    const gauge = (e: number): Product => ({
      A: mapMatrix(of.A, (a, _, j) => (Math.sign(a) - a / 4) * 2 ** (j % 2 === 0 ? e : 23 - e)),
      B: mapMatrix(of.B, (b, i) => (Math.sign(b) - b / 4) * 2 ** (i % 2 === 0 ? 23 - e : e)),
    });
    const far = gauge(1023);
    const column = Array.from({ length: 20 }, (_, i) => far.A.get(i, 0));
    expect(column.every(Number.isFinite)).toBe(true);
    expect(norm(column)).toBe(Number.POSITIVE_INFINITY);
    const [near, result] = [factoredOf(gauge(10)).svd(), factoredOf(far).svd()];
    checkSvd(gauge(10), result); // the same matrix, and loops that can form it
    checkSameSpectrum('float64', near.S.data, result.S.data, near.bound as number, result.bound as number);
  });

  it.each([
    [1e30, 1e-30],
    [1e-40, 1e30],
    [1e18, 1e18],
    [1e-20, 1e-20],
    [1e-30, 1e-30],
  ])('in float32 with factors near %d and %d', (x, y) => {
    const of = randomProduct(18, [7, 3, 5]);
    checkProduct({
      A: mapMatrix(of.A, (a) => a * x, 'float32'),
      B: mapMatrix(of.B, (b) => b * y, 'float32'),
    });
  });

  it('of views: transposed, reversed and broadcast factors', () => {
    const [X, Y] = [randomMatrix(19, [2, 1, 3, 8]), randomMatrix(20, [4, 7, 3])];
    checkProduct({ A: X.transpose(0, 1, 3, 2).step(1, 1, -1, 1), B: Y.transpose(0, 2, 1).step(-1, 1, -2) });
  });
});

describe('the check of this file', () => {
  const of = randomProduct(21, [8, 3, 6]);
  const result = factoredOf(of).svd();

  it('sees V in place of Vh, a perturbed S, and the decomposition of another product', () => {
    const square = randomProduct(22, [6, 6, 6]);
    const right = factoredOf(square);
    expect(() => checkSvd(square, { U: right.U, S: right.S, Vh: right.V })).toThrow(/reconstruction/);
    const tau = bounds.reconstruction('float64', 0, 8, 6, betaOf(matrixAt(of.A), matrixAt(of.B)));
    const S = array(
      result.S.data.map((s, j) => (j === 1 ? s + 2 * tau : s)),
      [3],
    );
    expect(() => checkSvd(of, { U: result.U, S, Vh: result.Vh })).toThrow(/reconstruction/);
    expect(() => checkSvd(randomProduct(23, [8, 3, 6]), result)).toThrow(/reconstruction/);
  });
});

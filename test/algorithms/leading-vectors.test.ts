import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { checkOrthonormal, matrixAt, multiplyRows, transposeRows } from '../support/checks.ts';
import { array, orthogonal, type Product, random, scaleColumnsBy } from '../support/matrices.ts';

// float32 products whose leading left vector is where A is weakest: u = A·x with a long x, and rounding that goes one way.
// All columns of X together may be short when this one is not, and it may be the only one that is asked for.

const single = (rows: number[][]): Tensor => array(rows.flat(), [rows.length, rows[0].length], 'float32');

const form = (left: Tensor, sigma: readonly number[], right: Tensor): number[][] =>
  multiplyRows(matrixAt(scaleColumnsBy(left, sigma)), transposeRows(matrixAt(right)));

const split = (n: number, low: number, high: number) =>
  Array.from({ length: n }, (_, i) => (2 * i < n ? low : high));

/**
 * A (k+4)×k product. A has the singular value 1/growth, then one that makes the elements of a row nearly equal, and equal
 * ones; B so that the products of the two fall by 3 to 5 %. The terms of A·x for the leading vector add up to
 * large sums of equal numbers first, and then cancel; the rows are of two lengths, which the rounding errors depend on.
 */
function leadingIsWeak(seed: number, k: number, growth: number): Product {
  const next = random(seed);
  const [l, ratio, scale] = [k + 4, 1.5 + next() / 2, 2 ** next()];
  const share = 0.7;
  const equal = Math.sqrt((k * (1 - share) - growth ** -2) / (k - 2));
  const alpha = Array.from({ length: k }, (_, j) => [1 / growth, Math.sqrt(k * share)][j] ?? equal);
  const strong = 0.95 * Math.sqrt(k);
  const beta = alpha.map((a, j) =>
    j === 0 ? strong : ((strong / growth / 1.03) * (1 - (0.02 * j) / k)) / a,
  );
  const U = orthogonal(seed, l, k, [split(l, ratio, -1), split(l, 1, ratio)]);
  const V = orthogonal(seed + 1, k, k, [split(k, 1, -1), split(k, 1, 1)]);
  const W = orthogonal(seed + 2, l, k);
  const scaled = alpha.map((a) => a * scale);
  return { A: single(form(U, scaled, V)), B: single(transposeRows(form(W, beta, V))) };
}

const isFromGram = (of: Product) => new FactoredMatrix(of.A, of.B).svd().driver === 'gram/gram/eigen';

describe.each([24, 28, 30])('of %i columns', (k) => {
  it.each([1, 2])('the %i leading vectors are of length 1 and orthogonal by themselves', (rank) => {
    for (let seed = 1; seed <= 60; seed++) {
      const { A, B } = leadingIsWeak(100 * seed, k, 7.4 * Math.sqrt(k));
      const { U, Vh } = new FactoredMatrix(A, B).svd({ rank });
      checkOrthonormal(transposeRows(matrixAt(U)), 'float32', `columns of U, seed ${seed}`);
      checkOrthonormal(matrixAt(Vh), 'float32', `rows of Vh, seed ${seed}`);
    }
  });

  it('where x is short enough, the Gram matrices serve, and the vectors are so too', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const of = leadingIsWeak(100 * seed, k, 7.5);
      expect(isFromGram(of)).toBe(true);
      const { U, Vh } = new FactoredMatrix(of.A, of.B).svd({ rank: 1 });
      checkOrthonormal(transposeRows(matrixAt(U)), 'float32', `columns of U, seed ${seed}`);
      checkOrthonormal(matrixAt(Vh), 'float32', `rows of Vh, seed ${seed}`);
    }
  });
});

import { expect, test } from 'vitest';
import { canonicalSigns as steps } from '../../lib/algorithms/derived.ts';
import { type PerMatrix, Svd } from '../../lib/algorithms/result.ts';
import { epsilon, type FloatArray, type Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import { bitIdentical, matchSvd, validSvd } from '../../lib/testing/index.ts';
import { array, mapMatrix, randomMatrix, randomProduct } from '../support/matrices.ts';

/** A decomposition whose U has the one column `u`. */
const single = (u: number[], v: number[], dtype?: 'float32') =>
  new Svd<FloatArray, PerMatrix>(
    array(u, [u.length, 1], dtype),
    array([1], [1], dtype),
    array(v, [1, v.length], dtype),
    1e-15,
    'gesdd',
  );

const canonicalSigns = (given: Svd): Svd => runSync(steps(given));

const data = (x: Tensor) => Array.from(x.data);

/** The largest |element| of every column is positive. */
function pointsUp(U: Tensor): boolean {
  const [m, n] = U.shape.slice(-2);
  const items = U.size / (m * n);
  const column = (i: number, j: number) => Array.from({ length: m }, (_, k) => U.data[(i * m + k) * n + j]);
  return Array.from({ length: items * n }, (_, e) => column(Math.floor(e / n), e % n)).every(
    (x) => Math.max(...x) >= -Math.min(...x) * (1 - 8 * epsilon('float64')),
  );
}

test('flips a column of U together with its row of Vh', () => {
  const flipped = canonicalSigns(single([0.6, -0.8], [0, 1]));
  expect(data(flipped.U)).toEqual([-0.6, 0.8]);
  expect(data(flipped.Vh)).toEqual([0, -1]);
});

test('a zero that is flipped stays +0', () => {
  const { U } = canonicalSigns(single([-1, 0], [1, 0]));
  expect(Object.is(U.get(1, 0), 0)).toBe(true);
});

test('leaves a column alone whose largest element is positive, and copies it', () => {
  const given = single([-0.6, 0.8], [1, 0]);
  const same = canonicalSigns(given);
  expect(bitIdentical(same, given).pass).toBe(true);
  expect(same.U.data).not.toBe(given.U.data);
});

test.each([
  ['float64', undefined],
  ['float32', 'float32'],
] as const)('of elements within 8ε of the largest the first decides: %s', (name, dtype) => {
  const root = Math.SQRT1_2;
  const tied = root * (1 - 6 * epsilon(name));
  expect(canonicalSigns(single([-tied, root], [1], dtype)).U.get(0, 0)).toBeGreaterThan(0);
  expect(canonicalSigns(single([tied, -root], [1], dtype)).U.get(0, 0)).toBeGreaterThan(0);
  const smaller = root * (1 - 12 * epsilon(name));
  expect(canonicalSigns(single([-smaller, root], [1], dtype)).U.get(0, 0)).toBeLessThan(0);
});

test('does not depend on the signs it is given', () => {
  const given = svd(randomMatrix(1, [7, 4]));
  const sign = [1, -1, -1, 1];
  const other = new Svd(
    mapMatrix(given.U, (u, _, j) => sign[j] * u),
    given.S,
    mapMatrix(given.Vh, (v, j) => sign[j] * v),
    given.bound,
    given.driver,
  );
  expect(bitIdentical(canonicalSigns(other), canonicalSigns(given)).pass).toBe(true);
});

test('a batch: every matrix by itself, still the decomposition, S and bound and driver untouched', () => {
  const { A, B } = randomProduct(2, [6, 3, 5], 'float64', [2, 3]);
  const M = new FactoredMatrix(A, B);
  const given = M.svd();
  const out = canonicalSigns(given);
  expect(pointsUp(out.U)).toBe(true);
  expect(pointsUp(given.U)).toBe(false);
  expect(validSvd(out, M).pass).toBe(true);
  expect(matchSvd(out, given).pass).toBe(true);
  expect(out.S).toBe(given.S);
  expect(out.bound).toBe(given.bound);
  expect(out.driver).toBe(given.driver);
});

test('square U and Vh: the vectors beyond the singular triplets point up, too', () => {
  const M = randomMatrix(3, [6, 2]);
  const tall = canonicalSigns(svd(M, { fullMatrices: true }));
  expect(pointsUp(tall.U)).toBe(true);
  expect(validSvd(tall, M).pass).toBe(true);
  const wide = canonicalSigns(svd(M.transpose(1, 0), { fullMatrices: true }));
  expect(validSvd(wide, M.transpose(1, 0)).pass).toBe(true);
  const beyond = wide.Vh.hi(6, 6).lo(2, 0);
  for (let j = 0; j < 4; j++) {
    const row = Array.from({ length: 6 }, (_, i) => beyond.get(j, i));
    expect(Math.max(...row)).toBeGreaterThanOrEqual(-Math.min(...row));
  }
});

test('no singular values, no items: the same shapes', () => {
  for (const shape of [
    [0, 3],
    [3, 0],
    [0, 2, 2],
  ]) {
    const given = svd(array([], shape));
    const { U, Vh } = canonicalSigns(given);
    expect([U.shape, Vh.shape]).toEqual([given.U.shape, given.Vh.shape]);
  }
});

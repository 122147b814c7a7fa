import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { validSvd } from '../../lib/testing/index.ts';
import { array, randomMatrix } from '../support/matrices.ts';

// Long columns of few different numbers: the rounding errors of their sums all go one way.

const constant = (m: number, n: number, value: number): Tensor =>
  array(new Float64Array(m * n).fill(value), [m, n]);

describe('products of equal elements', () => {
  it.each([
    [600, 1, 11],
    [600, 3, 4],
    [1658, 3, 7],
    [3716, 3, 4],
  ])('%d×%d×%d: the singular value is within its bound', (l, k, r) => {
    const M = new FactoredMatrix(constant(l, k, 1 / 3), constant(k, r, 0.1));
    const exact = (1 / 3) * 0.1 * k * Math.sqrt(l * r); // to a few roundings
    const { S, bound } = M.svd();
    expect(Math.abs(S.data[0] - exact)).toBeLessThanOrEqual(bound as number);
  });

  it.each([
    [2332, 9, 3],
    [2928, 3, 9],
    [592, 4, 14],
  ])('%d×%d×%d, one factor random: the other singular values are 0 within the bound', (l, k, r) => {
    const M = new FactoredMatrix(constant(l, k, 0.1), randomMatrix(l, [k, r]));
    const { S, bound } = M.svd();
    expect(S.data[1]).toBeLessThanOrEqual(bound as number);
    expect(M.rank()).toBe(1);
  });

  it.each([
    [1, 1, 1845],
    [1, 1, 3422],
    [3, 1, 3422],
    [2, 1, 4003],
  ])(
    '%d×%d×%d: a right decomposition passes, and one that is off by its bound several times does not',
    (l, k, r) => {
      const M = new FactoredMatrix(constant(l, k, 1), constant(k, r, 1));
      const right = M.svd();
      expect(validSvd(right, M).pass).toBe(true);
      const S = array(
        Array.from(right.S.data, (s) => s * (1 + 2 ** -40)),
        right.S.shape,
      );
      expect(validSvd({ U: right.U, S, Vh: right.Vh, bound: right.bound }, M).pass).toBe(false);
    },
  );
});

it.each([
  [100_000, 3],
  [100_000, 8],
  [8, 100_000],
])('a plain matrix of %d×%d equal elements has one singular value within its bound', (m, n) => {
  const M = constant(m, n, 0.1);
  const { U, S, Vh, bound } = svd(M);
  expect(Math.abs(S.data[0] - 0.1 * Math.sqrt(m * n))).toBeLessThanOrEqual(bound as number);
  expect(S.data[1]).toBeLessThanOrEqual(bound as number);
  expect(validSvd({ U, S, Vh, bound }, M).pass).toBe(true);
});

import { expect, it } from 'vitest';
import { FactoredMatrix, lowRank, lstsq } from '../../lib/index.ts';

// Where the bound of a product fits its numbers and the sum of lengths that it is made of does not.

const identity = [[1, 0], [0, 1]]; // biome-ignore format: a matrix
const M = new FactoredMatrix([[1.5e308, 0], [0, 1.5e308]], identity); // biome-ignore format: a matrix

it('a product has its bound, its rank and its solutions', () => {
  expect(M.svd().bound).toBeLessThan(1e294);
  expect(M.rank()).toBe(2);
  expect([...lstsq(M, [1.5e308, 1.5e308]).x.data]).toEqual([1, 1]);
});

it('the error of an approximation is a number', () => {
  for (const a of [[[1e308]], [[1e308, 0], [0, 1e308]], M]) // biome-ignore format: matrices
    expect(lowRank(a, { rank: Array.isArray(a) ? a.length : 2 }).truncationError).toBeLessThan(1e295);
});

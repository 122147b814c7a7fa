import { expect } from 'vitest';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { betaOf, distance, indices, matrixAt, multiplyRows, type Rows } from './checks.ts';
import { integerMatrix, type Product, randomProduct } from './matrices.ts';

export type Sizes = readonly [l: number, k: number, r: number];

export const factoredOf = ({ A, B }: Product): FactoredMatrix => new FactoredMatrix(A, B);

/** Random factors; products of them round. */
export function factored(
  seed: number,
  sizes: Sizes,
  dtype: Dtype = 'float64',
  leading: readonly number[] = [],
): FactoredMatrix {
  return factoredOf(randomProduct(seed, sizes, dtype, leading));
}

/** Small integers: products of them are exact, and can be compared with toEqual. */
export const exact = (seed: number, [l, k, r]: Sizes, leading: readonly number[] = []): FactoredMatrix =>
  new FactoredMatrix(integerMatrix(seed, [...leading, l, k]), integerMatrix(seed + 1, [...leading, k, r]));

/** Item of the product, by plain loops over the factors. */
export const dense = (m: FactoredMatrix, index: readonly number[] = []): Rows =>
  multiplyRows(matrixAt(m.A, index), matrixAt(m.B, index), m.rdim);

/** All items of the product as one nested array. */
export const denseItems = (m: FactoredMatrix): Rows[] =>
  indices(m.shape.slice(0, -2)).map((index) => dense(m, index));

export const items = (x: Tensor): Rows[] => indices(x.shape.slice(0, -2)).map((index) => matrixAt(x, index));

/** ‖x − y‖ ≤ 50ε·max(size, β): two ways to compute the same matrix of norm `size`. */
export function checkClose(x: Rows, y: Rows, size: number, dtype: Dtype = 'float64', beta = 0): void {
  expect(x.length).toBe(y.length);
  const bound = bounds.reconstruction(dtype, size, x.length, x[0]?.length ?? 0, beta);
  expect(distance(x, y), 'difference').toBeLessThanOrEqual(bound);
}

export const beta = (m: FactoredMatrix, index: readonly number[] = []) =>
  betaOf(matrixAt(m.A, index), matrixAt(m.B, index));

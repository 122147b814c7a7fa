import { Adapter, infoOf } from '../../lib/adapters/adapter.ts';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { type Product, productWithSpectrum, randomProduct } from './matrices.ts';

/** An adapter of PEFT's kind with these products as its modules. */
export const adapterOf = (modules: Readonly<Record<string, Product>>): Adapter =>
  new Adapter({
    format: 'peft',
    modules: Object.entries(modules).map(([name, { A, B }]) => {
      const matrix = new FactoredMatrix(A, B);
      return [name, { matrix, info: infoOf(matrix) }];
    }),
  });

/** One of random modules, by their shapes `[out, rank, in]`. */
export const randomAdapter = (
  seed: number,
  shapes: Readonly<Record<string, readonly [number, number, number]>>,
  dtype: Dtype = 'float64',
): Adapter =>
  adapterOf(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [name, randomProduct(seed + 7 * i, shape, dtype)]),
    ),
  );

/** One module with these singular values. */
export const spectralAdapter = (seed: number, l: number, r: number, sigma: readonly number[]): Adapter =>
  adapterOf({ m: productWithSpectrum(seed, l, r, sigma) });

/** The product, element by element in float64. */
export function formed({ A, B }: { readonly A: Tensor; readonly B: Tensor }): number[][] {
  const [l, k] = A.shape;
  const r = B.shape[1];
  return Array.from({ length: l }, (_, i) =>
    Array.from({ length: r }, (_, j) => {
      let sum = 0;
      for (let q = 0; q < k; q++) sum += A.get(i, q) * B.get(q, j);
      return sum;
    }),
  );
}

/** ‖Σ wᵢ·Mᵢ‖_F */
export const normOfSum = (matrices: readonly number[][][], weights: readonly number[]): number =>
  Math.hypot(
    ...matrices[0].flatMap((row, i) =>
      row.map((_, j) => matrices.reduce((sum, m, q) => sum + weights[q] * m[i][j], 0)),
    ),
  );

import ndarray from 'ndarray';
import type { Tensor } from '../../lib/array/tensor.ts';
import type { FactoredMatrix, MatrixLike } from '../../lib/index.ts';
import { factored } from './factored.ts';

export const invalid = (x: unknown) => x as MatrixLike;
export const product = (l: number, k: number, r: number, leading: number[] = []): FactoredMatrix =>
  factored(1, [l, k, r], 'float64', leading);

/** A copy with one element replaced. */
export function withElement(x: Tensor, index: readonly number[], value: number): Tensor {
  const out = ndarray(x.data.slice(), [...x.shape]) as Tensor;
  out.set(...index, value);
  return out;
}

/** One number that looks like a large array. */
export const repeated = (...shape: number[]): MatrixLike => ({
  data: new Float32Array(1),
  shape,
  stride: shape.map(() => 0),
});

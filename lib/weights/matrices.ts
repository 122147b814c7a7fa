import { product } from '../array/tensor.ts';

/** How a tensor is taken as matrices: `count` of them one behind the other, each rows×cols, row-major. */
export interface Matrices {
  readonly count: number;
  readonly rows: number;
  readonly cols: number;
}

/** Kernels of one-dimensional convolutions are not longer. */
const longestKernel = 16;

/**
 * A tensor as the matrices that it stands for: one of two dimensions is a matrix; of a convolution, [out, in, …kernel], all
 * that makes one output is a row; three dimensions are matrices one behind the other, as those of experts, unless the last
 * is so short that it must be a kernel. `undefined` for vectors, single numbers, and what is empty.
 */
export function matricesOf(shape: readonly number[]): Matrices | undefined {
  if (shape.length < 2 || product(shape) === 0) return undefined;
  if (shape.length === 3 && shape[2] > longestKernel) {
    const [count, rows, cols] = shape;
    return { count, rows, cols };
  }
  return { count: 1, rows: shape[0], cols: product(shape.slice(1)) };
}

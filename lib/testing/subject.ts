import { balance } from '../algorithms/balance.ts';
import { type Factored, isFactored } from '../algorithms/operands.ts';
import type { MatrixLike } from '../array/input.ts';
import { ndarray } from '../array/ndarray.ts';
import { ldexp } from '../array/power-of-two.ts';
import type { Tensor } from '../array/tensor.ts';
import { dist } from '../dist.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import { batchOf, transposed } from '../native/batch.ts';
import { scan } from '../native/kernels.ts';
import { asTensor } from '../native/owned.ts';
import { runSync, type Steps } from '../native/steps.ts';
import { matrixItems } from './decomposition.ts';

/** What was decomposed: a matrix, or a product that is kept as its factors. */
export type SubjectOperand = MatrixLike | Factored;

export interface Subject {
  readonly shape: readonly number[];
  readonly items: readonly SubjectItem[];
}

export interface SubjectItem {
  readonly matrix: Tensor | FactoredMatrix;
  /** ‖M‖_F. */
  norm(): number;
  /** Σ‖a_j‖·‖b_j‖ of a product, 0 for a matrix. */
  beta(): number;
}

/** `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when `M` is neither. */
export function asSubject(M: SubjectOperand): Subject {
  if (!isFactored(M)) {
    const all = asTensor(M, 'M');
    return { shape: all.shape, items: matrixItems(all).map(denseItem) };
  }
  const { A, B, shape } = FactoredMatrix.from(M);
  const bs = matrixItems(B);
  return { shape, items: matrixItems(A).map((a, i) => productItem(new FactoredMatrix(a, bs[i]))) };
}

const denseItem = (matrix: Tensor): SubjectItem => ({
  matrix,
  norm: () => dist(matrix, zeros(matrix.shape)) as number,
  beta: () => 0,
});

const zeros = (shape: readonly number[]): Tensor =>
  ndarray(
    new Float64Array(1),
    [...shape],
    shape.map(() => 0),
    0,
  );

const productItem = (matrix: FactoredMatrix): SubjectItem => ({
  matrix,
  norm: () => matrix.norm() as number,
  beta: () => runSync(productBeta(matrix)),
});

function* productBeta({ A, B }: FactoredMatrix): Steps<number> {
  const a = batchOf(A, [], 'A');
  const normsA = yield* scan(a);
  const normsB = yield* scan(transposed(batchOf(B, [], 'B')));
  const { beta, exponent } = balance(normsA, normsB, a.count, a.cols);
  return ldexp(beta[0], exponent[0]);
}

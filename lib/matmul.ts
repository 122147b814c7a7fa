import { multiply } from './algorithms/arithmetic.ts';
import { type Factored, isFactored } from './algorithms/operands.ts';
import { exposed } from './arguments/boundary.ts';
import { asInput, type MatrixLike } from './array/input.ts';
import type { FloatArray, Tensor } from './array/tensor.ts';
import type {
  DataOf,
  LargerRank,
  MatrixOf,
  NumberPer,
  PerMatrixOf,
  Promoted,
  RankOf,
  Vector,
} from './array/types.ts';
import { FactoredMatrix, type TimesFactored } from './factored-matrix.ts';

/** The product of arrays of P and Q dimensions: of two vectors a number. */
type PlainProduct<D extends FloatArray, P, Q> = P extends 1
  ? Q extends 1
    ? number
    : Q extends 2
      ? Vector<D>
      : Tensor<D>
  : Q extends 1
    ? P extends 2
      ? Vector<D>
      : Tensor<D>
    : MatrixOf<D, NumberPer<LargerRank<P, Q>>>;

/** The same where a dimension may not be known. */
type Product<A, B> = 1 | 2 extends RankOf<A> | RankOf<B>
  ? [RankOf<A>, RankOf<B>] extends [1, 2] | [2, 1]
    ? PlainProduct<Promoted<DataOf<A>, DataOf<B>>, RankOf<A>, RankOf<B>>
    : Tensor<Promoted<DataOf<A>, DataOf<B>>> | number
  : PlainProduct<Promoted<DataOf<A>, DataOf<B>>, RankOf<A>, RankOf<B>>;

type MatmulOf<A, B> = A extends Factored
  ? TimesFactored<DataOf<A>, PerMatrixOf<A>, B>
  : B extends Factored
    ? TimesFactored<DataOf<B>, PerMatrixOf<B>, A>
    : Product<A, B>;

/**
 * Matrix product as numpy's `matmul`: any mix of matrices, vectors and `FactoredMatrix`. A product with a
 * `FactoredMatrix` stays factored; a vector gives a vector; two vectors give a number.
 *
 * @param a `[..., l, k]`, or a vector `[k]`
 * @param b `[..., k, r]`, or a vector `[k]`; leading dimensions broadcast
 * @returns `[..., l, r]`
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`,
 *   `ERR_SVD_TOO_LARGE`
 * @function
 */
export const matmul = exposed({ takes: ['a', 'b'] }, function matmul<
  A extends MatrixLike | Factored,
  B extends MatrixLike | Factored,
>(a: A, b: B): MatmulOf<A, B> {
  return product(a, b) as MatmulOf<A, B>;
});

function product(a: MatrixLike | Factored, b: MatrixLike | Factored): FactoredMatrix | Tensor | number {
  if (isFactored(a)) return FactoredMatrix.from(a).matmul(b) as FactoredMatrix | Tensor;
  if (isFactored(b)) return FactoredMatrix.from(b).rmatmul(a) as FactoredMatrix | Tensor;
  return multiply(asInput(a, 'a', 1), asInput(b, 'b', 1));
}

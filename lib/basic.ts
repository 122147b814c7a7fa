import type { DataOf, MatrixOf, NumberPer, PerMatrixOf, RankOf } from './array-types.ts';
import { asTensor, type MatrixLike } from './arrays.ts';
import { exposed } from './boundary.ts';
import { diagonal } from './diagonal.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { type Factored, isFactored } from './operands.ts';
import { swapLast } from './views.ts';

/** Of vectors there is a matrix, of arrays of more dimensions a batch. */
type Diagonal<V> = MatrixOf<DataOf<V>, NumberPer<RankOf<V> extends 1 ? 2 : 1 extends RankOf<V> ? 2 | 3 : 3>>;

/**
 * Square matrices with `s` on their diagonals: `[..., p]` → `[..., p, p]`, as `torch.diag_embed`.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when `s` is no array of vectors; `ERR_SVD_TOO_LARGE`
 * @function
 */
export const diagEmbed = exposed({ takes: ['s'] }, function diagEmbed<
  V extends MatrixLike,
>(s: V): Diagonal<V> {
  return diagonal(asTensor(s, 'diagEmbed', 1)) as Diagonal<V>;
});

interface Transpose {
  <M extends Factored>(a: M): FactoredMatrix<DataOf<M>, PerMatrixOf<M>>;
  <M extends MatrixLike>(a: M): MatrixOf<DataOf<M>, PerMatrixOf<M>>;
}

/**
 * View with the last two dimensions swapped, `[..., m, n]` → `[..., n, m]`; it shares memory with `a`.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when `a` is no array of matrices
 * @function
 */
export const transpose = exposed({ takes: ['a'] }, function transpose(a: MatrixLike | Factored) {
  return isFactored(a) ? FactoredMatrix.from(a).T : swapLast(asTensor(a, 'transpose'));
}) as Transpose;

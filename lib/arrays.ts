import { diagonal } from './algorithms/arithmetic.ts';
import { type Factored, isFactored } from './algorithms/operands.ts';
import { exposed } from './arguments/boundary.ts';
import { type Slice, sliceOf } from './array/indexing.ts';
import type { MatrixLike } from './array/input.ts';
import { swapLast } from './array/tensor.ts';
import type { DataOf, MatrixOf, NumberPer, PerMatrixOf, RankOf } from './array/types.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { asTensor } from './native/owned.ts';

/** A matrix for a vector, a batch for anything with more dimensions. */
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

/**
 * The range `start : stop : step` for `FactoredMatrix.at`, as in Python: negative bounds count from the end, and what lies
 * beyond an end stops there. `null`, the default, stands for the end in that direction, and for a step of 1.
 *
 * @throws `ERR_SVD_ARGUMENT` unless they are integers or `null`, and the step not 0
 * @example M.at(slice(1, 3), null, slice(null, null, -1))
 * @function
 */
export const slice = exposed(
  { takes: ['start', 'stop', 'step'] },
  function slice(start: number | null = null, stop: number | null = null, by: number | null = 1): Slice {
    return sliceOf(start, stop, by);
  },
);

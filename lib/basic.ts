import { asTensor, type MatrixLike } from './arrays.ts';
import { exposed } from './boundary.ts';
import { diagonal } from './diagonal.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { type Factored, isFactored } from './operands.ts';
import { swapLast, type Tensor } from './views.ts';

/** Square matrices with `s` on their diagonals: `[..., p]` → `[..., p, p]`, as `torch.diag_embed`. */
export const diagEmbed = exposed({ takes: ['s'] }, function diagEmbed(s: MatrixLike): Tensor {
  return diagonal(asTensor(s, 'diagEmbed', 1));
});

interface Transpose {
  (a: Factored): FactoredMatrix;
  (a: MatrixLike): Tensor;
}

/** View with the last two dimensions swapped; it shares memory with `a`. */
export const transpose = exposed({ takes: ['a'] }, function transpose(a: MatrixLike | Factored) {
  return isFactored(a) ? FactoredMatrix.from(a).T : swapLast(asTensor(a, 'transpose'));
}) as Transpose;

import { asTensor, type MatrixLike } from './arrays.ts';
import { diagonal } from './diagonal.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { type Factored, isFactored } from './operands.ts';
import { swapLast, type Tensor } from './views.ts';

/** Square matrices with `s` on their diagonals: `[..., p]` → `[..., p, p]`, as `torch.diag_embed`. */
export function diagEmbed(s: MatrixLike): Tensor {
  return diagonal(asTensor(s, 'diagEmbed', 1));
}

/** View with the last two dimensions swapped; it shares memory with `a`. */
export function transpose(a: Factored): FactoredMatrix;
export function transpose(a: MatrixLike): Tensor;
export function transpose(a: MatrixLike | Factored): Tensor | FactoredMatrix {
  return isFactored(a) ? FactoredMatrix.from(a).T : swapLast(asTensor(a, 'transpose'));
}

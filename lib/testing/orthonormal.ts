import { asTensor, type MatrixLike } from '../arrays.ts';
import { exposed } from '../boundary.ts';
import { matmul } from '../matmul.ts';
import { cols, dtypeOf, leadingDims, rows, swapLast, type Tensor } from '../views.ts';
import * as bounds from './bounds.ts';
import { batchIndex, matrixItems, widened } from './decomposition.ts';
import { finite, orInfinity } from './finite.ts';
import { type Check, measured, type Report, report } from './report.ts';

/**
 * Whether the columns of `Q` `[..., m, n]` are orthonormal, or its rows where it is wide: ‖QᵀQ − I‖_F ≤ 40·ε·√n.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when `Q` is no matrix
 * @function
 */
export const orthonormal = exposed({ takes: ['Q'] }, function orthonormal(Q: MatrixLike): Report {
  const all = asTensor(Q, 'orthonormal');
  const wide = rows(all) < cols(all);
  const name = wide ? 'rows orthonormal' : 'columns orthonormal';
  return report(
    matrixItems(all).flatMap((q, i) => {
      const at = batchIndex(leadingDims(all), i);
      const elements = finite('elements', q, at);
      return elements.pass ? [elements, orthonormality(name, wide ? swapLast(q) : q, at)] : [elements];
    }),
  );
});

/** That the columns of one matrix are orthonormal; its elements must be finite. */
export function orthonormality(name: string, Q: Tensor, batchIndex?: readonly number[]): Check {
  const value = orInfinity(() => deviation(widened(Q)));
  return measured(name, value, bounds.orthonormality(dtypeOf(Q), cols(Q)), { batchIndex });
}

/** ‖QᵀQ − I‖_F */
function deviation(Q: Tensor): number {
  const gram = gramOf(Q);
  for (let j = 0; j < cols(Q); j++) gram.set(j, j, gram.get(j, j) - 1);
  return Math.sqrt(gram.data.reduce((sum, x) => sum + x * x, 0));
}

/** QᵀQ by halves of the rows: added up one after the other, the rounding errors of many equal terms would grow. */
function gramOf(Q: Tensor): Tensor<Float64Array> {
  if (rows(Q) <= Math.max(64, cols(Q))) return matmul(swapLast(Q), Q) as Tensor<Float64Array>;
  const half = rows(Q) >> 1;
  const [upper, lower] = [gramOf(Q.hi(half, cols(Q))), gramOf(Q.lo(half, 0))];
  for (let i = 0; i < upper.data.length; i++) upper.data[i] += lower.data[i];
  return upper;
}

import {
  broadcastLeading,
  broadcastShapes,
  cols,
  leadingDims,
  product,
  rows,
  type Tensor,
} from '../array/tensor.ts';
import { asPart, type Steps } from '../native/steps.ts';
import { matrixProduct, scaleColumns, scaleRows } from './arithmetic.ts';
import { denseSvd } from './dense.ts';
import { perMatrix, perMatrixNames, Svd } from './result.ts';

/**
 * The composition of three SVDs that TransformerLens uses: of A, of B, and of `S_a·V_aᵀ·U_b·S_b` between them. Kept to
 * be compared with `productSvd`; it is slower, and not stable when the inner dimension is badly scaled.
 *
 * @param A `[..., l, k]`
 * @param B `[..., k, r]`, leading dimensions broadcast, same dtype
 * @returns as `productSvd`
 */
export function* threeSvd(A: Tensor, B: Tensor): Steps<Svd> {
  const leading = broadcastShapes(leadingDims(A), leadingDims(B), 'A·B');
  const a = yield* asPart(denseSvd(broadcastLeading(A, leading)));
  const b = yield* asPart(denseSvd(broadcastLeading(B, leading)));
  const middle = yield* matrixProduct(yield* scaleRows(a.S, a.Vh), yield* scaleColumns(b.U, b.S));
  const m = yield* asPart(denseSvd(middle));
  const U = yield* matrixProduct(a.U, m.U);
  const Vh = yield* matrixProduct(m.Vh, b.Vh);
  const n = product(leading);
  yield { done: n, total: n };
  const driver = perMatrixNames(new Array(n).fill('three-svd'), leading);
  const next = cols(A) < Math.min(rows(A), cols(B)) ? perMatrix(new Float64Array(n), leading) : undefined;
  return new Svd(U, m.S, Vh, m.bound, driver, [], next);
}

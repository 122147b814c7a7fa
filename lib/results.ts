import { mapElements, scaleColumns, scaleRows } from './diagonal.ts';
import { contiguousCopy } from './matrix-product.ts';
import type { Steps } from './steps.ts';
import { LegacySvd, type Svd } from './svd-result.ts';
import { swapLast, type Tensor } from './views.ts';

// What is made from a decomposition.

/** V, `[..., n, p]`, contiguous. */
export const transposedVh = ({ Vh }: Svd): Steps<Tensor> => contiguousCopy(swapLast(Vh));

/** The same decomposition with V instead of Vh. */
export function* legacy(svd: Svd): Steps<LegacySvd> {
  return new LegacySvd(svd.U, svd.S, yield* transposedVh(svd));
}

/** `diag(S) · Vh` */
export const withoutU = ({ S, Vh }: Svd): Steps<Tensor> => scaleRows(S, Vh);

/** `U · diag(S)` */
export const withoutVh = ({ U, S }: Svd): Steps<Tensor> => scaleColumns(U, S);

/** Factors `U·√S` and `√S·Vh`. */
export function* even({ U, S, Vh }: Svd): Steps<[left: Tensor, right: Tensor]> {
  const root = mapElements(S, Math.sqrt);
  return [yield* scaleColumns(U, root), yield* scaleRows(root, Vh)];
}

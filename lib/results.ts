import { mapElements, scaleColumns, scaleRows } from './diagonal.ts';
import { contiguousCopy } from './matrix-product.ts';
import type { Spectrum } from './spectrum.ts';
import type { Steps } from './steps.ts';
import { LegacySvd, type PerMatrix, Svd } from './svd-result.ts';
import { type FloatArray, swapLast, type Tensor, tensor } from './views.ts';

// What is made from a decomposition.

/** The same decomposition in arrays of its own. */
export function* copyOfSvd(svd: Svd): Steps<Svd> {
  const { S, bound } = copyOfSpectrum(svd);
  return new Svd(
    yield* contiguousCopy(svd.U),
    S,
    yield* contiguousCopy(svd.Vh),
    bound,
    svd.driver,
    svd.errors,
  );
}

/** The same singular values and bounds in arrays of their own. */
export function copyOfSpectrum({ S, bound }: Spectrum): Spectrum {
  const copy = <D extends FloatArray>(x: Tensor<D>): Tensor<D> => tensor(x.data.slice() as D, x.shape);
  return { S: copy(S), bound: typeof bound === 'number' ? bound : (copy(bound) as PerMatrix) };
}

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

import type { MatrixOf } from './array-types.ts';
import { mapElements, scaleColumns, scaleRows } from './diagonal.ts';
import { contiguousCopy } from './matrix-product.ts';
import type { Spectrum } from './spectrum.ts';
import type { Steps } from './steps.ts';
import { LegacySvd, type PerMatrix, Svd } from './svd-result.ts';
import { type FloatArray, swapLast, type Tensor, tensor } from './views.ts';

// What is made from a decomposition.

/** The same decomposition in arrays of its own. */
export function* copyOfSvd<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<Svd<D, N>> {
  const [U, Vh] = [yield* contiguousCopy(svd.U), yield* contiguousCopy(svd.Vh)];
  const { S, bound } = copyOfSpectrum<D, N>(svd);
  return new Svd<D, N>(U, S, Vh, bound, svd.driver, svd.errors, svd.next && copyPerMatrix(svd.next));
}

/** The same singular values and bounds in arrays of their own. */
export const copyOfSpectrum = <D extends FloatArray, N extends PerMatrix>({
  S,
  bound,
}: Spectrum<D, N>): Spectrum<D, N> => ({ S: copy(S), bound: copyPerMatrix(bound) });

const copy = <T extends Tensor>(x: T): T => tensor(x.data.slice(), x.shape) as T;

const copyPerMatrix = <N extends PerMatrix>(x: N): N => (typeof x === 'number' ? x : copy(x as N & Tensor));

/** V, `[..., n, p]`, contiguous. */
export const transposedVh = <D extends FloatArray, N extends PerMatrix>({
  Vh,
}: Svd<D, N>): Steps<MatrixOf<D, N>> => contiguousCopy(swapLast(Vh) as MatrixOf<D, N>);

/** The same decomposition with V instead of Vh. */
export function* legacy<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<LegacySvd<D, N>> {
  return new LegacySvd<D, N>(svd.U, svd.S, yield* transposedVh(svd));
}

/** `diag(S) · Vh` */
export const withoutU = <D extends FloatArray, N extends PerMatrix>({ S, Vh }: Svd<D, N>) =>
  scaleRows(S, Vh) as Steps<MatrixOf<D, N>>;

/** `U · diag(S)` */
export const withoutVh = <D extends FloatArray, N extends PerMatrix>({ U, S }: Svd<D, N>) =>
  scaleColumns(U, S) as Steps<MatrixOf<D, N>>;

/** Factors `U·√S` and `√S·Vh`. */
export function* even({ U, S, Vh }: Svd): Steps<[left: Tensor, right: Tensor]> {
  const root = mapElements(S, Math.sqrt);
  return [yield* scaleColumns(U, root), yield* scaleRows(root, Vh)];
}

import { mapElements } from './diagonal.ts';
import { shown, svdError } from './errors.ts';
import { type PerMatrix, perMatrix, type Svd } from './svd-result.ts';
import { dtypeOf, epsilon, product, showShape, type Tensor } from './views.ts';

// What singular values say about a matrix. S is `[..., p]`, descending and contiguous.

const last = (S: Tensor): number => S.shape[S.shape.length - 1];
const leading = (S: Tensor): number[] => S.shape.slice(0, -1);

/** Singular values and how exact they are. */
export type Spectrum = Pick<Svd, 'S' | 'bound'>;

/** `tol` for every matrix l×r: the given one, or max(l, r)·ε·σ₁ and no less than the bound of the singular values. */
function tolerances({ S, bound }: Spectrum, l: number, r: number, tol: number | undefined): Float64Array {
  if (tol !== undefined && !(typeof tol === 'number' && tol >= 0)) {
    throw svdError('ERR_SVD_ARGUMENT', `tol: expected a number ≥ 0, got ${shown(tol)}`);
  }
  const p = last(S);
  const relative = Math.max(l, r) * epsilon(dtypeOf(S));
  const bounds = typeof bound === 'number' ? [bound] : bound.data;
  return Float64Array.from({ length: product(leading(S)) }, (_, i) =>
    p === 0 ? 0 : (tol ?? Math.max(relative * S.data[i * p], bounds[i])),
  );
}

/** Number of singular values above the tolerance, per matrix l×r. */
export function rank(spectrum: Spectrum, l: number, r: number, tol?: number): PerMatrix {
  const { S } = spectrum;
  const p = last(S);
  const above = (t: number, i: number) => S.data.subarray(i * p, (i + 1) * p).filter((s) => s > t).length;
  return perMatrix(tolerances(spectrum, l, r, tol).map(above), leading(S));
}

/** σ₁/σ_p per matrix. `ERR_SVD_SHAPE` for matrices without singular values. */
export function cond(S: Tensor): PerMatrix {
  const p = last(S);
  if (p === 0) throw svdError('ERR_SVD_SHAPE', 'cond: not defined for an empty matrix');
  const ratios = Float64Array.from({ length: product(leading(S)) }, (_, i) => {
    const [first, least] = [S.data[i * p], S.data[i * p + p - 1]];
    return least === 0 ? Number.POSITIVE_INFINITY : first / least;
  });
  return perMatrix(ratios, leading(S));
}

/** 1/σ, and 0 for the singular values up to the tolerance. `ERR_SVD_OVERFLOW` when an inverse does not fit. */
export function pseudoInverseValues(spectrum: Spectrum, l: number, r: number, tol?: number): Tensor {
  const { S } = spectrum;
  const p = last(S);
  const tolerance = tolerances(spectrum, l, r, tol);
  let i = 0;
  const inverse = mapElements(S, (s) => (s > tolerance[Math.floor(i++ / p)] ? 1 / s : 0));
  if (inverse.data.some((x: number) => x === Number.POSITIVE_INFINITY)) {
    throw svdError(
      'ERR_SVD_OVERFLOW',
      `pinv: an inverse singular value of shape ${showShape(S.shape)} is not representable`,
    );
  }
  return inverse;
}

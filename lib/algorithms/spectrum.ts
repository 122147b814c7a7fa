import { svdError } from '../array/errors.ts';
import { dtypeOf, epsilon, type FloatArray, product, showShape, type Tensor } from '../array/tensor.ts';
import { checkOverflow } from '../native/status.ts';
import { mapElements } from './arithmetic.ts';
import { infinite } from './norm.ts';
import { type PerMatrix, perMatrix, type Svd } from './result.ts';

// What singular values say about a matrix. S is `[..., p]`, descending and contiguous.

const last = (S: Tensor): number => S.shape[S.shape.length - 1];
const leading = (S: Tensor): number[] => S.shape.slice(0, -1);

/** Singular values and how exact they are. */
export type Spectrum<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> = Pick<
  Svd<D, N>,
  'S' | 'bound'
>;

/** Up to which size singular values count as zero; where both are given, the larger holds. */
export interface Tolerance {
  readonly tol?: number | undefined;
  readonly rtol?: number | undefined;
}

/** Per matrix l×r: what is given, or max(l, r)·ε·σ₁ and no less than the bound of the singular values. */
export function tolerances(
  { S, bound }: Spectrum,
  l: number,
  r: number,
  { tol, rtol }: Tolerance,
): Float64Array {
  const p = last(S);
  const bounds = typeof bound === 'number' ? [bound] : bound.data;
  const relative = Math.max(l, r) * epsilon(dtypeOf(S));
  const out = new Float64Array(product(leading(S)));
  for (let i = 0; i < out.length; i++) {
    const sigma1 = p === 0 ? 0 : S.data[i * p];
    if (sigma1 === 0) out[i] = tol ?? 0;
    else if (tol === undefined && rtol === undefined) out[i] = Math.max(relative * sigma1, bounds[i]);
    else out[i] = Math.max(tol ?? 0, (rtol ?? 0) * sigma1);
  }
  return out;
}

/** Number of singular values above the tolerance, per matrix l×r. */
export function rank(spectrum: Spectrum, l: number, r: number, tolerance: Tolerance): PerMatrix {
  const { S } = spectrum;
  const p = last(S);
  const above = (t: number, i: number) => S.data.subarray(i * p, (i + 1) * p).filter((s) => s > t).length;
  return perMatrix(tolerances(spectrum, l, r, tolerance).map(above), leading(S));
}

/** σ₁/σ_p per matrix. `ERR_SVD_SHAPE` for matrices without singular values. */
export function cond({ S }: Spectrum): PerMatrix {
  const p = last(S);
  if (p === 0) throw svdError('ERR_SVD_SHAPE', 'cond: not defined for an empty matrix');
  const ratios = Float64Array.from({ length: product(leading(S)) }, (_, i) => {
    const [first, least] = [S.data[i * p], S.data[i * p + p - 1]];
    return least === 0 ? Number.POSITIVE_INFINITY : first / least;
  });
  return perMatrix(ratios, leading(S));
}

/** Frobenius norm, nuclear norm (the sum of the singular values), spectral norm (the largest of them). */
export type Norm = 'fro' | 'nuc' | 2;

/** Σσ or σ₁ per matrix, in float64. `ERR_SVD_OVERFLOW` when the sum does not fit. */
export function schattenNorm({ S }: Spectrum, ord: 'nuc' | 2): PerMatrix {
  const p = last(S);
  const norms = Float64Array.from({ length: product(leading(S)) }, (_, i) => {
    const values = S.data.subarray(i * p, (i + 1) * p) as Float64Array;
    return p === 0 ? 0 : ord === 2 ? values[0] : values.reduce((sum, s) => sum + s, 0);
  });
  checkOverflow(infinite(norms), { name: 'norm', leading: leading(S) });
  return perMatrix(norms, leading(S));
}

/** exp of the entropy of σ²/Σσ², per matrix. */
export const effectiveRank = ({ S }: Spectrum): PerMatrix => eachSpectrum(S, effectiveRankOf);

/**
 * exp of the entropy of σ²/Σσ² of singular values in descending order, 0 where all are 0: the effective rank of Roy and
 * Vetterli (EUSIPCO 2007), who take it of σ/Σσ, of the energies. Divided by σ₁ before they are squared, they do not overflow.
 */
export function effectiveRankOf(S: ArrayLike<number>): number {
  if (!(S[0] > 0)) return 0;
  const energies = Array.from(S, (sigma) => (sigma / S[0]) ** 2);
  const total = energies.reduce((sum, e) => sum + e, 0);
  return Math.exp(energies.reduce((sum, e) => (e > 0 ? sum - (e / total) * Math.log(e / total) : sum), 0));
}

/** (‖M‖_F/‖M‖₂)² per matrix, 0 of a zero matrix, from both norms. */
export function stableRank(frobenius: PerMatrix, spectral: PerMatrix): PerMatrix {
  const ratio = (f: number, s: number) => (s > 0 ? (f / s) ** 2 : 0);
  if (typeof frobenius === 'number') return ratio(frobenius, spectral as number);
  const { data } = spectral as Tensor;
  return perMatrix(
    frobenius.data.map((f, i) => ratio(f, data[i])),
    frobenius.shape,
  );
}

/** `f` of the singular values of every matrix. */
function eachSpectrum(S: Tensor, f: (values: FloatArray) => number): PerMatrix {
  const p = last(S);
  const of = (i: number) => f(S.data.subarray(i * p, (i + 1) * p));
  return perMatrix(
    Float64Array.from({ length: product(leading(S)) }, (_, i) => of(i)),
    leading(S),
  );
}

/** 1/σ, and 0 for the singular values up to the tolerance. `ERR_SVD_OVERFLOW` when an inverse does not fit. */
export function pseudoInverseValues(spectrum: Spectrum, l: number, r: number, tolerance: Tolerance): Tensor {
  const { S } = spectrum;
  const p = last(S);
  const smallest = tolerances(spectrum, l, r, tolerance);
  let i = 0;
  const inverse = mapElements(S, (s) => (s > smallest[Math.floor(i++ / p)] ? 1 / s : 0));
  if (inverse.data.some((x: number) => x === Number.POSITIVE_INFINITY)) {
    throw svdError(
      'ERR_SVD_OVERFLOW',
      `pinv: an inverse singular value of shape ${showShape(S.shape)} is not representable`,
    );
  }
  return inverse;
}

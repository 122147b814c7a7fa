import { exposed } from '../arguments/boundary.ts';
import { type OptionTable, oneOf } from '../arguments/options.ts';
import type { Dtype } from '../array/elements.ts';
import type { MatrixLike } from '../array/input.ts';
import { dtypeOf, showShape, swapLast, type Tensor } from '../array/tensor.ts';
import { dist } from '../dist.ts';
import { matmul } from '../matmul.ts';
import { asTensor } from '../native/owned.ts';
import { svd } from '../svd.ts';
import * as bounds from './bounds.ts';
import { finiteFactors, sameShapes, soundness } from './checks.ts';
import {
  asDecomposition,
  batchIndex,
  boundsOf,
  columns,
  isSvdOperand,
  type SvdFactors,
  type SvdOperand,
  type Triplets,
  tripletItems,
  vectorItems,
  wideColumns,
} from './decomposition.ts';
import {
  allPass,
  type Check,
  exact,
  measured,
  type Report,
  report,
  short,
  type UndeterminedOptions,
  undeterminedCheck,
  undeterminedOptions,
} from './report.ts';

/** Singular values `first` … `last`, too close to one another for their vectors to be told apart. */
export interface Cluster {
  readonly first: number;
  readonly last: number;
  /** Distance to the nearest singular value outside it; infinite where there is none. */
  readonly gap: number;
}

export const sizeOf = ({ first, last }: Cluster): number => last - first + 1;

/** What decides where a cluster ends. */
export interface ClusterSetting {
  readonly tau: number;
  /** The singular value that follows the last: −∞ where there is none, ∞ where it is not known (it may be as large). */
  readonly next: number;
  /** Where given, a cluster may end only at one of these indices. */
  readonly ends?: ReadonlySet<number>;
}

/**
 * The clusters of one matrix whose singular values were computed once or more: neighbours at most 100τ apart in any of
 * the `spectra` are joined. The gap is the smallest in any of them, and counts the distance to the one that follows
 * (P.-Å. Wedin, BIT 12, 1972): 0 of a matrix that is not square, any up to the last where it is not known.
 */
export function clusters(spectra: readonly Float64Array[], { tau, next, ends }: ClusterSetting): Cluster[] {
  const p = spectra[0].length;
  const below = (j: number): number =>
    Math.max(0, Math.min(...spectra.map((S) => S[j] - (j < p - 1 ? S[j + 1] : next)))); // 0, not −0
  const out: Cluster[] = [];
  let above = Number.POSITIVE_INFINITY;
  for (let first = 0, last = 0; last < p; last++) {
    const gap = below(last);
    if (last < p - 1 && (gap <= bounds.clusterGap(tau) || ends?.has(last) === false)) continue;
    out.push({ first, last, gap: Math.min(above, gap) });
    above = gap;
    first = last + 1;
  }
  return out;
}

/**
 * The gap that decides how well U and V of a cluster hold together. Where (u, v) belongs to σ, (u, −v) belongs to −σ, so
 * that the nearest singular value on the other side is −σ_p: that one rotation must serve both means nothing at σ ≈ 0.
 */
export function pairGap({ last, gap }: Cluster, spectra: readonly Float64Array[]): number {
  return Math.max(0, Math.min(gap, ...spectra.map((S) => S[last] + S[S.length - 1])));
}

/**
 * Compares two decompositions matrix by matrix. `compare` is called for those that are sound on both sides: its formulas
 * hold for sorted spectra and orthonormal vectors only.
 */
export function eachSoundPair(
  received: SvdOperand,
  expected: SvdOperand,
  compare: (received: Triplets, expected: Triplets) => Check[],
): Check[] {
  const [a, b] = [asDecomposition(received, 'received'), asDecomposition(expected, 'expected')];
  const fit = sameShapes(a, b);
  if (!allPass(fit)) return fit;
  const others = tripletItems(b);
  const checks = tripletItems(a).flatMap((item, i) => {
    const finite = [...finiteFactors(item, ' (received)'), ...finiteFactors(others[i], ' (expected)')];
    if (!allPass(finite)) return finite;
    const sound = [...finite, ...soundness(item, ' (received)'), ...soundness(others[i], ' (expected)')];
    return allPass(sound) ? [...sound, ...compare(item, others[i])] : sound;
  });
  return [...fit, ...checks];
}

/** Singular values: a decomposition, `{ S }` with or without its `bound`, or the array `[..., p]` itself. */
export type SpectrumOperand = SvdOperand | Pick<SvdFactors, 'S' | 'bound'> | MatrixLike;

/** Options of `matchSingularValues`. */
export interface SingularValuesOptions {
  /**
   * `'absolute'` (default): |s − t| ≤ τ = bound_s + bound_t + η, which holds for every matrix; 4ε·√p·σ₁ stands for a bound
   * that is not given, and 0 is that of an exact reference.
   * `'relative'`: |s − t| ≤ (1e-13 + 1e-13)·max(s, t) + η, 1e-5 for a float32 side. Holds for products whose bad scaling
   * is diagonal, down to the smallest singular value, which τ may not even see; not for matrices in general.
   */
  readonly mode?: 'absolute' | 'relative' | undefined;
}

const singularValuesOptions: OptionTable<SingularValuesOptions> = { mode: oneOf('absolute', 'relative') };

/**
 * Whether the singular values of `received` are those of `expected`: of the same matrix, computed twice.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument has no singular values, or for another mode
 * @function
 */
export const matchSingularValues = exposed(
  { takes: ['received', 'expected'], options: singularValuesOptions },
  function matchSingularValues(
    received: SpectrumOperand,
    expected: SpectrumOperand,
    { mode = 'absolute' }: SingularValuesOptions = {},
  ): Report {
    const [a, b] = [asSpectrum(received, 'received'), asSpectrum(expected, 'expected')];
    const same = a.S.shape.join() === b.S.shape.join();
    const detail = same ? undefined : `S ${showShape(a.S.shape)}, expected S ${showShape(b.S.shape)}`;
    const fit = exact('same shapes', same ? 0 : 1, { detail });
    if (!same) return report([fit]);
    const [as, bs] = [itemsOf(a), itemsOf(b)];
    const agree = mode === 'absolute' ? absolute : relative;
    return report([fit, ...as.map((s, i) => agree(s, bs[i]))]);
  },
);

interface Spectrum {
  readonly S: Tensor;
  readonly bound: Float64Array;
}

/** One matrix of it. */
interface SpectrumItem {
  readonly S: Float64Array;
  readonly bound: number;
  readonly dtype: Dtype;
  readonly batchIndex: readonly number[] | undefined;
}

function asSpectrum(x: SpectrumOperand, name: string): Spectrum {
  if (isSvdOperand(x)) return asDecomposition(x, name);
  const { S: own, bound } = x !== null && typeof x === 'object' && 'S' in x ? x : { S: x as MatrixLike };
  const S = asTensor(own, `${name}.S`, 1);
  return { S, bound: boundsOf(S, bound, name) };
}

const itemsOf = ({ S, bound }: Spectrum): SpectrumItem[] =>
  vectorItems(S).map((s, i) => ({
    S: s,
    bound: bound[i],
    dtype: dtypeOf(S),
    batchIndex: batchIndex(S.shape.slice(0, -1), i),
  }));

/** |s − t| ≤ τ for all singular values of one matrix. */
export function absolute(a: SpectrumItem, b: SpectrumItem): Check {
  const limit = tau(a, b);
  return worst('singular values', a, b, () => limit);
}

/** τ of two computations of one matrix. */
export const tau = (a: Omit<SpectrumItem, 'S'>, b: Omit<SpectrumItem, 'S'>): number =>
  bounds.singularValues(bounds.coarser(a.dtype, b.dtype), a.bound, b.bound);

function relative(a: SpectrumItem, b: SpectrumItem): Check {
  const accuracy = bounds.relativeSingularValues(a.dtype, b.dtype);
  const floor = bounds.eta(bounds.coarser(a.dtype, b.dtype));
  return worst('singular values (relative)', a, b, (s, t) => accuracy * Math.max(s, t) + floor);
}

/** The singular value that is furthest beyond its limit, or nearest to it. */
function worst(
  name: string,
  { S, batchIndex }: SpectrumItem,
  { S: T }: SpectrumItem,
  limit: (s: number, t: number) => number,
): Check {
  let at = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < S.length; j++) {
    const ratio = Math.abs(S[j] - T[j]) / limit(S[j], T[j]);
    if (ratio <= most) continue;
    at = j; // also where the ratio is NaN
    most = Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
  }
  if (at < 0) return measured(name, 0, limit(0, 0), { batchIndex });
  const detail = `received ${S[at]}, expected ${T[at]}`;
  const where = { batchIndex, cluster: [at, at] as const, detail };
  return measured(name, Math.abs(S[at] - T[at]), limit(S[at], T[at]), where);
}

/**
 * Whether `received` and `expected`, decompositions of one matrix, have the same singular subspaces, left and right, each
 * for itself: per cluster of singular values (gaps ≤ 100τ join), ‖(I − U_c·U_cᵀ)·Ũ_c‖_F ≤ 4·√|c|·τ/gap (Wedin 1972), or
 * the orthonormality 40·ε·√|c| that rounding leaves where that is larger. From 0.5 on the comparison is undetermined.
 * `matchSvd` compares U and V together.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is no decomposition
 * @function
 */
export const matchSubspaces = exposed(
  { takes: ['received', 'expected'], options: undeterminedOptions },
  function matchSubspaces(
    received: SvdOperand,
    expected: SvdOperand,
    { acceptUndetermined = false }: UndeterminedOptions = {},
  ): Report {
    return report(eachSoundPair(received, expected, (a, b) => subspaceChecks(a, b, acceptUndetermined)));
  },
);

function subspaceChecks(a: Triplets, b: Triplets, accept: boolean): Check[] {
  const setting = comparison(a, b);
  const [x, y] = [wideColumns(a), wideColumns(b)];
  return clusters([a.S, b.S], setting).flatMap((cluster) => {
    const range = [cluster.first, cluster.last] as const;
    return (['U', 'V'] as const).map((side) => {
      const value = outside(columns(y[side], range), columns(x[side], range));
      const name = side === 'U' ? 'left singular subspace' : 'right singular subspace';
      return vectorCheck(name, value, cluster, setting, accept);
    });
  });
}

/** ‖(I − E·Eᵀ)·X‖_F */
const outside = (E: Tensor, X: Tensor): number =>
  dist(X, matmul(E, matmul(swapLast(E), X) as Tensor) as Tensor) as number;

/** What every cluster of one matrix is compared under. */
export interface Comparison extends Pick<Triplets, 'dtype' | 'batchIndex'> {
  readonly tau: number;
  readonly next: number;
}

export const comparison = (a: Triplets, b: Triplets): Comparison => ({
  tau: tau(a, b),
  next: Math.min(a.next, b.next), // where only one of them is known it serves both
  dtype: bounds.coarser(a.dtype, b.dtype),
  batchIndex: a.batchIndex,
});

/** `value` against the bound for singular vectors of a cluster; undetermined where that is Wedin's and too large. */
export function vectorCheck(
  name: string,
  value: number,
  { gap, ...cluster }: Cluster,
  { tau, next, dtype, batchIndex }: Comparison,
  accept: boolean,
): Check {
  const size = sizeOf({ gap, ...cluster });
  const range = [cluster.first, cluster.last] as const;
  const wedin = bounds.subspace(tau, size, gap);
  if (wedin < bounds.undetermined)
    return measured(name, value, bounds.vectors(dtype, tau, size, gap), { batchIndex, cluster: range });
  const unknown = gap === 0 && next === Number.POSITIVE_INFINITY;
  const detail = unknown
    ? 'the singular value that follows is not known; where it is, give it as `next`'
    : `the next singular value is ${short(gap)} away, τ is ${short(tau)}`;
  return undeterminedCheck(name, value, wedin, { batchIndex, cluster: range, detail }, accept);
}

/**
 * Whether `received` and `expected` are the same decomposition of one matrix, as far as the matrix determines it: the
 * singular values agree within τ, and for every cluster of them one rotation Q = polar(U_cᵀŨ_c + V_cᵀṼ_c) (a sign for a
 * single one) serves U and V both: ‖U_c·Q − Ũ_c‖_F and ‖V_c·Q − Ṽ_c‖_F ≤ 4·√|c|·τ/gap, with the floor of `matchSubspaces`
 * and undetermined from 0.5 on. So does a cluster whose singular values are 0: nothing ties its U to its V.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is no decomposition
 * @function
 */
export const matchSvd = exposed(
  { takes: ['received', 'expected'], options: undeterminedOptions },
  function matchSvd(
    received: SvdOperand,
    expected: SvdOperand,
    { acceptUndetermined = false }: UndeterminedOptions = {},
  ): Report {
    return report(
      eachSoundPair(received, expected, (a, b) => [
        absolute(a, b),
        ...vectorChecks(a, b, acceptUndetermined),
      ]),
    );
  },
);

function vectorChecks(a: Triplets, b: Triplets, accept: boolean): Check[] {
  const setting = comparison(a, b);
  const spectra = [a.S, b.S];
  const [x, y] = [wideColumns(a), wideColumns(b)];
  return clusters(spectra, setting).flatMap((cluster) => {
    const range = [cluster.first, cluster.last] as const;
    const [U, V] = [columns(y.U, range), columns(y.V, range)];
    const [receivedU, receivedV] = [columns(x.U, range), columns(x.V, range)];
    const Q = polar(sum(overlap(U, receivedU), overlap(V, receivedV)));
    const paired = { ...cluster, gap: pairGap(cluster, spectra) };
    return [
      vectorCheck('left singular vectors', rotated(U, Q, receivedU), paired, setting, accept),
      vectorCheck('right singular vectors', rotated(V, Q, receivedV), paired, setting, accept),
    ];
  });
}

const overlap = (X: Tensor, Y: Tensor): Tensor => matmul(swapLast(X), Y) as Tensor;

/** X += Y, both contiguous. */
function sum(X: Tensor, Y: Tensor): Tensor {
  for (let i = 0; i < X.data.length; i++) X.data[i] += Y.data[i];
  return X;
}

/** The orthogonal factor of the polar decomposition: the rotation nearest to X. */
function polar(X: Tensor): Tensor {
  const { U, Vh } = svd(X);
  return matmul(U, Vh) as Tensor;
}

/** ‖X·Q − Y‖_F */
const rotated = (X: Tensor, Q: Tensor, Y: Tensor): number => dist(matmul(X, Q) as Tensor, Y) as number;

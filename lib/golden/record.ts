import * as bounds from '../testing/bounds.ts';
import { type Cluster, clusters, pairGap, sizeOf } from '../testing/clusters.ts';
import {
  asDecomposition,
  type SvdOperand,
  shapeOf,
  type Triplets,
  tripletItems,
} from '../testing/decomposition.ts';
import { comparison } from '../testing/subspaces.ts';
import { cols, type Dtype, dtypeOf, rows } from '../views.ts';
import { type Fingerprint, fingerprints, type Probes, probesOf } from './fingerprint.ts';

/** What is kept of a decomposition to compare later ones with. */
export interface SpectrumRecord {
  /** `[..., l, r]` */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** One per matrix, in row-major order of the leading dimensions. */
  readonly items: readonly ItemRecord[];
}

export interface ItemRecord {
  /** β in `bound = 4εβ`. */
  readonly beta: number;
  readonly bound: number;
  readonly clusters: readonly ClusterRecord[];
}

/** Singular values that belong together, and the fingerprint of their vectors as far as the matrix determines them. */
export interface ClusterRecord extends Partial<Fingerprint> {
  readonly S: readonly number[];
}

/**
 * The record of a decomposition, which must be valid. S is kept to the last bit, a fingerprint to a sixteenth of its
 * tolerance.
 */
export function recordSpectrum(result: SvdOperand): SpectrumRecord {
  const x = asDecomposition(result, 'result');
  const probes = probesOf(rows(x.U), cols(x.Vh));
  const items = tripletItems(x).map((item) => recordItem(item, probes));
  return { shape: shapeOf(x), dtype: coarsest(x), items };
}

/** The dtype of a decomposition: the coarsest of its arrays. */
export const coarsest = ({ U, S, Vh }: Parameters<typeof shapeOf>[0]): Dtype =>
  [U, S, Vh].map(dtypeOf).reduce(bounds.coarser);

function recordItem(item: Triplets, probes: Probes): ItemRecord {
  const { S, bound, dtype } = item;
  const setting = comparison(item, item);
  const of = fingerprints(item, probes);
  return {
    beta: bounds.beta(dtype, bound),
    bound,
    clusters: clusters([S], setting).map((cluster) => ({
      S: Array.from(S.subarray(cluster.first, cluster.last + 1)),
      ...determined(of(cluster.first, cluster.last), tolerances(cluster, [S], setting, probes)),
    })),
  };
}

/** How far the fingerprint of a cluster may lie from that of another computation; `undefined` where it says nothing. */
export interface Tolerances {
  /** The bounds of Wedin that decide what is determined. */
  readonly wedin: number;
  readonly wedinPair: number;
  readonly left: readonly number[] | undefined;
  readonly right: readonly number[] | undefined;
  pair(of: Fingerprint): readonly number[] | undefined;
}

export function tolerances(
  cluster: Cluster,
  spectra: readonly Float64Array[],
  { tau, dtype }: { tau: number; dtype: Dtype },
  { normX, normY }: Probes,
): Tolerances {
  const size = sizeOf(cluster);
  const gap = pairGap(cluster, spectra);
  const wedin = bounds.subspace(tau, size, cluster.gap);
  const wedinPair = bounds.subspace(tau, size, gap);
  const own = bounds.vectors(dtype, tau, size, cluster.gap);
  const paired = bounds.vectors(dtype, tau, size, gap);
  const known = wedin < bounds.undetermined;
  return {
    wedin,
    wedinPair,
    left: known ? normX.map((norm) => bounds.probeNorm(own, norm)) : undefined,
    right: known ? normY.map((norm) => bounds.probeNorm(own, norm)) : undefined,
    pair: ({ left, right }) =>
      wedinPair < bounds.undetermined
        ? left.map((a, j) => bounds.probeProduct(paired, normX[j], normY[j], a, right[j]))
        : undefined,
  };
}

/** What the matrix determines of a fingerprint, rounded. */
function determined(of: Fingerprint, { left, right, pair }: Tolerances): Partial<Fingerprint> {
  const limits = { left, right, pair: pair(of) };
  return Object.fromEntries(
    (['left', 'right', 'pair'] as const)
      .filter((side) => limits[side] !== undefined)
      .map((side) => [side, of[side].map((value, j) => rounded(value, limits[side]![j]))]),
  );
}

/** `value` with an error of a sixteenth of `tolerance` at most, in as few digits as that takes. */
const rounded = (value: number, tolerance: number): number =>
  Number(value.toFixed(Math.min(100, Math.max(0, Math.ceil(-Math.log10(tolerance / 8))))));

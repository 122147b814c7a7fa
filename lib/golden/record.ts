import * as bounds from '../testing/bounds.ts';
import { clusters } from '../testing/clusters.ts';
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
import { boundOf, finestBounds, limits, vectorBounds } from './tolerances.ts';

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
 * The record of a decomposition, which must be valid. S is kept to the last bit, a fingerprint to a sixteenth of the
 * smallest tolerance there is.
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
    clusters: clusters([S], setting).map((cluster) => {
      const fingerprint = of(cluster.first, cluster.last);
      const known = vectorBounds(cluster, [S], setting);
      const rounding = limits(finestBounds(cluster, dtype), fingerprint, probes);
      const sides = (['left', 'right', 'pair'] as const).filter(
        (side) => known[boundOf(side)] < bounds.undetermined,
      );
      return {
        S: Array.from(S.subarray(cluster.first, cluster.last + 1)),
        ...Object.fromEntries(sides.map((side) => [side, rounded(fingerprint[side], rounding[side])])),
      };
    }),
  };
}

/** Each value with an error of a sixteenth of its tolerance at most, in as few digits as that takes. */
const rounded = (values: readonly number[], tolerances: readonly number[]): number[] =>
  values.map((value, j) => Number(value.toFixed(Math.max(0, Math.ceil(-Math.log10(tolerances[j] / 8))))));

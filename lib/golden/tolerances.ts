import * as bounds from '../testing/bounds.ts';
import { type Cluster, pairGap, sizeOf } from '../testing/clusters.ts';
import type { Dtype } from '../views.ts';
import type { Fingerprint, Probes } from './fingerprint.ts';

/** How far the singular vectors of a cluster may lie from those of another computation. */
export interface VectorBounds {
  /** Left ones from left ones, right ones from right ones, each up to a rotation of its own. */
  readonly alone: number;
  /** Both up to one rotation. */
  readonly paired: number;
}

export function vectorBounds(
  cluster: Cluster,
  spectra: readonly Float64Array[],
  { tau, dtype }: { tau: number; dtype: Dtype },
): VectorBounds {
  const at = (gap: number) => bounds.vectors(dtype, tau, sizeOf(cluster), gap);
  return { alone: at(cluster.gap), paired: at(pairGap(cluster, spectra)) };
}

/** The smallest bounds that a cluster, or several taken as one, can have. */
export function finestBounds(cluster: Cluster, dtype: Dtype): VectorBounds {
  const rounding = bounds.orthonormality(dtype, sizeOf(cluster));
  return { alone: rounding, paired: rounding };
}

/** Which of the bounds decides over a part of the fingerprint. */
export const boundOf = (side: keyof Fingerprint): keyof VectorBounds =>
  side === 'pair' ? 'paired' : 'alone';

/** How far each number of a fingerprint may lie from that of another computation. */
export function limits(
  { alone, paired }: VectorBounds,
  { left, right }: Fingerprint,
  { normX, normY }: Probes,
): Fingerprint {
  return {
    left: normX.map((norm) => bounds.probeNorm(alone, norm)),
    right: normY.map((norm) => bounds.probeNorm(alone, norm)),
    pair: left.map((a, j) => bounds.probeProduct(paired, normX[j], normY[j], a, right[j])),
  };
}

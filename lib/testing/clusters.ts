import * as bounds from './bounds.ts';

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

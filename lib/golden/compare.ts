import type { Dtype } from '../array/elements.ts';
import { cols, rows, showShape } from '../array/tensor.ts';
import * as bounds from '../testing/bounds.ts';
import { finiteFactors, shapes, soundness } from '../testing/checks.ts';
import {
  asDecomposition,
  type Decomposition,
  type SvdOperand,
  shapeOf,
  type Triplets,
  tripletItems,
} from '../testing/decomposition.ts';
import { absolute, type Cluster, clusters, tau } from '../testing/match.ts';
import {
  allPass,
  type Check,
  exact,
  measured,
  type Report,
  report,
  undeterminedCheck,
} from '../testing/report.ts';
import {
  boundOf,
  type ClusterRecord,
  coarsest,
  type Fingerprint,
  fingerprints,
  type ItemRecord,
  joined,
  limits,
  type Probes,
  probesOf,
  type SpectrumRecord,
  type VectorBounds,
  vectorBounds,
} from './record.ts';

/**
 * Whether `result` is the decomposition that was recorded, within the error bounds of both: shapes and dtype, a valid
 * spectrum and orthonormal vectors, singular values within τ, and the singular vectors of every cluster as far as their
 * fingerprint shows them. What was undetermined when it was recorded is left out (its checks pass as undetermined); what
 * has become undetermined since is not, and makes the report undetermined.
 */
export function compareSpectrum(result: SvdOperand, golden: SpectrumRecord): Report {
  const x = asDecomposition(result, 'result');
  const fit = sameOutline(x, golden);
  if (!allPass(fit)) return report(fit);
  const probes = probesOf(rows(x.U), cols(x.Vh));
  const checks = tripletItems(x).flatMap((item, i) => {
    const finite = finiteFactors(item);
    if (!allPass(finite)) return finite;
    const sound = [...finite, ...soundness(item)];
    return allPass(sound) ? [...sound, ...compareItem(item, golden.items[i], probes)] : sound;
  });
  return report([...fit, ...checks]);
}

function sameOutline(x: Decomposition, golden: SpectrumRecord): Check[] {
  const fit = shapes('shapes', x);
  if (!fit.pass) return [fit];
  const describe = (dtype: Dtype, p: number, shape: readonly number[]) =>
    `${dtype}, ${p} singular values of ${showShape(shape)}`;
  const now = describe(coarsest(x), x.S.shape.at(-1)!, shapeOf(x));
  const p = golden.items.length > 0 ? valuesOf(golden.items[0]).length : x.S.shape.at(-1)!;
  const recorded = describe(golden.dtype, p, golden.shape);
  const same = now === recorded;
  const detail = same ? undefined : `now ${now}; recorded ${recorded}`;
  return [fit, exact('same dtype and shapes', same ? 0 : 1, { detail })];
}

const valuesOf = ({ clusters }: ItemRecord): Float64Array =>
  Float64Array.from(clusters.flatMap(({ S }) => S));

function compareItem(item: Triplets, golden: ItemRecord, probes: Probes): Check[] {
  const recorded = { ...item, S: valuesOf(golden), bound: golden.bound };
  const spectra = [item.S, recorded.S];
  const setting = { tau: tau(item, recorded), dtype: item.dtype };
  const parts = indexed(golden.clusters);
  const ends = new Set(parts.map(({ last }) => last));
  const now = fingerprints(item, probes);
  const vectors = clusters(spectra, { ...setting, next: item.next, ends }).flatMap((cluster) => {
    const inside = parts.filter(({ first, last }) => first >= cluster.first && last <= cluster.last);
    const found = now(cluster.first, cluster.last);
    const allowed = vectorBounds(cluster, spectra, setting);
    const where = { batchIndex: item.batchIndex, cluster: [cluster.first, cluster.last] as const };
    return compareCluster(found, inside, allowed, limits(allowed, found, probes), where);
  });
  return [absolute(item, recorded), ...vectors];
}

type Part = ClusterRecord & Pick<Cluster, 'first' | 'last'>;

/** The recorded clusters with their place in the spectrum. */
function indexed(clusters: readonly ClusterRecord[]): Part[] {
  let first = 0;
  return clusters.map((cluster) => {
    const part = { ...cluster, first, last: first + cluster.S.length - 1 };
    first += cluster.S.length;
    return part;
  });
}

const names = {
  left: 'left singular vectors',
  right: 'right singular vectors',
  pair: 'pairing of left and right singular vectors',
} as const;

function compareCluster(
  now: Fingerprint,
  parts: readonly ClusterRecord[],
  allowed: VectorBounds,
  limits: Fingerprint,
  where: Pick<Check, 'batchIndex' | 'cluster'>,
): Check[] {
  return (['left', 'right', 'pair'] as const).map((side) => {
    const bound = allowed[boundOf(side)];
    const recorded = parts.map((part) => part[side]).filter((values) => values !== undefined);
    const neverKnown = parts.length === 1 && recorded.length === 0;
    if (neverKnown || recorded.length < parts.length || bound >= bounds.undetermined) {
      const detail = neverKnown ? 'when it was recorded' : 'it was determined when it was recorded';
      return undeterminedCheck(names[side], 0, bound, { ...where, detail }, neverKnown);
    }
    return worstProbe(names[side], now[side], joined(side, recorded), limits[side], where);
  });
}

/** The probe that is furthest beyond its limit, or nearest to it. */
function worstProbe(
  name: string,
  now: readonly number[],
  then: readonly number[],
  limit: readonly number[],
  where: Pick<Check, 'batchIndex' | 'cluster'>,
): Check {
  const all = now.map((value, j) => measured(name, Math.abs(value - then[j]), limit[j], where));
  return all.reduce((a, b) => (b.value / b.bound > a.value / a.bound ? b : a));
}

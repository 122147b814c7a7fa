import type { Dtype } from '../array/elements.ts';
import { cols, dtypeOf, rows, swapLast, type Tensor, tensor } from '../array/tensor.ts';
import { matmul } from '../matmul.ts';
import type { Versions } from '../runtime.ts';
import * as bounds from '../testing/bounds.ts';
import {
  asDecomposition,
  type SvdOperand,
  shapeOf,
  type Triplets,
  tripletItems,
  wideColumns,
} from '../testing/decomposition.ts';
import { type Cluster, clusters, comparison, pairGap, sizeOf } from '../testing/match.ts';

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

/**
 * Probe number `j` of `length`: fixed numbers in (−1, 1), made of integer operations alone, so that they are the same on
 * every machine. Golden files hold what singular vectors make of them: they must never change.
 */
export function probe(j: number, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => {
    let h = (Math.imul(i + 1, 0x9e3779b1) + Math.imul(j + 1, 0x85ebca77)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    return (h + 0.5) * 2 ** -31;
  });
}

/** Probes of each side; a wrong vector escapes both with a probability of about the square of its tolerance. */
export const probeCount = 2;

/** Euclidean norm. */
export const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

/**
 * What the singular vectors of one cluster make of the probes x_j (left) and y_j (right). None of it depends on signs,
 * nor on a rotation within the cluster that U and V share.
 */
export interface Fingerprint {
  /** ‖U_cᵀx_j‖: the left singular subspace. */
  readonly left: readonly number[];
  /** ‖V_cᵀy_j‖: the right one. */
  readonly right: readonly number[];
  /** x_jᵀ·U_c·V_cᵀ·y_j: which u belongs to which v. */
  readonly pair: readonly number[];
}

/** The probes of an l×r matrix. */
export interface Probes {
  readonly x: readonly Float64Array[];
  readonly y: readonly Float64Array[];
  readonly normX: readonly number[];
  readonly normY: readonly number[];
}

export function probesOf(l: number, r: number): Probes {
  const all = Array.from({ length: probeCount }, (_, j) => j);
  const x = all.map((j) => probe(2 * j, l));
  const y = all.map((j) => probe(2 * j + 1, r));
  return { x, y, normX: x.map(norm), normY: y.map(norm) };
}

/** The fingerprint of any range of the singular triplets of one matrix. */
export function fingerprints(item: Triplets, { x, y }: Probes): (first: number, last: number) => Fingerprint {
  const { U, V } = wideColumns(item);
  const [a, b] = [x.map((probe) => project(U, probe)), y.map((probe) => project(V, probe))];
  return (first, last) => {
    const part = (all: Float64Array[], j: number) => all[j].subarray(first, last + 1);
    return {
      left: a.map((_, j) => norm(part(a, j))),
      right: b.map((_, j) => norm(part(b, j))),
      pair: a.map((_, j) => part(a, j).reduce((sum, value, i) => sum + value * b[j][first + i], 0)),
    };
  };
}

/** Xᵀ·x */
const project = (X: Tensor, x: Float64Array): Float64Array =>
  (matmul(swapLast(X), tensor(x, [rows(X)])) as Tensor<Float64Array>).data;

/** One side of the fingerprint of several clusters taken as one, from theirs. */
export function joined(side: keyof Fingerprint, parts: readonly (readonly number[])[]): number[] {
  return parts[0].map((_, j) => {
    const values = parts.map((part) => part[j]);
    return side === 'pair' ? values.reduce((sum, value) => sum + value, 0) : Math.hypot(...values);
  });
}

/** Which matrix of a weight file was recorded: factors that are there, one tensor, or the product of two. */
export interface Source {
  readonly factors?: boolean;
  readonly matrix?: string;
  readonly a?: string;
  readonly b?: string;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

export interface GoldenRecord extends SpectrumRecord {
  /** The weight file, relative to the folder of the golden file, with `/`. */
  readonly file: string;
  readonly source: Source;
}

/** The contents of a golden file. */
export interface Golden {
  /** What computed it. */
  readonly versions: Versions;
  readonly records: readonly GoldenRecord[];
}

/** The first line of every golden file. */
export const format = 'factored-svd golden 1';

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

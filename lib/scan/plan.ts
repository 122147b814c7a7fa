import { product } from '../array/tensor.ts';
import type { Shard } from '../circuits/run/index.ts';
import { isReadable } from '../weights/dtypes.ts';
import type { TensorInfo } from '../weights/header.ts';
import type { Weights } from '../weights/index.ts';
import { type Matrices, matricesOf } from '../weights/matrices.ts';
import { matches } from '../weights/patterns.ts';

/** Which tensors are scanned. */
export interface Selection {
  /** Names that match one of these patterns; default all. */
  readonly include: readonly string[];
  /** But none of these. */
  readonly exclude: readonly string[];
  /** Only matrices with at least so many rows and columns. */
  readonly minSize: number;
}

/** What is read and kept together: a tensor, or some of the matrices of a stack. */
export interface Unit {
  /** Its place among all units of the scan. */
  readonly index: number;
  readonly name: string;
  readonly info: TensorInfo;
  /** Missing where it is no matrix, or cannot be read as numbers: `reason` says which. */
  readonly matrices: Matrices | undefined;
  readonly reason?: string;
  /** Those of the stack, without `to`. */
  readonly from: number;
  readonly to: number;
  /** What it takes, in multiplications. */
  readonly cost: number;
}

/** Elements of a unit, unless a matrix has more. */
const mostElements = 2 ** 24;

/** Multiplications that take as long as reading an element. */
const perElement = 64;

/**
 * All units of a scan in the order of the weights; they do not depend on the shard.
 * @throws `ERR_SVD_FILE` for a pattern that matches nothing
 */
export function unitsOf({ tensors, names, path }: Weights, { include, exclude, minSize }: Selection): Unit[] {
  const units: Unit[] = [];
  const matching = (patterns: readonly string[]) =>
    new Set(patterns.flatMap((pattern) => [...matches(pattern, names, path).keys()]));
  const [included, excluded] = [include, exclude].map(matching);
  for (const [name, info] of tensors) {
    if ((include.length > 0 && !included.has(name)) || excluded.has(name)) continue;
    const { matrices, reason } = asMatrices(info);
    const short = matrices && Math.min(matrices.rows, matrices.cols);
    if (minSize > 0 && (short === undefined || short < minSize)) continue;
    const all = matrices?.count ?? 1;
    const each = matrices ? matrices.rows * matrices.cols : product(info.shape);
    const step = Math.max(1, Math.floor(mostElements / Math.max(1, each)));
    for (let from = 0; from < all; from += step) {
      const to = Math.min(all, from + step);
      const cost = (to - from) * each * ((short ?? 0) + perElement);
      units.push({ index: units.length, name, info, matrices, reason, from, to, cost });
    }
  }
  return units;
}

function asMatrices({ dtype, shape }: TensorInfo): { matrices?: Matrices; reason?: string } {
  if (!isReadable(dtype)) return { reason: `${dtype} is no float of 16 bits or more` };
  const matrices = matricesOf(shape);
  if (matrices) return { matrices };
  return { reason: product(shape) === 0 ? 'empty' : shape.length === 0 ? 'a number' : 'a vector' };
}

/** The units of a shard, such that all take about as long: the costliest first, each to the shard that has least to do. */
export function unitsOfShard(units: readonly Unit[], shard: Shard | undefined): Unit[] {
  if (shard === undefined) return [...units];
  const work = Array.from({ length: Math.min(shard.count, Math.max(1, units.length)) }, () => 0);
  const own: Unit[] = [];
  for (const unit of [...units].sort((a, b) => b.cost - a.cost || a.index - b.index)) {
    let least = 0;
    for (let i = 1; i < work.length; i++) if (work[i] < work[least]) least = i;
    work[least] += unit.cost;
    if (least === shard.index - 1) own.push(unit);
  }
  return own.sort((a, b) => a.index - b.index);
}

/** A name for a unit that no other of the scan has. */
export const unitKey = ({ index, name }: Unit): string => `${index} ${name}`;

import { matmul } from '../matmul.ts';
import { type Triplets, wideColumns } from '../testing/decomposition.ts';
import { rows, swapLast, type Tensor, tensor } from '../views.ts';
import { norm, probe, probeCount } from './probes.ts';

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

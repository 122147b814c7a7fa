import { exposed } from '../boundary.ts';
import { dist } from '../dist.ts';
import { matmul } from '../matmul.ts';
import { swapLast, type Tensor } from '../views.ts';
import * as bounds from './bounds.ts';
import { type Cluster, clusters, sizeOf } from './clusters.ts';
import { columns, type SvdOperand, type Triplets, wideColumns } from './decomposition.ts';
import { eachSoundPair } from './pairs.ts';
import {
  type Check,
  measured,
  type Report,
  report,
  short,
  type UndeterminedOptions,
  undeterminedCheck,
  undeterminedOptions,
} from './report.ts';
import { tau } from './singular-values.ts';

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

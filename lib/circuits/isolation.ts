import type { NdArray } from 'ndarray';
import { exposed } from '../arguments/boundary.ts';
import type { Dtype } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { ndarray } from '../array/ndarray.ts';
import { rowMajorStrides } from '../array/tensor.ts';
import * as bounds from '../testing/bounds.ts';
import { asDecomposition, misfit, type SvdOperand, tripletItems } from '../testing/decomposition.ts';
import { clusters, sizeOf } from '../testing/match.ts';

/** Which singular vectors are determined, each by itself or only together with others. All arrays have the shape of S. */
export interface Isolation {
  /** Which cluster the vectors of each singular value are of, counted from 0: neighbours closer than 100·τ are in one. */
  readonly cluster: NdArray<Int32Array>;
  /** 1 where the vectors are alone in their cluster and `angle` says something of them, else 0. */
  readonly isolated: NdArray<Uint8Array>;
  /**
   * Largest angle to expect, in radians, between what the vectors of the cluster span and what the exact ones do, left and
   * right; of an isolated one that is the angle between the two vectors, but for their sign. π/2 where nothing can be said.
   */
  readonly angle: NdArray<Float64Array>;
}

/**
 * Whether a singular direction is one: for every singular vector whether the error bounds determine it alone, or only the
 * space that the vectors of several close singular values span, whose basis is a matter of rounding.
 *
 * Where the singular values are known to τ = `bound` + η, and those of a cluster c are `gap` away from all others,
 * ‖(I − U_c·U_cᵀ)·Ũ_c‖_F ≤ 4·√|c|·τ/gap, for V too: the sine theorem of Davis and Kahan, which Wedin (BIT 12, 1972) proved for singular
 * vectors; docs/numerics.md has the constants, which are tested and not proved. From 0.5 on nothing is said. Of a matrix that is not square 0
 * counts as a neighbour, and of leading triplets the value that follows: `next`, which results of this package carry; where it is not
 * known, the last cluster is undetermined.
 *
 * It is the rounding of the computation that is meant. Weights that are themselves only known to some digits move their
 * singular vectors further.
 *
 * @param svd a decomposition `{ U, S, Vh }` with its `bound` and `next`, or a `FactoredMatrix`, which is decomposed
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE`
 * @function
 */
export const isolation = exposed({ takes: ['svd'] }, function isolation(svd: SvdOperand): Isolation {
  const factors = asDecomposition(svd, 'isolation');
  const problem = misfit(factors);
  if (problem) throw svdError('ERR_SVD_SHAPE', `isolation: ${problem}`);
  const shape = [...factors.S.shape];
  const p = shape[shape.length - 1];
  const items = tripletItems(factors);
  const length = items.length * p;
  const [cluster, isolated, angle] = [
    new Int32Array(length),
    new Uint8Array(length),
    new Float64Array(length),
  ];
  items.forEach((item, i) => {
    directions(item).forEach((direction, j) => {
      cluster[i * p + j] = direction.cluster;
      isolated[i * p + j] = direction.isolated ? 1 : 0;
      angle[i * p + j] = direction.angle;
    });
  });
  return { cluster: view(cluster, shape), isolated: view(isolated, shape), angle: view(angle, shape) };
});

// biome-ignore lint/suspicious/noExplicitAny: ndarray takes any typed array
const view = <D>(data: D, shape: number[]): NdArray<any> =>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  ndarray(data as any, shape, rowMajorStrides(shape), 0);

/** What is known of one pair of singular vectors. */
export interface Direction {
  readonly cluster: number;
  readonly isolated: boolean;
  readonly angle: number;
}

/** What is known of the singular values of one matrix. */
export interface KnownSpectrum {
  readonly S: Float64Array;
  readonly bound: number;
  /** The singular value that follows the last: −∞ where there is none, ∞ where it is not known. */
  readonly next: number;
  /** Of the vectors. */
  readonly dtype: Dtype;
}

/** What the bounds say of every pair of singular vectors of one matrix. */
export function directions({ S, bound, next, dtype }: KnownSpectrum): Direction[] {
  const tau = bounds.singularValues(dtype, bound, 0);
  return clusters([S], { tau, next }).flatMap((cluster, index) => {
    const size = sizeOf(cluster);
    const determined = bounds.subspace(tau, size, cluster.gap) < bounds.undetermined;
    const sine = determined ? bounds.vectors(dtype, tau, size, cluster.gap) : 1;
    const direction = {
      cluster: index,
      isolated: size === 1 && determined,
      angle: Math.asin(Math.min(1, sine)),
    };
    return new Array<Direction>(size).fill(direction);
  });
}

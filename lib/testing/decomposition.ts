import { type Factored, isFactored } from '../algorithms/operands.ts';
import { has } from '../array/describe.ts';
import type { Dtype } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { itemOffsets } from '../array/indexing.ts';
import type { MatrixLike } from '../array/input.ts';
import { ndarray } from '../array/ndarray.ts';
import {
  cols,
  dtypeOf,
  leadingDims,
  product,
  rows,
  showShape,
  sliceAxis,
  swapLast,
  type Tensor,
  unravel,
} from '../array/tensor.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import { asTensor, floats } from '../native/owned.ts';
import { runSync } from '../native/steps.ts';
import * as bounds from './bounds.ts';

/**
 * A decomposition `a ≈ U · diag(S) · Vh`, thin or with square U and Vh: what `svd` returns, or the same from elsewhere.
 * A `FactoredMatrix` stands for its `svd()`.
 */
export type SvdOperand = SvdFactors | Factored;

/** The factors of a decomposition, and what is known of how exact they are. */
export interface SvdFactors {
  /** `[..., l, p]` or `[..., l, l]` */
  readonly U: MatrixLike;
  /** `[..., p]` */
  readonly S: MatrixLike;
  /** `[..., p, r]` or `[..., r, r]` */
  readonly Vh: MatrixLike;
  /** Largest error to expect in a singular value: one number, or one per matrix. Default: 4ε·√p·σ₁. */
  readonly bound?: number | MatrixLike | undefined;
  /**
   * The singular value that follows the last of S, where S has fewer than min(l, r): one number, or one per matrix. 0 for
   * what a product of inner dimension p has in all. Where it is not given the vectors of the last cluster are undetermined.
   */
  readonly next?: number | MatrixLike | undefined;
}

/** A decomposition as arrays. That they fit each other has not been checked. */
export interface Decomposition {
  readonly U: Tensor;
  readonly S: Tensor;
  readonly Vh: Tensor;
  /** Per matrix. */
  readonly bound: Float64Array;
  /** Per matrix, as in `Triplets`. */
  readonly next: Float64Array;
}

/** One matrix of it: the p singular triplets, whatever else U and Vh hold left out. */
export interface Triplets {
  readonly U: Tensor;
  readonly S: Float64Array;
  readonly Vh: Tensor;
  readonly bound: number;
  /** The singular value that follows the last: −∞ where there is none, ∞ where it is not known. */
  readonly next: number;
  /** The coarsest of the three arrays. */
  readonly dtype: Dtype;
  readonly batchIndex: readonly number[] | undefined;
}

/** Whether `x` is meant as a decomposition. */
export const isSvdOperand = (x: unknown): x is SvdOperand => isFactored(x) || has(x, 'U', 'S', 'Vh');

/** Checks that `x` is a decomposition, by its form alone. `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` */
export function asDecomposition(x: SvdOperand, name: string): Decomposition {
  if (isFactored(x)) return asDecomposition(FactoredMatrix.from(x).svd(), name);
  if (!has(x, 'U', 'S', 'Vh')) {
    const V = has(x, 'U', 'S', 'V') ? '; it has V: pass transpose(V) as Vh' : '';
    throw svdError('ERR_SVD_ARGUMENT', `${name}: expected a decomposition { U, S, Vh }${V}`);
  }
  const [U, Vh] = [asTensor(x.U, `${name}.U`), asTensor(x.Vh, `${name}.Vh`)];
  const S = asTensor(x.S, `${name}.S`, 1);
  const shape = [rows(U), cols(Vh)] as const;
  return { U, S, Vh, bound: boundsOf(S, x.bound, name, shape), next: nextOf(S, x.next, name, shape) };
}

/** The singular value that follows those of every matrix m×n of `S`. */
function nextOf(S: Tensor, given: SvdFactors['next'], name: string, [m, n]: readonly [number, number]) {
  const all = S.shape[S.shape.length - 1] >= Math.min(m, n);
  if (!all) return perItem(S, given ?? Number.POSITIVE_INFINITY, `${name}.next`);
  return perItem(S, m === n ? Number.NEGATIVE_INFINITY : 0, name);
}

/** The error bound of every matrix of `S`: `given`, or that of a plain matrix, m×n where that is known. */
export function boundsOf(
  S: Tensor,
  given: SvdFactors['bound'],
  name: string,
  [m, n]: readonly number[] = [],
): Float64Array {
  if (given === undefined)
    return Float64Array.from(vectorItems(S), (s) =>
      bounds.denseBound(dtypeOf(S), m ?? s.length, n ?? s.length, s[0]),
    );
  return perItem(S, given, `${name}.bound`);
}

/** One number for every matrix of `S`. */
function perItem(S: Tensor, given: number | MatrixLike, name: string): Float64Array {
  const leading = S.shape.slice(0, -1);
  if (typeof given === 'number') return new Float64Array(product(leading)).fill(given);
  const array = asTensor(given, name, 0);
  if (array.shape.join() !== leading.join()) {
    const shapes = `${showShape(array.shape)} for S of shape ${showShape(S.shape)}`;
    throw svdError('ERR_SVD_SHAPE', `${name}: shape ${shapes}: expected one number per matrix`);
  }
  return Float64Array.from(itemOffsets(array, array.shape.length), (offset) => array.data[offset]);
}

/** The shape `[..., l, r]` of what was decomposed. */
export const shapeOf = ({ U, Vh }: Decomposition): number[] => [...U.shape.slice(0, -1), cols(Vh)];

/** Why U, S and Vh are not the factors of one decomposition; `undefined` when they are. */
export function misfit({ U, S, Vh }: Decomposition): string | undefined {
  const p = S.shape[S.shape.length - 1];
  const leading = S.shape.slice(0, -1).join();
  const fits =
    leadingDims(U).join() === leading &&
    leadingDims(Vh).join() === leading &&
    p <= Math.min(rows(U), cols(Vh)) &&
    [p, rows(U)].includes(cols(U)) &&
    [p, cols(Vh)].includes(rows(Vh));
  if (fits) return undefined;
  return `U ${showShape(U.shape)}, S ${showShape(S.shape)}, Vh ${showShape(Vh.shape)} are not the factors of one decomposition`;
}

/** The matrices of a decomposition whose factors fit. */
export function tripletItems({ U, S, Vh, bound, next }: Decomposition): Triplets[] {
  const p = S.shape[S.shape.length - 1];
  const [us, vs] = [matrixItems(U), matrixItems(Vh)];
  const dtype = [U, S, Vh].map(dtypeOf).reduce(bounds.coarser);
  return vectorItems(S).map((s, i) => ({
    U: sliceAxis(us[i], 1, 0, p),
    S: s,
    Vh: sliceAxis(vs[i], 0, 0, p),
    bound: bound[i],
    next: next[i],
    dtype,
    batchIndex: batchIndex(S.shape.slice(0, -1), i),
  }));
}

/** Place of item `i` in the leading dimensions; none where there are none. */
export const batchIndex = (leading: readonly number[], i: number): number[] | undefined =>
  leading.length > 0 ? unravel(i, leading) : undefined;

/** The matrices of a batch, as views. */
export function matrixItems(x: Tensor): Tensor[] {
  return Array.from(itemOffsets(x), (offset) =>
    ndarray(x.data, x.shape.slice(-2), x.stride.slice(-2), offset),
  );
}

/** The vectors of a batch, copied to float64. */
export function vectorItems(x: Tensor): Float64Array[] {
  const last = x.shape.length - 1;
  return Array.from(itemOffsets(x, last), (offset) =>
    Float64Array.from({ length: x.shape[last] }, (_, j) => x.data[offset + j * x.stride[last]]),
  );
}

/** `x` in float64. */
export const widened = (x: Tensor): Tensor => runSync(floats(x, 'float64'));

/** Columns `first` … `last` of a matrix. */
export const columns = (x: Tensor, [first, last]: readonly [number, number]): Tensor =>
  sliceAxis(x, 1, first, last - first + 1);

/** U and V of one matrix as columns, in float64. */
export const wideColumns = ({ U, Vh }: Triplets): { U: Tensor; V: Tensor } => ({
  U: widened(U),
  V: swapLast(widened(Vh)),
});

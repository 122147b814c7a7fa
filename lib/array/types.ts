import type { NdArray } from 'ndarray';
import type { FloatArray, Tensor } from './tensor.ts';

// What the types of arguments say of results: the element type, and whether there is one matrix or a batch of them.

/** One number per matrix: a number, or an ndarray of the leading dimensions. */
export type PerMatrix = number | Tensor<Float64Array>;

/** An ndarray of one dimension. */
export interface Vector<D extends FloatArray = FloatArray> extends NdArray<D> {
  /** `[n]` */
  shape: [length: number];
}

/** An ndarray of two dimensions. */
export interface Matrix<D extends FloatArray = FloatArray> extends NdArray<D> {
  /** `[m, n]` */
  shape: [rows: number, cols: number];
}

/** An ndarray of more: a batch of matrices. */
export interface MatrixBatch<D extends FloatArray = FloatArray> extends NdArray<D> {
  /** `[..., m, n]` */
  shape: [leading: number, ...rest: number[], rows: number, cols: number];
}

/** Matrices, where one number per matrix is an `N`. */
export type MatrixOf<D extends FloatArray, N> = [N] extends [number]
  ? Matrix<D>
  : [N] extends [Tensor]
    ? MatrixBatch<D>
    : Tensor<D>;

/** A vector for every matrix, where one number per matrix is an `N`. */
export type VectorOf<D extends FloatArray, N> = [N] extends [number] ? Vector<D> : Tensor<D>;

/** The shape of such matrices. */
export type ShapeOf<N> = Readonly<MatrixOf<FloatArray, N>['shape']>;

/** How many dimensions: 3 stands for three or more, the union of all for what is not known. */
type Rank = 1 | 2 | 3;

type RankOfShape<S> = S extends readonly [number]
  ? 1
  : S extends readonly [number, number]
    ? 2
    : S extends readonly [number, ...number[], number, number]
      ? 3
      : Rank;

type RankOfNested<M> = M extends readonly number[]
  ? 1
  : M extends readonly (readonly number[] | FloatArray)[]
    ? 2
    : M extends readonly (readonly (readonly unknown[] | FloatArray)[])[]
      ? 3
      : Rank;

/** The dimensions of an array, of a `FactoredMatrix`, or of the matrix that was decomposed. */
export type RankOf<M> = M extends { readonly A: infer X; readonly B: unknown } | { readonly U: infer X }
  ? Exclude<RankOf<X>, 1>
  : M extends { readonly shape: infer S }
    ? RankOfShape<S>
    : M extends { readonly dims: infer S }
      ? RankOfShape<S>
      : RankOfNested<M>;

/** The dimensions of what two arrays of matrices broadcast to. */
export type LargerRank<P, Q> = P extends 3 ? 3 : Q;

/** What one number per matrix is for arrays of so many dimensions. */
export type NumberPer<R> = R extends 2 ? number : R extends 3 ? Tensor<Float64Array> : never;

/** What one number per matrix of `M` is. */
export type PerMatrixOf<M> = NumberPer<RankOf<M>>;

type ElementsOf<D> = D extends Float64Array
  ? Float64Array
  : D extends Float32Array | Uint16Array | { readonly [Symbol.toStringTag]: 'Float16Array' }
    ? Float32Array
    : FloatArray;

type ElementsOfRow<R> = R extends number | Float64Array
  ? Float64Array
  : R extends Float32Array
    ? Float32Array
    : FloatArray;

type ElementsOfRows<R> = R extends readonly (infer Q)[]
  ? Q extends readonly (infer P)[]
    ? ElementsOfRow<P>
    : ElementsOfRow<Q>
  : ElementsOfRow<R>;

/** The element type of what is computed from `M`. */
export type DataOf<M> = M extends { readonly A: infer A; readonly B: infer B }
  ? Promoted<DataOf<A>, DataOf<B>>
  : M extends { readonly U: infer U }
    ? DataOf<U>
    : M extends { readonly data: infer D }
      ? ElementsOf<D>
      : M extends readonly (infer E)[]
        ? ElementsOfRows<E>
        : FloatArray;

/** float32 only where both are. */
export type Promoted<P, Q> = P extends Float64Array ? Float64Array : Q extends FloatArray ? Q : FloatArray;

import type { NdArray } from 'ndarray';
import { type Dtype, dtypeOfStored, type FloatArray, type Stored } from './elements.ts';
import { type SvdError, svdError } from './errors.ts';
import { ndarray } from './ndarray.ts';

export type { Dtype, FloatArray } from './elements.ts';

/** A strided view: the scijs `ndarray` this package returns. */
export type Tensor<D extends FloatArray = FloatArray> = NdArray<D>;

/** A view of what a caller gave, as it is stored. */
export type Input<D extends Stored = Stored> = NdArray<D>;

/** What the elements are computed in. */
export const dtypeOf = (x: Input): Dtype => dtypeOfStored(x.data);

/** ε of the bounds: the distance from 1 to the next number of the dtype. */
export const epsilon = (dtype: Dtype): number => (dtype === 'float32' ? 2 ** -23 : 2 ** -52);

export const promote = (a: Dtype, b: Dtype): Dtype => (a === 'float32' && b === 'float32' ? a : 'float64');

export const product = (dims: readonly number[]): number => dims.reduce((p, n) => p * n, 1);

export const rowMajorStrides = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(shape[axis], 1);
  }
  return strides;
};

/** A row-major, contiguous view of all of `data`. */
export const tensor = <D extends Stored>(data: D, shape: readonly number[]): Input<D> =>
  ndarray(data, [...shape], rowMajorStrides(shape), 0);

const view = <D extends Stored>(
  x: Input<D>,
  shape: number[],
  stride: number[],
  offset = x.offset,
): Input<D> => ndarray(x.data, shape, stride, offset);

export const isContiguous = (x: {
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}): boolean => {
  const expected = rowMajorStrides(x.shape);
  return x.shape.every((n, axis) => n === 1 || x.stride[axis] === expected[axis]);
};

/** Dimensions before the last two. */
export const leadingDims = (x: Input): number[] => x.shape.slice(0, -2);
export const rows = (x: Input): number => x.shape[x.shape.length - 2];
export const cols = (x: Input): number => x.shape[x.shape.length - 1];

export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** The same view, frozen with its shape and strides: what is written into them would change later answers. */
export function frozenView<D extends Stored>(x: Input<D>): Input<D> {
  const own = view(x, [...x.shape], [...x.stride]);
  Object.freeze(own.shape);
  Object.freeze(own.stride);
  return Object.freeze(own);
}

/** View with the last two dimensions swapped. */
export function swapLast<D extends Stored>(x: Input<D>): Input<D> {
  const swap = (v: number[]) => [...v.slice(0, -2), v[v.length - 1], v[v.length - 2]];
  return view(x, swap(x.shape), swap(x.stride));
}

/** The shape that `a` and `b` broadcast to, as in numpy. `ERR_SVD_SHAPE` when there is none. */
export function broadcastShapes(a: readonly number[], b: readonly number[], what: string): number[] {
  const n = Math.max(a.length, b.length);
  return Array.from({ length: n }, (_, i) => {
    const p = a[i - n + a.length] ?? 1;
    const q = b[i - n + b.length] ?? 1;
    if (p !== q && p !== 1 && q !== 1) {
      throw svdError('ERR_SVD_SHAPE', `${what}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast`);
    }
    return p === 1 ? q : p;
  });
}

/** View of `x` with its leading dimensions broadcast to `leading` (stride 0 where a dimension is repeated). */
export function broadcastLeading<D extends Stored>(x: Input<D>, leading: readonly number[]): Input<D> {
  const own = leadingDims(x);
  const pad = leading.length - own.length;
  if (pad === 0 && own.every((n, axis) => n === leading[axis])) return x;
  const stride = leading.map((n, axis) => (axis < pad || own[axis - pad] !== n ? 0 : x.stride[axis - pad]));
  return view(x, [...leading, ...x.shape.slice(-2)], [...stride, ...x.stride.slice(-2)]);
}

/** One more than the index of the last element that `x` reads; it reads none before index 0. */
export function reach({ shape, stride, offset }: Input): number {
  let last = offset;
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 0) return 0;
    last += Math.max(0, (shape[axis] - 1) * stride[axis]);
  }
  return last + 1;
}

/** View without its repetitions: every dimension of stride 0 becomes 1. */
export function withoutRepeats<D extends Stored>(x: Input<D>): Input<D> {
  return view(
    x,
    x.shape.map((n, axis) => (x.stride[axis] === 0 && n > 1 ? 1 : n)),
    x.stride,
  );
}

/** View of `x` repeated to `shape`: stride 0 in the dimensions of size 1 that grow. */
export function repeat<D extends Stored>(x: Input<D>, shape: readonly number[]): Input<D> {
  return view(
    x,
    [...shape],
    x.stride.map((stride, axis) => (x.shape[axis] === shape[axis] ? stride : 0)),
  );
}

/** View with a new dimension of size 1 before `axis`. */
export function insertAxis<D extends Stored>(x: Input<D>, axis: number): Input<D> {
  return view(x, x.shape.toSpliced(axis, 0, 1), x.stride.toSpliced(axis, 0, 0));
}

/** View without the dimension `axis`, which has size 1. */
export function dropAxis<D extends Stored>(x: Input<D>, axis: number): Input<D> {
  return view(x, x.shape.toSpliced(axis, 1), x.stride.toSpliced(axis, 1));
}

/** View of `count` entries of one dimension: `start`, `start + step`, … */
export function sliceAxis<D extends Stored>(
  x: Input<D>,
  axis: number,
  start: number,
  count: number,
  step = 1,
): Input<D> {
  const shape = x.shape.with(axis, count);
  const offset = count > 0 ? x.offset + start * x.stride[axis] : x.offset;
  return view(x, shape, x.stride.with(axis, x.stride[axis] * step), offset);
}

/** Indices into `shape` of the row-major position `i`. */
export function unravel(i: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = i % shape[axis];
    i = Math.floor(i / shape[axis]);
  }
  return index;
}

/** `ERR_SVD_ARGUMENT` when `x` reads elements that its memory does not have any more. */
export function mustBeThere(x: Input): void {
  if (reach(x) > x.data.length) throw transferred(x.shape);
}

export const transferred = (shape: readonly number[]): SvdError =>
  svdError(
    'ERR_SVD_ARGUMENT',
    `the memory of an array of shape ${showShape(shape)} was transferred away or resized`,
  );

import type { NdArray } from 'ndarray';
import { svdError } from './errors.ts';
import { ndarray } from './ndarray.ts';

/** Element storage of every array this package computes with. */
export type FloatArray = Float32Array | Float64Array;

/** A strided view: the scijs `ndarray` this package returns. */
export type Tensor<D extends FloatArray = FloatArray> = NdArray<D>;

export type Dtype = 'float32' | 'float64';

export const dtypeOf = (x: Tensor): Dtype => (x.data instanceof Float32Array ? 'float32' : 'float64');

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
export const tensor = <D extends FloatArray>(data: D, shape: readonly number[]): Tensor<D> =>
  ndarray(data, [...shape], rowMajorStrides(shape), 0);

const view = (x: Tensor, shape: number[], stride: number[], offset = x.offset): Tensor =>
  ndarray(x.data, shape, stride, offset);

export const isContiguous = (x: Tensor): boolean => {
  const expected = rowMajorStrides(x.shape);
  return x.shape.every((n, axis) => n === 1 || x.stride[axis] === expected[axis]);
};

/** Dimensions before the last two. */
export const leadingDims = (x: Tensor): number[] => x.shape.slice(0, -2);
export const rows = (x: Tensor): number => x.shape[x.shape.length - 2];
export const cols = (x: Tensor): number => x.shape[x.shape.length - 1];

export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** View with the last two dimensions swapped. */
export function swapLast(x: Tensor): Tensor {
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
export function broadcastLeading(x: Tensor, leading: readonly number[]): Tensor {
  const own = leadingDims(x);
  const pad = leading.length - own.length;
  if (pad === 0 && own.every((n, axis) => n === leading[axis])) return x;
  const stride = leading.map((n, axis) => (axis < pad || own[axis - pad] !== n ? 0 : x.stride[axis - pad]));
  return view(x, [...leading, ...x.shape.slice(-2)], [...stride, ...x.stride.slice(-2)]);
}

/** View without its repetitions: every dimension of stride 0 becomes 1. */
export function withoutRepeats(x: Tensor): Tensor {
  return view(
    x,
    x.shape.map((n, axis) => (x.stride[axis] === 0 && n > 1 ? 1 : n)),
    x.stride,
  );
}

/** View of `x` repeated to `shape`: stride 0 in the dimensions of size 1 that grow. */
export function repeat(x: Tensor, shape: readonly number[]): Tensor {
  return view(
    x,
    [...shape],
    x.stride.map((stride, axis) => (x.shape[axis] === shape[axis] ? stride : 0)),
  );
}

/** View with a new dimension of size 1 before `axis`. */
export function insertAxis(x: Tensor, axis: number): Tensor {
  return view(x, x.shape.toSpliced(axis, 0, 1), x.stride.toSpliced(axis, 0, 0));
}

/** View without the dimension `axis`, which has size 1. */
export function dropAxis(x: Tensor, axis: number): Tensor {
  return view(x, x.shape.toSpliced(axis, 1), x.stride.toSpliced(axis, 1));
}

/** View of `count` entries of one dimension: `start`, `start + step`, … */
export function sliceAxis(x: Tensor, axis: number, start: number, count: number, step = 1): Tensor {
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

import { svdError } from './errors.ts';
import { widenBfloat16, widenFloat16 } from './half.ts';
import { ndarray } from './ndarray.ts';
import { type FloatArray, product, rowMajorStrides, showShape, type Tensor, tensor } from './views.ts';

/** Typed arrays that are accepted as storage; `Uint16Array` needs `dtype: 'bfloat16' | 'float16'`. */
export type MatrixData = Float32Array | Float64Array | Uint16Array;

/**
 * Nested rows of numbers: a vector, a matrix, a batch of matrices, … The innermost may be typed arrays. The elements are
 * float64, unless every row is a `Float32Array`.
 */
export type NestedNumbers = readonly number[] | readonly NestedRows[];

type NestedRows = NestedNumbers | FloatArray;

/**
 * A strided array: scijs `ndarray`, numpy-ts, onnxruntime `Tensor`, Hugging Face `Tensor`, or any object like them.
 * Strides and offset are in elements; without strides the array is row-major and contiguous.
 */
export interface StridedArray {
  readonly data: MatrixData | ArrayLike<number> | ArrayBufferView | unknown;
  /** (`[]` is there so that the compiler takes `[2, 3]` for two dimensions.) */
  readonly shape?: readonly number[] | readonly [];
  readonly dims?: readonly number[] | readonly [];
  readonly stride?: readonly number[] | (() => readonly number[]);
  readonly strides?: readonly number[];
  readonly offset?: number;
  /** numpy-ts keeps the offset of a view here. */
  readonly storage?: { readonly offset?: number };
  readonly dtype?: string;
  readonly type?: string;
}

/** Everything a function of this package takes as an array. */
export type MatrixLike = StridedArray | NestedNumbers;

/**
 * Checks `x` and makes it an ndarray over float32 or float64. The view shares the caller's memory unless its elements
 * had to be widened. Does not look at the elements.
 *
 * @param x the argument
 * @param name what error messages call it
 * @param minimum dimensions it must have at least
 * @throws `ERR_SVD_ARGUMENT` (not an array, element type, strides, a view that leaves its data), `ERR_SVD_SHAPE`
 */
export function asTensor(x: MatrixLike, name: string, minimum = 2): Tensor {
  const out = Array.isArray(x) ? fromNested(x, name) : fromStrided(x as StridedArray, name);
  if (out.shape.length < minimum) {
    const kind = minimum === 2 ? 'a matrix (two dimensions or more)' : 'a vector or a matrix';
    fail(name, `expected ${kind}, got shape ${showShape(out.shape)}`);
  }
  return out;
}

/** Dimensions that an array may have: as many as in numpy. */
export const mostDims = 64;

function fail(name: string, message: string): never {
  throw svdError('ERR_SVD_ARGUMENT', `${name}: ${message}`);
}

function fromNested(nested: NestedNumbers, name: string): Tensor {
  const shape: number[] = [];
  for (let level: unknown = nested; isRow(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > mostDims) fail(name, `nested more than ${mostDims} levels deep`); // or it contains itself
  }
  const data = new Float64Array(product(shape));
  let next = 0;
  let single = data.length > 0;
  const fill = (part: unknown, axis: number, path: number[]): void => {
    const at = () => `${name}${path.map((i) => `[${i}]`).join('')}`;
    if (axis === shape.length) {
      if (typeof part !== 'number') fail(at(), `expected a number, got ${describe(part)}`);
      data[next++] = part;
      return;
    }
    if (!isRow(part)) fail(at(), `expected an array of ${shape[axis]}, got ${describe(part)}`);
    if (part.length !== shape[axis]) {
      throw svdError('ERR_SVD_SHAPE', `${at()}: has ${part.length} entries where others have ${shape[axis]}`);
    }
    if (axis === shape.length - 1) single &&= part instanceof Float32Array;
    if (isFloats(part) && axis === shape.length - 1) {
      data.set(part, next);
      next += part.length;
      return;
    }
    for (let i = 0; i < part.length; i++) fill(part[i], axis + 1, [...path, i]);
  };
  fill(nested, 0, []);
  return tensor(single ? Float32Array.from(data) : data, shape);
}

const isFloats = (x: unknown): x is FloatArray => x instanceof Float32Array || x instanceof Float64Array;

const isRow = (x: unknown): x is ArrayLike<unknown> => Array.isArray(x) || isFloats(x);

function fromStrided(x: StridedArray, name: string): Tensor {
  if (x === null || typeof x !== 'object') fail(name, `expected a matrix, got ${describe(x)}`);
  const data = floatData(x, name);
  const shape = x.shape ?? x.dims;
  if (!isIntegers(shape) || shape.some((n) => n < 0)) {
    fail(name, 'expected shape (or dims) to be an array of integers ≥ 0');
  }
  if (shape.length > mostDims) fail(name, `has ${shape.length} dimensions, at most ${mostDims} are possible`);
  const stride = strides(x, shape, name);
  const offset = x.offset ?? x.storage?.offset ?? 0;
  if (!Number.isSafeInteger(offset) || offset < 0)
    fail(name, `offset must be an integer ≥ 0, got ${describe(offset)}`);
  checkReach(data.length, shape, stride, offset, name);
  return ndarray(data, [...shape], [...stride], offset);
}

function strides(x: StridedArray, shape: readonly number[], name: string): readonly number[] {
  const given = typeof x.stride === 'function' ? x.stride() : (x.stride ?? x.strides);
  if (given === undefined || given === null) return rowMajorStrides(shape);
  if (!isIntegers(given)) fail(name, 'strides must be an array of integers');
  if (given.length !== shape.length) {
    fail(name, `has ${given.length} strides for ${shape.length} dimensions`);
  }
  return given;
}

function checkReach(
  length: number,
  shape: readonly number[],
  stride: readonly number[],
  offset: number,
  name: string,
) {
  if (shape.some((n) => n === 0)) return;
  let lowest = offset;
  let highest = offset;
  shape.forEach((n, axis) => {
    const reach = (n - 1) * stride[axis];
    if (reach < 0) lowest += reach;
    else highest += reach;
  });
  if (!(lowest >= 0 && highest < length)) {
    fail(
      name,
      `view of shape ${showShape(shape)} with strides ${showShape(stride)} and offset ${offset} reaches elements ` +
        `${lowest}…${highest} of data that has ${length}`,
    );
  }
}

const float16Array = (globalThis as { Float16Array?: new (n: number) => ArrayLike<number> }).Float16Array;

function floatData(x: StridedArray, name: string): FloatArray {
  const { data } = x;
  const dtype = typeof x.dtype === 'string' ? x.dtype : typeof x.type === 'string' ? x.type : undefined;
  if (data instanceof Float32Array || data instanceof Float64Array) {
    const own = data instanceof Float32Array ? 'float32' : 'float64';
    if (dtype !== undefined && dtype !== own)
      fail(name, `dtype is '${dtype}' but data is ${data.constructor.name}`);
    return data;
  }
  if (data instanceof Uint16Array) {
    if (dtype === 'bfloat16') return widenBfloat16(data);
    if (dtype === 'float16') return widenFloat16(data);
    fail(name, `Uint16Array needs dtype 'bfloat16' or 'float16', got ${describe(dtype)}`);
  }
  if (float16Array && data instanceof float16Array) return Float32Array.from(data as ArrayLike<number>);
  if (ArrayBuffer.isView(data) || Array.isArray(data)) {
    fail(name, `elements of ${describe(data)} are not supported: expected Float32Array or Float64Array`);
  }
  fail(name, `expected data to be a typed array, got ${describe(data)}`);
}

const isIntegers = (x: unknown): x is readonly number[] =>
  (Array.isArray(x) || ArrayBuffer.isView(x)) &&
  Array.from(x as ArrayLike<unknown>).every(Number.isSafeInteger);

function describe(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  if (typeof x === 'object') return x.constructor?.name ?? 'an object';
  return typeof x === 'string'
    ? `'${x}'`
    : typeof x === 'function'
      ? 'a function'
      : `${typeof x} ${String(x)}`;
}

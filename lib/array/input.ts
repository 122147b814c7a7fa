import { describe, invalid, isArray, mostDims } from './describe.ts';
import {
  Bfloat16Bits,
  Float16Bits,
  type FloatArray,
  type Format,
  type Stored,
  stored,
  typedArrayName,
} from './elements.ts';
import { svdError } from './errors.ts';
import { allocate } from './memory.ts';
import { ndarray } from './ndarray.ts';
import { type Input, rowMajorStrides, showShape, type Tensor, tensor } from './tensor.ts';
import { atOnce, type Turns, turn } from './turns.ts';

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
  /** The elements; a `Uint16Array` needs `dtype`. Any other kind of storage is `ERR_SVD_ARGUMENT`. */
  readonly data: MatrixData | ArrayLike<number> | ArrayBufferView | unknown;
  /** Size of every dimension. (`[]` is there so that the compiler takes `[2, 3]` for two dimensions.) */
  readonly shape?: readonly number[] | readonly [];
  /** The same by onnxruntime's name; `shape` goes first. */
  readonly dims?: readonly number[] | readonly [];
  /** Elements from one index to the next, per dimension; may be negative, or 0 to repeat. */
  readonly stride?: readonly number[] | (() => readonly number[]);
  /** The same by numpy's name; `stride` goes first. */
  readonly strides?: readonly number[];
  /** Where in `data` the first element stands; 0 by default. */
  readonly offset?: number;
  /** numpy-ts keeps the offset of a view here. */
  readonly storage?: {
    /** Where in `data` the first element stands. */
    readonly offset?: number;
  };
  /** `'float64'`, `'float32'`, `'bfloat16'`, `'float16'`; needed for a `Uint16Array` only, and must fit `data`. */
  readonly dtype?: string;
  /** The same by onnxruntime's name; `dtype` goes first. */
  readonly type?: string;
}

/** Everything a function of this package takes as an array. */
export type MatrixLike = StridedArray | NestedNumbers;

/**
 * Checks `x` and makes it a view of its elements as they are stored: over the caller's memory, or, of nested arrays, a
 * copy that is made in slices between which the event loop can turn. Does not look at the elements of typed arrays.
 * Every property of `x` is read once, so that what was checked is what is used.
 *
 * @param x the argument
 * @param name what error messages call it
 * @param minimum dimensions it must have at least
 * @throws `ERR_SVD_ARGUMENT` (not an array, element type, strides, a view that leaves its data), `ERR_SVD_SHAPE`
 */
export function* readInput(x: MatrixLike, name: string, minimum = 2): Turns<Input> {
  const out = isArray(x, name) ? yield* fromNested(x, name) : fromStrided(x as StridedArray, name);
  if (out.shape.length < minimum) {
    const kind = minimum === 2 ? 'a matrix (two dimensions or more)' : 'a vector or a matrix';
    invalid(name, `expected ${kind}, got shape ${showShape(out.shape)}`);
  }
  return out;
}

/** `readInput` at once. */
export const asInput = (x: MatrixLike, name: string, minimum = 2): Input =>
  atOnce(readInput(x, name, minimum));

function fromStrided(x: StridedArray, name: string): Input {
  const { data, shape, stride, offset } = readStrided(x, name, floatStorage);
  return ndarray(data, shape, stride, offset);
}

/**
 * The fields of a strided array, each read once and checked; `storage` says what its elements are.
 * @throws `ERR_SVD_ARGUMENT`
 */
export function readStrided<D extends { readonly length: number }>(
  x: StridedArray,
  name: string,
  storage: (data: unknown, dtype: string | undefined, name: string) => D,
): { data: D; shape: number[]; stride: number[]; offset: number } {
  if (x === null || typeof x !== 'object') invalid(name, `expected a matrix, got ${describe(x)}`);
  const { data: elements } = x;
  const data = storage(elements, dtypeGiven(x), name);
  const shape = integers(x.shape ?? x.dims, name);
  if (!shape || shape.some((n) => n < 0)) {
    invalid(name, 'expected shape (or dims) to be an array of integers ≥ 0');
  }
  const stride = strides(x, shape, name);
  const offset = x.offset ?? x.storage?.offset ?? 0;
  if (!Number.isSafeInteger(offset) || offset < 0)
    invalid(name, `offset must be an integer ≥ 0, got ${describe(offset)}`);
  checkReach(data.length, shape, stride, offset, name);
  return { data, shape, stride, offset };
}

function strides(x: StridedArray, shape: readonly number[], name: string): number[] {
  const { stride: own } = x;
  const given = typeof own === 'function' ? own.call(x) : (own ?? x.strides);
  if (given === undefined || given === null) return rowMajorStrides(shape);
  const out = integers(given, name);
  if (!out) invalid(name, 'strides must be an array of integers');
  if (out.length !== shape.length) {
    invalid(name, `has ${out.length} strides for ${shape.length} dimensions`);
  }
  return out;
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
    invalid(
      name,
      `view of shape ${showShape(shape)} with strides ${showShape(stride)} and offset ${offset} reaches elements ` +
        `${lowest}…${highest} of data that has ${length}`,
    );
  }
}

/** `dtype`, or `type` of a tensor of onnxruntime. */
function dtypeGiven(x: StridedArray): string | undefined {
  for (const key of ['dtype', 'type'] as const) {
    const given: unknown = x[key];
    if (typeof given === 'string') return given;
  }
  return undefined;
}

const formats: Readonly<Record<string, Format>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Float16Array: 'float16',
};

/** Elements that can be computed with, as they are stored. `ERR_SVD_ARGUMENT` for others. */
export function floatStorage(data: unknown, dtype: string | undefined, name: string): Stored {
  const kind = typedArrayName(data);
  if (kind === 'Uint16Array') {
    if (data instanceof Bfloat16Bits || data instanceof Float16Bits) return data; // an input of this package
    if (dtype === 'bfloat16' || dtype === 'float16') return stored(data as object, dtype);
    invalid(name, `Uint16Array needs dtype 'bfloat16' or 'float16', got ${describe(dtype)}`);
  }
  if (kind !== undefined && Object.hasOwn(formats, kind)) {
    const format = formats[kind];
    if (dtype !== undefined && dtype !== format) invalid(name, `dtype is '${dtype}' but data is ${kind}`);
    return stored(data as object, format);
  }
  if (kind !== undefined || ArrayBuffer.isView(data) || isArray(data, name)) {
    invalid(name, `elements of ${describe(data)} are not supported: expected Float32Array or Float64Array`);
  }
  invalid(name, `expected data to be a typed array, got ${describe(data)}`);
}

/** The elements of a short array of integers, each read once; `undefined` for anything else. */
function integers(x: unknown, name: string): number[] | undefined {
  if (!isArray(x, name) && typedArrayName(x) === undefined) return undefined;
  const { length } = x as ArrayLike<unknown>;
  if (length > mostDims) invalid(name, `has ${length} dimensions, at most ${mostDims} are possible`);
  const out = Array.from({ length }, (_, i) => (x as ArrayLike<unknown>)[i]);
  return out.every(Number.isSafeInteger) ? (out as number[]) : undefined;
}

// Nested arrays of numbers, whose rows may be typed arrays.

const elementsPerTurn = 2 ** 17; // about a millisecond
const rowCost = 16; // elements that could be read while a row is found

/**
 * A copy, made in slices: float32 where every row is a `Float32Array`, else float64. `ERR_SVD_ARGUMENT`,
 * `ERR_SVD_SHAPE` when the rows are not all alike.
 */
function* fromNested(nested: readonly unknown[], name: string): Turns<Tensor> {
  const shape = shapeOf(nested, name);
  let data = allocate('float32', [0], name);
  const length = shape[shape.length - 1];
  let [next, read] = [0, 0];
  for (const { row, path } of rowsOf(nested, shape, name)) {
    const single = length > 0 && typedArrayName(row) === 'Float32Array';
    if (next === 0) data = allocate(single ? 'float32' : 'float64', shape, name);
    else if (!single && data instanceof Float32Array) data = widened(data, next, shape, name);
    for (let from = 0; from < length; ) {
      const to = Math.min(length, from + elementsPerTurn);
      for (let i = from; i < to; i++) {
        const x = row[i];
        if (typeof x !== 'number')
          invalid(place(name, [...path, i]), `expected a number, got ${describe(x)}`);
        data[next++] = x;
      }
      read += to - from + rowCost;
      from = to;
      if (read < elementsPerTurn) continue;
      read = 0;
      yield turn;
    }
  }
  return tensor(data, shape);
}

/** The first `n` elements of `data` in a float64 array. */
function widened(data: FloatArray, n: number, shape: readonly number[], name: string): FloatArray {
  const out = allocate('float64', shape, name);
  out.set(data.subarray(0, n));
  return out;
}

const isRow = (x: unknown, name: string): x is ArrayLike<unknown> =>
  isArray(x, name) || ['Float32Array', 'Float64Array'].includes(typedArrayName(x) ?? '');

/** The shape that the first entry of every level has. */
function shapeOf(nested: readonly unknown[], name: string): number[] {
  const shape: number[] = [];
  for (let level: unknown = nested; isRow(level, name); level = level[0]) {
    shape.push(level.length);
    if (shape.length > mostDims) invalid(name, `nested more than ${mostDims} levels deep`); // or it contains itself
  }
  return shape;
}

/** The innermost arrays in order, and the indices of each; all levels have the lengths of `shape`. */
function* rowsOf(nested: readonly unknown[], shape: readonly number[], name: string) {
  const last = shape.length - 1;
  const path = new Array<number>(last).fill(0);
  const levels = [level(nested, shape, path, 0, name)]; // levels[axis] is the array that path[axis] indexes
  for (;;) {
    for (let axis = levels.length; axis <= last; axis++) {
      levels.push(level(levels[axis - 1][path[axis - 1]], shape, path, axis, name));
    }
    yield { row: levels[last], path };
    let axis = last - 1;
    while (axis >= 0 && ++path[axis] === shape[axis]) path[axis--] = 0;
    if (axis < 0) return;
    levels.length = axis + 1;
  }
}

/** `x` as the array at the first `axis` indices of `path`. */
function level(
  x: unknown,
  shape: readonly number[],
  path: readonly number[],
  axis: number,
  name: string,
): ArrayLike<unknown> {
  const at = () => place(name, path.slice(0, axis));
  if (!isRow(x, name)) invalid(at(), `expected an array of ${shape[axis]}, got ${describe(x)}`);
  if (x.length === shape[axis]) return x;
  throw svdError('ERR_SVD_SHAPE', `${at()}: has ${x.length} entries where others have ${shape[axis]}`);
}

const place = (name: string, path: readonly number[]): string =>
  `${name}${path.map((i) => `[${i}]`).join('')}`;

import { describe, invalid, isArray, mostDims } from './describe.ts';
import { typedArrayName } from './elements.ts';
import { svdError } from './errors.ts';
import { allocate } from './memory.ts';
import { type Steps, turn } from './steps.ts';
import { type FloatArray, type Tensor, tensor } from './views.ts';

// Nested arrays of numbers, whose rows may be typed arrays.

const elementsPerTurn = 2 ** 17; // about a millisecond
const rowCost = 16; // elements that could be read while a row is found

/**
 * A copy, made in slices: float32 where every row is a `Float32Array`, else float64. `ERR_SVD_ARGUMENT`,
 * `ERR_SVD_SHAPE` when the rows are not all alike.
 */
export function* fromNested(nested: readonly unknown[], name: string): Steps<Tensor> {
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

import { has, isArray } from './describe.ts';
import { formatOf } from './elements.ts';
import { shown, svdError } from './errors.ts';
import { allocate } from './memory.ts';
import { dropAxis, type Input, insertAxis, mustBeThere, product, sliceAxis, tensor } from './tensor.ts';

/** Offset of every item of the leading dimensions, in row-major order. */
export function itemOffsets(x: Input, dims = x.shape.length - 2): Float64Array {
  const shape = x.shape.slice(0, dims);
  const out = allocate('float64', [product(shape)], 'list of items') as Float64Array;
  const line = dims > 0 ? shape[dims - 1] : 1;
  const step = dims > 0 ? x.stride[dims - 1] : 0;
  const index = new Array<number>(dims).fill(0);
  for (let i = 0, start = x.offset; i < out.length; ) {
    for (let j = 0, offset = start; j < line; j++, offset += step) out[i++] = offset;
    for (let axis = dims - 2; axis >= 0; axis--) {
      start += x.stride[axis];
      if (++index[axis] < shape[axis]) break;
      start -= shape[axis] * x.stride[axis];
      index[axis] = 0;
    }
  }
  return out;
}

/** A range of indices, as in Python: negative bounds count from the end, a missing one is the end in that direction. */
export interface Slice {
  /** First index of the range. */
  readonly start: number | null;
  /** Index that ends the range and is not in it. */
  readonly stop: number | null;
  /** From one index to the next: not 0, and negative to go backwards. */
  readonly step: number;
}

/** One index: an integer, a range, integers to gather, or `null` for a new axis. */
export type Index = number | Slice | readonly number[] | null;

/** The range `start : stop : step` after a check. `ERR_SVD_ARGUMENT` unless they are integers, and the step not 0. */
export function sliceOf(start: number | null, stop: number | null, by: number | null): Slice {
  const step = by ?? 1;
  for (const bound of [start, stop, step]) {
    if (bound !== null && !Number.isSafeInteger(bound)) {
      throw svdError('ERR_SVD_ARGUMENT', `slice: expected integers, got ${shown(bound)}`);
    }
  }
  if (step === 0) throw svdError('ERR_SVD_ARGUMENT', 'slice: step must not be 0');
  return Object.freeze({ start, stop, step });
}

const isSlice = (x: unknown): x is Slice => has(x, 'start', 'step');

/** The index of one entry of an axis of `size`, from the end when negative. `ERR_SVD_ARGUMENT` when out of range. */
function resolve(index: unknown, size: number, at: string): number {
  if (!Number.isSafeInteger(index)) {
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${at}: expected an integer, a slice, an array of integers or null, got ${shown(index)}`,
    );
  }
  const i = index as number;
  if (i < -size || i >= size) {
    throw svdError('ERR_SVD_ARGUMENT', `${at}: index ${i} is out of range for size ${size}`);
  }
  return i < 0 ? i + size : i;
}

/** First index, number of entries and step of a slice of an axis of `size`, with Python's rules. */
function resolveSlice(given: Slice, size: number) {
  const { start, stop, step } = sliceOf(given.start, given.stop, given.step); // it may have been made by hand
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (bound: number) => Math.min(high, Math.max(low, bound < 0 ? bound + size : bound));
  const first = start === null ? (step > 0 ? low : high) : clamp(start);
  const end = stop === null ? (step > 0 ? high : low) : clamp(stop);
  return { first, count: Math.max(0, Math.ceil((end - first) / step)), step };
}

/** The view (or, for gathered entries, the copy) of `x` that `index` selects on `axis`; an integer keeps size 1. */
export function select(x: Input, axis: number, index: Exclude<Index, null>, at: string): Input {
  const size = x.shape[axis];
  if (isSlice(index)) {
    const { first, count, step } = resolveSlice(index, size);
    return sliceAxis(x, axis, first, count, step);
  }
  if (isArray(index, at)) {
    const entries: number[] = []; // a loop, which sees holes
    for (let i = 0; i < index.length; i++) entries.push(resolve(index[i], size, at));
    return gather(x, axis, entries);
  }
  return sliceAxis(x, axis, resolve(index, size, at), 1);
}

/** Applies indices to the leading dimensions of `x`: an integer drops its axis, `null` adds one. */
export function selectLeading(x: Input, index: readonly Index[]): Input {
  let axis = 0;
  return index.reduce<Input>((view, entry, position) => {
    if (entry === null) return insertAxis(view, axis++);
    const selected = select(view, axis, entry, `index ${position}`);
    if (typeof entry === 'number') return dropAxis(selected, axis);
    axis++;
    return selected;
  }, x);
}

function gather(x: Input, axis: number, indices: readonly number[]): Input {
  mustBeThere(x);
  const shape = x.shape.with(axis, indices.length);
  const out = tensor(allocate(formatOf(x.data), shape, 'gathered entries'), shape);
  indices.forEach((index, i) => {
    const from = itemOffsets(sliceAxis(x, axis, index, 1), shape.length);
    const to = itemOffsets(sliceAxis(out, axis, i, 1), shape.length);
    from.forEach((offset, e) => {
      out.data[to[e]] = x.data[offset];
    });
  });
  return out;
}

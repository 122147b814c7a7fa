import { type Dtype, dtypeOfStored, type FloatArray, type Stored } from '../array/elements.ts';
import { itemOffsets } from '../array/indexing.ts';
import {
  broadcastLeading,
  cols,
  type Input,
  leadingDims,
  mustBeThere,
  product,
  rows,
} from '../array/tensor.ts';
import { type Origin, placeOf } from './status.ts';

// Many matrices of one shape. The batch itself says how they lie in memory, which of them are meant, in which order and how
// often: kernels read or write just what it says.

/** `count` strided matrices, rows × cols: input of a kernel, or room for its output. Strides are in elements. */
export interface Batch<D extends Stored = FloatArray> {
  readonly data: D;
  readonly count: number;
  readonly rows: number;
  readonly cols: number;
  readonly rowStride: number;
  readonly colStride: number;
  /** Item i begins at element `first + i·step`; or, where the items do not lie evenly, at `offsets[i]`. */
  readonly first: number;
  readonly step: number;
  readonly offsets: Float64Array | undefined;
  /** Which of the user's matrices these are, or come from; for errors. */
  readonly origin: Origin;
  /** The memory is the caller's, who may write to it or transfer it away between two steps: `owned` copies it. */
  readonly foreign: boolean;
}

/** A batch of an input, as that is stored: only `pack` takes it, and `owned` makes a `Batch` of it. */
export type InputBatch = Batch<Stored>;

export const dtypeOfBatch = (a: InputBatch): Dtype => dtypeOfStored(a.data);

/** Where item i begins. */
export const offsetOf = ({ offsets, first, step }: InputBatch, i: number): number =>
  offsets ? offsets[i] : first + i * step;

/** The matrices of `x`, broadcast to `leading`. `ERR_SVD_ARGUMENT` when its memory is no longer there. */
export function batchOf<D extends Stored>(
  x: Input<D>,
  leading: readonly number[],
  name = '',
  foreign = false,
): Batch<D> {
  mustBeThere(x);
  const full = broadcastLeading(x, leading);
  const n = full.stride.length;
  const count = product(leading);
  const step = evenStep(full);
  return {
    data: full.data,
    count,
    rows: rows(full),
    cols: cols(full),
    rowStride: full.stride[n - 2],
    colStride: full.stride[n - 1],
    first: full.offset,
    step: step ?? 0,
    offsets: step === undefined ? itemOffsets(full) : undefined,
    origin: { name, leading },
    foreign,
  };
}

/** The distance from one matrix of `x` to the next, where it is always the same. */
function evenStep(x: Input): number | undefined {
  const shape = leadingDims(x);
  let step: number | undefined;
  let items = 1; // of the axes seen so far, from the last on
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    if (shape[axis] === 0) return 0;
    step ??= x.stride[axis];
    if (x.stride[axis] !== step * items) return undefined;
    items *= shape[axis];
  }
  return step ?? 0;
}

const nobodys: Origin = { name: '', leading: [] };

/** `count` row-major matrices that lie one behind the other in `data`. */
export const packed = <D extends Stored>(
  data: D,
  count: number,
  rows: number,
  cols: number,
  origin = nobodys,
): Batch<D> => ({
  data,
  count,
  rows,
  cols,
  rowStride: cols,
  colStride: 1,
  first: 0,
  step: count > 0 ? rows * cols : 0, // of nothing it need not be a number that is exact
  offsets: undefined,
  origin,
  foreign: false,
});

/** The transposes, in the same memory. */
export const transposed = <D extends Stored>(a: Batch<D>): Batch<D> => ({
  ...a,
  rows: a.cols,
  cols: a.rows,
  rowStride: a.colStride,
  colStride: a.rowStride,
  origin: { ...a.origin, transposed: !a.origin.transposed },
});

/** Whether the elements of a column lie closer together than those of a row. */
export const liesByColumns = (a: InputBatch): boolean => Math.abs(a.rowStride) < Math.abs(a.colStride);

/**
 * The same of matrices to read, where a single row or column counts as rows however it lies, so that a result does not
 * depend on that: copies of it lie otherwise.
 */
export const isColumnMajor = (a: InputBatch): boolean => a.rows > 1 && a.cols > 1 && liesByColumns(a);

/** The same matrices under another name. */
export const named = <D extends Stored>(a: Batch<D>, name: string): Batch<D> => ({
  ...a,
  origin: { ...a.origin, name },
});

/** The items at `positions`, in that order, as often as they stand there. */
export function itemsAt<D extends Stored>(a: Batch<D>, positions: Int32Array): Batch<D> {
  const { length } = positions;
  if (isRange(positions))
    return items(a, length > 0 ? positions[0] : 0, (length > 0 ? positions[0] : 0) + length);
  const offsets = new Float64Array(length);
  for (let i = 0; i < length; i++) offsets[i] = offsetOf(a, positions[i]);
  return { ...a, count: length, offsets, origin: placeOf(a.origin, positions) };
}

function isRange(positions: Int32Array): boolean {
  for (let i = 1; i < positions.length; i++) if (positions[i] !== positions[0] + i) return false;
  return true;
}

/** Items `from` … `to − 1`. */
export function items<D extends Stored>(a: Batch<D>, from: number, to: number): Batch<D> {
  if (from === 0 && to === a.count) return a;
  const origin = placeOf(a.origin, range(from, to));
  if (a.offsets) return { ...a, count: to - from, offsets: a.offsets.subarray(from, to), origin };
  return { ...a, count: to - from, first: offsetOf(a, from), origin };
}

/** Rows `from` … `to − 1` of every item. */
export const rowRange = <D extends Stored>(a: Batch<D>, from: number, to: number): Batch<D> => ({
  ...a,
  rows: to - from,
  first: a.first + from * a.rowStride,
  offsets: a.offsets?.map((offset) => offset + from * a.rowStride),
});

/** Columns `from` … `to − 1` of every item. */
export const colRange = <D extends Stored>(a: Batch<D>, from: number, to: number): Batch<D> =>
  transposed(rowRange(transposed(a), from, to));

/** Positions `from` … `to − 1`. */
export function range(from: number, to: number): Int32Array {
  const positions = new Int32Array(to - from); // a loop: `Int32Array.from` takes some microseconds more
  for (let i = 0; i < positions.length; i++) positions[i] = from + i;
  return positions;
}

/** Of a broadcast batch: the items that are not repetitions, and for every item which of them it is. */
export function distinctItems(x: InputBatch): { distinct: Int32Array; source: Int32Array } {
  if (!mayRepeat(x)) return { distinct: range(0, x.count), source: range(0, x.count) };
  const known = new Map<number, number>();
  const distinct: number[] = [];
  const source = Int32Array.from({ length: x.count }, (_, i) => {
    const offset = offsetOf(x, i);
    const before = known.get(offset);
    if (before !== undefined) return before;
    known.set(offset, distinct.length);
    return distinct.push(i) - 1;
  });
  return { distinct: Int32Array.from(distinct), source };
}

/** How many of the items are not repetitions. */
export function countDistinct(x: InputBatch): number {
  if (!mayRepeat(x)) return x.count;
  return x.offsets ? new Set(x.offsets).size : 1;
}

/** Whether an item may repeat another. None does where the offsets only grow or only fall, which they nearly always do. */
export function mayRepeat({ count, step, offsets }: InputBatch): boolean {
  if (count < 2) return false;
  if (!offsets) return step === 0;
  const direction = Math.sign(offsets[1] - offsets[0]);
  for (let i = 1; i < count; i++) if (!((offsets[i] - offsets[i - 1]) * direction > 0)) return true;
  return false;
}

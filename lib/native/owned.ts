import { bytesPerElement, type Dtype, type Format, formatOf, type Stored } from '../array/elements.ts';
import { asInput, type MatrixLike } from '../array/input.ts';
import { ndarray } from '../array/ndarray.ts';
import {
  cols,
  dropAxis,
  dtypeOf,
  type Input,
  insertAxis,
  leadingDims,
  repeat,
  rowMajorStrides,
  rows,
  type Tensor,
  transferred,
  withoutRepeats,
} from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import {
  type Batch,
  batchOf,
  colRange,
  countDistinct,
  distinctItems,
  dtypeOfBatch,
  type InputBatch,
  isColumnMajor,
  items,
  itemsAt,
  mayRepeat,
  packed,
  rowRange,
  transposed,
} from './batch.ts';
import { copyAlone, packInto } from './kernels.ts';
import { runSync, type Steps } from './steps.ts';
import { scratch } from './workspace.ts';

// The inputs of an asynchronous computation. Between two of its steps the caller can write to its arrays or transfer
// them away, and a compute thread that read them then would crash the process. So compute threads only read copies in
// memory of this package. The copies are made on the JavaScript thread, in slices between which the event loop turns,
// and only when a block of the batch is about to be computed. They keep the format that the input is stored in: what has
// to be widened is widened by the compute threads, after that.

/** Copied without a turn of the event loop in between: 1 to 2 milliseconds. */
const sliceBytes = 2 * 2 ** 20;

export interface InputOptions {
  /** The computation is asynchronous and the arrays are the caller's: they must be read through `owned`. */
  readonly foreign?: boolean;
}

const isReady = (a: InputBatch, dtype: Dtype): a is Batch => !a.foreign && formatOf(a.data) === dtype;

/**
 * The same matrices for the compute threads to read: in memory of this package where `a` is foreign, and in `dtype`.
 * Repeated items, rows and columns are copied once. Strides keep their order, so that results have the same bits.
 * `ERR_SVD_ARGUMENT` when the memory was transferred away in the meantime.
 */
export function* owned(a: InputBatch, dtype = dtypeOfBatch(a)): Steps<Batch> {
  if (isReady(a, dtype)) return a;
  return yield* converted(a.foreign ? yield* copied(a) : a, dtype);
}

/**
 * Inputs of a computation that goes through its batch by blocks of `blockSize` items. Foreign ones that fit into a slice
 * are copied here, before the first turn; so are those that a block has whole, which are widened too. The others stay
 * as they are, and every block takes its items through `owned`.
 */
export function* ahead(
  inputs: readonly InputBatch[],
  blockSize: number,
  dtype: Dtype,
): Steps<readonly InputBatch[]> {
  if (inputs.every((a) => isReady(a, dtype))) return inputs;
  const out = [...inputs];
  const matrices = inputs.map(countDistinct);
  const small = (i: number) => matrices[i] * bytesOfItem(withoutRepeatedLines(inputs[i])) <= sliceBytes;
  for (const [i, a] of inputs.entries()) if (a.foreign && small(i)) out[i] = yield* copied(a);
  for (const [i, a] of out.entries()) if (matrices[i] <= blockSize) out[i] = yield* owned(a, dtype);
  return out;
}

/** Whole arrays in memory of this package and in `dtype`, the smallest copied first; what repeats stays repeated. */
export function* ownedTensors(inputs: readonly Input[], dtype?: Dtype): Steps<Tensor[]> {
  const copies = [...inputs];
  const order = inputs.map((x, i) => ({ i, size: withoutRepeats(x).size })).sort((x, y) => x.size - y.size);
  for (const { i } of order) copies[i] = yield* wholly(inputs[i], copiedOnce);
  const out: Tensor[] = [];
  for (const copy of copies) out.push(yield* floats(copy, dtype));
  return out;
}

/** `x` itself, or in `dtype` where it is stored in another format; what repeats stays repeated. */
export function* floats(x: Input, dtype = dtypeOf(x)): Steps<Tensor> {
  if (formatOf(x.data) === dtype) return x as Tensor;
  return (yield* wholly(x, (a) => convertedOnce(a, dtype))) as Tensor;
}

/** `asInput` in float32 or float64: it shares the caller's memory unless its elements have to be widened. */
export const asTensor = (x: MatrixLike, name: string, minimum = 2): Tensor =>
  runSync(floats(asInput(x, name, minimum)));

/** The array that holds what `make` makes of the matrices of `x`, each of them once. */
function* wholly(x: Input, make: (once: InputBatch) => Steps<InputBatch>): Steps<Input> {
  if (x.shape.length < 2) return dropAxis(yield* wholly(insertAxis(x, 0), make), 0);
  const once = withoutRepeats(x);
  const leading = leadingDims(once);
  const { data, rowStride, colStride } = yield* make(batchOf(once, leading));
  const apart = rowMajorStrides([...leading, rows(once) * cols(once)]).slice(0, -1);
  const copy = ndarray(data, once.shape, [...apart, rowStride, colStride], 0);
  return repeat(copy, x.shape);
}

const bytesOfItem = (a: InputBatch): number => a.rows * a.cols * bytesPerElement(formatOf(a.data));

/** Copies in memory of this package, in slices between which the event loop turns. */
const copied = (a: InputBatch): Steps<InputBatch> => eachLineOnce(a, copiedOnce);

/** In `dtype`: by the compute threads. */
const converted = (a: InputBatch, dtype: Dtype): Steps<Batch> =>
  eachLineOnce(a, (once) => convertedOnce(once, dtype));

/** What `make` makes of the matrices of `x`, which it gets without repetitions. */
export function* eachOnce<D extends Stored>(
  x: InputBatch,
  make: (once: InputBatch) => Steps<Batch<D>>,
): Steps<Batch<D>> {
  if (!mayRepeat(x)) return { ...(yield* make(x)), origin: x.origin };
  if (!x.offsets) return { ...(yield* make(items(x, 0, 1))), count: x.count, step: 0, origin: x.origin };
  const { distinct, source } = distinctItems(x);
  return { ...itemsAt(yield* make(itemsAt(x, distinct)), source), origin: x.origin };
}

/** What `make` makes of the matrices of `a`, which it gets without repetitions of matrices, of rows or of columns. */
function* eachLineOnce<D extends Stored>(
  a: InputBatch,
  make: (once: InputBatch) => Steps<Batch<D>>,
): Steps<Batch<D>> {
  const made = yield* eachOnce(withoutRepeatedLines(a), make);
  return {
    ...made,
    rows: a.rows,
    cols: a.cols,
    rowStride: a.rowStride === 0 ? 0 : made.rowStride,
    colStride: a.colStride === 0 ? 0 : made.colStride,
  };
}

/** One row where the stride of the rows is 0, and one column where that of the columns is. */
const withoutRepeatedLines = <D extends Stored>(a: Batch<D>): Batch<D> => ({
  ...a,
  rows: a.rowStride === 0 ? Math.min(a.rows, 1) : a.rows,
  cols: a.colStride === 0 ? Math.min(a.cols, 1) : a.cols,
});

const convertedOnce = (a: InputBatch, dtype: Dtype): Steps<Batch> =>
  asItLies(a, dtype, packInto) as Steps<Batch>;

const copiedOnce = (a: InputBatch): Steps<InputBatch> =>
  asItLies(a, formatOf(a.data), function* (source, out) {
    for (const cut of cuts(source)) {
      const part = cut(source);
      if (reachOf(part) > a.data.length) throw transferred([a.rows, a.cols]);
      yield* copyAlone(part, cut(out));
      if (part !== source) yield turn;
    }
  });

/** Every item one behind the other, row-major or column-major as it lies: `fill` gets both sides row-major. */
function* asItLies(
  a: InputBatch,
  format: Format,
  fill: (source: InputBatch, out: Batch) => Steps<unknown>,
): Steps<InputBatch> {
  if (isColumnMajor(a)) return transposed(yield* asItLies(transposed(a), format, fill));
  const out = packed(scratch(format, [a.count, a.rows, a.cols]), a.count, a.rows, a.cols);
  yield* fill(a, out as Batch);
  return out;
}

/** Takes a part of a batch: the same of every batch of that shape. */
type Cut = <D extends Stored>(a: Batch<D>) => Batch<D>;

/** What cuts `a` into slices: of several items, of rows of one item, or of a part of one row. */
function* cuts(a: InputBatch): Generator<Cut, void> {
  const together = Math.floor(sliceBytes / bytesOfItem(a));
  if (a.count <= together) return yield (all) => all;
  for (const [from, to] of ranges(a.count, Math.max(1, together))) {
    const some: Cut = (all) => items(all, from, to);
    if (together > 0) yield some;
    else for (const cut of cutsOfItem(a)) yield (all) => cut(some(all));
  }
}

function* cutsOfItem(a: InputBatch): Generator<Cut, void> {
  const elements = sliceBytes / bytesPerElement(formatOf(a.data));
  const rows = Math.floor(elements / a.cols);
  for (const [from, to] of ranges(a.rows, Math.max(1, rows))) {
    if (rows > 0) yield (item) => rowRange(item, from, to);
    else
      for (const [left, right] of ranges(a.cols, elements))
        yield (item) => colRange(rowRange(item, from, to), left, right);
  }
}

function* ranges(n: number, step: number): Generator<[from: number, to: number], void> {
  for (let from = 0; from < n; from += step) yield [from, Math.min(n, from + step)];
}

/** One more than the index of the last element that `a` reads. */
function reachOf({ count, first, step, offsets, rowStride, colStride, rows, cols }: InputBatch): number {
  if (count * rows * cols === 0) return 0;
  const offset = offsets
    ? offsets.reduce((x, y) => Math.max(x, y), 0)
    : first + Math.max(0, (count - 1) * step);
  return offset + Math.max(0, (rows - 1) * rowStride) + Math.max(0, (cols - 1) * colStride) + 1;
}

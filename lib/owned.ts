import {
  type Batch,
  batchOf,
  copyAlone,
  count,
  distinctItems,
  dtypeOfBatch,
  items,
  itemsAt,
  packed,
  rowRange,
  transferred,
  transposed,
} from './kernels.ts';
import { ndarray } from './ndarray.ts';
import { type Steps, turn } from './steps.ts';
import { cols, leadingDims, repeat, rowMajorStrides, rows, type Tensor, withoutRepeats } from './views.ts';
import { scratch } from './workspace.ts';

// The inputs of an asynchronous computation. Between two of its steps the caller can write to its arrays or transfer
// them away, and a compute thread that read them then would crash the process. So compute threads only read copies in
// memory of this package. The copies are made on the JavaScript thread, in slices between which the event loop turns,
// and only when a block of the batch is about to be computed.

/** Copied without a turn of the event loop in between: 1 to 2 milliseconds. */
const sliceBytes = 2 * 2 ** 20;

export interface InputOptions {
  /** The arrays are the caller's and the computation is an asynchronous one: it must go through `owned` to them. */
  readonly foreign?: boolean;
}

/**
 * The same matrices in memory of this package, where `a` is foreign; repeated items, rows and columns are copied once.
 * Strides keep their order, so that results have the same bits. `ERR_SVD_ARGUMENT` when the memory was transferred away
 * in the meantime.
 */
export function* owned(a: Batch): Steps<Batch> {
  if (!a.foreign) return a;
  const { distinct, source } = distinctItems(a);
  const copy = itemsAt(yield* copied(withoutRepeatedLines(itemsAt(a, distinct))), source);
  copy.layout.set(a.layout.subarray(0, 2).map((stride, axis) => (stride === 0 ? 0 : copy.layout[axis])));
  return { ...copy, rows: a.rows, cols: a.cols };
}

/** One row where the stride of the rows is 0, and one column where that of the columns is. */
const withoutRepeatedLines = (a: Batch): Batch => ({
  ...a,
  rows: a.layout[0] === 0 ? Math.min(a.rows, 1) : a.rows,
  cols: a.layout[1] === 0 ? Math.min(a.cols, 1) : a.cols,
});

/**
 * Inputs of a computation that goes through its batch by blocks of `blockSize` items. Foreign ones that fit into a slice
 * are copied here, before the first turn; so are those that a block has whole. The others stay foreign, and every
 * block takes its items through `owned`.
 */
export function* ahead(inputs: readonly Batch[], blockSize: number): Steps<readonly Batch[]> {
  if (!inputs[0].foreign) return inputs; // all are or none is
  const out = [...inputs];
  const matrices = inputs.map((a) => distinctItems(a).distinct.length);
  const small = (i: number) => matrices[i] * bytesOfItem(withoutRepeatedLines(inputs[i])) <= sliceBytes;
  for (const [i, a] of inputs.entries()) if (small(i)) out[i] = yield* owned(a);
  for (const [i, a] of out.entries()) if (matrices[i] <= blockSize) out[i] = yield* owned(a);
  return out;
}

/** Whole arrays in memory of this package, the smallest copied first; repeated dimensions stay repeated. */
export function* ownedTensors(inputs: readonly Tensor[]): Steps<Tensor[]> {
  const out = [...inputs];
  const order = inputs
    .map((x, i) => ({ i, once: withoutRepeats(x) }))
    .sort((x, y) => x.once.size - y.once.size);
  for (const { i, once } of order) {
    const leading = leadingDims(once);
    const { data, layout } = yield* copied(batchOf(once, leading));
    const apart = rowMajorStrides([...leading, rows(once) * cols(once)]).slice(0, -1);
    const copy = ndarray(data, once.shape, [...apart, layout[0], layout[1]], 0);
    out[i] = repeat(copy, inputs[i].shape);
  }
  return out;
}

const bytesOfItem = (a: Batch): number => a.rows * a.cols * a.data.BYTES_PER_ELEMENT;

/** Every item one behind the other, row-major or column-major as it lies. */
function* copied(a: Batch): Steps<Batch> {
  const columnMajor = Math.abs(a.layout[0]) < Math.abs(a.layout[1]);
  const source = columnMajor ? transposed(a) : a;
  const shape = [count(a), source.rows, source.cols] as const;
  const out = packed(scratch(dtypeOfBatch(a), shape), ...shape);
  for (const { part, at } of slices(source)) {
    if (reach(part) > a.data.length) throw transferred([a.rows, a.cols]);
    copyAlone(part, out.data.subarray(at));
    if (part !== source) yield turn;
  }
  return columnMajor ? transposed(out) : out;
}

/** A part of a batch, and where its first element stands among all of them. */
interface Slice {
  readonly part: Batch;
  readonly at: number;
}

/** `a` in slices: of several items, of rows of one item, or of a part of one row. */
function* slices(a: Batch): Generator<Slice, void> {
  const n = count(a);
  const together = Math.floor(sliceBytes / bytesOfItem(a));
  if (n <= together) return yield { part: a, at: 0 };
  for (const [from, to] of ranges(n, Math.max(1, together))) {
    const some = items(a, from, to);
    const at = from * a.rows * a.cols;
    if (together > 0) yield { part: some, at };
    else yield* slicesOfItem(some, at);
  }
}

function* slicesOfItem(a: Batch, at: number): Generator<Slice, void> {
  const elements = sliceBytes / a.data.BYTES_PER_ELEMENT;
  const rows = Math.floor(elements / a.cols);
  for (const [from, to] of ranges(a.rows, Math.max(1, rows))) {
    const part = rowRange(a, from, to);
    if (rows > 0) yield { part, at: at + from * a.cols };
    else {
      for (const [left, right] of ranges(a.cols, elements)) {
        yield { part: transposed(rowRange(transposed(part), left, right)), at: at + from * a.cols + left };
      }
    }
  }
}

function* ranges(n: number, step: number): Generator<[from: number, to: number], void> {
  for (let from = 0; from < n; from += step) yield [from, Math.min(n, from + step)];
}

/** One more than the index of the last element that `a` reads. */
function reach({ layout, rows, cols }: Batch): number {
  if (layout.length === 2 || rows * cols === 0) return 0;
  const offset = layout.subarray(2).reduce((x, y) => Math.max(x, y), 0);
  return offset + Math.max(0, (rows - 1) * layout[0]) + Math.max(0, (cols - 1) * layout[1]) + 1;
}

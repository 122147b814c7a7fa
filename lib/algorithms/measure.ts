import { type Dtype, type FloatArray, formatOf, type Stored } from '../array/elements.ts';
import { powerOfTwo } from '../array/power-of-two.ts';
import { turn } from '../array/turns.ts';
import {
  type Batch,
  distinctItems,
  dtypeOfBatch,
  type InputBatch,
  items,
  itemsAt,
  mayRepeat,
  offsetOf,
  packed,
  range,
  rowRange,
  transposed,
} from '../native/batch.ts';
import { call } from '../native/contract.ts';
import { type ColumnNorms, type Gauge, packInto, scan } from '../native/kernels.ts';
import { owned } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';

// Step 1 of the product SVD: what has to be known of each factor alone. That is the norms of its columns, whether they are
// finite, and, where the factor is tall, its Gram matrix. What is repeated or was prepared is measured once.

/** Only a matrix with more rows than columns is replaced by the R of its QR decomposition. */
export const isTall = (x: InputBatch): boolean => x.rows > x.cols;

/** What is known of some items of a factor. */
export interface Measured {
  readonly norms: ColumnNorms;
  /** AᵀA of every item in float64: one matrix of k columns, or several below each other that are still to be added up. */
  readonly gram?: Batch;
}

const mostBlocks = 8;
const leastBlockRows = 1024;
const leastAspect = 16;

/**
 * Into how many blocks of rows a tall matrix is cut for its Gram matrix, each of them at least 16 times as tall as wide:
 * those of all blocks then take an eighth of the memory of a float32 matrix. It depends on the shape only, and so does the
 * order in which they are added up: results are the same for any number of threads.
 */
export const gramBlocks = (rows: number, cols: number): number =>
  Math.min(mostBlocks, Math.max(1, Math.floor(rows / Math.max(leastBlockRows, leastAspect * cols))));

/** Gram matrices of a, or of the solution X of `X·root = a-with-its-gauge`. */
export function* gramOf(a: Batch, solve?: { readonly gauge: Gauge; readonly root: Batch }): Steps<Batch> {
  const [blocks, k] = [gramBlocks(a.rows, a.cols), a.cols];
  const gram = packed(scratch('float64', [a.count, blocks, k, k]), a.count, blocks * k, k);
  const { perm, exponents } = solve?.gauge ?? {};
  yield call('gram', { a, perm, exponents, root: solve?.root, gram });
  return gram;
}

/** AᵀA of every item and the norms of its columns, in one pass over its rows. `ERR_SVD_NON_FINITE`. */
export function* gramAndNorms(a: Batch): Steps<Measured & { readonly gram: Batch }> {
  const gram = yield* gramOf(a);
  const { norms, unsafe } = normsOf(gram, dtypeOfBatch(a));
  if (unsafe.length > 0) {
    const { fraction, exponent } = yield* scan(itemsAt(a, unsafe));
    unsafe.forEach((position, i) => {
      norms.fraction.set(fraction.subarray(i * a.cols, (i + 1) * a.cols), position * a.cols);
      norms.exponent.set(exponent.subarray(i * a.cols, (i + 1) * a.cols), position * a.cols);
    });
  }
  return { gram, norms };
}

/** Norms of the columns, and the items with a square that is not finite or may have lost digits. */
function normsOf(gram: Batch, dtype: Dtype): { norms: ColumnNorms; unsafe: Int32Array } {
  const [n, k] = [gram.count, gram.cols];
  const fraction = new Float64Array(n * k);
  const exponent = new Int32Array(n * k);
  const unsafe: number[] = [];
  const exactZero = dtype === 'float32'; // squares of float32 never underflow in float64
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) {
      let square = 0;
      for (let row = j; row < gram.rows; row += k) square += gram.data[offsetOf(gram, i) + row * k + j];
      if (square === 0 && exactZero) continue;
      if (!(square > 1e-280 && square < 1e290)) {
        unsafe.push(i);
        break;
      }
      const norm = Math.sqrt(square);
      exponent[i * k + j] = Math.floor(Math.log2(norm)) + 1;
      fraction[i * k + j] = norm * powerOfTwo(-exponent[i * k + j]);
    }
  }
  return { norms: { fraction, exponent }, unsafe: Int32Array.from(unsafe) };
}

/** What is known of one matrix, in memory of its own: it may outlive the block that it was measured in. */
export interface Measurement {
  /** Of its columns. */
  readonly norms: ColumnNorms;
  /** Its Gram matrix, k×k. */
  readonly gram?: FloatArray;
}

/** Measures every item, its Gram matrix too where `hasGram`. `ERR_SVD_NON_FINITE`. */
function* measureEach(x: Batch, hasGram: boolean): Steps<Measurement[]> {
  const k = x.cols;
  const { norms, gram } = hasGram ? yield* gramAndNorms(x) : { norms: yield* scan(x), gram: undefined };
  const sums = gram && (yield* addedUp(gram));
  return Array.from({ length: x.count }, (_, i) => ({
    norms: {
      fraction: norms.fraction.slice(i * k, (i + 1) * k),
      exponent: norms.exponent.slice(i * k, (i + 1) * k),
    },
    gram: sums?.data.slice(i * k * k, (i + 1) * k * k),
  }));
}

/** AᵀA of every item in float64, one matrix each: element (i, j) is at i·k + j where j ≤ i, and nowhere else. */
export function* gramMatrices(a: Batch): Steps<FloatArray> {
  return (yield* addedUp(yield* gramOf(a))).data;
}

/** The whole Gram matrices, from those of blocks; in the order of the kernels that take these. */
function* addedUp(gram: Batch): Steps<Batch> {
  const k = gram.cols;
  if (gram.rows === k) return gram;
  const sums = packed(scratch('float64', [gram.count, k, k]), gram.count, k, k);
  for (let row = 0; row < gram.rows; row += k)
    yield* packInto(rowRange(gram, row, row + k), sums, { accumulate: row > 0 });
  return sums;
}

// ------------------------------------------------------------------------------------------ prepared matrices

/** What is known of the matrices in an array that `prepare` has returned, for as long as that array lives. */
const prepared = new WeakMap<Stored, Map<string, Measurement>>();

/** Two matrices in one array are the same where these numbers are. */
const placeOfItem = (x: InputBatch, i: number): string =>
  [x.rows, x.cols, x.rowStride, x.colStride, offsetOf(x, i)].join();

const recall = (x: InputBatch, i: number): Measurement | undefined =>
  prepared.get(x.data)?.get(placeOfItem(x, i));

function remember(x: Batch, measurements: readonly Measurement[]): void {
  const inArray = prepared.get(x.data) ?? new Map<string, Measurement>();
  measurements.forEach((measurement, i) => {
    inArray.set(placeOfItem(x, i), measurement);
  });
  prepared.set(x.data, inArray);
}

// What is measured together, between which progress is told and the event loop turns.
const blockBytes = 64 * 2 ** 20;
const blockItems = 1024;

/**
 * Measures every matrix as it is, for its use as A, and transposed, for its use as B. What is found is remembered for
 * `where`, the same matrices in the array that `prepare` returns.
 */
export function* measureBothWays(all: Batch, where: Batch): Steps<void> {
  if (all.rows * all.cols === 0) return; // nothing to know, of dimensions without limit
  const step = Math.min(blockItems, Math.max(1, Math.floor(blockBytes / (8 * all.rows * all.cols))));
  const [asA, asB]: Measurement[][][] = [[], []];
  for (let from = 0; from < all.count; from += step) {
    const to = Math.min(all.count, from + step);
    const block = items(all, from, to);
    asA.push(yield* measureEach(block, isTall(block)));
    asB.push(yield* measureEach(transposed(block), isTall(transposed(block))));
    yield { done: to, total: all.count };
    if (to < all.count) yield turn;
  }
  remember(where, asA.flat());
  remember(transposed(where), asB.flat());
}

// ------------------------------------------------------------------------------------------ factors of a batch

/**
 * One factor of a batch of products, its columns the inner dimension. A matrix that is repeated by broadcasting is
 * measured once, and what is known of it kept from the block that comes across it first to the last one that needs it.
 */
export class Factor {
  readonly #all: InputBatch;
  readonly #memory: InputBatch;
  readonly #dtype: Dtype;
  readonly #hasGram: boolean;
  /** The last item at each offset; empty where the batch has no repetitions. */
  readonly #last = new Map<number, number>();
  readonly #kept = new Map<number, Measurement>();

  /**
   * @param all by whose memory and layout repeated and prepared matrices are known
   * @param memory where they are to be read: the same, or copies
   * @param dtype of the computation
   * @param hasGram whether Gram matrices are wanted too
   */
  constructor(all: InputBatch, memory: InputBatch, dtype: Dtype, hasGram: boolean) {
    this.#all = all;
    this.#memory = memory;
    this.#dtype = dtype;
    this.#hasGram = hasGram;
    if (!mayRepeat(all)) return;
    for (let i = all.offsets ? 0 : all.count - 1; i < all.count; i++) this.#last.set(offsetOf(all, i), i);
  }

  get count(): number {
    return this.#all.count;
  }

  /** Measures the items at `positions`, which never decrease from one block to the next, but where some are tried again without those that failed. `ERR_SVD_NON_FINITE`. */
  *measure(positions: Int32Array): Steps<Measured & { readonly items: Batch }> {
    const given = itemsAt(this.#all, positions);
    const memory = yield* owned(itemsAt(this.#memory, positions), this.#dtype);
    const { distinct, source } = distinctItems(given);
    const own = itemsAt(memory, distinct);
    const end = positions[positions.length - 1];
    const known = Array.from(distinct, (i) => this.#known(given, i));
    const needed = Array.from(distinct, (i) => (this.#last.get(offsetOf(given, i)) ?? end) > end);
    if (!known.some(Boolean) && !needed.some(Boolean)) {
      // No other block needs them: what is measured may lie in the memory of this one.
      const measured = this.#hasGram ? yield* gramAndNorms(own) : { norms: yield* scan(own) };
      return { items: memory, ...repeated(measured, distinct.length, source, memory.cols) };
    }
    const missing = range(0, distinct.length).filter((i) => !known[i]);
    const fresh = yield* measureEach(itemsAt(own, missing), this.#hasGram);
    missing.forEach((i, j) => {
      known[i] = fresh[j];
    });
    distinct.forEach((i, j) => {
      if (needed[j]) this.#kept.set(offsetOf(given, i), known[j] as Measurement);
      else this.#kept.delete(offsetOf(given, i));
    });
    const measured = joined(known as Measurement[], this.#hasGram, memory.cols);
    return { items: memory, ...repeated(measured, distinct.length, source, memory.cols) };
  }

  #known(items: InputBatch, i: number): Measurement | undefined {
    const prepared = formatOf(items.data) === this.#dtype ? recall(items, i) : undefined;
    return this.#kept.get(offsetOf(items, i)) ?? prepared;
  }
}

/** Measurements of several matrices, one behind the other. */
function joined(known: readonly Measurement[], hasGram: boolean, k: number): Measured {
  const norms = { fraction: new Float64Array(known.length * k), exponent: new Int32Array(known.length * k) };
  known.forEach(({ norms: { fraction, exponent } }, i) => {
    norms.fraction.set(fraction, i * k);
    norms.exponent.set(exponent, i * k);
  });
  const grams = hasGram ? known.flatMap(({ gram }) => gram ?? []) : [];
  if (grams.length <= 1) return { norms, gram: grams[0] && packed(grams[0], 1, k, k) };
  const data = scratch('float64', [grams.length, k, k]);
  grams.forEach((gram, i) => {
    data.set(gram, i * k * k);
  });
  return { norms, gram: packed(data, grams.length, k, k) };
}

/** What is known of all items, each of which is one of the `distinct` ones that were measured. */
function repeated({ norms, gram }: Measured, distinct: number, source: Int32Array, k: number): Measured {
  if (distinct === source.length) return { norms, gram };
  const { fraction, exponent } = norms;
  const all = { fraction: new Float64Array(source.length * k), exponent: new Int32Array(source.length * k) };
  source.forEach((from, i) => {
    all.fraction.set(fraction.subarray(from * k, (from + 1) * k), i * k);
    all.exponent.set(exponent.subarray(from * k, (from + 1) * k), i * k);
  });
  return { norms: all, gram: gram && itemsAt(gram, source) };
}

import { type Dtype, type FloatArray, formatOf, type Stored } from '../array/elements.ts';
import {
  type Batch,
  type ColumnNorms,
  count,
  distinctItems,
  type InputBatch,
  itemsAt,
  mayRepeat,
  packed,
  packInto,
  scan,
} from '../native/kernels.ts';
import { owned } from '../native/owned.ts';
import { type Origin, placeOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import { type Gram, gram } from './qr.ts';

/** Step 1 of the product SVD for one matrix, in memory of its own: it may outlive the block that it was made in. */
export interface Measurement {
  /** Of its columns. */
  readonly norms: ColumnNorms;
  /** Its Gram matrix, k×k. */
  readonly gram?: FloatArray;
}

/** Only a matrix with more rows than columns is replaced by the R of its QR decomposition. */
export const isTall = (x: InputBatch): boolean => x.rows > x.cols;

/** Measures every item, its Gram matrix too where `hasGram`. `ERR_SVD_NON_FINITE`. */
export function* measureEach(x: Batch, hasGram: boolean, origin: Origin): Steps<Measurement[]> {
  const [n, k] = [count(x), x.cols];
  const { parts, norms } = hasGram
    ? yield* gram(x, origin)
    : { parts: undefined, norms: yield* scan(x, origin) };
  const sums = parts && (yield* sumOfParts(parts, n, k));
  return Array.from({ length: n }, (_, i) => ({
    norms: {
      fraction: norms.fraction.slice(i * k, (i + 1) * k),
      exponent: norms.exponent.slice(i * k, (i + 1) * k),
    },
    gram: sums?.slice(i * k * k, (i + 1) * k * k),
  }));
}

/** The Gram matrices of `n` items, from their parts; added up in the order of the kernel that takes the parts. */
function* sumOfParts(parts: FloatArray, n: number, k: number): Steps<FloatArray> {
  const size = n * k * k;
  if (parts.length === size) return parts;
  const sums = scratch('float64', [n, k, k]);
  const blocks = size > 0 ? parts.length / size : 0;
  for (let b = 0; b < blocks; b++) {
    const all = packed(parts, n * blocks, k, k);
    const every = Int32Array.from({ length: n }, (_, i) => i * blocks + b);
    yield* packInto(itemsAt(all, every), sums, { accumulate: b > 0 });
  }
  return sums;
}

// What is known of the matrices in an array that `prepare` has returned, for as long as that array lives.

const known = new WeakMap<Stored, Map<string, Measurement>>();

/** Two matrices in one array are the same where these numbers are. */
const layoutOf = ({ layout, rows, cols }: InputBatch, i: number): string =>
  [rows, cols, layout[0], layout[1], layout[2 + i]].join();

/** The measurement of item `i` of `x`, if it was prepared. */
export const recall = (x: InputBatch, i: number): Measurement | undefined =>
  known.get(x.data)?.get(layoutOf(x, i));

export function remember(x: Batch, measurements: readonly Measurement[]): void {
  const inArray = known.get(x.data) ?? new Map<string, Measurement>();
  measurements.forEach((measurement, i) => {
    inArray.set(layoutOf(x, i), measurement);
  });
  known.set(x.data, inArray);
}

/** Step 1 for some items of a factor. */
export interface Measured {
  readonly items: Batch;
  /** Of the inner dimension. */
  readonly norms: ColumnNorms;
  readonly gram?: Gram;
}

/**
 * One factor of a batch of products, its columns the inner dimension. A matrix that is repeated by broadcasting is
 * measured once, and what is known of it kept from the block that comes across it first to the last one that needs it.
 */
export class Factor {
  readonly #all: InputBatch;
  readonly #memory: InputBatch;
  readonly #dtype: Dtype;
  readonly #hasGram: boolean;
  /** By offset: the last item that is a repetition of it; of a batch without repetitions nothing. */
  readonly #last = new Map<number, number>();
  readonly #kept = new Map<number, Measurement>();

  /**
   * @param all by whose memory and layout repeated and prepared matrices are known
   * @param memory where they are to be read: the same, or copies
   * @param dtype that they are computed with in
   * @param hasGram whether Gram matrices are wanted too
   */
  constructor(all: InputBatch, memory: InputBatch, dtype: Dtype, hasGram: boolean) {
    this.#all = all;
    this.#memory = memory;
    this.#dtype = dtype;
    this.#hasGram = hasGram;
    if (mayRepeat(all)) for (let i = 0; i < count(all); i++) this.#last.set(offsetOf(all, i), i);
  }

  /** Measures the items at `origin.positions`, which do not fall from one call to the next. `ERR_SVD_NON_FINITE`. */
  *measure(origin: Origin & { readonly positions: Int32Array }): Steps<Measured> {
    const given = itemsAt(this.#all, origin.positions);
    const items = yield* owned(itemsAt(this.#memory, origin.positions), this.#dtype);
    const { distinct, source } = distinctItems(given);
    const own = itemsAt(items, distinct);
    const at = placeOf(origin, distinct);
    const end = origin.positions[origin.positions.length - 1];
    const known = Array.from(distinct, (i) => this.#known(given, i));
    const needed = Array.from(distinct, (i) => (this.#last.get(offsetOf(given, i)) ?? end) > end);
    if (!known.some(Boolean) && !needed.some(Boolean))
      return spread(items, source, yield* measureTogether(own, this.#hasGram, at));

    const missing = Int32Array.from(distinct.keys()).filter((i) => !known[i]);
    const fresh = yield* measureEach(itemsAt(own, missing), this.#hasGram, placeOf(at, missing));
    missing.forEach((i, j) => {
      known[i] = fresh[j];
    });
    distinct.forEach((i, j) => {
      if (needed[j]) this.#kept.set(offsetOf(given, i), known[j] as Measurement);
      else this.#kept.delete(offsetOf(given, i));
    });
    return spread(items, source, joined(known as Measurement[], this.#hasGram, items.cols));
  }

  #known(items: InputBatch, i: number): Measurement | undefined {
    const prepared = formatOf(items.data) === this.#dtype ? recall(items, i) : undefined;
    return this.#kept.get(offsetOf(items, i)) ?? prepared;
  }
}

const offsetOf = (x: InputBatch, i: number): number => x.layout[2 + i];

/** Measurements of several matrices, one behind the other. */
type Joined = Pick<Measured, 'norms' | 'gram'>;

/** Of matrices that no other block needs: in the memory of this block. */
function* measureTogether(x: Batch, hasGram: boolean, origin: Origin): Steps<Joined> {
  if (!hasGram) return { norms: yield* scan(x, origin) };
  const { parts, norms } = yield* gram(x, origin);
  return { norms, gram: { parts } };
}

function joined(known: readonly Measurement[], hasGram: boolean, k: number): Joined {
  const norms = { fraction: new Float64Array(known.length * k), exponent: new Int32Array(known.length * k) };
  known.forEach(({ norms: { fraction, exponent } }, i) => {
    norms.fraction.set(fraction, i * k);
    norms.exponent.set(exponent, i * k);
  });
  const grams = hasGram ? known.flatMap(({ gram }) => gram ?? []) : [];
  if (grams.length <= 1) return { norms, gram: grams[0] && { parts: grams[0], summed: true } };
  const parts = scratch('float64', [grams.length, k, k]);
  grams.forEach((gram, i) => {
    parts.set(gram, i * k * k);
  });
  return { norms, gram: { parts, summed: true } };
}

/** The measurements of all `items` from those of the distinct ones. */
function spread(items: Batch, source: Int32Array, { norms, gram }: Joined): Measured {
  const k = items.cols;
  const { fraction, exponent } = norms;
  if (fraction.length === source.length * k) return { items, norms, gram };
  const all = { fraction: new Float64Array(source.length * k), exponent: new Int32Array(source.length * k) };
  source.forEach((from, i) => {
    all.fraction.set(fraction.subarray(from * k, (from + 1) * k), i * k);
    all.exponent.set(exponent.subarray(from * k, (from + 1) * k), i * k);
  });
  return { items, norms: all, gram: gram && { ...gram, source } };
}

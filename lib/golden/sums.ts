/**
 * A hash of `i`, made of integer operations alone, so that it is the same on every machine. Golden files hold what comes of it:
 * it must never change.
 */
function mixed(i: number, seed: number): number {
  let h = (Math.imul(i + 1, 0x9e3779b1) + seed) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Elements of a tensor that is kept whole at most, sums of a larger one at least, and elements that share a sum at most. */
const [whole, elementsPerSum] = [64, 2 ** 15];

/** All elements of a small tensor; otherwise a power of two. */
export const sumCount = (elements: number): number =>
  elements <= whole ? elements : 2 ** Math.ceil(Math.log2(Math.max(elements / elementsPerSum, whole)));

/** The root of the mean of the squares of the weights, which are uniform in [1/2, 3/2). */
const weight = Math.sqrt(13 / 12);

/** How many elements are no finite numbers, and a hash of which. */
export interface NonFinite {
  readonly nan: number;
  readonly positive: number;
  readonly negative: number;
  readonly places: number;
}

/**
 * Weighted sums of the elements of a tensor, taken one after the other: each element goes into one of them, by a hash of its place,
 * with a sign and a weight between 1/2 and 3/2 by the same hash (the count sketch of Charikar, Chen and Farach-Colton, 2002, whose
 * weights are signs alone: then two elements that change places, or by the same, can cancel). They are linear, so that those
 * of W′ − W are the differences: one element that changed by d moves one sum by up to 3d/2, and the sum of the squares of all
 * differences over E w² = 13/12 is an unbiased estimate of ‖W′ − W‖_F², with a relative standard deviation of √(2/count).
 * The elements of small tensors are their sums, and the estimate is exact. In compensated float64; the products are exact for all
 * narrower floats.
 */
export class SignedSums {
  readonly #sums: Float64Array;
  readonly #errors: Float64Array;
  readonly #isWhole: boolean;
  /** Of the elements in the units that are taken. */
  readonly #scale: number;
  #at = 0;
  #squares = 0;
  readonly #counts = [0, 0, 0];
  #places = 0;
  /** max |w| */
  largest = 0;

  /** @param exponent everything is in units of 2^`exponent` */
  constructor(elements: number, exponent = 0) {
    this.#isWhole = elements <= whole;
    this.#scale = 2 ** -exponent;
    this.#sums = new Float64Array(sumCount(elements));
    this.#errors = new Float64Array(this.#sums.length);
  }

  /** The elements that come next. */
  add(values: ArrayLike<number>): void {
    const [sums, errors, mask] = [this.#sums, this.#errors, this.#sums.length - 1];
    const [isWhole, scale] = [this.#isWhole, this.#scale];
    let [squares, largest] = [this.#squares, this.largest]; // whatever pieces they come in, the same sum
    let [low, high] = [this.#at | 0, Math.floor(this.#at / 2 ** 32)]; // counted as integers, which is twice as fast
    for (let i = 0; i < values.length; i++) {
      const hash = mixed(low, high);
      low = (low + 1) | 0;
      if (low === 0) high++;
      const value = values[i] * scale;
      const size = Math.abs(value);
      if (!(size < Number.POSITIVE_INFINITY)) {
        this.#addNonFinite(value, hash);
        continue;
      }
      if (size > largest) largest = size;
      squares += value * value;
      if (isWhole) {
        sums[this.#at + i] = value;
        continue;
      }
      const more = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
      const w = 0.5 + ((more ^ (more >>> 12)) >>> 8) * 2 ** -24;
      const x = value * w * (1 - 2 * (hash & 1)); // a branch would be guessed wrong every other time
      const j = (hash >>> 1) & mask;
      const sum = sums[j];
      const next = sum + x;
      const part = next - sum;
      errors[j] += sum - (next - part) + (x - part);
      sums[j] = next;
    }
    this.#at += values.length;
    this.#squares = squares;
    this.largest = largest;
  }

  #addNonFinite(value: number, hash: number): void {
    const kind = value > 0 ? 1 : value < 0 ? 2 : 0;
    this.#counts[kind]++;
    this.#places = mixed(this.#places ^ hash, kind);
  }

  /** ‖W‖_F; infinite where the squares are beyond the largest number. */
  get norm(): number {
    return Math.sqrt(this.#squares);
  }

  /** Missing where all are finite. The others count as zeros otherwise. */
  get nonFinite(): NonFinite | undefined {
    const [nan, positive, negative] = this.#counts;
    return nan + positive + negative > 0
      ? { nan, positive, negative, places: this.#places >>> 0 }
      : undefined;
  }

  get values(): Float64Array {
    return this.#sums.map((sum, j) => sum + this.#errors[j]);
  }
}

/** How far apart the sums of two tensors of so many elements are: an estimate of ‖W′ − W‖_F, and the largest of one sum alone. */
export function sumsApart(a: Float64Array, b: Float64Array, elements: number): { all: number; one: number } {
  const unit = elements <= whole ? 1 : weight;
  const one = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
  if (!(one > 0)) return { all: one, one };
  const squares = a.reduce((sum, x, i) => sum + ((x - b[i]) / one) ** 2, 0); // in range, whatever the numbers
  return { all: (one * Math.sqrt(squares)) / unit, one: one / unit };
}

/** Probes of a product; an estimate by them has a relative standard deviation of √(1/8). */
export const productProbes = 16;

/** Signs ±1 `[length, productProbes]` for one side of a product. */
export const probeSigns = (length: number, side: 0 | 1): Float64Array =>
  Float64Array.from({ length: length * productProbes }, (_, i) => (mixed(i, 0x7f4a7c15 + side) & 1 ? -1 : 1));

/** ‖a − b‖; infinite where they do not have as many numbers. */
export const distance = (a: Float64Array, b: Float64Array): number =>
  a.length === b.length
    ? Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0))
    : Number.POSITIVE_INFINITY;

/** Sums as they stand in a file: float64, little-endian, base64. */
export function encodeSums(sums: Float64Array): string {
  const bytes = Buffer.alloc(sums.length * 8);
  sums.forEach((x, i) => void bytes.writeDoubleLE(x, i * 8));
  return bytes.toString('base64');
}

/** `undefined` for what is none. */
export function decodeSums(text: string): Float64Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 8 !== 0 || bytes.toString('base64') !== text) return undefined;
  const sums = Float64Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8));
  return sums.every(Number.isFinite) ? sums : undefined;
}

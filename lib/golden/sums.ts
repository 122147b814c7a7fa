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

/** Sums of a tensor at least, where it has so many elements, and elements that share a sum at most. */
const [fewest, elementsPerSum] = [32, 2 ** 15];

/** A power of two. */
export function sumCount(elements: number): number {
  const wanted = Math.max(elements / elementsPerSum, Math.min(fewest, elements), 1);
  return 2 ** Math.ceil(Math.log2(wanted));
}

/**
 * Signed sums of the elements of a tensor, taken one after the other: each element goes into one of them, by a hash of its place,
 * with a sign by the same hash (the count sketch of Charikar, Chen and Farach-Colton, 2002). They are linear, so that those
 * of W′ − W are the differences: one element that changed by d moves one sum by d, and the sum of the squares of all differences
 * is an unbiased estimate of ‖W′ − W‖_F², with a relative standard deviation of √(2/count). In compensated float64.
 */
export class SignedSums {
  readonly #sums: Float64Array;
  readonly #errors: Float64Array;
  #at = 0;
  #squares = 0;
  /** max |w| */
  largest = 0;
  /** How many are NaN or infinite; they count as zeros otherwise. */
  nonFinite = 0;

  constructor(elements: number) {
    this.#sums = new Float64Array(sumCount(elements));
    this.#errors = new Float64Array(this.#sums.length);
  }

  /** The elements that come next. */
  add(values: ArrayLike<number>): void {
    const [sums, errors, mask] = [this.#sums, this.#errors, this.#sums.length - 1];
    let [squares, largest] = [0, this.largest];
    let [low, high] = [this.#at | 0, Math.floor(this.#at / 2 ** 32)]; // counted as integers, which is twice as fast
    for (let i = 0; i < values.length; i++) {
      const hash = mixed(low, high);
      low = (low + 1) | 0;
      if (low === 0) high++;
      const value = values[i];
      const size = Math.abs(value);
      if (!(size < Number.POSITIVE_INFINITY)) {
        this.nonFinite++;
        continue;
      }
      if (size > largest) largest = size;
      squares += value * value;
      const x = value * (1 - 2 * (hash & 1));
      const j = (hash >>> 1) & mask;
      const sum = sums[j];
      const next = sum + x;
      const part = next - sum;
      errors[j] += sum - (next - part) + (x - part);
      sums[j] = next;
    }
    this.#at += values.length;
    this.#squares += squares;
    this.largest = largest;
  }

  /** ‖W‖_F; infinite where the squares are beyond the largest number. */
  get norm(): number {
    return Math.sqrt(this.#squares);
  }

  get values(): Float64Array {
    return this.#sums.map((sum, j) => sum + this.#errors[j]);
  }
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

export const largestDifference = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

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

import { ldexp } from '../array/power-of-two.ts';
import type { ColumnNorms, Gauge } from '../native/kernels.ts';

/** Steps 2 and 3 of the product SVD: how the inner dimension of `A·B` is rescaled and reordered. */
export interface Balance {
  readonly a: Gauge;
  readonly b: Gauge;
  /** Per item: singular values of the balanced product times `2^exponent` are those of `A·B`. */
  readonly exponent: Int32Array;
  /** Per item: β = Σ ‖a_j‖·‖b_j‖, as `fraction · 2^exponent` with the exponent above. */
  readonly beta: Float64Array;
  /** Per item: β²/Σ(‖a_j‖·‖b_j‖)², from 1 where one pair dominates to k where all are of one size. */
  readonly pairs: Float64Array;
  /** Per item: log₂ of the ratio between the largest and the smallest nonzero of its `leading` largest ‖a_j‖·‖b_j‖. */
  readonly range: Float64Array;
}

interface BalanceOptions {
  /** The exponent of every item; at least what `pairExponents` says. Default: that. */
  readonly common?: Int32Array;
  /** `range` is that of so many pairs, the largest ones. Default: all. */
  readonly leading?: number;
}

/**
 * Balances and sorts the inner dimension of every item.
 *
 * a_j is scaled by a power of two and b_j by another so that both come out about equally long and the largest product
 * ‖a_j‖·‖b_j‖ is about 1; the pairs are ordered by that product, descending and stable. All of it is exact, unless a pair
 * is so much smaller than the largest that its elements underflow. Where one of a pair is zero the pair contributes
 * nothing: it stands last, and the other is scaled to a length of about 1.
 *
 * @param a norms of the columns of A, `n × k`
 * @param b norms of the rows of B, `n × k`
 */
export function balance(
  a: ColumnNorms,
  b: ColumnNorms,
  n: number,
  k: number,
  { common, leading = k }: BalanceOptions = {},
): Balance {
  const gauge = () => ({ perm: new Int32Array(n * k), exponents: new Int32Array(n * k) });
  const out = {
    a: gauge(),
    b: gauge(),
    exponent: new Int32Array(n),
    beta: new Float64Array(n),
    pairs: new Float64Array(n),
  };
  const size = new Float64Array(k); // of ‖a_j‖·‖b_j‖, as `pairSize` says
  const range = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const at = i * k;
    const largest = largestExponent(a, b, at, k);
    const shift = Math.ceil((common ? common[i] : largest) / 2); // taken from A, and from B
    out.exponent[i] = 2 * shift;

    let beta = 0;
    let squares = 0;
    let nonzero = 0;
    for (let j = 0; j < k; j++) {
      const p = at + j;
      size[j] = 0;
      if (isZeroPair(a, b, p)) {
        out.a.exponents[p] = -a.exponent[p];
        out.b.exponents[p] = -b.exponent[p];
        continue;
      }
      nonzero++;
      const [fraction, exponent] = [a.fraction[p] * b.fraction[p], a.exponent[p] + b.exponent[p]];
      const scaled = ldexp(fraction, exponent - 2 * shift); // 0 where it is too small to count
      beta += scaled;
      squares += scaled ** 2;
      size[j] = pairSize(fraction, exponent - largest);
      const even = halfLogRatio(a, b, p);
      out.a.exponents[p] = even - shift;
      out.b.exponents[p] = -even - shift;
    }
    out.beta[i] = beta;
    out.pairs[i] = squares > 0 ? beta ** 2 / squares : 1;
    sortDescending(size, out.a.perm.subarray(at, at + k));
    const last = Math.min(leading, nonzero) - 1;
    if (last > 0) range[i] = logSize(size[out.a.perm[at]]) - logSize(size[out.a.perm[at + last]]);
    permute(out.a, at, k);
    out.b.perm.set(out.a.perm.subarray(at, at + k), at);
    permute(out.b, at, k);
  }
  return { ...out, range };
}

/** The gauge in which all columns are about 1 long, and what it takes away from the product. */
export interface UnitBalance {
  readonly a: Gauge;
  readonly b: Gauge;
  /** Of every pair, in the order of the gauge: descending but for zero pairs and the last bit of the others. */
  readonly exponents: Int32Array;
}

/** The order of `balance`, with columns of length about 1 and an exponent for every pair, so that none underflows. */
export function unitBalance(a: ColumnNorms, b: ColumnNorms, { perm }: Gauge, k: number): UnitBalance {
  const exponents = () => new Int32Array(perm.length);
  const [left, right, pairs] = [exponents(), exponents(), exponents()];
  for (let i = 0; i < perm.length; i += k)
    for (let j = i; j < i + k; j++) {
      const p = i + perm[j];
      left[j] = -a.exponent[p];
      right[j] = -b.exponent[p];
      pairs[j] = isZeroPair(a, b, p) ? zeroExponent : a.exponent[p] + b.exponent[p];
    }
  return { a: { perm, exponents: left }, b: { perm, exponents: right }, exponents: pairs };
}

const zeroExponent = -(2 ** 14); // below that of any product of two doubles

/** The balance of some of the items. */
export function selectBalance(all: Balance, positions: Int32Array, k: number): Balance {
  return {
    a: selectGauge(all.a, positions, k),
    b: selectGauge(all.b, positions, k),
    exponent: selectBlocks(all.exponent, positions, 1),
    beta: selectBlocks(all.beta, positions, 1),
    pairs: selectBlocks(all.pairs, positions, 1),
    range: selectBlocks(all.range, positions, 1),
  };
}

/** The gauge of some of the items. */
export const selectGauge = ({ perm, exponents }: Gauge, positions: Int32Array, k: number): Gauge => ({
  perm: selectBlocks(perm, positions, k),
  exponents: selectBlocks(exponents, positions, k),
});

/** The gauge that changes nothing, of `n` items with k columns. */
export const unitGauge = (n: number, k: number): Gauge => ({
  perm: Int32Array.from({ length: n * k }, (_, j) => j % k),
  exponents: new Int32Array(n * k),
});

/** The parts of an array with one block of `size` elements per item; `positions` ascend. */
export function selectBlocks<A extends Float32Array | Float64Array | Int32Array>(
  x: A,
  positions: Int32Array,
  size: number,
): A {
  if (positions.length * size === x.length) return x;
  const out = new (x.constructor as new (n: number) => A)(positions.length * size);
  positions.forEach((p, i) => {
    out.set(x.subarray(p * size, (p + 1) * size), i * size);
  });
  return out;
}

/** Per item: the exponent of the largest ‖a_j‖·‖b_j‖; 0 where all are zero. */
export function pairExponents(a: ColumnNorms, b: ColumnNorms, n: number, k: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => largestExponent(a, b, i * k, k));
}

function largestExponent(a: ColumnNorms, b: ColumnNorms, at: number, k: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let j = at; j < at + k; j++)
    if (!isZeroPair(a, b, j)) largest = Math.max(largest, a.exponent[j] + b.exponent[j]);
  return largest === Number.NEGATIVE_INFINITY ? 0 : largest;
}

const isZeroPair = (a: ColumnNorms, b: ColumnNorms, j: number): boolean =>
  a.fraction[j] === 0 || b.fraction[j] === 0;

const sizeOfOne = 2 ** 13; // so that all sizes are positive

/**
 * A positive number that grows with `fraction · 2^exponent` (fraction from 1/4 to 1, exponents down to −4300), which need
 * not be representable: linear from one power of two to the next.
 */
const pairSize = (fraction: number, exponent: number): number =>
  sizeOfOne + (fraction < 0.5 ? exponent - 1 + 4 * fraction - 1 : exponent + 2 * fraction - 1);

/** log₂ of the number that `pairSize` was given, up to a constant. */
const logSize = (size: number): number => {
  const exponent = Math.floor(size);
  return exponent + Math.log2(1 + size - exponent);
};

/** round(log₂(‖b_j‖/‖a_j‖)/2): the fractions, in [1/2, 1), decide only which way an odd difference of exponents goes. */
function halfLogRatio(a: ColumnNorms, b: ColumnNorms, j: number): number {
  const difference = b.exponent[j] - a.exponent[j];
  return difference % 2 === 0 ? difference / 2 : (difference + (b.fraction[j] < a.fraction[j] ? -1 : 1)) / 2;
}

const lowWord = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;

/**
 * Fills `perm` with the order of `size`, descending and stable. The last bits of every size make room for its index, so
 * that the numbers can be sorted as they are: a comparison in JavaScript would take most of the time of `balance`.
 */
function sortDescending(size: Float64Array, perm: Int32Array): void {
  const k = size.length;
  const mask = 2 ** (32 - Math.clz32(k)) - 1;
  const keys = Float64Array.from(size);
  const words = new Uint32Array(keys.buffer);
  for (let j = 0; j < k; j++) words[2 * j + lowWord] = (words[2 * j + lowWord] & ~mask) | (mask - j);
  keys.sort();
  for (let j = 0; j < k; j++) perm[k - 1 - j] = mask - (words[2 * j + lowWord] & mask);
}

/** Puts the exponents into the order of the permutation, as the kernels take them. */
function permute({ perm, exponents }: Gauge, at: number, k: number): void {
  const before = exponents.slice(at, at + k);
  for (let j = 0; j < k; j++) exponents[at + j] = before[perm[at + j]];
}

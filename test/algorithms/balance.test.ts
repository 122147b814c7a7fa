import { describe, expect, it } from 'vitest';
import {
  balance,
  pairExponents,
  selectBalance,
  unitBalance,
  unitGauge,
} from '../../lib/algorithms/balance.ts';
import type { ColumnNorms, Gauge } from '../../lib/native/kernels.ts';
import { matrixAt, multiplyRows, type Rows, transposeRows } from '../support/checks.ts';
import { exactly, minus, normOf, times } from '../support/exact.ts';
import { integerMatrix, random } from '../support/matrices.ts';

// Norms here have fractions of a few bits, so that their products, and sums of these, are exact.

/** One length: `fraction · 2^exponent`, 0 or with a fraction in [1/2, 1). */
type Length = readonly [fraction: number, exponent: number];
type Pair = readonly [a: Length, b: Length];

const norms = (lengths: readonly Length[]): ColumnNorms => ({
  fraction: Float64Array.from(lengths, ([fraction]) => fraction),
  exponent: Int32Array.from(lengths, ([, exponent]) => exponent),
});

const normsOf = (items: readonly (readonly Pair[])[]) =>
  ([0, 1] as const).map((side) => norms(items.flat().map((pair) => pair[side])));

const balanceOf = (items: readonly (readonly Pair[])[], options?: Parameters<typeof balance>[4]) => {
  const [a, b] = normsOf(items);
  return balance(a, b, items.length, items[0].length, options);
};

const isZero = ([[a], [b]]: Pair): boolean => a === 0 || b === 0;
const size = ([[f, e], [g, h]]: Pair): number => f * g * 2 ** (e + h);

/** Pairs of many sizes, among them equal ones and zeros. */
function randomPairs(seed: number, k: number): Pair[] {
  const next = random(seed);
  const length = (): Length =>
    next() > 0.8 ? [0, 0] : [(8 + Math.floor(4 + 4 * next())) / 16, Math.round(10 * next())];
  return Array.from({ length: k }, () => [length(), length()] as const);
}

const order = ({ perm }: Gauge, pairs: readonly Pair[], i = 0): Pair[] =>
  Array.from(perm.subarray(i * pairs.length, (i + 1) * pairs.length), (p) => pairs[p]);

const seeds = Array.from({ length: 200 }, (_, i) => i);

describe('balance', () => {
  it('orders the pairs by the product of their lengths, descending and stable, zero pairs last', () => {
    for (const seed of seeds) {
      const pairs = randomPairs(seed, 1 + (seed % 40));
      const { a, b } = balanceOf([pairs]);
      const expected = pairs
        .map((pair, p) => ({ p, size: isZero(pair) ? 0 : size(pair) }))
        .sort((x, y) => y.size - x.size || x.p - y.p);
      expect([...a.perm]).toEqual(expected.map(({ p }) => p));
      expect(b.perm).toEqual(a.perm);
    }
  });

  it('makes both of a pair about equally long, the largest product about 1, and takes one power of two from all', () => {
    for (const seed of seeds) {
      const pairs = randomPairs(seed, 1 + (seed % 40));
      const { a, b, exponent } = balanceOf([pairs]);
      order(a, pairs).forEach((pair, j) => {
        const [[f, e], [g, h]] = pair;
        const [left, right] = [e + a.exponents[j], h + b.exponents[j]];
        if (isZero(pair)) {
          expect([left, right]).toEqual([0, 0]);
          return;
        }
        expect(a.exponents[j] + b.exponents[j] + exponent[0]).toBe(0);
        const ratio = (f * 2 ** left) / (g * 2 ** right);
        expect(ratio).toBeGreaterThanOrEqual(1 / 2);
        expect(ratio).toBeLessThanOrEqual(2);
        if (j === 0) {
          expect(f * g * 2 ** (left + right)).toBeLessThan(1);
          expect(f * g * 2 ** (left + right)).toBeGreaterThanOrEqual(1 / 8);
        }
      });
    }
  });

  it('the product of the balanced factors is exactly a power of two times the product', () => {
    for (const seed of seeds.slice(0, 50)) {
      const k = 1 + (seed % 9);
      const next = random(seed);
      const scale = () => 2 ** Math.round(200 * next());
      const A = columnsTimes(matrixAt(integerMatrix(seed, [5, k])), scale);
      const B = transposeRows(columnsTimes(matrixAt(integerMatrix(seed + 1, [4, k])), scale), k);
      const { a, b, exponent } = balance(lengthsOf(transposeRows(A, k)), lengthsOf(B), 1, k);
      const balanced = times(
        exactly(columnsIn(A, a)),
        exactly(transposeRows(columnsIn(transposeRows(B, 4), b), k)),
        4,
      );
      const { integers, exponent: own } = times(exactly(A), exactly(B), 4);
      const expected = { integers, exponent: own - exponent[0] };
      expect(normOf(minus(balanced, expected))).toBe(0);
      expect(normOf(minus(balanced, { ...expected, exponent: expected.exponent + 1 }))).toBe(
        normOf(expected),
      );
    }
  });

  it('says β, how many pairs make it up, and over what range they lie', () => {
    for (const seed of seeds) {
      const pairs = randomPairs(seed, 1 + (seed % 20));
      const { beta, exponent } = balanceOf([pairs]);
      const sum = pairs.reduce((part, pair) => part + (isZero(pair) ? 0 : size(pair)), 0);
      expect(beta[0] * 2 ** exponent[0]).toBe(sum);
    }
    const one = (exponent: number): Pair => [[1 / 2, exponent], [1 / 2, 0]]; // biome-ignore format: a pair
    const equal = balanceOf([[one(0), one(0), one(0), one(0)]]);
    expect([...equal.pairs, ...equal.range]).toEqual([4, 0]);
    expect([...balanceOf([[one(3), one(9), one(-5)]]).range]).toEqual([14]);
    expect([...balanceOf([[one(3), one(9), one(-5)]], { leading: 2 }).range]).toEqual([6]);
    const zero: Pair = [[0, 0], [1 / 2, 70]]; // biome-ignore format: a pair
    expect([...balanceOf([[zero, one(9), zero]]).pairs]).toEqual([1]);
    const none = balanceOf([[zero, zero]]);
    expect([...none.beta, ...none.pairs, ...none.range, ...none.exponent]).toEqual([0, 1, 0, 0]);
  });

  it('of every item is what it is alone, and so are those that are selected', () => {
    const k = 7;
    const items = [1, 2, 3, 4].map((seed) => randomPairs(seed, k));
    const all = balanceOf(items);
    const some = selectBalance(all, Int32Array.of(3, 1), k);
    expect(some).toEqual(balanceOf([items[3], items[1]]));
    items.forEach((pairs, i) => {
      expect(selectBalance(all, Int32Array.of(i), k)).toEqual(balanceOf([pairs]));
    });
  });

  it('takes an exponent that is common to several, which may be larger than its own', () => {
    const pairs = randomPairs(5, 6);
    const [a, b] = normsOf([pairs]);
    const own = pairExponents(a, b, 1, 6);
    expect(own[0]).toBe(Math.max(...pairs.filter((pair) => !isZero(pair)).map(([[, e], [, h]]) => e + h)));
    const larger = balanceOf([pairs], { common: own.map((e) => e + 6) });
    const plain = balanceOf([pairs]);
    expect(larger.exponent[0] - plain.exponent[0]).toBe(6);
    expect(larger.beta[0] * 2 ** 6).toBe(plain.beta[0]);
    expect(larger.a.perm).toEqual(plain.a.perm);
  });
});

describe('unitBalance', () => {
  it('scales every column to a length of about 1 in the order of the balance, and says what that takes away', () => {
    for (const seed of seeds.slice(0, 50)) {
      const items = [seed, seed + 1].map((s) => randomPairs(s, 9));
      const [a, b] = normsOf(items);
      const { a: gauge } = balance(a, b, 2, 9);
      const unit = unitBalance(a, b, gauge, 9);
      items.forEach((pairs, i) => {
        order(gauge, pairs, i).forEach((pair, j) => {
          const [[, e], [, h]] = pair;
          const at = 9 * i + j;
          expect([e + unit.a.exponents[at], h + unit.b.exponents[at]]).toEqual([0, 0]);
          if (isZero(pair)) expect(2 ** unit.exponents[at]).toBe(0);
          else expect(unit.exponents[at]).toBe(e + h);
        });
      });
    }
  });
});

it('the gauge that changes nothing has every column in its place', () => {
  expect(unitGauge(2, 3)).toEqual({ perm: Int32Array.of(0, 1, 2, 0, 1, 2), exponents: new Int32Array(6) });
});

/** Every column times a number of its own. */
function columnsTimes(x: Rows, scale: () => number): Rows {
  const scales = x[0].map(scale);
  const matrix = scales.map((s, i) => scales.map((_, j) => (i === j ? s : 0)));
  return multiplyRows(x, matrix);
}

/** The columns of `x` in the order and at the scale of a gauge. */
const columnsIn = (x: Rows, { perm, exponents }: Gauge): Rows =>
  x.map((row) => Array.from(perm, (p, j) => row[p] * 2 ** exponents[j]));

/** Lengths of vectors, as kernels say them. */
const lengthsOf = (vectors: Rows): ColumnNorms =>
  norms(
    vectors.map((vector) => {
      const largest = Math.max(...vector.map(Math.abs));
      if (largest === 0) return [0, 0];
      const step = 2 ** Math.floor(Math.log2(largest));
      const length = Math.hypot(...vector.map((x) => x / step));
      const exponent = Math.floor(Math.log2(length)) + 1;
      return [length / 2 ** exponent, exponent + Math.log2(step)];
    }),
  );

import { describe, expect, test } from 'vitest';
import { atOnce } from '../../lib/array/turns.ts';
import { svdvals } from '../../lib/index.ts';
import { elementNumbers } from '../../lib/scan/elements.ts';
import { noiseEdge } from '../../lib/scan/marchenko-pastur.ts';
import { curvePlaces } from '../../lib/scan/places.ts';
import { unitsOf, unitsOfShard } from '../../lib/scan/plan.ts';
import { powerLaw } from '../../lib/scan/power-law.ts';
import { spectrumNumbers } from '../../lib/scan/spectrum.ts';
import type { Weights } from '../../lib/weights/index.ts';
import { mapMatrix, randomMatrix } from '../support/matrices.ts';

/** Independent elements of variance 1. */
const noiseMatrix = (seed: number, shape: number[]) =>
  mapMatrix(randomMatrix(seed, shape), (x) => Math.sqrt(3) * x);

describe('the edge of noise', () => {
  const shapes: [number, number][] = [
    [60, 60],
    [40, 160],
    [200, 30],
  ];

  test.each(shapes)('%i×%i: of noise no singular value is beyond it, and its deviation is found', (m, n) => {
    let spikes = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const S = svdvals(noiseMatrix(seed, [m, n])).data;
      const { noise, edge } = noiseEdge(S, m, n)!;
      expect(noise).toBeGreaterThan(0.9);
      expect(noise).toBeLessThan(1.1);
      expect(edge).toBeCloseTo(noise * (Math.sqrt(m) + Math.sqrt(n)), 10);
      spikes += spectrumNumbers(S, m, n).spikes!;
    }
    expect(spikes).toBeLessThanOrEqual(1);
  });

  test.each(shapes)('%i×%i: planted directions are counted, however many', (m, n) => {
    for (const planted of [1, 2, 5]) {
      const a = noiseMatrix(planted, [m, n]);
      const [u, v] = [noiseMatrix(7, [planted, m]), noiseMatrix(8, [planted, n])];
      for (let k = 0; k < planted; k++)
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++)
            a.data[i * n + j] += (4 * u.get(k, i) * v.get(k, j)) / Math.sqrt(Math.min(m, n));
      expect(spectrumNumbers(svdvals(a).data, m, n).spikes).toBe(planted);
    }
  });

  test('means nothing for a few singular values', () => {
    expect(noiseEdge(new Float64Array(9).fill(1), 9, 9)).toBeUndefined();
  });
});

describe('the power law', () => {
  /** Eigenvalues at the quantiles of the law, and some that are not of it below. */
  const tail = (alpha: number, count: number) =>
    Float64Array.from({ length: count }, (_, i) => (1 - (i + 0.5) / count) ** (-1 / (alpha - 1)))
      .reverse()
      .map(Math.sqrt);

  test.each([1.5, 2.5, 4, 6])('of exponent %f is found, with its beginning', (alpha) => {
    const S = [...tail(alpha, 400), ...Array.from({ length: 400 }, (_, i) => 0.9 - i / 800)];
    const law = powerLaw(S)!;
    expect(Math.abs(law.alpha / alpha - 1)).toBeLessThan(0.02);
    expect(law.xmin).toBeGreaterThan(0.7);
    expect(law.xmin).toBeLessThan(1.3);
    expect(law.distance).toBeLessThan(0.01);
  });

  test('is far from what is none', () => {
    const uniform = Array.from({ length: 200 }, (_, i) => Math.sqrt(200 - i));
    expect(powerLaw(uniform)!.distance).toBeGreaterThan(0.04);
  });

  test('does not depend on the scale, but for xmin; and there is none of what is too little or all the same', () => {
    const S = tail(3, 50);
    const [law, scaled] = [powerLaw(S)!, powerLaw(S.map((s) => 3 * s))!];
    expect(scaled.alpha).toBeCloseTo(law.alpha, 10);
    expect(scaled.xmin).toBeCloseTo(9 * law.xmin, 10);
    expect(powerLaw(new Float64Array(50).fill(2))).toBeUndefined();
    expect(powerLaw(new Float64Array(50))).toBeUndefined();
    expect(powerLaw(S.map((s) => s * 1e-9))).toBeUndefined();
    expect(powerLaw(S.slice(0, 9))).toBeUndefined();
  });
});

describe('the elements', () => {
  const of = (data: Float32Array | Float64Array | Uint16Array, dtype: string) =>
    atOnce(elementNumbers({ data, dtype }));

  test('are counted alike, one by one and by what there is of each', () => {
    const few = Uint16Array.from({ length: 60_000 }, (_, i) => (i * 40_503) & 0xffff); // many NaN among them
    const many = new Uint16Array(300_000);
    for (let i = 0; i < many.length; i++) many[i] = few[i % few.length];
    for (const dtype of ['bfloat16', 'float16']) {
      const [one, five] = [of(few, dtype), of(many, dtype)];
      expect(one.nan).toBeGreaterThan(0);
      expect([five.nan, five.infinite, five.largest]).toEqual([5 * one.nan, 5 * one.infinite, one.largest]);
      expect(five.norm / one.norm).toBeCloseTo(Math.sqrt(5), 12);
    }
  });

  test('whose squares do not fit have a norm all the same', () => {
    for (const scale of [1e-300, 5e-324, 1e300])
      expect(of(Float64Array.of(3 * scale, -4 * scale), 'float64').norm / scale).toBeCloseTo(5, 12);
    expect(of(new Float64Array(3), 'float64').norm).toBe(0);
    expect(of(new Float32Array(0), 'float32')).toEqual({ norm: 0, largest: 0, nan: 0, infinite: 0 });
    expect(of(Float64Array.of(Number.NaN, 1e300, Infinity), 'float64')).toEqual({
      norm: 1e300,
      largest: 1e300,
      nan: 1,
      infinite: 1,
    });
  });
});

test('a zero matrix has no ratios', () => {
  expect(spectrumNumbers(new Float64Array(12), 12, 20)).toEqual({
    sigma1: 0,
    nuclear: 0,
    stableRank: 0,
    effectiveRank: 0,
    condition: Infinity,
    edge: 0,
    spikes: 0,
  });
});

test('the places of a curve go up, from the first singular value to the last', () => {
  for (const p of [1, 2, 47, 48, 49, 50, 60, 100, 4096, 100_000]) {
    const places = curvePlaces(p);
    expect([places[0], places.at(-1)]).toEqual([0, p - 1]);
    expect(places.every((place, i) => i === 0 || place > places[i - 1])).toBe(true);
    expect(places.length).toBeLessThanOrEqual(48);
  }
});

describe('shards', () => {
  const tensors = new Map(
    Array.from({ length: 40 }, (_, i) => [
      `layer.${i}`,
      { dtype: 'BF16', shape: i % 3 === 0 ? [64] : [16 * (1 + (i % 7)), 32 * (1 + (i % 5))] },
    ]),
  );
  const weights = { tensors, names: [...tensors.keys()], path: '' } as unknown as Weights;
  const units = unitsOf(weights, { include: [], exclude: ['layer.3?'], minSize: 0 });

  test('of every count hold each unit once, in order, and the same on every machine', () => {
    for (const count of [1, 2, 3, 7, 100]) {
      const parts = Array.from({ length: count }, (_, i) => unitsOfShard(units, { index: i + 1, count }));
      for (const part of parts) expect(part).toEqual([...part].sort((a, b) => a.index - b.index));
      expect(parts.flat().sort((a, b) => a.index - b.index)).toEqual(units);
    }
  });

  test('take about as long', () => {
    const work = [1, 2, 3].map((index) =>
      unitsOfShard(units, { index, count: 3 }).reduce((sum, { cost }) => sum + cost, 0),
    );
    expect(Math.max(...work) / Math.min(...work)).toBeLessThan(1.1);
  });

  test('a stack is many units, as large as they may be, of all its matrices', () => {
    const stack = new Map([['experts', { dtype: 'BF16', shape: [10, 4096, 2048] }]]);
    const parts = unitsOf({ tensors: stack, names: ['experts'], path: '' } as unknown as Weights, {
      include: [],
      exclude: [],
      minSize: 0,
    });
    expect(parts.map(({ from, to }) => [from, to])).toEqual([0, 2, 4, 6, 8].map((i) => [i, i + 2]));
  });
});

test('the signal-to-noise ratio of numbers whose sum is beyond float64 is that of others', () => {
  const S = Float64Array.from({ length: 30 }, (_, i) => 30 - i);
  const [usual, large] = [1, 2 ** 1018].map((scale) => {
    const scaled = S.map((s) => s * scale);
    return spectrumNumbers(scaled, 40, 30).snr! * scaled[0];
  });
  expect(large / usual).toBeCloseTo(1, 12);
});

import { describe, expect, test } from 'vitest';
import { gaussianMatrix } from '../../lib/algorithms/random.ts';
import { randomSpectrum } from '../../lib/circuits/random.ts';
import { runSync } from '../../lib/native/steps.ts';

const sum = (x: Iterable<number>) => [...x].reduce((all, value) => all + value, 0);
const energy = (S: Float64Array) => sum(S.map((sigma) => sigma ** 2));

describe('random numbers of a normal distribution', () => {
  const n = 20_000;
  const x = runSync(gaussianMatrix(200, 100, 3)).data as Float64Array;

  // Standard errors of the sample moments of a normal distribution: 1, 2, 15, 96 are the variances of x, x², x³, x⁴.
  test.each([
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ])('moment %i is %i', (power, expected, variance) => {
    const moment = sum(x.map((value) => value ** power)) / n;
    expect(Math.abs(moment - expected)).toBeLessThanOrEqual(5 * Math.sqrt(variance / n));
  });

  test('negative control: uniform numbers of that variance have another fourth moment', () => {
    const uniform = x.map((_, i) => Math.sqrt(12) * ((i + 0.5) / n - 0.5));
    expect(Math.abs(sum(uniform.map((value) => value ** 4)) / n - 3)).toBeGreaterThan(5 * Math.sqrt(96 / n));
  });

  test('rows are not repeated, and another seed gives other numbers', () => {
    expect(new Set(x).size).toBeGreaterThan(n - 10); // 32 bits each
    expect(runSync(gaussianMatrix(1, 1, 4)).data[0]).not.toBe(x[0]);
  });
});

describe('the spectrum of random factors', () => {
  test('ends where the inner dimension does, falls, and is the same on every run', async () => {
    const S = await randomSpectrum({ rows: 20, inner: 4, cols: 15 });
    expect(S.length).toBe(4);
    expect(S.every((sigma, j) => sigma > 0 && (j === 0 || sigma <= S[j - 1]))).toBe(true);
    expect(await randomSpectrum({ rows: 20, inner: 4, cols: 15 })).toEqual(S);
    expect(await randomSpectrum({ rows: 20, inner: 4, cols: 15, seed: 1 })).not.toEqual(S);
  });

  test('has the energy that chance gives, ‖A·B‖_F² = ‖A‖_F²·‖B‖_F²/inner in the mean', async () => {
    const [draws, inner] = [200, 4];
    const energies: number[] = [];
    for (let seed = 0; seed < draws; seed++)
      energies.push(energy(await randomSpectrum({ rows: 6, inner, cols: 5, seed })));
    const mean = sum(energies) / draws;
    const deviation = Math.sqrt(sum(energies.map((e) => (e - mean) ** 2)) / (draws - 1) / draws);
    expect(Math.abs(mean - 1 / inner)).toBeLessThanOrEqual(5 * deviation);
    expect(Math.abs(mean - 1 / 6), 'negative control').toBeGreaterThan(5 * deviation);
  });
});

import { describe, expect, it } from 'vitest';
import { denseSpectralNorm } from '../../lib/algorithms/spectral-norm.ts';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { norm, stableRank, svdvals, transpose } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { errorOf } from '../support/checks.ts';
import * as within from '../support/function-bounds.ts';
import { array, dtypes, mapMatrix, randomMatrix, withSpectrum } from '../support/matrices.ts';

// Of matrices whose largest singular value is found without the others: from 256 rows and columns on.

const order = 260;
const spectra: Readonly<Record<string, (i: number) => number>> = {
  'decays fast': (i) => 0.7 ** i,
  'decays slowly': (i) => (i + 1) ** -0.35,
  'does not decay': () => 1,
  'has two nearly equal ones': (i) => (i === 1 ? 1 - 1e-5 : 0.9 ** i),
  'has a cluster larger than a block': (i) => (i < 20 ? 1 - i * 1e-7 : 0.5),
  'thins out towards the largest': (i) => 1 - ((i + 0.5) / order) ** 2,
  'is one value': (i) => (i === 0 ? 1 : 0),
};

function checkNorm(a: Tensor, sigma1: number, dtype: Dtype): void {
  const [m, n] = a.shape;
  const bound = bounds.singularValues(dtype, bounds.denseBound(dtype, m, n, sigma1), 0);
  expect(Math.abs((norm(a, 2) as number) - sigma1) / bound).toBeLessThanOrEqual(1);
}

describe.each(dtypes)('%s', (dtype) => {
  it.each(Object.entries(spectra))('a spectrum that %s', (_, sigma) => {
    const values = Array.from({ length: order }, (_, i) => sigma(i));
    const a = withSpectrum(1, order, 300, values, dtype);
    const [sigma1] = svdvals(a).data;
    checkNorm(a, sigma1, dtype);
    checkNorm(transpose(a) as Tensor, sigma1, dtype);
  });

  it('does not overflow or underflow on the way', () => {
    const a = withSpectrum(
      2,
      order,
      order,
      Array.from({ length: order }, (_, i) => 0.8 ** i),
      dtype,
    );
    const exact = norm(a, 2) as number;
    for (const scale of dtype === 'float32' ? [2 ** -100, 2 ** 100] : [2 ** -900, 2 ** 900])
      expect(
        norm(
          mapMatrix(a, (x) => x * scale),
          2,
        ),
      ).toBe(exact * scale);
  });

  it('where equal terms add up equal rounding errors, and of a zero matrix', () => {
    const equal = array(new Array(order * 2000).fill(1 / 3), [order, 2000], dtype);
    checkNorm(equal, Math.sqrt(order * 2000) * equal.get(0, 0), dtype);
    expect(norm(array(new Array(order ** 2).fill(0), [order, order], dtype), 2)).toBe(0);
  });
});

it.each([
  ['float64', 256, 20_000, 0.7],
  ['float64', 20_000, 256, 0.7],
  ['float32', 2048, 300, 1 / 3],
] as const)('where long sums add up equal errors: %s %i×%i', (dtype, m, n, x) => {
  const sign = (i: number, q: number) => ((i * i) % q < q / 2 ? -1 : 1);
  const data = Array.from({ length: m * n }, (_, e) => sign(Math.floor(e / n), 7) * sign(e % n, 11) * x);
  const a = array(data, [m, n], dtype);
  const exact = Math.abs(a.get(0, 0)) * Math.sqrt(m * n);
  checkNorm(a, exact, dtype);
  expect(Math.abs((norm(a) as number) - exact)).toBeLessThanOrEqual(within.frobenius(exact, m, n));
});

it('of a batch the norms of its matrices', () => {
  const batch = randomMatrix(3, [2, order, order], 'float32');
  const norms = norm(batch, 2) as unknown as Tensor;
  expect(norms.shape).toEqual([2]);
  const second = array(batch.data.slice(order ** 2), [order, order], 'float32');
  expect(norms.get(1)).toBe(norm(second, 2));
  const all = norm(second) as number;
  expect(stableRank(second)).toBe((all / (norm(second, 2) as number)) ** 2);
});

it('says which element is not finite', () => {
  const a = randomMatrix(4, [order, order]);
  a.set(7, 9, Number.NaN);
  expect(errorOf(() => norm(a, 2))).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index: [7, 9] });
});

it('is not right because it decomposes everything', () => {
  const a = withSpectrum(
    5,
    order,
    order,
    Array.from({ length: order }, (_, i) => 0.9 ** i),
    'float64',
  );
  let largest = 0;
  const steps = denseSpectralNorm(a);
  for (let step = steps.next(); !step.done; step = steps.next()) {
    if (!('kernel' in step.value)) continue;
    runSync(
      (function* (call) {
        yield call;
      })(step.value),
    );
    if (step.value.kernel === 'svdLadder')
      largest = Math.max(largest, (step.value.fields as { a: { cols: number } }).a.cols);
  }
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(order);
});

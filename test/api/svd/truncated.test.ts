import { describe, expect, it } from 'vitest';
import { noneAbove } from '../../../lib/algorithms/leading.ts';
import { randomMatrix as startOf } from '../../../lib/algorithms/random.ts';
import type { TruncatedSvd } from '../../../lib/algorithms/result.ts';
import type { Truncation } from '../../../lib/algorithms/truncation.ts';
import type { Dtype, Tensor } from '../../../lib/array/tensor.ts';
import { dist, svd, svdAsync, svdvals, transpose } from '../../../lib/index.ts';
import { packed } from '../../../lib/native/batch.ts';
import { runSync } from '../../../lib/native/steps.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import { dtypeOf, norm, vectorAt } from '../../support/checks.ts';
import { array, dtypes, mapMatrix, orthogonal, randomMatrix, withSpectrum } from '../../support/matrices.ts';

const methods = ['full', 'gram', 'krylov'] as const;

/** All that a truncated decomposition of one matrix promises, against all of the singular values. */
function checkTruncated(a: Tensor, result: TruncatedSvd, full = svdvals(a) as Tensor): void {
  const dtype = dtypeOf(a);
  const sigma = vectorAt(full);
  const S = vectorAt(result.S);
  const [m, n] = a.shape;
  const own = bounds.singularValues(dtype, bounds.denseBound(dtype, m, n, sigma[0] ?? 0), 0);
  const bound = result.bound as number;
  S.forEach((s, i) => {
    const nearest = Math.min(...sigma.map((other) => Math.abs(other - s)));
    expect(nearest, `residual ${i}`).toBeLessThanOrEqual(result.residuals.get(i) + own);
    if (result.certified)
      expect(Math.abs(s - sigma[i]), `singular value ${i}`).toBeLessThanOrEqual(bound + own);
  });
  if (result.certified && S.length < sigma.length && S.length > 0) {
    expect(sigma[S.length], 'missed').toBeLessThanOrEqual(S[S.length - 1] + bound + own);
  }
  const error = dist(a, result) as number;
  const rounding = bounds.reconstruction('float64', norm(sigma), m, n);
  expect(result.truncationError).toBeGreaterThanOrEqual(error - rounding);
  const tail = norm(sigma.slice(S.length));
  if (result.certified) {
    expect(error).toBeLessThanOrEqual(tail + bounds.reconstruction(dtype, norm(sigma), m, n) + bound);
  }
  for (const [x, name] of [[result.U, 'U'] as const, [transpose(result.Vh), 'V'] as const]) {
    expect(departure(x), name).toBeLessThanOrEqual(bounds.orthonormality(dtype, S.length));
  }
}

/** ‖QᵀQ − I‖_F */
function departure(q: Tensor): number {
  const [rows, cols] = q.shape;
  let sum = 0;
  for (let i = 0; i < cols; i++)
    for (let j = 0; j < cols; j++) {
      let dot = i === j ? -1 : 0;
      for (let k = 0; k < rows; k++) dot += q.get(k, i) * q.get(k, j);
      sum += dot ** 2;
    }
  return Math.sqrt(sum);
}

const slow = (p: number) => Array.from({ length: p }, (_, i) => (i + 1) ** -0.35);
const fast = (p: number) => Array.from({ length: p }, (_, i) => 0.7 ** i);

const spectra: Record<string, (p: number) => number[]> = {
  slow,
  fast,
  flat: (p) => new Array(p).fill(1),
  clustered: (p) => Array.from({ length: p }, (_, i) => (i < 12 ? 1 : 1e-3)),
  'of low rank': (p) => Array.from({ length: p }, (_, i) => (i < 4 ? 4 - i : 0)),
  'nearly equal at the cut': (p) =>
    Array.from({ length: p }, (_, i) => (i < 5 ? 2 : i < 8 ? 1 + 1e-9 * i : 0.5)),
  large: (p) => slow(p).map((s) => s * 1e30),
  small: (p) => slow(p).map((s) => s * 1e-30),
};

describe.each(dtypes)('leading triplets, %s', (dtype: Dtype) => {
  describe.each(Object.keys(spectra))('of a spectrum that is %s', (name) => {
    const cases = [
      [30, 45],
      [45, 30],
      [40, 40],
    ].map(([m, n], i) => withSpectrum(7 + i, m, n, spectra[name](Math.min(m, n)), dtype));

    it.each(methods)('have the evidence that they promise: %s', (method) => {
      for (const a of cases) {
        checkTruncated(a, svd(a, { rank: 6, method }));
        checkTruncated(a, svd(a, { rank: 6, method, certify: true }));
      }
    });
  });

  it('are certified but for krylov, which is where it is asked for', () => {
    const a = withSpectrum(3, 120, 160, slow(120), dtype);
    for (const method of methods)
      expect(svd(a, { rank: 5, method }).certified, method).toBe(method !== 'krylov');
    expect(svd(a, { rank: 5, method: 'krylov', certify: true })).toMatchObject({
      certified: true,
      driver: 'krylov',
    });
    expect(svd(a, { rank: 5, method: 'gram' }).driver).toBe('gram');
  });

  it('of zeros, of nothing, and none', () => {
    for (const method of methods) {
      const zeros = array(new Float64Array(20 * 30), [20, 30], dtype);
      checkTruncated(zeros, svd(zeros, { rank: 3, method }));
      const a = randomMatrix(1, [20, 30], dtype);
      const none = svd(a, { rank: 0, method });
      expect([none.U.shape, none.S.shape, none.Vh.shape, none.residuals.shape]).toEqual([
        [20, 0],
        [0],
        [0, 30],
        [0],
      ]);
      checkTruncated(a, none);
      const empty = svd(array([], [0, 5], dtype), { rank: 0, method });
      expect(empty).toMatchObject({ truncationError: 0 });
    }
  });

  it.each(methods)('as few as leave tol, and as hold a share of the energy: %s', (method) => {
    const a = withSpectrum(5, 40, 60, fast(40), dtype);
    const sigma = vectorAt(svdvals(a) as Tensor);
    for (const tol of [0.3, 0.05, 1e-3]) {
      const result = svd(a, { tol, method });
      const r = result.S.shape[0];
      checkTruncated(a, result);
      expect(result.truncationError).toBeLessThanOrEqual(tol);
      expect(norm(sigma.slice(r - 1))).toBeGreaterThan(tol);
    }
    for (const energy of [0.5, 0.9, 0.999]) {
      const r = svd(a, { energy, method }).S.shape[0];
      const all = norm(sigma) ** 2;
      expect(norm(sigma.slice(0, r)) ** 2).toBeGreaterThanOrEqual(energy * all);
      expect(norm(sigma.slice(0, r - 1)) ** 2).toBeLessThan(energy * all);
    }
    expect(svd(a, { energy: 0, method }).S.shape).toEqual([0]);
  });

  it.each(methods)('of a batch are those of its matrices, bit by bit: %s', (method) => {
    const a = randomMatrix(9, [2, 2, 20, 31], dtype);
    const all = svd(a, { rank: 4, method });
    const error = all.truncationError as Tensor;
    expect([all.U.shape, all.residuals.shape, error.shape]).toEqual([
      [2, 2, 20, 4],
      [2, 2, 4],
      [2, 2],
    ]);
    const one = svd(array(a.data.slice(3 * 620), [20, 31], dtype), { rank: 4, method });
    expect(Array.from(all.U.data.slice(3 * 80))).toEqual(Array.from(one.U.data));
    expect(error.get(1, 1)).toBe(one.truncationError);
    expect([[all.driver].flat()[3], [all.certified].flat()[3]]).toEqual([one.driver, one.certified]);
  });

  it('of a batch are as many for all as the one needs that needs most', () => {
    const [x, y] = [fast(20), slow(20)].map((s, i) => withSpectrum(11 + i, 20, 20, s, dtype));
    const a = array([...x.data, ...y.data], [2, 20, 20], dtype);
    for (const method of methods) {
      const ranks = [x, y].map((one) => svd(one, { tol: 0.5, method }).S.shape[0]);
      expect(svd(a, { tol: 0.5, method }).S.shape, method).toEqual([2, Math.max(...ranks)]);
    }
  });

  it.each(methods)('off the event loop have the same bits: %s', async (method) => {
    const a = randomMatrix(13, [50, 33], dtype);
    const [here, there] = [svd(a, { rank: 7, method }), await svdAsync(a, { rank: 7, method })];
    for (const x of ['U', 'S', 'Vh', 'residuals'] as const) {
      expect(Array.from(there[x].data)).toEqual(Array.from(here[x].data));
    }
  });
});

it.each([
  [95, 9],
  [40, 6],
  [83, 2],
])('a restart leaves an orthonormal basis, whatever is left of the space: order %i, rank %i', (p, rank) => {
  const a = withSpectrum(60, p, p + 10, slow(p), 'float32');
  for (const method of ['gram', 'krylov'] as const) {
    const result = svd(a, { rank, method });
    expect(result.driver).toBe(method);
    checkTruncated(a, result);
  }
});

describe('what rounding does is counted', () => {
  it.each(methods)('the singular values are those that are returned, subnormal ones too: %s', (method) => {
    const a = array(
      randomMatrix(61, [12, 9]).data.map((x) => x * 2 ** -140),
      [12, 9],
      'float32',
    );
    const exact = mapMatrix(a, (x) => x, 'float64');
    const { S, residuals } = svd(a, { rank: 3, method });
    const sigma = vectorAt(svdvals(exact) as Tensor);
    for (let i = 0; i < 3; i++) {
      expect(Math.abs(S.get(i) - sigma[i])).toBeLessThanOrEqual(residuals.get(i));
      expect(Math.abs(S.get(i) - sigma[i])).toBeGreaterThan(0); // or this shows nothing
    }
  });

  it.each(methods)('tol is kept far below where squares are left of ‖a‖²: %s', (method) => {
    const a = withSpectrum(62, 20, 24, fast(20).map((s) => s ** 6), 'float64'); // biome-ignore format: a matrix
    for (const tol of [1e-9, 1e-11]) {
      const { truncationError, S } = svd(a, { tol, method });
      expect(truncationError).toBeLessThanOrEqual(tol);
      expect(S.shape[0]).toBeLessThan(20);
    }
  });

  it.each(methods)('tol is kept where triplets are less exact than that: %s', (method) => {
    const a = withSpectrum(63, 40, 60, slow(40), 'float64');
    const left = norm(slow(40).slice(12));
    const { truncationError, S } = svd(a, { tol: left * (1 + 1e-9), method, accuracy: 0.03 });
    expect(truncationError).toBeLessThanOrEqual(left * (1 + 1e-9));
    expect(S.shape[0]).toBeLessThan(20);
  });

  it.each(methods)('tol is kept where rounding leaves nearly as much: %s', (method) => {
    const next = randomMatrix(64, [93, 55]);
    const a = mapMatrix(next, (x) => 1 + 1e-6 * x, 'float32');
    const least = svd(a, { rank: 55, method: 'full' }).truncationError as number;
    for (const share of [1.03, 1.1, 1.2]) {
      expect(svd(a, { tol: share * least, method }).truncationError).toBeLessThanOrEqual(share * least);
    }
  });

  it('errors of sums of equal terms, which all go one way, are among the residuals', () => {
    const [m, n] = [1500, 1500];
    for (const x of [0.1, 1 / 3]) {
      const a = array(new Array(m * n).fill(x), [m, n]);
      const { S, residuals } = svd(a, { rank: 1, method: 'krylov' });
      const exact = x * Math.sqrt(m * n);
      expect(Math.abs(S.get(0) - exact)).toBeLessThanOrEqual(residuals.get(0) + 2 ** -52 * exact);
    }
  });

  it('of many equal elements ‖a‖_F is no more than what is stated', () => {
    const a = array(new Array(164 * 70).fill(0.1), [164, 70], 'float32');
    const exact = Math.sqrt(Math.fround(0.1) ** 2 * 164 * 70);
    for (const method of methods) {
      const { truncationError } = svd(a, { rank: 0, method });
      expect(truncationError, method).toBeGreaterThanOrEqual(exact * (1 - 2 ** -52));
    }
  });
});

describe('what a random start does not see', () => {
  // The largest singular value belongs to a vector that the start block of the default seed is orthogonal to.
  const [p, rank] = [160, 4];
  const block = runSync(startOf(p, rank + 8, 0));
  const columns = Array.from({ length: block.cols }, (_, j) =>
    Array.from({ length: p }, (_, i) => block.data[i * block.cols + j]),
  );
  const hidden = 1.05;
  const besides = orthogonal(21, p, columns.length + 1, columns);
  const unseen = Array.from({ length: p }, (_, i) => besides.get(i, columns.length));
  const [U, V] = [orthogonal(22, p, p, [unseen]), orthogonal(23, p, p)];
  const sigma = Array.from({ length: p }, (_, i) => (i === 0 ? hidden : 0.9 ** (i - 1)));
  const a = array(
    Array.from({ length: p * p }, (_, e) =>
      sigma.reduce((sum, s, k) => sum + U.get(Math.floor(e / p), k) * s * V.get(e % p, k), 0),
    ),
    [p, p],
  );

  it('krylov misses, and does not call certified', () => {
    const result = svd(a, { rank, method: 'krylov', accuracy: 1e-3 });
    expect(result.S.get(0)).toBeLessThan(1.01);
    expect(result.certified).toBe(false);
    checkTruncated(a, result);
  });

  it('is found where a certificate is asked for, and by default', () => {
    for (const options of [
      { method: 'krylov', accuracy: 1e-3, certify: true },
      { method: 'gram' },
      {},
    ] as const) {
      const result = svd(a, { rank, ...options });
      expect(result.S.get(0)).toBeCloseTo(hidden, 6);
      checkTruncated(a, result);
    }
  });
});

describe('the certificate', () => {
  it('is refused as soon as one singular value is larger', () => {
    const sigma = [5, 4, 3, 2, 1];
    const x = withSpectrum(31, 20, 25, sigma);
    const A = packed(x.data, 1, 20, 25);
    const { U, S, Vh } = svd(x, { rank: 2 });
    const leading = {
      U: packed(U.data, 1, 20, 2),
      S: packed(S.data, 1, 1, 2),
      Vh: packed(Vh.data, 1, 2, 25),
      next: 3,
      gram: undefined,
      X: packed(U.data, 1, 20, 2),
    };
    const none = (most: number) => runSync(noneAbove(most, A, leading));
    expect([none(4), none(3.001), none(2.999), none(1)]).toEqual([true, true, false, false]);
  });
});

describe('options', () => {
  const a = randomMatrix(2, [5, 4]);
  const code = (options: Truncation & Record<string, unknown>) => {
    try {
      svd(a, options as { rank: number });
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`;
    }
    return 'none';
  };

  it.each([
    [{ rank: 5 }, 'rank: expected an integer from 0 to 4'],
    [{ rank: 2, tol: 1 }, 'one of rank, tol and energy, got rank and tol'],
    [{ rank: 2, fullMatrices: true }, 'fullMatrices and rank exclude each other'],
    [{ method: 'gram' }, 'method: only with one of rank, tol and energy'],
    [{ certify: true }, 'certify: only with one of'],
    [{ rank: 2, method: 'lanczos' }, "method: expected 'auto' or 'full' or 'gram' or 'krylov'"],
    [{ energy: 1.5 }, 'energy: expected a number from 0 to 1'],
    [{ tol: -1 }, 'tol: expected a number ≥ 0'],
    [{ rank: 2, niter: 4 }, 'accuracy'],
  ])('%j is ERR_SVD_ARGUMENT', (options, message) => {
    const said = code(options);
    expect(said).toMatch(/^ERR_SVD_ARGUMENT/);
    expect(said).toContain(message);
  });

  it('the same seed gives the same bits, another one other bits', () => {
    const x = withSpectrum(41, 120, 120, slow(120), 'float32');
    const [one, again, other] = [1, 1, 2].map((seed) => svd(x, { rank: 3, method: 'krylov', seed }));
    expect(Array.from(again.U.data)).toEqual(Array.from(one.U.data));
    expect(Array.from(other.U.data)).not.toEqual(Array.from(one.U.data));
  });

  it('what is not finite is found, and collected', () => {
    const x = randomMatrix(51, [2, 6, 6]);
    x.data[40] = Number.NaN;
    for (const method of methods) {
      const found = svd(x, { rank: 2, method, onError: 'collect' });
      expect(found.errors).toMatchObject([{ code: 'ERR_SVD_NON_FINITE', batchIndex: [1] }]);
      expect([
        (found.truncationError as Tensor).get(1),
        found.residuals.get(1, 0),
        found.S.get(1, 0),
      ]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
      expect(found.certified).toEqual([true, false]);
      expect(() => svd(x, { rank: 2, method })).toThrow(
        expect.objectContaining({ code: 'ERR_SVD_NON_FINITE' }),
      );
    }
  });
});

it('of rank 0 the value that follows is the largest', () => {
  const x = randomMatrix(70, [90, 80], 'float64');
  const [sigma1] = svdvals(x).data;
  const bound = bounds.singularValues('float64', bounds.denseBound('float64', 90, 80, sigma1), 0);
  for (const method of methods)
    expect(Math.abs((svd(x, { rank: 0, method }).next as number) - sigma1)).toBeLessThanOrEqual(2 * bound);
});

it('no triplets hold no share of the energy, however small', () => {
  for (const method of methods) {
    expect(svd([[3, 0], [4, 5]], { energy: 1e-300, method }).S.shape).toEqual([1]); // biome-ignore format: a matrix
    expect(svd([[0, 0], [0, 0]], { energy: 0.5, method }).S.shape).toEqual([0]); // biome-ignore format: a matrix
  }
});

it('evidence that is a subnormal number is rounded up', () => {
  const e = 2 ** -1074;
  const { residuals, truncationError } = svd([[e, e], [0, e]], { rank: 1 }); // biome-ignore format: a matrix
  expect(residuals.get(0)).toBeGreaterThanOrEqual(e); // σ₁ is 1.6 times e, S 2 times
  expect(truncationError).toBeGreaterThanOrEqual(e);
});

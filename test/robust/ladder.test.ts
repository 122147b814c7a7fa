import { afterEach, describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { svd, svdAsync, svdvals } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import { bits, checkError, checkSameSpectrum, checkSvd, errorOf, rejectionOf } from '../support/checks.ts';
import { array, mapMatrix, type Product, randomMatrix, randomProduct } from '../support/matrices.ts';
import { loadFaults } from './support/faults.ts';

// Every rung of the ladder gesdd → gesvd → gesvd-scaled → gejsv answers when all others report that they did not converge,
// and the one above them, gesdd-blocked, which leaves square factors to them.

const faults = await loadFaults();
afterEach(() => {
  faults.setFaults(0);
  faults.setSkewed(0);
});

const drivers = ['gesdd', 'gesvd', 'gesvd-scaled', 'gejsv'] as const;
const blocked = 1 << drivers.length;
const all = 0b11111;
const allBut = (driver: number) => all & ~(1 << driver);

const shapes = [
  [6, 6],
  [9, 4],
  [4, 9],
  [1, 1],
  [7, 1],
  [1, 7],
  [40, 40],
  [60, 13],
  [13, 60],
  [3, 5, 4],
  [2, 2, 4, 6],
];

const smallest: Record<Dtype, number> = { float32: 2 ** -149, float64: 2 ** -1074 };
const largest: Record<Dtype, number> = { float32: 2 ** 120, float64: 2 ** 1015 };
const kinds: Record<string, (shape: number[], dtype: Dtype) => Tensor> = {
  random: (shape, dtype) => randomMatrix(1, shape, dtype),
  zero: (shape, dtype) => mapMatrix(randomMatrix(1, shape), () => 0, dtype),
  'of rank one': (shape, dtype) => mapMatrix(randomMatrix(1, shape), () => 1, dtype),
  'the identity': (shape, dtype) => mapMatrix(randomMatrix(1, shape), (_, i, j) => (i === j ? 1 : 0), dtype),
  graded: (shape, dtype) => mapMatrix(randomMatrix(1, shape), (x, _, j) => x * 2 ** -((j * 7) % 40), dtype),
  subnormal: (shape, dtype) => mapMatrix(randomMatrix(1, shape), (x) => x * 1000 * smallest[dtype], dtype),
  huge: (shape, dtype) => mapMatrix(randomMatrix(1, shape), (x) => x * largest[dtype], dtype),
};

// From Gram matrices alone no driver would be needed.
const decompose = ({ A, B }: Product) => runSync(productSvd(A, B, { force: 'cholesky' }));

const driversOf = ({ driver }: { driver: unknown }) => new Set([driver].flat());

describe.each(['float64', 'float32'] as const)('%s', (dtype) => {
  describe.each(drivers)('where %s alone converges', (name) => {
    it.each(Object.keys(kinds))('it decomposes %s matrices of all shapes', (kind) => {
      for (const shape of shapes) {
        const A = kinds[kind](shape, dtype);
        const reference = svd(A);
        faults.setFaults(allBut(drivers.indexOf(name)));
        let own: ReturnType<typeof svd> = reference;
        for (const fullMatrices of [false, true]) {
          const result = svd(A, { fullMatrices });
          own = result;
          checkSvd(A, result, { fullMatrices });
          expect(driversOf(result), `driver of ${shape}`).toEqual(new Set([name]));
        }
        const S = svdvals(A);
        faults.setFaults(0);
        const p = Math.min(...shape.slice(-2));
        const boundsOf = ({ bound }: typeof reference) => (typeof bound === 'number' ? [bound] : bound.data);
        const [bounds, ownBounds] = [boundsOf(reference), boundsOf(own)];
        for (let i = 0; i * p < S.data.length; i++) {
          const item = (x: Tensor) => x.data.subarray(i * p, (i + 1) * p);
          checkSameSpectrum(dtype, item(S), item(reference.S), ownBounds[i], bounds[i]);
        }
      }
    });

    it('it decomposes products', () => {
      for (const [l, k, r] of [
        [5, 3, 4],
        [2100, 6, 1300],
        [4, 9, 5],
      ] as [number, number, number][]) {
        const product = randomProduct(2, [l, k, r], dtype);
        const reference = decompose(product);
        faults.setFaults(allBut(drivers.indexOf(name)));
        const result = decompose(product);
        faults.setFaults(0);
        if (l < 100) checkSvd(product, result);
        checkSameSpectrum(
          dtype,
          result.S.data,
          reference.S.data,
          result.bound as number,
          reference.bound as number,
        );
        expect(String(result.driver)).toMatch(new RegExp(`/${name}$`));
      }
    });

    it('it says so when a singular value is too large for the type', () => {
      const most = dtype === 'float32' ? 2 ** 127 * (2 - 2 ** -23) : Number.MAX_VALUE;
      for (const shape of [
        [1, 2],
        [2, 1],
        [5, 5],
        [3, 8],
      ]) {
        const A = array(new Array(shape[0] * shape[1]).fill(most), shape, dtype);
        faults.setFaults(allBut(drivers.indexOf(name)));
        checkError(
          errorOf(() => svd(A)),
          'ERR_SVD_OVERFLOW',
        );
        checkError(
          errorOf(() => svdvals(A)),
          'ERR_SVD_OVERFLOW',
        );
      }
    });
  });

  it('the first driver that converges answers', () => {
    const A = randomMatrix(3, [5, 4], dtype);
    const large = randomMatrix(3, [40, 50], dtype);
    for (let converging = 1; converging < blocked; converging++) {
      faults.setFaults(all & ~converging);
      const first = drivers.find((_, d) => converging & (1 << d));
      expect(svd(A).driver).toBe(first);
      expect(svd(large).driver).toBe(first);
      faults.setFaults(all & ~converging & ~blocked);
      expect(svd(A).driver).toBe('gesdd-blocked');
      expect(svd(large).driver).toBe('gesdd-blocked');
    }
  });

  it('the decomposition in blocks serves all shapes, unless square factors are asked for', () => {
    for (const shape of [
      [33, 33],
      [300, 40],
      [40, 300],
      [300, 32],
      [2, 2],
    ]) {
      const A = randomMatrix(8, shape, dtype);
      expect(svd(A).driver).toBe('gesdd-blocked');
      const square = shape[0] === shape[1];
      expect(svd(A, { fullMatrices: true }).driver).toBe(square ? 'gesdd-blocked' : 'gesdd');
    }
  });

  it('where none converges it is an error with info, and with batchIndex in a batch', async () => {
    faults.setFaults(all);
    const single = randomMatrix(4, [5, 4], dtype);
    const batch = randomMatrix(5, [2, 3, 4, 4], dtype);
    for (const f of [(A: Tensor) => svd(A), (A: Tensor) => svd(A, { fullMatrices: true }), svdvals]) {
      const error = errorOf(() => f(single));
      checkError(error, 'ERR_SVD_NO_CONVERGENCE', 'did not converge');
      expect(error.info).toBeGreaterThan(0);
      expect(error.batchIndex).toBeUndefined();
      const first = errorOf(() => f(batch));
      checkError(first, 'ERR_SVD_NO_CONVERGENCE', '[0, 0]');
      expect(first.info).toBeGreaterThan(0);
      expect(first.batchIndex).toEqual([0, 0]);
    }
    checkError(await rejectionOf(svdAsync(batch)), 'ERR_SVD_NO_CONVERGENCE', '[0, 0]');
    const error = errorOf(() => decompose(randomProduct(6, [5, 3, 4], dtype, [2])));
    checkError(error, 'ERR_SVD_NO_CONVERGENCE');
    expect(error.batchIndex).toEqual([0]);
  });

  it('a routine that was asked for stands alone', async () => {
    for (const shape of [
      [5, 4],
      [2, 40, 50],
    ]) {
      const A = randomMatrix(10, shape, dtype);
      for (const driver of ['gesdd', 'gesvd', 'gejsv'] as const)
        for (const fullMatrices of [false, true]) {
          const own = 1 << drivers.indexOf(driver);
          faults.setFaults(all & ~own);
          expect(driversOf(svd(A, { driver, fullMatrices }))).toEqual(new Set([driver]));
          faults.setFaults(own);
          const error = errorOf(() => svd(A, { driver, fullMatrices }));
          checkError(error, 'ERR_SVD_NO_CONVERGENCE', `?${driver} did not converge`, "driver: 'auto'");
          expect(error.batchIndex).toEqual(shape.length > 2 ? [0] : undefined);
          expect((await rejectionOf(svdAsync(A, { driver, fullMatrices }))).message).toBe(error.message);
          expect(driversOf(svd(A))).toEqual(new Set(['gesdd-blocked']));
        }
    }
  });

  describe.each([
    ['left', 0b01],
    ['right', 0b10],
  ])('vectors of gejsv of which the %s ones are not orthogonal', (_, side) => {
    it('are not believed: nothing stands below it, and it is an error', () => {
      faults.setFaults(allBut(drivers.indexOf('gejsv')));
      for (const shape of shapes)
        for (const fullMatrices of [false, true]) {
          const A = randomMatrix(9, shape, dtype);
          checkSvd(A, svd(A, { fullMatrices }), { fullMatrices });
          faults.setSkewed(side);
          const error = errorOf(() => svd(A, { fullMatrices }));
          checkError(error, 'ERR_SVD_NO_CONVERGENCE', 'did not converge');
          expect(error.batchIndex).toEqual(shape.length > 2 ? shape.slice(0, -2).map(() => 0) : undefined);
          faults.setSkewed(0);
        }
    });

    it('do not matter to singular values alone', () => {
      faults.setFaults(allBut(drivers.indexOf('gejsv')));
      const A = randomMatrix(9, [40, 13], dtype);
      const before = bits(svdvals(A));
      faults.setSkewed(side);
      expect(bits(svdvals(A))).toBe(before);
    });
  });

  it('empty matrices need no driver', () => {
    faults.setFaults(all);
    expect(svd(array([], [0, 3], dtype)).S.shape).toEqual([0]);
  });

  it('after a failure the next call is as if nothing had been', () => {
    const A = randomMatrix(7, [20, 12], dtype);
    const before = Array.from(svd(A), bits);
    faults.setFaults(all);
    errorOf(() => svd(A));
    faults.setFaults(0);
    expect(Array.from(svd(A), bits)).toEqual(before);
  });
});

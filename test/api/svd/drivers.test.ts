import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix, svd, svdAsync, svdvals } from '../../../lib/index.ts';
import { orthonormal, validSvd } from '../../../lib/testing/index.ts';
import { allBits, checkError, checkSameSpectrum, checkSvd, errorOf } from '../../support/checks.ts';
import { array, dtypes, mapMatrix, randomMatrix, rankDeficient } from '../../support/matrices.ts';
import { repeated } from '../../support/wrong-arguments.ts';

// svd(a, { driver }): a routine of LAPACK itself, whatever the size.

const drivers = ['gesdd', 'gesvd', 'gejsv'] as const;

const shapes = [
  [1, 1],
  [1, 7],
  [7, 1],
  [6, 6],
  [9, 4],
  [4, 9],
  [100, 100],
  [100, 30],
  [30, 100],
  [2, 3, 5, 4],
  [0, 3],
  [3, 0],
  [0, 0],
  [0, 2, 2],
];

const numbers = (x: number | Tensor): number[] => (typeof x === 'number' ? [x] : Array.from(x.data));

/** By how much more than 40·ε·√p the vectors of LAPACK may lack of being orthonormal: (40 + long/4)·ε·√p in all. */
const longSums = (check: string, long: number): number => (/orthonormal/.test(check) ? 1 + long / 160 : 1);

describe.each(drivers)('%s', (driver) => {
  describe.each(dtypes)('%s', (dtype) => {
    it.each([false, true])('decomposes all shapes, and says so; fullMatrices: %s', (fullMatrices) => {
      for (const shape of shapes) {
        const a = randomMatrix(1, shape, dtype);
        const own = svd(a, { driver, fullMatrices });
        const auto = svd(a, { fullMatrices });
        checkSvd(a, own, { fullMatrices });
        const names = [own.driver].flat();
        expect(new Set(names), `driver of [${shape}]`).toEqual(new Set(names.length > 0 ? [driver] : []));
        const p = Math.min(...shape.slice(-2));
        numbers(own.bound).forEach((bound, i) => {
          const item = ({ S }: typeof own) => S.data.subarray(i * p, (i + 1) * p);
          checkSameSpectrum(dtype, item(own), item(auto), bound, numbers(auto.bound)[i]);
        });
      }
    });

    it('decomposes matrices of low rank', () => {
      for (const [m, n] of [
        [12, 12],
        [20, 8],
        [40, 60],
      ]) {
        const a = rankDeficient(3, m, n, 3, dtype);
        for (const fullMatrices of [false, true])
          checkSvd(a, svd(a, { driver, fullMatrices }), { fullMatrices });
      }
    });

    it.each([
      [20_000, 3],
      [3, 20_000],
      [20_000, 1],
      [2000, 40],
    ])('is within its bound where all rounding errors go one way: %d×%d equal elements', (m, n) => {
      const p = Math.min(m, n);
      if (driver === 'gejsv' && p > 3) return; // by some kernels of OpenBLAS its vectors are not orthonormal
      for (const element of [1, 0.1, 1 / 3]) {
        const a = array(new Array(m * n).fill(element), [m, n], dtype);
        const result = svd(a, { driver });
        const { S, bound } = result;
        const first = a.data[0] * Math.sqrt(m * n);
        for (let j = 0; j < p; j++)
          expect(Math.abs(S.data[j] - (j === 0 ? first : 0))).toBeLessThanOrEqual(bound as number);
        for (const { name, value, bound: most } of validSvd(result, a).checks)
          expect(value, name).toBeLessThanOrEqual(most * longSums(name, Math.max(m, n)));
      }
    });

    it('gives the same bits off the event loop', async () => {
      for (const options of [{}, { fullMatrices: true }, { signs: 'canonical' }, { rank: 2 }] as const) {
        const a = randomMatrix(2, [30, 21], dtype);
        expect(allBits(await svdAsync(a, { driver, ...options }))).toEqual(
          allBits(svd(a, { driver, ...options })),
        );
      }
    });
  });

  it('has the signs that are asked for', () => {
    const a = randomMatrix(4, [15, 9]);
    const { U } = svd(a, { driver, signs: 'canonical' });
    for (let j = 0; j < 9; j++) {
      const column = Array.from({ length: 15 }, (_, i) => U.get(i, j));
      expect(Math.max(...column)).toBe(Math.max(...column.map(Math.abs)));
    }
  });

  it('gives the leading triplets of all of the decomposition', () => {
    const a = mapMatrix(randomMatrix(5, [20, 12]), (x, _, j) => x * 2 ** -j);
    const all = svd(a, { driver });
    for (const options of [{ rank: 3 }, { rank: 3, method: 'full' }, { rank: 3, method: 'auto' }] as const) {
      const some = svd(a, { driver, ...options });
      expect(some.driver).toBe(driver);
      expect(some.bound).toBe(all.bound);
      expect(Array.from(some.S.data)).toEqual(Array.from(all.S.data.subarray(0, 3)));
      expect(some.certified).toBe(true);
    }
    expect(svd(a, { driver, energy: 0.99 }).driver).toBe(driver);
    expect(svd(a, { driver, tol: 1e-2 }).driver).toBe(driver);
  });

  it('computes all of the decomposition: other methods are refused', () => {
    for (const method of ['gram', 'krylov'] as const)
      checkError(
        errorOf(() => svd([[1]], { driver, rank: 1, method })),
        'ERR_SVD_ARGUMENT',
        `driver: '${driver}'`,
        "method: 'full'",
      );
  });

  it('looks at every element, and at each item by itself', () => {
    const a = randomMatrix(6, [3, 4, 4]);
    a.set(1, 2, 3, Number.NaN);
    checkError(
      errorOf(() => svd(a, { driver })),
      'ERR_SVD_NON_FINITE',
      '[1]',
      '[2, 3]',
    );
    const { errors, driver: names } = svd(a, { driver, onError: 'collect' });
    expect(names).toEqual([driver, 'failed', driver]);
    expect(errors.map(({ code, batchIndex }) => [code, batchIndex])).toEqual([['ERR_SVD_NON_FINITE', [1]]]);
  });

  it('counts with 32 bits', () => {
    const sizes = { gesdd: [26_754, 26_754], gesvd: [2 ** 31 - 1, 2], gejsv: [32_768, 32_767] };
    const error = errorOf(() => svd(repeated(...sizes[driver]), { driver }));
    checkError(error, 'ERR_SVD_TOO_LARGE', String(error.bytes));
    expect(error.bytes).toBeGreaterThan(2 ** 33);
  });
});

it("'auto' is what there is without it", () => {
  const a = randomMatrix(7, [50, 40]);
  expect(allBits(svd(a, { driver: 'auto' }))).toEqual(allBits(svd(a)));
  expect(svd(a, { driver: 'auto', rank: 2, method: 'gram' }).driver).toBe('gram');
});

it('the routines are others than what there is without it', () => {
  const a = randomMatrix(8, [50, 40]);
  const answers = [svd(a), ...drivers.map((driver) => svd(a, { driver }))].map((x) => allBits(x).join());
  expect(new Set(answers).size).toBe(answers.length);
});

it('the larger bound is needed: that of the own kernels does not hold for LAPACK', () => {
  const a = array(new Array(60_000).fill(0.1), [20_000, 3]);
  const { bound, U } = svd(a);
  const first = 0.1 * Math.sqrt(60_000);
  expect(orthonormal(U).pass).toBe(true);
  const lapack = svd(a, { driver: 'gesdd' });
  expect(Math.max(...lapack.S.data.map((s, j) => Math.abs(s - (j === 0 ? first : 0))))).toBeGreaterThan(
    bound as number,
  );
  expect(orthonormal(lapack.U).pass).toBe(false);
});

it('is said where it does not exist, and under the name that scipy has for it', () => {
  const M = new FactoredMatrix([[1]], [[2]]);
  for (const name of ['driver', 'lapack_driver']) {
    const options = { [name]: 'gesvd' } as object;
    for (const f of [
      () => svd(M, options),
      () => M.svd(options),
      () => (svdvals as (...args: unknown[]) => unknown)([[1]], options),
    ])
      checkError(errorOf(f as () => unknown), 'ERR_SVD_ARGUMENT', `'${name}'`, 'svd(M.AB, { driver })');
  }
  checkError(
    errorOf(() => svd([[1]], { lapack_driver: 'gesvd' } as object)),
    'ERR_SVD_ARGUMENT',
    'did you mean driver?',
  );
  checkError(
    errorOf(() => svd([[1]], { driver: 'gesvdx' } as object)),
    'ERR_SVD_ARGUMENT',
    "'gejsv'",
    "'gesvdx'",
  );
});

import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import {
  type AsyncOptions,
  dist,
  FactoredMatrix,
  type MatrixLike,
  type Svd,
  svd,
  svdAsync,
} from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import {
  allBits,
  checkError,
  checkSameSpectrum,
  errorOf,
  matrixAt,
  rejectionOf,
  vectorAt,
} from '../../support/checks.ts';
import { array, randomMatrix } from '../../support/matrices.ts';
import { product, repeated, withElement } from '../../support/wrong-arguments.ts';

describe("onError: 'collect'", () => {
  const bad = [1, 4];
  /** Six matrices, two of them with a NaN in different places. */
  const batch = () =>
    bad.reduce((x, i) => withElement(x, [i, i % 3, 1], Number.NaN), randomMatrix(30, [6, 5, 3]));
  const itemOf = ({ U, S, Vh }: Svd, i: number) => ({
    U: U.pick(i, null, null),
    S: S.pick(i, null),
    Vh: Vh.pick(i, null, null),
  });
  /** Distance of two decompositions of one matrix, each right to 50εβ. */
  const apart = ({ U, Vh, bound }: Svd) =>
    2 * bounds.reconstruction('float64', bounds.beta('float64', bound as number), U.shape[0], Vh.shape[1]);
  const results: [string, (onError: 'collect' | 'throw') => Promise<Svd>, (i: number) => Svd][] = [
    ['svd', async (onError) => svd(batch(), { onError }), (i) => svd(batch().pick(i, null, null))],
    ['svdAsync', (onError) => svdAsync(batch(), { onError }), (i) => svd(batch().pick(i, null, null))],
    [
      'FactoredMatrix.svd, bad A',
      async (onError) => new FactoredMatrix(batch(), randomMatrix(31, [3, 4])).svd({ onError }),
      (i) => new FactoredMatrix(batch().pick(i, null, null), randomMatrix(31, [3, 4])).svd(),
    ],
    [
      'FactoredMatrix.svdAsync, bad B',
      (onError) => new FactoredMatrix(randomMatrix(32, [4, 5]), batch()).svdAsync({ onError }),
      (i) => new FactoredMatrix(randomMatrix(32, [4, 5]), batch().pick(i, null, null)).svd(),
    ],
  ];

  it.each(results)(
    'decomposes the others, and has an error for each that failed: %s',
    async (_, all, one) => {
      const found = await all('collect');
      expect(found.errors.map(({ code, batchIndex, index }) => ({ code, batchIndex, index }))).toEqual(
        bad.map((i) => ({ code: 'ERR_SVD_NON_FINITE', batchIndex: [i], index: [i % 3, 1] })),
      );
      for (let i = 0; i < 6; i++) {
        const { U, S, Vh } = itemOf(found, i);
        if (bad.includes(i)) {
          expect([...matrixAt(U), vectorAt(S), ...matrixAt(Vh)].flat().every(Number.isNaN)).toBe(true);
          expect((found.bound as Tensor).get(i)).toBeNaN();
          expect(found.driver[i]).toBe('failed');
          expect(errorOf(() => one(i)).code).toBe('ERR_SVD_NON_FINITE');
        } else {
          const alone = one(i);
          expect((found.bound as Tensor).get(i)).toBe(alone.bound);
          checkSameSpectrum(
            'float64',
            vectorAt(S),
            alone.S.data,
            alone.bound as number,
            alone.bound as number,
          );
          expect(dist(alone, { U, S, Vh })).toBeLessThanOrEqual(apart(alone));
        }
      }
    },
  );

  it.each(results)("'throw' is what it is without: the first error: %s", async (_, all) => {
    const error = await rejectionOf(all('throw'));
    expect(error).toMatchObject({ code: 'ERR_SVD_NON_FINITE', batchIndex: [1] });
  });

  it('has no errors where nothing failed, and the same bits', () => {
    const a = randomMatrix(33, [3, 4, 2]);
    const found = svd(a, { onError: 'collect' });
    expect(found.errors).toEqual([]);
    expect(Object.isFrozen(found.errors)).toBe(true);
    expect(allBits(found)).toEqual(allBits(svd(a)));
  });

  it('collects the one matrix where there is no batch', () => {
    const found = svd([[Number.NaN]], { onError: 'collect' });
    expect(found.errors).toHaveLength(1);
    expect(found.S.get(0)).toBeNaN();
  });

  it('collects overflow and failures to converge, too', () => {
    const big = array([1, 0, 0, 1, ...new Array(4).fill(Number.MAX_VALUE)], [2, 2, 2]);
    expect(svd(big, { onError: 'collect' }).errors).toMatchObject([
      { code: 'ERR_SVD_OVERFLOW', batchIndex: [1] },
    ]);
    const A = array([1e200, 1], [2, 1, 1]);
    expect(new FactoredMatrix(A, [[1e200]]).svd({ onError: 'collect' }).errors).toMatchObject([
      { code: 'ERR_SVD_OVERFLOW', batchIndex: [0] },
    ]);
  });

  it('is no option of what is made from a decomposition', async () => {
    const M = new FactoredMatrix([[1e200]], [[1e200]]);
    const options = { onError: 'collect' } as AsyncOptions;
    const made = [
      M.pinvAsync(options),
      M.makeEvenAsync(options),
      M.truncateAsync(1, options),
      M.collapseLAsync(options),
      M.collapseRAsync(options),
      M.svdLegacyAsync(options),
    ];
    for (const error of await Promise.all(made.map(rejectionOf)))
      checkError(error, 'ERR_SVD_ARGUMENT', 'onError');
  });

  it('does not collect what concerns the whole call', () => {
    expect(errorOf(() => svd([1, 2] as unknown as MatrixLike, { onError: 'collect' })).code).toMatch(
      /^ERR_SVD_/,
    );
    expect(errorOf(() => svd(repeated(1e9, 1), { fullMatrices: true, onError: 'collect' })).code).toBe(
      'ERR_SVD_TOO_LARGE',
    );
  });

  it('is not cached by a FactoredMatrix: svd() throws all the same', () => {
    const m = new FactoredMatrix(batch(), randomMatrix(34, [3, 4]));
    expect(m.svd({ onError: 'collect' }).errors).toHaveLength(2);
    expect(errorOf(() => m.svd()).code).toBe('ERR_SVD_NON_FINITE');
    expect(errorOf(() => m.U).code).toBe('ERR_SVD_NON_FINITE');
    const good = product(3, 2, 3);
    expect(good.svd({ onError: 'collect' })).toEqual(good.svd());
  });

  it.each(['ignore', '', null] as unknown as 'throw'[])('onError %o is ERR_SVD_ARGUMENT', (onError) => {
    checkError(
      errorOf(() => svd([[1]], { onError })),
      'ERR_SVD_ARGUMENT',
      'onError',
      'collect',
    );
    checkError(
      errorOf(() => product(2, 2, 2).svd({ onError })),
      'ERR_SVD_ARGUMENT',
      'onError',
    );
  });
});

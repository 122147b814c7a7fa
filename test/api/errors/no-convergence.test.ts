import { afterEach, describe, expect, it, vi } from 'vitest';
import { FactoredMatrix, svd, svdAsync } from '../../../lib/index.ts';
import { kernels } from '../../../lib/native/addon.ts';
import { checkError, errorOf, rejectionOf } from '../../support/checks.ts';
import { randomMatrix } from '../../support/matrices.ts';
import { product } from '../../support/wrong-arguments.ts';

afterEach(() => vi.restoreAllMocks());

describe('ERR_SVD_NO_CONVERGENCE', () => {
  // LAPACK does converge; the addon's answer for a matrix where nothing did is put in its place.
  const failure = 2;
  const info = 5;
  const fail =
    (item: number) =>
    (...args: readonly unknown[]) => {
      const status = args[args.length - 1] as Float64Array;
      status.set([failure, info], 3 * item);
    };

  it('has `info`, and `batchIndex` in a batch', () => {
    vi.spyOn(kernels(), 'svdLadder').mockImplementation(fail(0));
    const alone = errorOf(() => svd(randomMatrix(20, [3, 3])));
    checkError(alone, 'ERR_SVD_NO_CONVERGENCE', 'svd', '5');
    expect(alone).toMatchObject({ info });
    expect(alone.batchIndex).toBeUndefined();
    vi.spyOn(kernels(), 'svdLadder').mockImplementation(fail(4));
    const batch = errorOf(() => svd(randomMatrix(21, [2, 3, 3, 3])));
    checkError(batch, 'ERR_SVD_NO_CONVERGENCE', '[1, 1]');
    expect(batch).toMatchObject({ info, batchIndex: [1, 1] });
    const product = errorOf(() =>
      new FactoredMatrix(randomMatrix(22, [5, 3, 3]), randomMatrix(23, [3, 3])).svd(),
    );
    expect(product).toMatchObject({ code: 'ERR_SVD_NO_CONVERGENCE', info, batchIndex: [4] });
  });

  it('rejects off the event loop', async () => {
    vi.spyOn(kernels(), 'svdLadderAsync').mockImplementation(async (_, ...args) => fail(0)(...args));
    checkError(await rejectionOf(svdAsync(randomMatrix(24, [3, 3]))), 'ERR_SVD_NO_CONVERGENCE', '5');
  });

  it('is not cached: the next call computes', () => {
    const m = product(3, 3, 3);
    const spy = vi.spyOn(kernels(), 'svdLadder').mockImplementation(fail(0));
    expect(errorOf(() => m.svd()).code).toBe('ERR_SVD_NO_CONVERGENCE');
    spy.mockRestore();
    expect(m.svd().S.shape).toEqual([3]);
  });
});

import { describe, expect, it } from 'vitest';
import { diagEmbed, dist, FactoredMatrix, matmul, svd, svdAsync, svdvals } from '../../../lib/index.ts';
import { checkError, errorOf, rejectionOf } from '../../support/checks.ts';
import { repeated } from '../../support/wrong-arguments.ts';

describe('ERR_SVD_TOO_LARGE', () => {
  /** Bytes that the process holds at most, so far. */
  const peak = () => process.resourceUsage().maxRSS * 1024;

  it.each([
    ['fullMatrices of a very tall matrix', () => svd(repeated(1e9, 1), { fullMatrices: true })],
    ['fullMatrices of a very wide matrix', () => svd(repeated(1, 1e9), { fullMatrices: true })],
    ['a square matrix whose LAPACK workspace has more than 2^31 elements', () => svd(repeated(30000, 30000))],
    ['the smallest such matrix', () => svd(repeated(26754, 26754))],
    ['more rows than a LAPACK integer counts', () => svdvals(repeated(2 ** 31, 1))],
    ['more columns than a LAPACK integer counts', () => svdvals(repeated(1, 2 ** 31))],
    ['rows near 2^53', () => svd(repeated(2 ** 53 - 1, 2 ** 53 - 1))],
    ['AB of two vectors', () => new FactoredMatrix(repeated(1e7, 1), repeated(1, 1e7)).AB],
    ['matmul of two vectors', () => matmul(repeated(1e7, 1), repeated(1, 1e7))],
    ['diagEmbed', () => diagEmbed(repeated(1e9))],
    ['a batch of 2^40 matrices', () => svd(repeated(2 ** 40, 1, 1))],
    ['a batch of 2^40 products', () => new FactoredMatrix(repeated(2 ** 40, 1, 1), [[1]]).svd()],
    ['a batch of 10^9 empty matrices', () => svd(repeated(1e9, 0, 5))],
    ['leading triplets of 10^9 empty matrices', () => svd(repeated(1e9, 0, 5), { rank: 0, method: 'gram' })],
    ['dist of 2^40 matrices', () => dist(repeated(2 ** 40, 1, 1), [[1]])],
  ] as [string, () => unknown][])('%s: an error with `bytes`, and no such memory is taken', (_, f) => {
    const before = peak();
    const error = errorOf(f);
    checkError(error, 'ERR_SVD_TOO_LARGE', String(error.bytes), 'bytes');
    expect(error.bytes).toBeGreaterThan(2 ** 31);
    expect(peak() - before).toBeLessThan(2 ** 28);
  });

  it('has the shape in its text', () => {
    checkError(
      errorOf(() => svd(repeated(30000, 30000))),
      'ERR_SVD_TOO_LARGE',
      '[30000, 30000]',
    );
  });

  it('off the event loop too: the size is looked at before the elements are copied', async () => {
    const before = peak();
    const full = await rejectionOf(svdAsync(repeated(1e6, 1), { fullMatrices: true }));
    checkError(full, 'ERR_SVD_TOO_LARGE', '[1000000, 1000000]');
    expect(full.bytes).toBe(4 * 1e12);
    checkError(await rejectionOf(svdAsync(repeated(26754, 26754))), 'ERR_SVD_TOO_LARGE', '[26754, 26754]');
    expect(peak() - before).toBeLessThan(2 ** 28);
  });

  it('is not for views of great shapes whose results are small', () => {
    expect(svd(repeated(20000, 2)).S.shape).toEqual([2]);
    expect(new FactoredMatrix(repeated(1e6, 1), repeated(1, 1e6)).getCorner().shape).toEqual([3, 3]);
    expect(new FactoredMatrix(repeated(1e6, 1), repeated(1, 1e6)).norm()).toBe(0);
  });
});

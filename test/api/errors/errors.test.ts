import { describe, expect, it } from 'vitest';
import type { SvdErrorCode } from '../../../lib/array/errors.ts';
import {
  diagEmbed,
  distAsync,
  matmul,
  svd,
  svdAsync,
  svdLegacyAsync,
  svdvalsAsync,
} from '../../../lib/index.ts';
import { checkError, errorOf, rejectionOf } from '../../support/checks.ts';
import { invalid, product, repeated } from '../../support/wrong-arguments.ts';

describe('errors', () => {
  it.each([
    ['ERR_SVD_ARGUMENT', TypeError, () => svd(invalid(undefined))],
    ['ERR_SVD_SHAPE', RangeError, () => matmul([[1, 2]], [[1, 2]])],
    ['ERR_SVD_NON_FINITE', RangeError, () => svd([[Number.NaN]])],
    ['ERR_SVD_OVERFLOW', RangeError, () => matmul([[1e200]], [[1e200]])],
    ['ERR_SVD_TOO_LARGE', RangeError, () => diagEmbed(repeated(1e9))],
  ] as [SvdErrorCode, ErrorConstructor, () => unknown][])(
    '%s is a %o with the code as its own property',
    (code, kind, f) => {
      const error = errorOf(f);
      expect(error).toBeInstanceOf(kind);
      expect(error.code).toBe(code);
      expect(Object.keys(error)).toContain('code');
      expect(error.stack).toContain(error.message);
      checkError(error, code);
    },
  );

  it('of asynchronous functions are rejections, never thrown by the call', async () => {
    const m = product(2, 2, 2);
    const bad = invalid('no matrix');
    const calls: [SvdErrorCode, () => Promise<unknown>][] = [
      ['ERR_SVD_ARGUMENT', () => svdAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => svdvalsAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => svdLegacyAsync(bad)],
      ['ERR_SVD_ARGUMENT', () => distAsync(bad, m)],
      ['ERR_SVD_SHAPE', () => distAsync([[1]], m)],
      ['ERR_SVD_ARGUMENT', () => m.svdAsync({ algorithm: 'fast' as 'product' })],
      ['ERR_SVD_ARGUMENT', () => m.rankAsync({ tol: -1 })],
      ['ERR_SVD_ARGUMENT', () => m.pinvAsync({ tol: Number.NaN })],
      ['ERR_SVD_ARGUMENT', () => m.truncateAsync(3)],
      ['ERR_SVD_SHAPE', () => product(2, 2, 3).eigenvaluesAsync()],
      ['ERR_SVD_SHAPE', () => product(2, 0, 3).condAsync()],
      ['ERR_SVD_NON_FINITE', () => svdAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => svdvalsAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => svdLegacyAsync([[Number.NaN]])],
      ['ERR_SVD_NON_FINITE', () => distAsync([[Number.NaN]], [[1]])],
      ['ERR_SVD_OVERFLOW', () => svdAsync([[1.7e308, 1.7e308]])],
      ['ERR_SVD_TOO_LARGE', () => svdAsync(repeated(1e6, 1), { fullMatrices: true })],
    ];
    for (const [code, call] of calls) {
      const promise = call();
      expect(promise).toBeInstanceOf(Promise);
      checkError(await rejectionOf(promise), code);
    }
  });

  it('leave nothing behind: the next call works', () => {
    errorOf(() => svd([[Number.NaN]]));
    expect(svd([[2]]).S.data).toEqual(Float64Array.of(2));
  });
});

import { asTensor, type MatrixLike } from './arrays.ts';
import type { ErrorOptions } from './batched-svd.ts';
import { denseSvd } from './dense-svd.ts';
import { warnLegacy } from './deprecation.ts';
import { shown, svdError } from './errors.ts';
import type { InputOptions } from './owned.ts';
import { legacy } from './results.ts';
import { canonicalSigns } from './signs.ts';
import { type AsyncOptions, afterwards, runAsync, runSync, type Steps } from './steps.ts';
import type { LegacySvd, Svd } from './svd-result.ts';
import type { Tensor } from './views.ts';

export interface SvdOptions extends ErrorOptions {
  /** Square U `[..., m, m]` and Vh `[..., n, n]` instead of the thin ones. */
  readonly fullMatrices?: boolean;
  /**
   * `'lapack'` (default): as LAPACK leaves them. `'canonical'`: the largest |u| of every column of U is positive, of
   * several within 8ε the first. For people who look or plot; not a basis for comparison.
   */
  readonly signs?: 'lapack' | 'canonical';
}

function* steps(
  a: Tensor,
  { fullMatrices = false, signs = 'lapack', onError, foreign }: SvdOptions & InputOptions,
): Steps<Svd> {
  if (signs !== 'lapack' && signs !== 'canonical') {
    throw svdError('ERR_SVD_ARGUMENT', `signs: expected 'lapack' or 'canonical', got ${shown(signs)}`);
  }
  const result = yield* denseSvd(a, fullMatrices ? 'full' : 'thin', { onError, foreign });
  return signs === 'canonical' ? yield* canonicalSigns(result) : result;
}

/**
 * Singular value decomposition: `a ≈ U · diag(S) · Vh`, by LAPACK's `?gesdd`.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns frozen and iterable `{ U, S, Vh }`: `[..., m, p]`, `[..., p]` descending, `[..., p, n]`, p = min(m, n)
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE`, `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`,
 *   `ERR_SVD_TOO_LARGE`
 * @example const { U, S, Vh } = svd([[3, 0], [4, 5]]);
 */
export function svd(a: MatrixLike, options: SvdOptions = {}): Svd {
  return runSync(steps(asTensor(a, 'svd'), options));
}

/**
 * `svd` off the event loop, which goes on turning. Rejects with `signal.reason` on abort.
 *
 * Do not write to the memory of `a` until the promise settles: only what fits into a first slice of some megabytes is
 * copied before this returns, the rest block by block, so that what is written meanwhile may be what is decomposed.
 * When the memory is transferred away before it has all been read the promise rejects with `ERR_SVD_ARGUMENT`. Nothing
 * worse can come of it. All asynchronous functions of this package read their arrays like this.
 */
export async function svdAsync(a: MatrixLike, options: SvdOptions & AsyncOptions = {}): Promise<Svd> {
  return runAsync(steps(asTensor(a, 'svd'), { ...options, foreign: true }), options);
}

/** Singular values alone, `[..., p]` descending: cheaper than `svd`, and equal to `svd(a).S` within its `bound`. */
export function svdvals(a: MatrixLike): Tensor {
  return runSync(denseSvd(asTensor(a, 'svdvals'), 'none')).S;
}

/** `svdvals` off the event loop, as `svdAsync`. */
export async function svdvalsAsync(a: MatrixLike, options: AsyncOptions = {}): Promise<Tensor> {
  return (await runAsync(denseSvd(asTensor(a, 'svdvals'), 'none', { foreign: true }), options)).S;
}

/**
 * `{ U, S, V }` with `a ≈ U · diag(S) · Vᵀ`, what `torch.svd` returns: V is `[..., n, p]`.
 *
 * @deprecated Use `svd`, which returns `Vh`. Emits one `DeprecationWarning`, code `FSVD_DEP0001`, per process.
 */
export function svdLegacy(a: MatrixLike): LegacySvd {
  warnLegacy();
  return runSync(legacy(svd(a)));
}

/** @deprecated Use `svdAsync`, which returns `Vh`. */
export async function svdLegacyAsync(
  a: MatrixLike,
  { signal, onProgress }: AsyncOptions = {},
): Promise<LegacySvd> {
  warnLegacy();
  return afterwards(legacy(await svdAsync(a, { signal, onProgress })), { signal });
}

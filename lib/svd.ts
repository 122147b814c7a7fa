import { denseSvd } from './algorithms/dense.ts';
import { canonicalSigns, legacy } from './algorithms/derived.ts';
import { type Factored, isFactored } from './algorithms/operands.ts';
import type { LegacySvd, Svd, TruncatedSvd } from './algorithms/result.ts';
import { truncatedSvd } from './algorithms/truncated.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import { warnLegacy } from './arguments/deprecation.ts';
import {
  asyncOptions,
  checkTruncation,
  type ProductSvdOptions,
  productOptions,
  type SvdOptions,
  svdOptions,
  type Truncating,
} from './arguments/options.ts';
import { type MatrixLike, readInput } from './array/input.ts';
import type { Tensor } from './array/tensor.ts';
import type { DataOf, PerMatrixOf, VectorOf } from './array/types.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import type { InputOptions } from './native/owned.ts';
import { type AsyncOptions, afterwards, runAsync, runSync, type Steps } from './native/steps.ts';

function* steps(a: MatrixLike, options: SvdOptions & InputOptions): Steps<Svd> {
  const { fullMatrices = false, signs, onError, foreign, driver } = options;
  const truncating = checkTruncation(options, 'svd');
  const A = yield* readInput(a, 'svd');
  const result = truncating
    ? yield* truncatedSvd(A, options)
    : yield* denseSvd(A, fullMatrices ? 'full' : 'thin', { onError, foreign, driver });
  return signs === 'canonical' ? yield* canonicalSigns(result) : result;
}

function* valuesOf(a: MatrixLike, options?: InputOptions): Steps<Tensor> {
  return (yield* denseSvd(yield* readInput(a, 'svdvals'), 'none', options)).S;
}

/** Those of `FactoredMatrix.svd` where the first argument is one. */
const optionsFor = (a: unknown) => (isFactored(a) ? productOptions : svdOptions);

interface SvdFunction {
  <M extends Factored>(
    a: M,
    options: ProductSvdOptions & Truncating,
  ): TruncatedSvd<DataOf<M>, PerMatrixOf<M>>;
  <M extends Factored>(a: M, options?: ProductSvdOptions): Svd<DataOf<M>, PerMatrixOf<M>>;
  <M extends MatrixLike>(a: M, options: SvdOptions & Truncating): TruncatedSvd<DataOf<M>, PerMatrixOf<M>>;
  <M extends MatrixLike>(a: M, options?: SvdOptions): Svd<DataOf<M>, PerMatrixOf<M>>;
}

/**
 * Singular value decomposition: `a ≈ U · diag(S) · Vh`; of a `FactoredMatrix` its own `svd`.
 *
 * The steps are those of LAPACK's `?gesdd`, taken by kernels of this library that share a large matrix among the threads
 * (`gesdd-blocked` in `driver`); up to 32 rows or columns all of it is computed in float64. Only the square factors of a
 * matrix that is not square come from `?gesdd` itself, or all of it from the routine that `driver` names. What does not converge is tried again by `?gesdd`, `?gesvd`, `?gesvd`
 * of the matrix scaled to a largest element of 1, and `?gejsv`; `driver` names the one that answered. docs/numerics.md has
 * the sources and derives `bound`.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns frozen and iterable `{ U, S, Vh }`: `[..., m, p]`, `[..., p]` descending, `[..., p, n]`, p = min(m, n); with
 *   `fullMatrices` U `[..., m, m]` and Vh `[..., n, n]`
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE`, `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`,
 *   `ERR_SVD_TOO_LARGE`
 * @example const { U, S, Vh } = svd([[3, 0], [4, 5]]);
 * @function
 */
export const svd = exposed(
  { takes: ['a'], options: optionsFor },
  function svd(a: MatrixLike | Factored, options: SvdOptions & ProductSvdOptions = {}): Svd {
    if (isFactored(a)) return FactoredMatrix.from(a).svd(options);
    return runSync(steps(a, options));
  },
) as SvdFunction;

interface SvdAsyncFunction {
  <M extends Factored>(
    a: M,
    options: ProductSvdOptions & Truncating & AsyncOptions,
  ): Promise<TruncatedSvd<DataOf<M>, PerMatrixOf<M>>>;
  <M extends Factored>(
    a: M,
    options?: ProductSvdOptions & AsyncOptions,
  ): Promise<Svd<DataOf<M>, PerMatrixOf<M>>>;
  <M extends MatrixLike>(
    a: M,
    options: SvdOptions & Truncating & AsyncOptions,
  ): Promise<TruncatedSvd<DataOf<M>, PerMatrixOf<M>>>;
  <M extends MatrixLike>(a: M, options?: SvdOptions & AsyncOptions): Promise<Svd<DataOf<M>, PerMatrixOf<M>>>;
}

/**
 * `svd` off the event loop, which goes on turning. Rejects with `signal.reason` on abort.
 *
 * Do not write to the memory of `a` until the promise settles: only what fits into a first slice of some megabytes is
 * copied before this returns, the rest block by block, so that what is written meanwhile may be what is decomposed.
 * When the memory is transferred away before it has all been read the promise rejects with `ERR_SVD_ARGUMENT`. Nothing
 * worse can come of it. All asynchronous functions of this package read their arrays like this.
 *
 * @throws as `svd`, and `signal.reason` on abort
 * @function
 */
export const svdAsync = exposedAsync(
  { takes: ['a'], options: (a) => ({ ...optionsFor(a), ...asyncOptions }) },
  async function svdAsync(
    a: MatrixLike | Factored,
    options: SvdOptions & ProductSvdOptions & AsyncOptions = {},
  ): Promise<Svd> {
    if (isFactored(a)) return FactoredMatrix.from(a).svdAsync(options);
    return runAsync(steps(a, { ...options, foreign: true }), options);
  },
) as SvdAsyncFunction;

/**
 * Singular values alone: cheaper than `svd`, and equal to `svd(a).S` within its `bound`. By the same steps without the
 * vectors; from 640 rows and columns on to bidiagonal form by way of a band matrix (docs/numerics.md).
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns `[..., p]`, descending, p = min(m, n)
 * @throws as `svd`
 * @function
 */
export const svdvals = exposed({ takes: ['a'] }, function svdvals<
  M extends MatrixLike | Factored,
>(a: M): VectorOf<DataOf<M>, PerMatrixOf<M>> {
  const values = isFactored(a)
    ? FactoredMatrix.from(a as Factored).svdvals()
    : runSync(valuesOf(a as MatrixLike));
  return values as VectorOf<DataOf<M>, PerMatrixOf<M>>;
});

/**
 * `svdvals` off the event loop, as `svdAsync`.
 *
 * @throws as `svd`, and `signal.reason` on abort
 * @function
 */
export const svdvalsAsync = exposedAsync({ takes: ['a'], options: asyncOptions }, async function svdvalsAsync<
  M extends MatrixLike | Factored,
>(a: M, options: AsyncOptions = {}): Promise<VectorOf<DataOf<M>, PerMatrixOf<M>>> {
  const values = isFactored(a)
    ? await FactoredMatrix.from(a as Factored).svdvalsAsync(options)
    : await runAsync(valuesOf(a as MatrixLike, { foreign: true }), options);
  return values as VectorOf<DataOf<M>, PerMatrixOf<M>>;
});

/**
 * `{ U, S, V }` with `a ≈ U · diag(S) · Vᵀ`, what `torch.svd` returns: V is `[..., n, p]`.
 *
 * @throws as `svd`
 * @deprecated Use `svd`, which returns `Vh`. Emits one `DeprecationWarning`, code `FSVD_DEP0001`, per process.
 * @function
 */
export const svdLegacy = exposed({ takes: ['a'] }, function svdLegacy<
  M extends MatrixLike | Factored,
>(a: M): LegacySvd<DataOf<M>, PerMatrixOf<M>> {
  warnLegacy();
  return runSync(legacy(svd(a as MatrixLike) as Svd<DataOf<M>, PerMatrixOf<M>>));
});

/**
 * `svdLegacy` off the event loop, as `svdAsync`.
 *
 * @throws as `svd`, and `signal.reason` on abort
 * @deprecated Use `svdAsync`, which returns `Vh`.
 * @function
 */
export const svdLegacyAsync = exposedAsync(
  { takes: ['a'], options: asyncOptions },
  async function svdLegacyAsync<M extends MatrixLike | Factored>(
    a: M,
    options: AsyncOptions = {},
  ): Promise<LegacySvd<DataOf<M>, PerMatrixOf<M>>> {
    warnLegacy();
    const svd = (await svdAsync(a as MatrixLike, options)) as Svd<DataOf<M>, PerMatrixOf<M>>;
    return afterwards(legacy(svd), options);
  },
);

import { denseSvd } from './algorithms/dense.ts';
import { denseNorm } from './algorithms/norm.ts';
import { type Factored, isFactored } from './algorithms/operands.ts';
import { type PerMatrix, perMatrix } from './algorithms/result.ts';
import { denseSpectralNorm } from './algorithms/spectral-norm.ts';
import * as spectra from './algorithms/spectrum.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import {
  asyncOptions,
  checkKind,
  norms,
  type ToleranceOptions,
  toleranceOptions,
} from './arguments/options.ts';
import { type MatrixLike, readInput } from './array/input.ts';
import { cols, type Input, leadingDims, rows } from './array/tensor.ts';
import type { PerMatrixOf } from './array/types.ts';
import { FactoredMatrix, knownOf } from './factored-matrix.ts';
import { type AsyncOptions, asPart, runAsync, runSync, type Steps } from './native/steps.ts';

// Functions that give one number per matrix, of plain matrices and of products alike.

/** @inline */
type Operand = MatrixLike | Factored;
type Matrices = Input | FactoredMatrix;

function* read(a: Operand, name: string): Steps<Matrices> {
  return isFactored(a) ? FactoredMatrix.from(a) : yield* readInput(a as MatrixLike, name);
}

function* spectrumOf(a: Matrices, foreign: boolean): Steps<spectra.Spectrum> {
  return a instanceof FactoredMatrix
    ? yield* knownOf(a).spectrum(foreign)
    : yield* denseSvd(a, 'none', { foreign });
}

function* frobenius(a: Matrices, foreign: boolean): Steps<PerMatrix> {
  if (a instanceof FactoredMatrix) return yield* knownOf(a).norm('fro', foreign);
  return perMatrix(yield* denseNorm(a, { foreign }), leadingDims(a));
}

/** ‖a‖₂ per matrix. */
function* spectral(a: Matrices, foreign: boolean): Steps<PerMatrix> {
  if (a instanceof FactoredMatrix) return spectra.schattenNorm(yield* knownOf(a).spectrum(foreign), 2);
  return perMatrix(yield* denseSpectralNorm(a, { foreign }), leadingDims(a));
}

function* normSteps(a: Operand, ord: spectra.Norm = 'fro', foreign = false): Steps<PerMatrix> {
  checkKind(ord, norms, 'norm');
  const x = yield* read(a, 'norm');
  if (ord === 'fro') return yield* frobenius(x, foreign);
  if (ord === 2) return yield* spectral(x, foreign);
  return spectra.schattenNorm(yield* spectrumOf(x, foreign), ord);
}

function* rankSteps(a: Operand, tolerance: ToleranceOptions, foreign = false): Steps<PerMatrix> {
  const x = yield* read(a, 'matrixRank');
  const [m, n] = x instanceof FactoredMatrix ? [x.ldim, x.rdim] : [rows(x), cols(x)];
  return spectra.rank(yield* spectrumOf(x, foreign), m, n, tolerance);
}

function* condSteps(a: Operand, foreign = false): Steps<PerMatrix> {
  return spectra.cond(yield* spectrumOf(yield* read(a, 'cond'), foreign));
}

function* effectiveRankSteps(a: Operand, foreign = false): Steps<PerMatrix> {
  return spectra.effectiveRank(yield* spectrumOf(yield* read(a, 'effectiveRank'), foreign));
}

function* stableRankSteps(a: Operand, foreign = false): Steps<PerMatrix> {
  const x = yield* read(a, 'stableRank');
  const all = yield* asPart(frobenius(x, foreign));
  return spectra.stableRank(all, yield* spectral(x, foreign));
}

/**
 * Norm of a matrix as `numpy.linalg.norm` means it: `'fro'` (default) ‖a‖_F, the root of the sum of the squares of all
 * elements; `'nuc'` the sum of the singular values; `2` the largest of them. Neither overflows nor underflows on the way.
 * Of a `FactoredMatrix` its own `norm`. Of an empty matrix 0.
 *
 * The largest singular value of a matrix with 256 rows and columns or more is found without the others, by block Krylov from
 * a start that looks random, until the estimate of its error is below `bound` of `svd`. That none larger was missed is not
 * proved, as it is by `svd(a, { rank: 1 })`.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @param ord which norm
 * @returns in float64, a number, or an ndarray of the leading dimensions where there are any
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE`, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`; `'nuc'` and 2
 *   also `ERR_SVD_NO_CONVERGENCE`
 * @example norm([[3, 0], [0, 4]]) // 5
 * @function
 */
export const norm = exposed({ takes: ['a', 'ord'] }, function norm<
  M extends Operand,
>(a: M, ord: spectra.Norm = 'fro'): PerMatrixOf<M> {
  return runSync(normSteps(a, ord)) as PerMatrixOf<M>;
});

/**
 * `norm` off the event loop, as `svdAsync`.
 *
 * @throws as `norm`, and `signal.reason` on abort
 * @function
 */
export const normAsync = exposedAsync(
  { takes: ['a', 'ord'], options: asyncOptions },
  async function normAsync<M extends Operand>(
    a: M,
    ord: spectra.Norm = 'fro',
    options: AsyncOptions = {},
  ): Promise<PerMatrixOf<M>> {
    return (await runAsync(normSteps(a, ord, true), options)) as PerMatrixOf<M>;
  },
);

/**
 * Condition number σ₁/σ_p, p = min(m, n), as `numpy.linalg.cond` means it: `Infinity` where σ_p is 0, of a zero matrix too,
 * or the ratio is beyond the largest number. Of a `FactoredMatrix` its own `cond`, for which p is no larger than the inner
 * dimension.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns a number, or an ndarray of the leading dimensions where there are any
 * @throws `ERR_SVD_SHAPE` also for an empty matrix, which has no singular values; else as `svdvals`
 * @example cond([[2, 0], [0, 1]]) // 2
 * @function
 */
export const cond = exposed({ takes: ['a'] }, function cond<M extends Operand>(a: M): PerMatrixOf<M> {
  return runSync(condSteps(a)) as PerMatrixOf<M>;
});

/**
 * `cond` off the event loop, as `svdAsync`.
 *
 * @throws as `cond`, and `signal.reason` on abort
 * @function
 */
export const condAsync = exposedAsync({ takes: ['a'], options: asyncOptions }, async function condAsync<
  M extends Operand,
>(a: M, options: AsyncOptions = {}): Promise<PerMatrixOf<M>> {
  return (await runAsync(condSteps(a, true), options)) as PerMatrixOf<M>;
});

/**
 * Number of singular values above the tolerance. Default: that of `numpy.linalg.matrix_rank`, max(m, n)·ε·σ₁ with ε of the
 * dtype, but no less than the `bound` of the singular values: what is below it is zero as far as they tell. Of a
 * `FactoredMatrix` its own `rank`.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns a number, or an ndarray of the leading dimensions where there are any
 * @throws `ERR_SVD_ARGUMENT` unless `tol` and `rtol` are numbers ≥ 0; else as `svdvals`
 * @example matrixRank([[1, 2], [2, 4]]) // 1
 * @function
 */
export const matrixRank = exposed({ takes: ['a'], options: toleranceOptions }, function matrixRank<
  M extends Operand,
>(a: M, options: ToleranceOptions = {}): PerMatrixOf<M> {
  return runSync(rankSteps(a, options)) as PerMatrixOf<M>;
});

/**
 * `matrixRank` off the event loop, as `svdAsync`.
 *
 * @throws as `matrixRank`, and `signal.reason` on abort
 * @function
 */
export const matrixRankAsync = exposedAsync(
  { takes: ['a'], options: { ...toleranceOptions, ...asyncOptions } },
  async function matrixRankAsync<M extends Operand>(
    a: M,
    options: ToleranceOptions & AsyncOptions = {},
  ): Promise<PerMatrixOf<M>> {
    return (await runAsync(rankSteps(a, options, true), options)) as PerMatrixOf<M>;
  },
);

/**
 * Effective rank: exp of the entropy of σ²/Σσ², between 1 and the rank; k for k equal singular values, 0 for a zero matrix.
 * After Roy and Vetterli, "The effective rank: a measure of effective dimensionality" (EUSIPCO 2007), who take σ/Σσ where
 * this takes the energies, as all of this package does.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns a number, or an ndarray of the leading dimensions where there are any
 * @throws as `svdvals`
 * @example effectiveRank([[1, 0], [0, 1]]) // 2, up to rounding
 * @function
 */
export const effectiveRank = exposed({ takes: ['a'] }, function effectiveRank<
  M extends Operand,
>(a: M): PerMatrixOf<M> {
  return runSync(effectiveRankSteps(a)) as PerMatrixOf<M>;
});

/**
 * `effectiveRank` off the event loop, as `svdAsync`.
 *
 * @throws as `effectiveRank`, and `signal.reason` on abort
 * @function
 */
export const effectiveRankAsync = exposedAsync(
  { takes: ['a'], options: asyncOptions },
  async function effectiveRankAsync<M extends Operand>(
    a: M,
    options: AsyncOptions = {},
  ): Promise<PerMatrixOf<M>> {
    return (await runAsync(effectiveRankSteps(a, true), options)) as PerMatrixOf<M>;
  },
);

/**
 * Stable rank ‖a‖_F²/‖a‖₂² (Rudelson and Vershynin, "Sampling from large matrices", J. ACM 54, 2007): between 1 and the
 * rank, and hardly changed by small singular values; 0 for a zero matrix.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns a number, or an ndarray of the leading dimensions where there are any
 * @throws as `norm`
 * @example stableRank([[1, 0], [0, 1]]) // 2, up to rounding
 * @function
 */
export const stableRank = exposed({ takes: ['a'] }, function stableRank<
  M extends Operand,
>(a: M): PerMatrixOf<M> {
  return runSync(stableRankSteps(a)) as PerMatrixOf<M>;
});

/**
 * `stableRank` off the event loop, as `svdAsync`.
 *
 * @throws as `stableRank`, and `signal.reason` on abort
 * @function
 */
export const stableRankAsync = exposedAsync(
  { takes: ['a'], options: asyncOptions },
  async function stableRankAsync<M extends Operand>(
    a: M,
    options: AsyncOptions = {},
  ): Promise<PerMatrixOf<M>> {
    return (await runAsync(stableRankSteps(a, true), options)) as PerMatrixOf<M>;
  },
);

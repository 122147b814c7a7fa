import { type Dtype, type FloatArray, type Format, formatOf, type Stored } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { allocate, zeros } from '../array/memory.ts';
import { showShape } from '../array/tensor.ts';
import {
  type Batch,
  colRange,
  dtypeOfBatch,
  type InputBatch,
  isColumnMajor,
  liesByColumns,
  packed,
  rowRange,
  transposed,
} from './batch.ts';
import { call } from './contract.ts';
import { checkStatus, driverOf, hasFailures, statusOf } from './status.ts';
import type { Steps } from './steps.ts';
import { scratch } from './workspace.ts';

// Every kernel of the addon as a computation on batches. Errors name the matrices by the origin of the batch.

/** Norms of the columns of every item, as `fraction · 2^exponent`: they neither overflow nor underflow. */
export interface ColumnNorms {
  readonly fraction: Float64Array;
  readonly exponent: Int32Array;
}

/** Norms of all columns, and the check that every element is finite (`ERR_SVD_NON_FINITE`). */
export function* scan(a: Batch): Steps<ColumnNorms> {
  const fraction = zeros(Float64Array, [a.count, a.cols], 'norms of columns');
  const exponent = zeros(Int32Array, [a.count, a.cols], 'norms of columns');
  const status = statusOf(a.count);
  yield call('scan', { a, fraction, exponent, status });
  // The first element that is not finite is the first one of the user's array, not of its transpose.
  if (a.origin.transposed && hasFailures(status)) yield* scan(transposed(a));
  checkStatus(status, a);
  return { fraction, exponent };
}

/** Order and exact scaling of the columns of every item: column `j` becomes `2^exponents[j] · a[:, perm[j]]`. */
export interface Gauge {
  readonly perm: Int32Array;
  readonly exponents: Int32Array;
}

interface PackOptions {
  /** In order, or without scaling, where that is missing. */
  readonly gauge?: Partial<Gauge>;
  readonly alpha?: number;
  /** Add to the output instead of replacing it. */
  readonly accumulate?: boolean;
}

interface PackTo extends Omit<PackOptions, 'accumulate'> {
  readonly dtype?: Dtype;
  /** Storage for the copy; default new. */
  readonly memory?: FloatArray;
}

/** A contiguous copy in `dtype`, row-major: `alpha · a` with its gauge applied. */
export function* pack(
  a: InputBatch,
  { dtype = dtypeOfBatch(a), memory, ...options }: PackTo = {},
): Steps<Batch> {
  const out = memory ?? scratch(dtype, [a.count, a.rows, a.cols]);
  return yield* packInto(a, packed(out, a.count, a.rows, a.cols, a.origin), options);
}

/** `pack`, row-major or column-major as `a` lies in memory: nothing is transposed. */
export function* packAsItLies(
  a: InputBatch,
  { dtype = dtypeOfBatch(a), memory, ...options }: PackTo = {},
): Steps<Batch> {
  if (!isColumnMajor(a)) return yield* pack(a, { dtype, memory, ...options });
  const out = memory ?? scratch(dtype, [a.count, a.rows, a.cols]);
  return yield* packInto(a, transposed(packed(out, a.count, a.cols, a.rows, transposed(a).origin)), options);
}

/** `pack` into `out`, in the dtype of `out`. */
export function* packInto(
  a: InputBatch,
  out: Batch,
  { gauge, alpha = 1, accumulate = false }: PackOptions = {},
): Steps<Batch> {
  if (a.count * a.rows * a.cols > 0) {
    const { perm, exponents } = gauge ?? {};
    yield call('pack', { format: formats[formatOf(a.data)], a, out, perm, exponents, alpha, accumulate });
  }
  return out;
}

/** The elements of `a` as they are stored, row-major into `out`, by this thread alone. */
export function* copyAlone<D extends Stored>(a: Batch<D>, out: Batch<D>): Steps<void> {
  if (a.count * a.rows * a.cols > 0) yield { ...call('copy', { a, out }), alone: true };
}

/** Mirrors `enum class Format` in native/binding/kernels.cc. */
const formats = { float32: 0, float64: 1, bfloat16: 2, float16: 3 } as const satisfies Record<Format, number>;

/** `Q·R` of every item, with Q kept as LAPACK's Householder vectors; all in float64. */
export interface QrFactors {
  readonly q: Float64Array;
  /** Q = I − V·T·Vᵀ; V is in q. */
  readonly t: Float64Array;
  readonly rows: number;
  readonly cols: number;
  /** Upper triangular (or trapezoidal), min(rows, cols) × cols. */
  readonly R: Batch;
}

/** QR decomposition (`?geqrf`) of every float64 item. */
export function* qr(a: Batch): Steps<QrFactors> {
  const reflectors = Math.min(a.rows, a.cols);
  const q = scratch('float64', [a.count, a.rows, a.cols]);
  const t = scratch('float64', [a.count, reflectors, reflectors]);
  const r = scratch('float64', [a.count, reflectors, a.cols]);
  const status = statusOf(a.count);
  yield call('qr', { a, q, t, r, status });
  checkStatus(status, a);
  return { q, t, rows: a.rows, cols: a.cols, R: packed(r, a.count, reflectors, a.cols, a.origin) };
}

/** `Q·c` (`?ormqr`); c has as many rows as R. */
export function* applyQ({ q, t, rows, cols }: QrFactors, c: Batch): Steps<Batch> {
  const out = scratch('float64', [c.count, rows, c.cols]);
  const status = statusOf(c.count);
  yield call('applyQ', { c, rows, cols, q, t, out, status });
  checkStatus(status, c);
  return packed(out, c.count, rows, c.cols, c.origin);
}

/** `alpha·a·b` of every item under the name `name`; `ERR_SVD_OVERFLOW` when an element of the result is not finite. */
export function* gemm(
  a: Batch,
  b: Batch,
  name: string,
  { alpha = 1, accumulate = false, out }: GemmOptions = {},
): Steps<Batch> {
  const c = out ?? packed(scratch(dtypeOfBatch(a), [a.count, a.rows, b.cols]), a.count, a.rows, b.cols);
  const inRows = !liesByColumns(c); // as the kernel writes them
  const operands = inRows ? { a, b, c } : { a: transposed(b), b: transposed(a), c: transposed(c) };
  const status = statusOf(a.count);
  yield call('gemm', { ...operands, alpha, accumulate, status });
  const product = { ...c, origin: { ...a.origin, name } };
  checkStatus(status, product);
  return product;
}

interface GemmOptions {
  readonly alpha?: number;
  /** Add to the output instead of replacing it. */
  readonly accumulate?: boolean;
  /** Where the product is written; default new storage. */
  readonly out?: Batch;
}

/** Mirrors `enum class Driver` in native/core/kernels/svd.h. */
const drivers = ['gesdd', 'gesvd', 'gesvd-scaled', 'gejsv', 'gesdd-blocked', 'jacobi'] as const;

/**
 * Routine that decomposed one dense matrix: `gesdd-blocked`, the steps of `?gesdd` in parts that several threads take;
 * `jacobi` for the graded core of a product; or LAPACK's own, where that was asked for, for square factors, and where these did not converge.
 */
export type DenseDriver = (typeof drivers)[number];

/**
 * Which routine decomposes a dense matrix: the first of several that converges, or one of LAPACK's alone.
 *
 * @inline
 */
export type Routine = 'auto' | 'gesdd' | 'gesvd' | 'gejsv';

/** How many singular vectors: none, min(m, n), or all. */
export type Vectors = 'none' | 'thin' | 'full';

/** The factors of a batch of m×n matrices, or room for them; S as matrices of one row. */
export interface SvdFactors {
  readonly U: Batch;
  readonly S: Batch;
  readonly Vh: Batch;
}

/** Shapes of the factors of one m×n matrix. */
export function svdShapes(m: number, n: number, vectors: Vectors) {
  const p = Math.min(m, n);
  if (vectors === 'none') return { U: [0, 0], S: [1, p], Vh: [0, 0] } as const;
  return { U: [m, vectors === 'full' ? m : p], S: [1, p], Vh: [vectors === 'full' ? n : p, n] } as const;
}

/** Room for the factors of every item of `a` that are an intermediate result. */
function scratchSvd(a: Batch, vectors: Vectors): SvdFactors {
  const room = ([rows, cols]: readonly [number, number]) =>
    packed(scratch(dtypeOfBatch(a), [a.count, rows, cols]), a.count, rows, cols, a.origin);
  const { U, S, Vh } = svdShapes(a.rows, a.cols, vectors);
  return { U: room(U), S: room(S), Vh: room(Vh) };
}

/** What `take` takes of each factor. */
export const ofFactors = ({ U, S, Vh }: SvdFactors, take: (x: Batch) => Batch): SvdFactors => ({
  U: take(U),
  S: take(S),
  Vh: take(Vh),
});

/** The first r triplets. */
export const leadingFactors = ({ U, S, Vh }: SvdFactors, r: number): SvdFactors => ({
  U: colRange(U, 0, r),
  S: colRange(S, 0, r),
  Vh: rowRange(Vh, 0, r),
});

/**
 * Elements of workspace that a routine needs at the least for an m×n matrix, as native/core/kernels/svd.cc counts them; of
 * `'auto'` those of `?gesdd`.
 */
function workspaceSize(m: number, n: number, vectors: Vectors, routine: Routine): number {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  if (routine === 'gesvd') return Math.max(3 * short + long, 5 * short);
  if (routine === 'gejsv') return Math.max(2 * long + short, 6 * short + 2 * short ** 2, 7);
  const squares = vectors === 'none' ? 0 : 6 * long >= 11 * short ? 4 : 3; // with QR first, one more
  return squares * short ** 2 + 10 * short + long;
}

/** Mirrors `enum class Vectors` in native/core/kernels/svd.h. */
const vectorsCode = { none: 0, thin: 1, full: 2 } as const;

/** What `checkSvdSize` says of an m×n matrix. */
interface SvdSize {
  readonly vectors: Vectors;
  readonly dtype: Dtype;
  /** Of the matrix, for the error. */
  readonly name: string;
  readonly routine?: Routine | undefined;
}

/** `ERR_SVD_TOO_LARGE` when LAPACK with 32-bit integers cannot decompose an m×n matrix: before any work on it. */
export function checkSvdSize(
  m: number,
  n: number,
  { vectors, dtype, name, routine = 'auto' }: SvdSize,
): void {
  const elements = workspaceSize(m, n, vectors, routine);
  if (elements < 2 ** 31 && Math.max(m, n) < 2 ** 31) return;
  const bytes = elements * (dtype === 'float32' ? 4 : 8);
  const message = `${name}: shape ${showShape([m, n])} is too large for LAPACK with 32-bit integers (needs ${bytes} bytes)`;
  throw svdError('ERR_SVD_TOO_LARGE', message, { bytes });
}

/** How `svdLadder` is to decompose, and where to. */
interface LadderOptions {
  readonly routine?: Routine | undefined;
  /** Where the factors are written; default new storage. */
  readonly out?: SvdFactors;
  /** Of graded cores: column j of an item stands for itself times 2^scales[j]. */
  readonly scales?: Int32Array | undefined;
}

/**
 * `U·diag(S)·Vh` of every item by the first routine that converges, and which it was (native/core/kernels/svd.h lists them).
 * Where the columns of the items have `scales`, as those of a graded core, the Jacobi method comes first, whose small
 * singular values have their digits.
 */
export function* svdLadder(
  a: Batch,
  vectors: Vectors,
  { out = scratchSvd(a, vectors), scales, routine = 'auto' }: LadderOptions = {},
): Steps<SvdFactors & { readonly routines: DenseDriver[] }> {
  const status = statusOf(a.count);
  const { U: u, S: s, Vh: vh } = out;
  const only = routine === 'auto' ? -1 : drivers.indexOf(routine);
  yield call('svdLadder', { a, vectors: vectorsCode[vectors], only, scales, u, s, vh, status });
  checkStatus(status, routine === 'auto' ? a : { ...a, origin: { ...a.origin, routine } });
  const routines = new Array<DenseDriver>(a.count);
  for (let i = 0; i < routines.length; i++) routines[i] = drivers[driverOf(status, i)];
  return { ...out, routines };
}

/** A matrix whose columns have exponents of their own, so that nothing is too large or too small beside another. */
export interface ScaledColumns {
  readonly C: Batch;
  readonly scales: Int32Array;
}

/**
 * R_A·diag(2^exponents)·R_Bᵀ of every item, both factors upper triangular (or trapezoidal) with columns of length about 1;
 * the exponents descend, but for a last few.
 */
export function* scaledCore(a: Batch, b: Batch, exponents: Int32Array): Steps<ScaledColumns> {
  const c = scratch('float64', [a.count, a.rows, b.rows]);
  const scales = new Int32Array(a.count * b.rows);
  yield call('scaledCore', { a, b, exponents, c, scales });
  return { C: packed(c, a.count, a.rows, b.rows, a.origin), scales };
}

/** `a·aᵀ` of every item, in float64, both triangles. */
export function* outer(a: Batch): Steps<Batch> {
  const c = scratch('float64', [a.count, a.rows, a.rows]);
  const out = packed(c, a.count, a.rows, a.rows, a.origin);
  yield call('outer', { a, c: out });
  return out;
}

/** Whether each item, symmetric and packed, is positive definite, but for rounding errors; `a` is overwritten. */
export function* areDefinite(a: Batch): Steps<boolean[]> {
  const status = statusOf(a.count);
  yield call('definite', { a, status });
  checkStatus(status, a);
  return Array.from({ length: a.count }, (_, i) => driverOf(status, i) === 1);
}

/** Eigenvalues (`?geev`) of every item, square; conjugate pairs stand together. */
export function* geev(a: Batch): Steps<{ real: FloatArray; imag: FloatArray }> {
  const [real, imag] = [0, 1].map(() => allocate(dtypeOfBatch(a), [a.count, a.rows], 'eigenvalues'));
  const status = statusOf(a.count);
  yield call('geev', { a, real, imag, status });
  checkStatus(status, a);
  return { real, imag };
}

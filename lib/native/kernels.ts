import {
  type Dtype,
  dtypeOfStored,
  type FloatArray,
  type Format,
  formatOf,
  type Stored,
} from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { itemOffsets } from '../array/indexing.ts';
import { allocate, descriptor, zeros } from '../array/memory.ts';
import { broadcastLeading, cols, type Input, mustBeThere, rows, showShape } from '../array/tensor.ts';
import { kernels } from './addon.ts';
import { checkStatus, driverOf, hasFailures, type Origin, statusOf } from './status.ts';
import type { Steps } from './steps.ts';
import { scratch } from './workspace.ts';

/**
 * `count` strided matrices as the addon takes them. `layout` holds the row stride, the column stride and the offset of
 * every item; broadcast items repeat their offset.
 */
export interface Batch<D extends Stored = FloatArray> {
  readonly data: D;
  readonly layout: Float64Array;
  readonly rows: number;
  readonly cols: number;
  /** The memory is the caller's, who may write to it or transfer it away between two steps: `owned` copies it. */
  readonly foreign?: boolean;
}

/** A batch of an input, as that is stored: only `pack` takes it, and `owned` makes a `Batch` of it. */
export type InputBatch = Batch<Stored>;

export const count = (a: InputBatch): number => a.layout.length - 2;
export const dtypeOfBatch = (a: InputBatch): Dtype => dtypeOfStored(a.data);

/** The items of `x`, broadcast to `leading`. `ERR_SVD_ARGUMENT` when its memory is no longer there. */
export function batchOf<D extends Stored>(
  x: Input<D>,
  leading: readonly number[],
  foreign?: boolean,
): Batch<D> {
  mustBeThere(x);
  const full = broadcastLeading(x, leading);
  const n = full.stride.length;
  const [down, across] = [full.stride[n - 2], full.stride[n - 1]];
  return layOut(full.data, rows(full), cols(full), down, across, itemOffsets(full), foreign);
}

function layOut<D extends Stored>(
  data: D,
  rows: number,
  cols: number,
  down: number,
  across: number,
  offsets: Float64Array,
  foreign?: boolean,
): Batch<D> {
  const layout = descriptor(2 + offsets.length);
  layout[0] = down;
  layout[1] = across;
  layout.set(offsets, 2);
  return { data, layout, rows, cols, foreign };
}

/** `count` row-major matrices that lie one behind the other in `data`. */
export function packed<D extends Stored>(data: D, count: number, rows: number, cols: number): Batch<D> {
  const offsets = new Float64Array(count);
  for (let i = 0; i < count; i++) offsets[i] = i * rows * cols;
  return layOut(data, rows, cols, cols, 1, offsets);
}

export function transposed<D extends Stored>({ data, layout, rows, cols, foreign }: Batch<D>): Batch<D> {
  return layOut(data, cols, rows, layout[1], layout[0], layout.subarray(2), foreign);
}

/** The items at `positions`, which ascend; or as many repetitions of them as there are. */
export function itemsAt<D extends Stored>(a: Batch<D>, positions: Int32Array): Batch<D> {
  if (positions.length === count(a)) return a;
  const { data, layout, rows, cols, foreign } = a;
  const offsets = new Float64Array(positions.length);
  for (let i = 0; i < offsets.length; i++) offsets[i] = layout[2 + positions[i]];
  return layOut(data, rows, cols, layout[0], layout[1], offsets, foreign);
}

/** Items `from` … `to − 1`. */
export function items<D extends Stored>(a: Batch<D>, from: number, to: number): Batch<D> {
  const { data, layout, rows, cols, foreign } = a;
  return layOut(data, rows, cols, layout[0], layout[1], layout.subarray(2 + from, 2 + to), foreign);
}

/** Rows `from` … `to − 1` of every item. */
export function rowRange<D extends Stored>(a: Batch<D>, from: number, to: number): Batch<D> {
  const { data, layout, cols, foreign } = a;
  const offsets = layout.subarray(2).map((o) => o + from * layout[0]);
  return layOut(data, to - from, cols, layout[0], layout[1], offsets, foreign);
}

/** Positions `from` … `to − 1`. */
export function range(from: number, to: number): Int32Array {
  const positions = new Int32Array(to - from); // a loop: `Int32Array.from` takes some microseconds more
  for (let i = 0; i < positions.length; i++) positions[i] = from + i;
  return positions;
}

/** A broadcast batch has each matrix once: the items that are not repetitions, and which of them every item is. */
export function distinctItems(x: InputBatch): { distinct: Int32Array; source: Int32Array } {
  if (!mayRepeat(x)) return { distinct: range(0, count(x)), source: range(0, count(x)) };
  const known = new Map<number, number>();
  const distinct: number[] = [];
  const source = Int32Array.from({ length: count(x) }, (_, i) => {
    const offset = x.layout[2 + i];
    const before = known.get(offset);
    if (before !== undefined) return before;
    known.set(offset, distinct.length);
    return distinct.push(i) - 1;
  });
  return { distinct: Int32Array.from(distinct), source };
}

/** How many `distinctItems` has. */
export const countDistinct = (x: InputBatch): number =>
  mayRepeat(x) ? distinctItems(x).distinct.length : count(x);

/** Where every item lies behind the one before, or every one before it, none is a repetition: so it nearly always is. */
export function mayRepeat({ layout }: InputBatch): boolean {
  const direction = Math.sign(layout[3] - layout[2]);
  for (let i = 3; i < layout.length; i++) {
    if (!((layout[i] - layout[i - 1]) * direction > 0)) return true;
  }
  return false;
}

/** Norms of the columns of every item, as `fraction · 2^exponent`: they neither overflow nor underflow. */
export interface ColumnNorms {
  readonly fraction: Float64Array;
  readonly exponent: Int32Array;
}

/** Norms of all columns, and the check that every element is finite (`ERR_SVD_NON_FINITE`). */
export function* scan(a: Batch, origin: Origin): Steps<ColumnNorms> {
  const n = count(a);
  const fraction = zeros(Float64Array, [n, a.cols], 'norms of columns');
  const exponent = zeros(Int32Array, [n, a.cols], 'norms of columns');
  const status = statusOf(n);
  yield { kernel: 'scan', args: [a.data, a.layout, a.rows, a.cols, fraction, exponent, status] };
  // The first element that is not finite is the first one of the user's array, not of its transpose.
  if (origin.transposed && hasFailures(status)) yield* scan(transposed(a), { ...origin, transposed: false });
  checkStatus(status, a.rows, a.cols, origin);
  return { fraction, exponent };
}

/** Order and exact scaling of the columns of every item: column `j` becomes `2^exponents[j] · a[:, perm[j]]`. */
export interface Gauge {
  readonly perm: Int32Array | null;
  readonly exponents: Int32Array;
}

interface PackOptions {
  readonly gauge?: Gauge;
  readonly alpha?: number;
  readonly dtype?: Dtype;
}

/** A contiguous copy in `dtype`: `alpha · a` with its gauge applied. */
export function* pack(
  a: InputBatch,
  { dtype = dtypeOfBatch(a), ...options }: PackOptions = {},
): Steps<Batch> {
  const out = packed(scratch(dtype, [count(a), a.rows, a.cols]), count(a), a.rows, a.cols);
  yield* packInto(a, out.data, options);
  return out;
}

interface PackAsItLiesOptions extends PackOptions {
  /** Storage for the copy; default new. */
  readonly out?: FloatArray;
}

/** `pack`, row-major or column-major as `a` lies in memory: nothing is transposed. */
export function* packAsItLies(a: InputBatch, options: PackAsItLiesOptions = {}): Steps<Batch> {
  const { dtype = dtypeOfBatch(a), out = scratch(dtype, [count(a), a.rows, a.cols]), gauge, alpha } = options;
  const columnMajor = Math.abs(a.layout[0]) < Math.abs(a.layout[1]);
  yield* packInto(a, out, { gauge, alpha, columnMajor });
  return columnMajor
    ? transposed(packed(out, count(a), a.cols, a.rows))
    : packed(out, count(a), a.rows, a.cols);
}

interface PackIntoOptions extends Omit<PackOptions, 'dtype'> {
  /** Elements from one item of the output to the next; default one matrix. */
  readonly stride?: number;
  /** Which items of the output are written; default all in order. */
  readonly positions?: Int32Array;
  /** Add to the output instead of replacing it. */
  readonly accumulate?: boolean;
  readonly columnMajor?: boolean;
}

/** `pack` into `out`, in the dtype of `out`. */
export function* packInto(a: InputBatch, out: FloatArray, options: PackIntoOptions = {}): Steps<void> {
  if (a.rows * a.cols > 0) yield { kernel: 'pack', args: packArguments(a, out, options) };
}

/** The elements of `a` as they are stored, row-major into `out`, by this thread alone. */
export function copyAlone<D extends Stored>(a: Batch<D>, out: D): void {
  if (a.rows * a.cols > 0) kernels().copyAlone(a.data, a.layout, a.rows, a.cols, out);
}

const formats = { float32: 0, float64: 1, bfloat16: 2, float16: 3 } as const satisfies Record<Format, number>;

function packArguments(a: InputBatch, out: FloatArray, options: PackIntoOptions = {}): unknown[] {
  const {
    gauge,
    alpha = 1,
    stride = a.rows * a.cols,
    positions,
    accumulate = false,
    columnMajor = false,
  } = options;
  const { perm = null, exponents = null } = gauge ?? {};
  const narrow = out instanceof Float32Array;
  const how = [flag(narrow), perm, exponents, alpha, flag(accumulate), flag(columnMajor), stride, positions];
  return [formats[formatOf(a.data)], a.data, a.layout, a.rows, a.cols, ...how, out];
}

const flag = (x: boolean) => (x ? 1 : 0);

/** `Q·R` of every item, with Q kept as LAPACK's Householder vectors; all in float64. */
export interface QrFactors {
  readonly q: FloatArray;
  /** Q = I − V·T·Vᵀ; V is in q. */
  readonly t: FloatArray;
  readonly rows: number;
  readonly cols: number;
  /** Upper triangular (or trapezoidal), min(rows, cols) × cols. */
  readonly R: Batch;
}

/** QR decomposition (`?geqrf`) of every float64 item. */
export function* qr(a: Batch, origin: Origin): Steps<QrFactors> {
  const n = count(a);
  const reflectors = Math.min(a.rows, a.cols);
  const q = scratch('float64', [n, a.rows, a.cols]);
  const t = scratch('float64', [n, reflectors, reflectors]);
  const r = scratch('float64', [n, reflectors, a.cols]);
  const status = statusOf(n);
  yield { kernel: 'qr', args: [a.data, a.layout, a.rows, a.cols, q, t, r, status] };
  checkStatus(status, a.rows, a.cols, origin);
  return { q, t, rows: a.rows, cols: a.cols, R: packed(r, n, reflectors, a.cols) };
}

/** `Q·c` (`?ormqr`); c has as many rows as R. */
export function* applyQ(f: QrFactors, c: Batch, origin: Origin): Steps<Batch> {
  const n = count(c);
  const out = scratch('float64', [n, f.rows, c.cols]);
  const status = statusOf(n);
  const source = [c.data, c.layout, c.rows, c.cols];
  yield { kernel: 'applyQ', args: [...source, f.rows, f.cols, f.q, f.t, out, status] };
  checkStatus(status, c.rows, c.cols, origin);
  return packed(out, n, f.rows, c.cols);
}

/** `alpha·a·b + onto` for every item; `ERR_SVD_OVERFLOW` when an element of the result is not finite. */
export function* gemm(a: Batch, b: Batch, origin: Origin, options: GemmOptions = {}): Steps<Batch> {
  const n = count(a);
  const { alpha = 1, onto, positions } = options;
  const out = onto ?? options.out ?? scratch(dtypeOfBatch(a), [n, a.rows, b.cols]);
  const status = statusOf(n);
  const left = [a.data, a.layout, a.rows, a.cols];
  const right = [b.data, b.layout, b.rows, b.cols];
  yield {
    kernel: 'gemm',
    args: [...left, ...right, alpha, flag(onto !== undefined), positions, out, status],
  };
  const c = packed(out, n, a.rows, b.cols);
  checkStatus(status, c.rows, c.cols, origin);
  return c;
}

interface GemmOptions {
  readonly alpha?: number;
  /** Storage the product is added to. */
  readonly onto?: FloatArray;
  /** Storage the product is written to. */
  readonly out?: FloatArray;
  /** Which items of the storage are written; default all in order. */
  readonly positions?: Int32Array;
}

const drivers = ['gesdd', 'gesvd', 'gesvd-scaled', 'gejsv', 'gesdd-blocked', 'jacobi'] as const;

/**
 * Routine that decomposed one dense matrix: `gesdd-blocked`, the steps of `?gesdd` in parts that several threads take;
 * `jacobi` for the graded core of a product; or LAPACK's own, for square factors and where these did not converge.
 */
export type DenseDriver = (typeof drivers)[number];

/** How many singular vectors: none, min(m, n), or all. */
export type Vectors = 'none' | 'thin' | 'full';

/** Storage for the factors of a batch of m×n matrices. */
export interface SvdFactors {
  readonly U: FloatArray;
  readonly S: FloatArray;
  readonly Vh: FloatArray;
}

/** Shapes of the factors of one m×n matrix. */
export function svdShapes(m: number, n: number, vectors: Vectors) {
  const p = Math.min(m, n);
  if (vectors === 'none') return { U: [0], S: [p], Vh: [0] } as const;
  return { U: [m, vectors === 'full' ? m : p], S: [p], Vh: [vectors === 'full' ? n : p, n] } as const;
}

/** Storage for the factors of `count` m×n matrices that are an intermediate result. */
export function scratchSvd(count: number, m: number, n: number, vectors: Vectors, dtype: Dtype): SvdFactors {
  const { U, S, Vh } = svdShapes(m, n, vectors);
  return {
    U: scratch(dtype, [count, ...U]),
    S: scratch(dtype, [count, ...S]),
    Vh: scratch(dtype, [count, ...Vh]),
  };
}

/** The part of `out` that holds items `from` … `to − 1` of `of`. */
export function svdItems(out: SvdFactors, from: number, to: number, of: number): SvdFactors {
  if (to - from === of) return out;
  const part = (x: FloatArray) => x.subarray((x.length / of) * from, (x.length / of) * to);
  return { U: part(out.U), S: part(out.S), Vh: part(out.Vh) };
}

const vectorsCode = { none: 0, thin: 1, full: 2 } as const;

/** `ERR_SVD_TOO_LARGE` when LAPACK with 32-bit integers cannot decompose an m×n matrix: before any work on it. */
export function checkSvdSize(m: number, n: number, vectors: Vectors, dtype: Dtype, name: string): void {
  const elements = kernels().gesddWorkspace(m, n, vectorsCode[vectors]);
  if (elements < 2 ** 31 && Math.max(m, n) < 2 ** 31) return;
  const bytes = elements * (dtype === 'float32' ? 4 : 8);
  const message = `${name}: shape ${showShape([m, n])} is too large for LAPACK with 32-bit integers (needs ${bytes} bytes)`;
  throw svdError('ERR_SVD_TOO_LARGE', message, { bytes });
}

/**
 * `U·diag(S)·Vh` (`?gesdd`, and its fallbacks) of every item, into `out`. Where the columns of the items have `scales`, as
 * those of a graded core, the Jacobi method comes first, whose small singular values have their digits. Returns the
 * routine that gave each item.
 */
export function* gesdd(
  a: Batch,
  vectors: Vectors,
  out: SvdFactors,
  origin: Origin,
  scales?: Int32Array,
): Steps<DenseDriver[]> {
  const status = statusOf(count(a));
  const source = [a.data, a.layout, a.rows, a.cols];
  yield { kernel: 'gesdd', args: [...source, vectorsCode[vectors], scales, out.U, out.S, out.Vh, status] };
  checkStatus(status, a.rows, a.cols, origin);
  const names = new Array<DenseDriver>(count(a));
  for (let i = 0; i < names.length; i++) names[i] = drivers[driverOf(status, i)];
  return names;
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
export function* scaledCore(left: Batch, right: Batch, exponents: Int32Array): Steps<ScaledColumns> {
  const [n, rows, cols] = [count(left), left.rows, right.rows];
  const out = scratch('float64', [n, rows, cols]);
  const scales = new Int32Array(n * cols);
  const [a, b] = [left, right].map((x) => [x.data, x.layout, x.rows, x.cols]);
  yield { kernel: 'scaledCore', args: [...a, ...b, exponents, out, scales] };
  return { C: packed(out, n, rows, cols), scales };
}

/** Eigenvalues (`?geev`) of every item, square; conjugate pairs stand together. */
export function* geev(a: Batch, origin: Origin): Steps<{ real: FloatArray; imag: FloatArray }> {
  const n = count(a);
  const [real, imag] = [0, 1].map(() => allocate(dtypeOfBatch(a), [n, a.rows], 'eigenvalues'));
  const status = statusOf(n);
  yield { kernel: 'geev', args: [a.data, a.layout, a.rows, a.cols, real, imag, status] };
  checkStatus(status, a.rows, a.cols, origin);
  return { real, imag };
}

import { type Balance, balance, type Gauge } from './balance.ts';
import { batchedSvd, type ErrorOptions } from './batched-svd.ts';
import {
  type Batch,
  batchOf,
  type ColumnNorms,
  count,
  dtypeOfBatch,
  gemm,
  gesdd,
  itemsAt,
  pack,
  packed,
  packInto,
  type SvdFactors,
  scan,
  scratchSvd,
  transposed,
  type Vectors,
} from './kernels.ts';
import { ldexp } from './power-of-two.ts';
import { checkOverflow, type Origin, type Place } from './status.ts';
import type { Steps } from './steps.ts';
import type { Driver, FactorDriver, Svd } from './svd-result.ts';
import { type Gram, gram, type TallQr, tallQr } from './tall-qr.ts';
import {
  broadcastShapes,
  type Dtype,
  dtypeOf,
  epsilon,
  type FloatArray,
  leadingDims,
  promote,
  type Tensor,
} from './views.ts';

/**
 * Singular value decomposition of `A·B`, which is never formed.
 *
 * QR of A and of Bᵀ after balancing and sorting the inner dimension, SVD of the small core `R_A·R_Bᵀ`, and the
 * orthogonal factors applied to its singular vectors: |Δσ| ≤ 4εβ with β = Σ ‖a_j‖·‖b_j‖, in every gauge, and relative
 * accuracy near ε where the bad scaling of the factors is diagonal. (Golub, Sølna, Van Dooren, "Computing the SVD of a
 * general matrix product/quotient", SIAM J. Matrix Anal. Appl. 22 (2000); docs/numerics.md.)
 *
 * @param A `[..., l, k]`
 * @param B `[..., k, r]`, leading dimensions broadcast against those of A, same dtype
 * @returns U `[..., l, p]`, S `[..., p]`, Vh `[..., p, r]`, p = min(l, k, r); without vectors U and Vh are empty
 * @throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* productSvd(
  A: Tensor,
  B: Tensor,
  { vectors = 'thin', force, onError }: ProductOptions = {},
): Steps<Svd> {
  const { a, b, dtype, leading } = operands(A, B);
  const [l, r, p] = [a.rows, b.rows, Math.min(a.rows, a.cols, b.rows)];
  const thin = { U: [l, p], S: [p], Vh: [p, r] } as const;
  const shapes = vectors === 'none' ? ({ U: [0], S: [p], Vh: [0] } as const) : thin;
  const batched = { leading, shapes, dtype, blockSize: blockSize(a, b), onError };
  return yield* batchedSvd(batched, function* (place, out) {
    const parts = [itemsAt(a, place.positions), itemsAt(b, place.positions)] as const;
    const { balance, driver } = yield* decompose(...parts, vectors, out, place, force);
    const bound = balance.beta.map((beta, i) => ldexp(4 * epsilon(dtype) * beta, balance.exponent[i]));
    return { bound, driver };
  });
}

interface ProductOptions extends ErrorOptions {
  readonly vectors?: 'none' | 'thin';
  /** For tests: the QR decomposition that all tall factors take. */
  readonly force?: FactorDriver;
}

/** Frobenius norm of `A·B` per matrix, from the core: as accurate as the SVD, and free of overflow on the way. */
export function* productNorm(A: Tensor, B: Tensor): Steps<Float64Array> {
  const { a, b, leading } = operands(A, B);
  const norms = new Float64Array(count(a));
  const step = blockSize(a, b);
  for (let from = 0; from < norms.length; from += step) {
    const positions = Int32Array.from({ length: Math.min(step, norms.length - from) }, (_, i) => from + i);
    const place = { leading, positions };
    const { C, balance } = yield* core(itemsAt(a, positions), itemsAt(b, positions), place);
    norms.set(yield* frobenius(C, balance.exponent, { ...place, name: 'norm' }), from);
    yield { done: from + positions.length, total: norms.length };
  }
  return norms;
}

/** `‖C‖_F · 2^exponent` of every item. */
export function* frobenius(C: Batch, exponent: Int32Array, origin: Origin): Steps<Float64Array> {
  const { fraction, exponent: own } = yield* scan(C, origin);
  const norms = Float64Array.from(exponent, (shift, i) => {
    const columns = fraction.subarray(i * C.cols, (i + 1) * C.cols);
    const top = own.subarray(i * C.cols, (i + 1) * C.cols).reduce((x, y) => Math.max(x, y), -Infinity);
    if (top === -Infinity) return 0;
    const squares = columns.reduce((sum, f, j) => sum + ldexp(f, own[i * C.cols + j] - top) ** 2, 0);
    return ldexp(Math.sqrt(squares), top + shift);
  });
  checkOverflow(infinite(norms, 1), origin);
  return norms;
}

/** Items, of `size` numbers each, that hold an infinity. */
export function infinite(x: FloatArray, size: number): number[] {
  const found = new Set<number>();
  x.forEach((value, j) => {
    if (value === Number.POSITIVE_INFINITY) found.add(Math.floor(j / size));
  });
  return [...found];
}

/** A and Bᵀ as batches of tall or wide matrices whose columns are the inner dimension. */
function operands(A: Tensor, B: Tensor) {
  const leading = broadcastShapes(leadingDims(A), leadingDims(B), 'A·B');
  const dtype: Dtype = promote(dtypeOf(A), dtypeOf(B));
  return { a: batchOf(A, leading), b: transposed(batchOf(B, leading)), dtype, leading };
}

const blockBytes = 64 * 2 ** 20;

/** How many items are decomposed together: many small matrices, or one large one. */
function blockSize(a: Batch, b: Batch): number {
  const bytes = (a.rows + b.rows) * a.cols * a.data.BYTES_PER_ELEMENT;
  return Math.max(1, Math.floor(blockBytes / Math.max(bytes, 1)));
}

// Beyond this range of ‖a_j‖·‖b_j‖ the smallest singular values of a float32 core would drown or underflow.
const float32Range = 40;

// LAPACK's float32 SVD of a matrix of size 64 is wrong by some 8ε; in float64 a core this small costs hardly more.
const smallCore = 128;

const coreDtype = (dtype: Dtype, size: number, range: number): Dtype =>
  size <= smallCore || range > float32Range ? 'float64' : dtype;

interface Core {
  /** R_A·R_Bᵀ, or the factor itself where it is not tall. */
  readonly C: Batch;
  readonly left: Half;
  readonly right: Half;
  readonly balance: Balance;
}

/** Steps 1 to 5: everything before the SVD of the core. */
function* core(a: Batch, b: Batch, at: Place, force?: FactorDriver): Steps<Core> {
  const [left, right] = [
    yield* measure(a, { ...at, name: 'A' }),
    yield* measure(b, { ...at, name: 'B', transposed: true }),
  ];
  const gauge = balance(left.norms, right.norms, count(a), a.cols);
  const size = Math.max(Math.min(a.rows, a.cols), Math.min(b.rows, b.cols));
  const dtype = coreDtype(dtypeOfBatch(a), size, gauge.range);
  const halfA = yield* half(a, left, gauge.a, dtype, { ...at, name: 'A' }, force);
  const halfB = yield* half(b, right, gauge.b, dtype, { ...at, name: 'B' }, force);
  const C = yield* gemm(halfA.factor, transposed(halfB.factor), { ...at, name: 'core of A·B' });
  return { C, left: halfA, right: halfB, balance: gauge };
}

const isTall = (x: Batch): boolean => x.rows > x.cols;

/** Step 1: the norms of the inner dimension, and the check that everything is finite. */
interface Measured {
  readonly norms: ColumnNorms;
  readonly gram?: Gram;
}

function* measure(x: Batch, origin: Origin): Steps<Measured> {
  if (!isTall(x)) return { norms: yield* scan(x, origin) };
  const g = yield* gram(x, origin);
  return { norms: g.norms, gram: g };
}

/** One side of the core, and the orthogonal factor that leads back from it. */
interface Half {
  readonly factor: Batch;
  readonly q?: TallQr;
}

/** Step 4: QR of a tall factor with its gauge applied; any other goes into the core as it is. */
function* half(
  x: Batch,
  { gram }: Measured,
  gauge: Gauge,
  dtype: Dtype,
  origin: Origin,
  force?: FactorDriver,
): Steps<Half> {
  if (!gram) return { factor: yield* pack(x, { gauge, dtype }) };
  const q = yield* tallQr(x, gram, gauge, origin, force);
  return { factor: dtypeOfBatch(q.R) === dtype ? q.R : yield* pack(q.R, { dtype }), q };
}

const factorDriver = ({ q }: Half, i: number): FactorDriver => q?.driver[i] ?? 'direct';

/** Steps 1 to 6 for one block of the batch. */
function* decompose(
  a: Batch,
  b: Batch,
  vectors: Vectors,
  out: SvdFactors,
  place: Place,
  force?: FactorDriver,
): Steps<{ balance: Balance; driver: Driver[] }> {
  const { C, left, right, balance } = yield* core(a, b, place, force);
  const n = count(a);
  const p = Math.min(C.rows, C.cols);
  const inner = scratchSvd(n, C.rows, C.cols, vectors, dtypeOfBatch(C));
  const routines = yield* gesdd(C, vectors, inner, { ...place, name: 'core of A·B' });
  unscale(inner.S, balance.exponent, p, out.S, { ...place, name: 'singular values of A·B' });
  if (vectors !== 'none') {
    yield* lift(left, packed(inner.U, n, C.rows, p), false, out.U);
    yield* lift(right, transposed(packed(inner.Vh, n, p, C.cols)), true, out.Vh);
  }
  const driver = routines.map(
    (routine, i): Driver => `${factorDriver(left, i)}/${factorDriver(right, i)}/${routine}`,
  );
  return { balance, driver };
}

/** Step 6: `Q·x` into `out` (or its transpose), or x itself where there is no Q. */
function* lift({ q }: Half, x: Batch, transpose: boolean, out: SvdFactors['U']): Steps<void> {
  if (q) yield* q.apply(x, transpose, out);
  else yield* packInto(transpose ? transposed(x) : x, out);
}

/** `S · 2^exponent`; a singular value that does not fit is `ERR_SVD_OVERFLOW`. */
function unscale(S: FloatArray, exponent: Int32Array, p: number, out: FloatArray, origin: Origin): void {
  for (let j = 0; j < S.length; j++) out[j] = ldexp(S[j], exponent[Math.floor(j / p)]);
  checkOverflow(infinite(out, p), origin);
}

import { type Balance, balance, type Gauge } from './balance.ts';
import { batchedSvd, type ErrorOptions } from './batched-svd.ts';
import { svdError } from './errors.ts';
import {
  type Batch,
  batchOf,
  type ColumnNorms,
  checkSvdSize,
  count,
  dtypeOfBatch,
  gemm,
  gesdd,
  itemsAt,
  pack,
  packAsItLies,
  packed,
  packInto,
  type SvdFactors,
  scan,
  scratchSvd,
  transposed,
} from './kernels.ts';
import { ldexp } from './power-of-two.ts';
import { checkOverflow, type Origin, type Place, placeOf } from './status.ts';
import type { Steps } from './steps.ts';
import type { Driver, FactorDriver, Svd } from './svd-result.ts';
import { type Gram, gram, householderQr, type TallQr, tallQr } from './tall-qr.ts';
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
  { vectors = 'thin', rank, force, onError }: ProductOptions = {},
): Steps<Svd> {
  const { a, b, dtype, leading } = operands(A, B);
  const [l, r] = [a.rows, b.rows];
  const most = Math.min(l, a.cols, r);
  const p = rank === undefined ? most : checkRank(rank, most);
  checkSvdSize(Math.min(l, a.cols), Math.min(r, a.cols), vectors, dtype, 'core of A·B');
  const thin = { U: [l, p], S: [p], Vh: [p, r] } as const;
  const shapes = vectors === 'none' ? ({ U: [0], S: [p], Vh: [0] } as const) : thin;
  const batched = { leading, shapes, dtype, blockSize: blockSize(a, b), onError };
  return yield* batchedSvd(batched, function* (place, out) {
    const parts = [itemsAt(a, place.positions), itemsAt(b, place.positions)] as const;
    const { balance, driver } = yield* decompose(
      ...parts,
      vectors === 'none' ? 'none' : p,
      out,
      place,
      force,
    );
    const bound = balance.beta.map((beta, i) => ldexp(4 * epsilon(dtype) * beta, balance.exponent[i]));
    return { bound, driver };
  });
}

interface ProductOptions extends ErrorOptions {
  readonly vectors?: 'none' | 'thin';
  /** Only the leading singular triplets; default all. */
  readonly rank?: number;
  /** For tests: the QR decomposition that all tall factors take. */
  readonly force?: FactorDriver;
}

/** The number of singular triplets to form. `ERR_SVD_ARGUMENT` unless it is an integer from 0 to `most`. */
export function checkRank(rank: number, most: number, name = 'rank'): number {
  if (Number.isInteger(rank) && rank >= 0 && rank <= most) return rank;
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected an integer from 0 to ${most}, got ${rank}`);
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

const blockBytes = 64 * 2 ** 20; // of factors
const blockScratch = 12 * 2 ** 20; // of k×k matrices, of which there are about a dozen for every item

/** How many items are decomposed together: many small matrices, or one large one. */
function blockSize(a: Batch, b: Batch): number {
  const factors = (a.rows + b.rows) * a.cols * a.data.BYTES_PER_ELEMENT;
  const scratch = 12 * 8 * a.cols ** 2;
  return Math.max(
    1,
    Math.floor(Math.min(blockBytes / Math.max(factors, 1), blockScratch / Math.max(scratch, 1))),
  );
}

// Beyond this range of ‖a_j‖·‖b_j‖ the smallest singular values of a float32 core would drown or underflow.
const float32Range = 40;

// LAPACK's float32 SVD of a matrix of size 64 is wrong by some 8ε; in float64 a core this small costs hardly more.
const smallCore = 128;

// From here on a core is graded: ?gesdd would take the digits of its small singular values.
const gradedRange = 10;

const coreDtype = (dtype: Dtype, size: number, range: number): Dtype =>
  size <= smallCore || range > float32Range ? 'float64' : dtype;

interface CoreKind {
  readonly dtype: Dtype;
  readonly graded: boolean;
}

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
  const range = gauge.range.reduce((x, y) => Math.max(x, y), 0);
  const kind = { dtype: coreDtype(dtypeOfBatch(a), size, range), graded: range > gradedRange };
  const halfA = yield* half(a, left, gauge.a, kind, { ...at, name: 'A' }, force);
  const halfB = yield* half(b, right, gauge.b, kind, { ...at, name: 'B' }, force);
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
  const { distinct, source } = distinctItems(x);
  const at = placeOf(origin, distinct);
  const own = itemsAt(x, distinct);
  if (!isTall(x)) return { norms: spread(yield* scan(own, at), source, x.cols) };
  const { parts, norms } = yield* gram(own, at);
  return { norms: spread(norms, source, x.cols), gram: { parts, source, norms } };
}

/** A broadcast factor is looked at once: the items that are not repetitions, and which of them every item is. */
function distinctItems(x: Batch): { distinct: Int32Array; source: Int32Array } {
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

/** The norms of every item from those of the distinct ones. */
function spread({ fraction, exponent }: ColumnNorms, source: Int32Array, k: number): ColumnNorms {
  if (fraction.length === source.length * k) return { fraction, exponent };
  const all = { fraction: new Float64Array(source.length * k), exponent: new Int32Array(source.length * k) };
  source.forEach((from, i) => {
    all.fraction.set(fraction.subarray(from * k, (from + 1) * k), i * k);
    all.exponent.set(exponent.subarray(from * k, (from + 1) * k), i * k);
  });
  return all;
}

/** One side of the core, and the orthogonal factor that leads back from it. */
interface Half {
  readonly factor: Batch;
  readonly q?: TallQr;
}

/**
 * Step 4: QR of a tall factor with its gauge applied. Any other goes into the core as it is, unless the inner dimension
 * is graded: only the product of triangular factors then keeps the digits of small singular values.
 */
function* half(
  x: Batch,
  { gram }: Measured,
  gauge: Gauge,
  { dtype, graded }: CoreKind,
  origin: Origin,
  force?: FactorDriver,
): Steps<Half> {
  if (!gram && !graded) return { factor: yield* packAsItLies(x, { gauge, dtype }) };
  const q = gram ? yield* tallQr(x, gram, gauge, origin, force) : yield* householderQr(x, gauge, origin);
  return { factor: dtypeOfBatch(q.R) === dtype ? q.R : yield* pack(q.R, { dtype }), q };
}

const factorDriver = ({ q }: Half, i: number): FactorDriver => q?.driver[i] ?? 'direct';

/** Steps 1 to 6 for one block of the batch; `form` is the number of singular vectors to form. */
function* decompose(
  a: Batch,
  b: Batch,
  form: number | 'none',
  out: SvdFactors,
  place: Place,
  force?: FactorDriver,
): Steps<{ balance: Balance; driver: Driver[] }> {
  const { C, left, right, balance } = yield* core(a, b, place, force);
  const n = count(a);
  const p = Math.min(C.rows, C.cols);
  const vectors = form === 'none' || form === 0 ? 'none' : 'thin';
  const inner = scratchSvd(n, C.rows, C.cols, vectors, dtypeOfBatch(C));
  const graded = balance.range.map((range) => (range > gradedRange ? 1 : 0));
  const routines = yield* gesdd(C, vectors, inner, { ...place, name: 'core of A·B' }, graded);
  unscale(inner.S, balance.exponent, n, out.S, { ...place, name: 'singular values of A·B' });
  if (vectors === 'thin') {
    const U = packed(inner.U, n, C.rows, p);
    const V = transposed(packed(inner.Vh, n, p, C.cols));
    yield* lift(left, { ...U, cols: form as number }, false, out.U);
    yield* lift(right, { ...V, cols: form as number }, true, out.Vh);
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

/** The leading singular values of `n` items times 2^exponent; one that does not fit is `ERR_SVD_OVERFLOW`. */
function unscale(S: FloatArray, exponent: Int32Array, n: number, out: FloatArray, origin: Origin): void {
  const [all, kept] = [S.length / n, out.length / n];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < kept; j++) out[i * kept + j] = ldexp(S[i * all + j], exponent[i]);
  checkOverflow(infinite(out, kept), origin);
}

import { bytesPerElement } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { ldexp } from '../array/power-of-two.ts';
import {
  broadcastShapes,
  cols,
  type Dtype,
  dtypeOf,
  type FloatArray,
  type Input,
  leadingDims,
  promote,
  rows,
} from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  checkSvdSize,
  count,
  dtypeOfBatch,
  gesdd,
  type InputBatch,
  itemsAt,
  packed,
  packInto,
  range,
  type SvdFactors,
  scan,
  scratchSvd,
  transposed,
} from '../native/kernels.ts';
import { ahead, type InputOptions } from '../native/owned.ts';
import { checkOverflow, type Origin, type Place, placeOf } from '../native/status.ts';
import { asPart, type Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { type Balance, selectBlocks } from './balance.ts';
import { batchedSvd, type ErrorOptions, likeItems, scatter } from './blocks.ts';
import { productBound } from './bounds.ts';
import {
  type Balanced,
  balanceFactors,
  core,
  factorDriver,
  factorsOf,
  type Kind,
  kinds,
  mostRatio,
  plainRange,
  type Side,
  selectBalanced,
} from './core.ts';
import { fitsGramSvd, gramSvd, liftGramSvd } from './gram.ts';
import type { Factor } from './measure.ts';
import type { Driver, FactorDriver, Svd } from './result.ts';

/**
 * Singular value decomposition of `A·B`, which is never formed where it is larger than its factors.
 *
 * QR of A and of Bᵀ after balancing and sorting the inner dimension, SVD of the small core `R_A·R_Bᵀ`, and the
 * orthogonal factors applied to its singular vectors: |Δσ| ≤ 4εβ with β = Σ ‖a_j‖·‖b_j‖, in every gauge, and relative
 * accuracy near ε where the bad scaling of the factors is diagonal. (Golub, Sølna, Van Dooren, "Computing the SVD of a
 * general matrix product/quotient", SIAM J. Matrix Anal. Appl. 22 (2000); docs/numerics.md.)
 *
 * @param A `[..., l, k]`
 * @param B `[..., k, r]`, leading dimensions broadcast against those of A; of mixed dtypes both are taken as float64
 * @returns U `[..., l, p]`, S `[..., p]`, Vh `[..., p, r]`, p = min(l, k, r); without vectors U and Vh are empty
 * @throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* productSvd(
  A: Input,
  B: Input,
  { vectors = 'thin', rank, force, onError, foreign }: ProductOptions = {},
): Steps<Svd> {
  const { inputs, dtype, leading, blockSize } = operands(A, B, foreign);
  const [l, k, r] = [rows(A), cols(A), cols(B)];
  const most = Math.min(l, k, r);
  const p = rank === undefined ? most : checkRank(rank, most);
  checkSvdSize(Math.min(l, k), Math.min(r, k), vectors, dtype, 'core of A·B');
  const thin = { U: [l, p], S: [p], Vh: [p, r] } as const;
  const shapes = vectors === 'none' ? ({ U: [0], S: [p], Vh: [0] } as const) : thin;
  const batched = { leading, shapes, dtype, blockSize, onError };
  const [left, right] = factorsOf(inputs, yield* ahead(inputs, blockSize, dtype), dtype);
  return yield* batchedSvd(batched, function* (place, out) {
    const { balance, ways } = yield* decompose(
      left,
      right,
      vectors === 'none' ? 'none' : p,
      out,
      place,
      force,
    );
    const bound = ways.map(({ computed }, i) =>
      productBound({
        dtype,
        computed,
        beta: ldexp(balance.beta[i], balance.exponent[i]),
        pairs: balance.pairs[i],
        sigma1: p > 0 ? out.S[i * p] : 0,
      }),
    );
    const driver = ways.map((way) => way.driver);
    return { bound, driver, next: p < Math.min(l, r) ? ways.map((way) => way.next) : undefined };
  });
}

interface ProductOptions extends ErrorOptions, InputOptions {
  readonly vectors?: 'none' | 'thin';
  /** Only the leading singular triplets; default all. */
  readonly rank?: number;
  /** For tests: the way that all tall factors take. */
  readonly force?: FactorDriver;
}

/** The number of singular triplets to form. `ERR_SVD_ARGUMENT` unless it is an integer from 0 to `most`. */
export function checkRank(rank: number, most: number, name = 'rank'): number {
  if (Number.isInteger(rank) && rank >= 0 && rank <= most) return rank;
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected an integer from 0 to ${most}, got ${shown(rank)}`);
}

/** Frobenius norm of `A·B` per matrix, from the core: as accurate as the SVD, and free of overflow on the way. */
export function* productNorm(A: Input, B: Input, { foreign }: InputOptions = {}): Steps<Float64Array> {
  const { inputs, dtype, leading, blockSize } = operands(A, B, foreign);
  const [left, right] = factorsOf(inputs, yield* ahead(inputs, blockSize, dtype), dtype);
  const norms = new Float64Array(count(inputs[0]));
  const workspace = takeWorkspace();
  for (let from = 0; from < norms.length; from += blockSize) {
    const to = Math.min(norms.length, from + blockSize);
    const positions = range(from, to);
    yield* inWorkspace(workspace, normsOf(left, right, { leading, positions }, norms.subarray(from, to)));
    yield { done: to, total: norms.length };
  }
  returnWorkspace(workspace);
  return norms;
}

/** The norms of one block of the batch, into `out`. */
function* normsOf(a: Factor, b: Factor, place: Required<Place>, out: Float64Array): Steps<void> {
  const all = yield* balanceFactors(a, b, place);
  for (const { kind, positions: alike } of kinds(all)) {
    const group = selectBalanced(all, alike);
    const { C } = yield* core(group, { ...kind, graded: false }, placeOf(place, alike));
    const part = yield* frobenius(C, group.balance.exponent, { ...placeOf(place, alike), name: 'norm' });
    alike.forEach((position, i) => {
      out[position] = part[i];
    });
  }
}

/** `‖C‖_F · 2^exponent` of every item. */
export function* frobenius(C: Batch, exponent: Int32Array, origin: Origin): Steps<Float64Array> {
  const { fraction, exponent: own } = yield* scan(C, origin);
  const norms = Float64Array.from(exponent, (shift, i) => {
    const columns = fraction.subarray(i * C.cols, (i + 1) * C.cols);
    const top = columns.reduce((x, f, j) => (f > 0 ? Math.max(x, own[i * C.cols + j]) : x), -Infinity);
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
function operands(A: Input, B: Input, foreign?: boolean) {
  const leading = broadcastShapes(leadingDims(A), leadingDims(B), 'A·B');
  const dtype: Dtype = promote(dtypeOf(A), dtypeOf(B));
  const inputs = [batchOf(A, leading, foreign), transposed(batchOf(B, leading, foreign))] as const;
  return { inputs, dtype, leading, blockSize: blockSize(...inputs, dtype) };
}

const blockBytes = 32 * 2 ** 20; // of factors: what a cache of the last level may hold
const blockScratch = 24 * 2 ** 20; // of k×k matrices, of which there are about a dozen for every item
const blockItems = 512; // what is said of each takes time on the JavaScript thread, too

/**
 * How many items are decomposed together: many small matrices, or one large one. A repeated factor counts every time,
 * because reflections and products with Q take memory for every item.
 */
function blockSize(a: InputBatch, b: InputBatch, dtype: Dtype): number {
  const factors = (a.rows + b.rows) * a.cols * bytesPerElement(dtype);
  const scratch = 12 * 8 * a.cols ** 2;
  const fit = Math.min(blockBytes / Math.max(factors, 1), blockScratch / Math.max(scratch, 1));
  const blocks = Math.ceil(count(a) / Math.floor(Math.min(blockItems, Math.max(1, fit))));
  return Math.max(1, Math.ceil(count(a) / Math.max(blocks, 1)));
}

/** How an item was decomposed. */
interface Way {
  readonly driver: Driver;
  /** In which its singular values were computed. */
  readonly computed: Dtype;
  /** The singular value that follows those which were kept. */
  readonly next: number;
}

/** Steps 1 to 6 for one block of the batch; `form` is the number of singular vectors to form. */
function* decompose(
  a: Factor,
  b: Factor,
  form: number | 'none',
  out: SvdFactors,
  place: Required<Place>,
  force?: FactorDriver,
): Steps<{ balance: Balance; ways: Way[] }> {
  const all = yield* balanceFactors(a, b, place);
  const ways = yield* inGroups(all, kinds(all), out, place, function* (items, { kind }, part, at) {
    if ((force && force !== 'gram') || !fitsGramSvd(items, kind))
      return yield* decomposeAlike(items, kind, form, part, at, force);
    return yield* decomposeQuickly(items, kind, form, part, at);
  });
  return { balance: all.balance, ways };
}

interface Group {
  readonly positions: Int32Array;
}

/** The items of every group decomposed by themselves, each into its place in `out`. */
function* inGroups<G extends Group>(
  all: Balanced,
  groups: readonly G[],
  out: SvdFactors,
  place: Place,
  decompose: (items: Balanced, group: G, part: SvdFactors, at: Place) => Steps<Way[]>,
): Steps<Way[]> {
  const n = count(all.a);
  const ways = new Array<Way>(n);
  for (const group of groups) {
    const { positions } = group;
    if (positions.length === 0) continue;
    const part = positions.length === n ? out : likeItems(out, positions.length, n);
    const done = yield* decompose(selectBalanced(all, positions), group, part, placeOf(place, positions));
    if (part !== out) scatter(part, positions, out, n);
    positions.forEach((position, i) => {
      ways[position] = done[i];
    });
  }
  return ways;
}

/** Steps 4 to 6 from Gram matrices alone, but for the items that need more. */
function* decomposeQuickly(
  all: Balanced,
  kind: Kind,
  form: number | 'none',
  out: SvdFactors,
  place: Place,
): Steps<Way[]> {
  const found = yield* gramSvd(all, form);
  const groups = [
    { positions: found.served, quick: true },
    { positions: found.declined, quick: false },
  ];
  return yield* inGroups(all, groups, out, place, function* (items, { positions, quick }, part, at) {
    if (!quick) return yield* decomposeAlike(items, kind, form, part, at);
    const S = selectBlocks(found.S, positions, items.a.cols);
    const origin = { ...at, name: 'singular values of A·B' };
    const next = unscale(S, items.balance.exponent, positions.length, part.S, origin);
    const [X, Y] = [itemsAt(found.X, positions), itemsAt(found.Y, positions)];
    yield* liftGramSvd(items, { S, X, Y }, part.U, part.Vh, at);
    return Array.from(next, (following) => ({
      driver: 'gram/gram/eigen',
      computed: 'float64',
      next: following,
    }));
  });
}

/** Steps 4 to 6 for items of one kind; those whose small singular values lack digits are taken for graded and done again. */
function* decomposeAlike(
  items: Balanced,
  kind: Kind,
  form: number | 'none',
  out: SvdFactors,
  place: Place,
  force?: FactorDriver,
): Steps<Way[]> {
  const { C, scales, left, right } = yield* core(items, kind, place, force);
  const n = count(C);
  const p = Math.min(C.rows, C.cols);
  const vectors = form === 'none' || form === 0 ? 'none' : 'thin';
  const inner = scratchSvd(n, C.rows, C.cols, vectors, dtypeOfBatch(C));
  const until = shares(items, C, form);
  yield { within: [until.core, until.svd] };
  const routines = yield* gesdd(C, vectors, inner, { ...place, name: 'core of A·B' }, scales);
  const exponent = scales ? new Int32Array(n) : items.balance.exponent;
  const next = unscale(inner.S, exponent, n, out.S, { ...place, name: 'singular values of A·B' });
  if (vectors === 'thin') {
    const U = packed(inner.U, n, C.rows, p);
    const V = transposed(packed(inner.Vh, n, p, C.cols));
    yield { within: [until.svd, until.left] };
    yield* lift(left, { ...U, cols: form as number }, false, out.U);
    yield { within: [until.left, 1] };
    yield* lift(right, { ...V, cols: form as number }, true, out.Vh);
  }
  const ways = routines.map((routine, i): Way => {
    const factors = [left, right].map((side) => factorDriver(side, i));
    const own = dtypeOfBatch(C) === 'float32' || factors.includes('cholesky2'); // whose first Q is in that of the factors
    const driver: Driver = `${factors[0]}/${factors[1]}/${routine}`;
    return { driver, computed: own ? dtypeOfBatch(items.a) : 'float64', next: next[i] };
  });
  const again = kind.graded ? [] : [...ways.keys()].filter((i) => lacksDigits(items, i, inner.S, p));
  if (again.length > 0) {
    const positions = Int32Array.from(again);
    const part = likeItems(out, again.length, n);
    const graded: Kind = { ...kind, dtype: 'float64', graded: true };
    const at = placeOf(place, positions);
    const some = selectBalanced(items, positions);
    const better = yield* asPart(decomposeAlike(some, graded, form, part, at, force));
    scatter(part, positions, out, n);
    again.forEach((i, j) => {
      ways[i] = better[j];
    });
  }
  return ways;
}

/** Roughly, what share of its operations each step of a decomposition has behind it. */
function shares({ a, b }: Balanced, C: Batch, form: number | 'none') {
  const p = Math.min(C.rows, C.cols);
  const factors = 2 * (a.rows + b.rows) * a.cols ** 2;
  const svd = 20 * p ** 2 * Math.max(C.rows, C.cols);
  const [left, right] = [a, b].map((x) => (form === 'none' ? 0 : 2 * x.rows * x.cols * form));
  const all = Math.max(1, factors + svd + left + right);
  return { core: factors / all, svd: (factors + svd) / all, left: (factors + svd + left) / all };
}

/**
 * Whether an error relative to σ₁ takes digits from a smaller singular value, and whether it is the scaling of the inner
 * dimension that makes it small: by no more than matrices do that are conditioned well enough for the promise.
 */
function lacksDigits({ a, balance: { range } }: Balanced, i: number, S: FloatArray, p: number): boolean {
  if (p === 0 || range[i] <= plainRange) return false;
  const most = mostRatio(dtypeOfBatch(a), S instanceof Float32Array ? 'float32' : 'float64', p);
  const own = S.subarray(i * p, (i + 1) * p);
  const least = own[0] / (most * Math.sqrt(p) * 2 ** range[i]);
  return own.some((s) => s * most < own[0] && s >= least);
}

/** Step 6: `Q·x` into `out` (or its transpose), or x itself where there is no Q. */
function* lift({ q }: Side, x: Batch, transpose: boolean, out: SvdFactors['U']): Steps<void> {
  if (q) yield* q.apply(x, transpose, out);
  else yield* packInto(transpose ? transposed(x) : x, out);
}

/**
 * The leading singular values of `n` items times 2^exponent; one that does not fit is `ERR_SVD_OVERFLOW`. Returns the one
 * that follows them, 0 where there is none.
 */
function unscale(
  S: FloatArray,
  exponent: Int32Array,
  n: number,
  out: FloatArray,
  origin: Origin,
): Float64Array {
  const [all, kept] = [S.length / n, out.length / n];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < kept; j++) out[i * kept + j] = ldexp(S[i * all + j], exponent[i]);
  checkOverflow(infinite(out, kept), origin);
  return Float64Array.from(exponent, (e, i) => (kept < all ? ldexp(S[i * all + kept], e) : 0));
}

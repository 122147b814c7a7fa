import { bytesPerElement, dtypeOfStored } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { ldexp } from '../array/power-of-two.ts';
import {
  broadcastShapes,
  cols,
  type Dtype,
  dtypeOf,
  type Input,
  leadingDims,
  promote,
  rows,
} from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  colRange,
  dtypeOfBatch,
  type InputBatch,
  itemsAt,
  offsetOf,
  rowRange,
  transposed,
} from '../native/batch.ts';
import { checkSvdSize, ofFactors, packInto, type SvdFactors, svdLadder } from '../native/kernels.ts';
import { ahead, type InputOptions } from '../native/owned.ts';
import { checkOverflow, type Origin } from '../native/status.ts';
import { asPart, type Steps } from '../native/steps.ts';
import type { Balance } from './balance.ts';
import { batchedSvd, type ErrorOptions } from './blocks.ts';
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
import { fitsGramSvd, gramSvd, liftGramSvd, type WithGrams } from './gram.ts';
import type { Factor } from './measure.ts';
import type { Driver, FactorDriver, Svd } from './result.ts';

// The SVD of a product, in the steps of docs/numerics.md. For every item of the batch:
//
//   1. Measure   the norms of the columns a_j of A and rows b_j of B; AᵀA and B·Bᵀ of tall factors   measure.ts
//   2. Balance   a_j and b_j by powers of two, so that both are about equally long                   balance.ts
//   3. Sort      the inner dimension by ‖a_j‖·‖b_j‖                                                  balance.ts
//   4. QR        A = Q_A·R_A and Bᵀ = Q_B·R_B, of tall factors                                       qr.ts
//   5. Core      R_A·R_Bᵀ = U_C·S·V_Cᵀ                                                               core.ts
//   6. Back      U = Q_A·U_C and Vh = (Q_B·V_C)ᵀ
//
// Where float32 heads allow it, gram.ts takes the place of steps 4 to 6.

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
  { vectors = 'thin', rank, allValues = false, force, onError, foreign }: ProductOptions = {},
): Steps<Svd> {
  const { inputs, dtype, leading, blockSize } = operands(A, B, foreign);
  const [l, k, r] = [rows(A), cols(A), cols(B)];
  const most = Math.min(l, k, r);
  const p = rank === undefined ? most : checkRank(rank, most);
  checkSvdSize(Math.min(l, k), Math.min(r, k), { vectors, dtype, name: 'core of A·B' });
  const thin = { U: [l, p], S: [1, allValues ? most : p], Vh: [p, r] } as const;
  const shapes = vectors === 'none' ? ({ U: [0, 0], S: [1, p], Vh: [0, 0] } as const) : thin;
  const truncated = p < Math.min(l, r);
  const batched = { leading, shapes, dtype, blockSize, truncated, onError };
  const [left, right] = factorsOf(inputs, yield* ahead(inputs, blockSize, dtype), dtype);
  return yield* batchedSvd(batched, function* (positions, out) {
    const form = vectors === 'none' ? 'none' : p;
    const { balance, ways } = yield* decompose(left, right, form, out, positions, force);
    const bound = ways.map(({ computed }, i) => {
      const [beta, pairs, exponent] = [balance.beta[i], balance.pairs[i], balance.exponent[i]];
      const sigma1 = p > 0 ? ldexp(out.S.data[offsetOf(out.S, i)], -exponent) : 0;
      return ldexp(productBound({ dtype, computed, beta, pairs, sigma1 }), exponent); // β itself may be beyond all numbers
    });
    const driver = ways.map((way) => way.driver);
    return { bound, driver, next: ways.map((way) => way.next) };
  });
}

interface ProductOptions extends ErrorOptions, InputOptions {
  readonly vectors?: 'none' | 'thin';
  /** Only the leading singular triplets; default all. */
  readonly rank?: number;
  /** All singular values nevertheless, in an S that is longer than U is wide. */
  readonly allValues?: boolean;
  /** For tests: the way that all tall factors take. */
  readonly force?: FactorDriver;
}

/** The number of singular triplets to form. `ERR_SVD_ARGUMENT` unless it is an integer from 0 to `most`. */
export function checkRank(rank: number, most: number, name = 'rank'): number {
  if (Number.isInteger(rank) && rank >= 0 && rank <= most) return rank + 0; // −0 is 0
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected an integer from 0 to ${most}, got ${shown(rank)}`);
}

/** A and Bᵀ as batches of tall or wide matrices whose columns are the inner dimension. */
export function operands(A: Input, B: Input, foreign?: boolean) {
  const leading = broadcastShapes(leadingDims(A), leadingDims(B), 'A·B');
  const dtype: Dtype = promote(dtypeOf(A), dtypeOf(B));
  const inputs = [batchOf(A, leading, 'A', foreign), transposed(batchOf(B, leading, 'B', foreign))] as const;
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
  const blocks = Math.ceil(a.count / Math.floor(Math.min(blockItems, Math.max(1, fit))));
  return Math.max(1, Math.ceil(a.count / Math.max(blocks, 1)));
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
  positions: Int32Array,
  force?: FactorDriver,
): Steps<{ balance: Balance; ways: Way[] }> {
  const all = yield* balanceFactors(a, b, positions); // 1 to 3
  const ways = yield* inGroups(all, kinds(all), out, function* (items, { kind }, part) {
    if ((force && force !== 'gram') || !fitsGramSvd(items, kind))
      return yield* decomposeAlike(items, kind, form, part, force);
    return yield* decomposeQuickly(items, kind, form, part);
  });
  return { balance: all.balance, ways };
}

interface Group {
  readonly positions: Int32Array;
}

/** The items of every group decomposed by themselves, each into its place in `out`. */
function* inGroups<I extends Balanced, G extends Group>(
  all: I,
  groups: readonly G[],
  out: SvdFactors,
  decompose: (items: Balanced, group: G, part: SvdFactors) => Steps<Way[]>,
): Steps<Way[]> {
  const ways = new Array<Way>(all.a.count);
  for (const group of groups) {
    const { positions } = group;
    if (positions.length === 0) continue;
    const part = ofFactors(out, (x) => itemsAt(x, positions));
    const done = yield* decompose(selectBalanced(all, positions), group, part);
    positions.forEach((position, i) => {
      ways[position] = done[i];
    });
  }
  return ways;
}

/** Steps 4 to 6 from Gram matrices alone, but for the items that need more. */
function* decomposeQuickly(
  all: Balanced & WithGrams,
  kind: Kind,
  form: number | 'none',
  out: SvdFactors,
): Steps<Way[]> {
  const found = yield* gramSvd(all, form);
  const groups = [
    { positions: found.served, quick: true },
    { positions: found.declined, quick: false },
  ];
  return yield* inGroups(all, groups, out, function* (items, { positions, quick }, part) {
    if (!quick) return yield* decomposeAlike(items, kind, form, part);
    const [S, X, Y] = [found.S, found.X, found.Y].map((x) => itemsAt(x, positions));
    const next = unscale(S, items.balance.exponent, part.S, items.a.origin);
    yield* liftGramSvd(items, { S, X, Y }, part);
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
  force?: FactorDriver,
): Steps<Way[]> {
  const { C, scales, left, right } = yield* core(items, kind, force); // 4, and the product of 5
  const vectors = form === 'none' || form === 0 ? 'none' : 'thin';
  const until = shares(items, C, form);
  yield { within: [until.core, until.svd] };
  const { U, S, Vh, routines } = yield* svdLadder(C, vectors, { scales }); // 5
  const exponent = scales ? new Int32Array(C.count) : items.balance.exponent;
  const next = unscale(S, exponent, out.S, items.a.origin);
  if (vectors === 'thin') {
    // 6
    yield { within: [until.svd, until.left] };
    yield* lift(left, colRange(U, 0, form as number), out.U);
    yield { within: [until.left, 1] };
    yield* lift(right, transposed(rowRange(Vh, 0, form as number)), transposed(out.Vh));
  }
  const ways = routines.map((routine, i): Way => {
    const factors = [left, right].map((side) => factorDriver(side, i));
    const own = dtypeOfBatch(C) === 'float32' || factors.includes('cholesky2'); // whose first Q is in that of the factors
    const driver: Driver = `${factors[0]}/${factors[1]}/${routine}`;
    return { driver, computed: own ? dtypeOfBatch(items.a) : 'float64', next: next[i] };
  });
  const again = kind.graded ? [] : [...ways.keys()].filter((i) => lacksDigits(items, i, S));
  if (again.length > 0) {
    const positions = Int32Array.from(again);
    const part = ofFactors(out, (x) => itemsAt(x, positions));
    const graded: Kind = { ...kind, dtype: 'float64', graded: true };
    const some = selectBalanced(items, positions);
    const better = yield* asPart(decomposeAlike(some, graded, form, part, force));
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
function lacksDigits({ a, balance: { range } }: Balanced, i: number, S: Batch): boolean {
  const { data, cols } = S;
  if (cols === 0 || range[i] <= plainRange) return false;
  const most = mostRatio(dtypeOfBatch(a), dtypeOfStored(data), cols);
  const own = data.subarray(offsetOf(S, i), offsetOf(S, i) + cols);
  const least = own[0] / (most * Math.sqrt(cols) * 2 ** range[i]);
  return own.some((s) => s * most < own[0] && s >= least);
}

/** Step 6: `Q·x` into `out`, or x itself where there is no Q. */
function* lift({ q }: Side, x: Batch, out: Batch): Steps<void> {
  if (q) yield* q.apply(x, out);
  else yield* packInto(x, out);
}

/**
 * The leading singular values of every item times 2^exponent; one that does not fit is `ERR_SVD_OVERFLOW`. Returns the one
 * that follows them, 0 where there is none.
 */
function unscale(S: Batch, exponent: Int32Array, out: Batch, origin: Origin): Float64Array {
  const tooLarge: number[] = [];
  for (let i = 0; i < S.count; i++) {
    const [from, to] = [offsetOf(S, i), offsetOf(out, i)];
    for (let j = 0; j < out.cols; j++) out.data[to + j] = ldexp(S.data[from + j], exponent[i]);
    if (out.cols > 0 && out.data[to] === Number.POSITIVE_INFINITY) tooLarge.push(i);
  }
  checkOverflow(tooLarge, { ...origin, name: 'singular values of A·B' });
  const next = (i: number) => ldexp(S.data[offsetOf(S, i) + out.cols], exponent[i]);
  return Float64Array.from(exponent, (_, i) => (out.cols < S.cols ? next(i) : 0));
}

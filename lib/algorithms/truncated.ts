import type { FloatArray } from '../array/elements.ts';
import type { SvdError } from '../array/errors.ts';
import { allocate, checkItems } from '../array/memory.ts';
import { ndarray } from '../array/ndarray.ts';
import { ldexp } from '../array/power-of-two.ts';
import { cols, dtypeOf, type Input, leadingDims, product, rows, tensor } from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  dtypeOfBatch,
  type InputBatch,
  items,
  itemsAt,
  offsetOf,
  packed,
  range,
  transposed,
} from '../native/batch.ts';
import { leadingFactors, ofFactors, packInto, type SvdFactors, svdLadder } from '../native/kernels.ts';
import { type InputOptions, owned } from '../native/owned.ts';
import { checkOverflow, type Failure, failuresBehind } from '../native/status.ts';
import { asPart, type Steps, stage } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { type ErrorOptions, inBlock } from './blocks.ts';
import { denseBound } from './bounds.ts';
import { denseSvd, type Routines } from './dense.ts';
import { arithmeticFor, noLess, type Residuals, residualsAt, residualsOf } from './evidence.ts';
import { type Leading, leadingTriplets, noneAbove } from './leading.ts';
import { inRange } from './norm.ts';
import { checkRank } from './product.ts';
import { type Driver, perMatrix, perMatrixNames, Svd, type TruncatedSvd } from './result.ts';
import { enoughTriplets, largest, rankFor, type Truncation, tailsOf } from './truncation.ts';

// The leading singular triplets of plain matrices, with the evidence for them.

/** How they are computed. */
export interface Method {
  /**
   * `'auto'` (default): the cheapest way that keeps `bound` and is certified, by shape, dtype and rank. `'full'`: all of
   * the decomposition, of which the leading part is kept. `'gram'`: by the Gram matrix. `'krylov'`: by a randomised block
   * Krylov method, certified only where that costs nothing or `certify` asks for it.
   */
  readonly method?: 'auto' | 'full' | 'gram' | 'krylov' | undefined;
  /** Whether to prove that no larger singular value was missed, whatever that costs; default all methods but `'krylov'`. */
  readonly certify?: boolean | undefined;
  /** Largest residual of a triplet, as a share of σ₁, at which `'krylov'` ends; default what `bound` allows. */
  readonly accuracy?: number | undefined;
  /** What the random numbers of `'krylov'` and `'gram'` depend on; default 0. */
  readonly seed?: number | undefined;
}

interface Options extends Truncation, Method, Routines, ErrorOptions, InputOptions {}

/** Leading triplets of some items of the batch, as many as they need, with the evidence for them. */
interface Part extends Residuals {
  readonly positions: Int32Array;
  /** In the dtype of A. */
  readonly factors: SvdFactors;
  readonly driver: readonly Driver[];
  readonly bound: Float64Array;
  /** The singular values that follow. */
  readonly next: Float64Array;
  readonly certified: readonly boolean[];
  readonly errors?: readonly SvdError[];
}

/**
 * The leading triplets of plain matrices: `rank` of them, or as many as that matrix of the batch needs that needs most.
 *
 * @param A `[..., m, n]`
 * @returns U `[..., m, r]`, S `[..., r]`, Vh `[..., r, n]`
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* truncatedSvd(A: Input, options: Options): Steps<TruncatedSvd> {
  const p = Math.min(rows(A), cols(A));
  const { rank, driver = 'auto', method = driver === 'auto' ? 'auto' : 'full' } = options;
  if (rank !== undefined) checkRank(rank, p);
  checkItems(leadingDims(A), 'bound');
  const whole = method === 'full' || (method === 'auto' && (p < leastOrder || (rank ?? 0) > mostTriplets(p)));
  const parts = whole ? [yield* partOfAll(A, options)] : yield* oneByOne(A, options);
  return yield* assembled(parts, A);
}

// From what order on, and up to how many triplets, finding the leading ones is cheaper than all of the decomposition.
const leastOrder = 2000;
const mostTriplets = (p: number): number => Math.floor(p / 6);

/** The leading part of all of the decomposition. */
function* partOfAll(A: Input, { foreign, onError, driver, ...truncation }: Options): Steps<Part> {
  const all = yield* denseSvd(A, 'thin', { foreign, onError, driver });
  const leading = leadingDims(A);
  const [count, p] = [product(leading), Math.min(rows(A), cols(A))];
  const S = packed(all.S.data, count, 1, p);
  const whole = { U: batchOf(all.U, leading), S, Vh: batchOf(all.Vh, leading) };
  const positions = range(0, count);
  const good = positions.filter((i) => p === 0 || !Number.isNaN(S.data[i * p]));
  const values = new Map(Array.from(good, (i) => [i, valuesOf(S, i)]));
  const { rank: r, evidence } = yield* enoughTriplets(values, truncation, (rank) =>
    evidenceOfAll(A, leadingFactors(whole, rank), good, foreign),
  );
  return {
    ...evidence,
    positions,
    factors: leadingFactors(whole, r),
    driver: [all.driver].flat() as Driver[],
    bound: typeof all.bound === 'number' ? Float64Array.of(all.bound) : all.bound.data,
    next: Float64Array.from(positions, (i) => (r < p ? S.data[i * p + r] : 0)),
    certified: Array.from(positions, (i) => values.has(i)),
    errors: all.errors,
  };
}

function evidenceOfAll(
  A: Input,
  factors: SvdFactors,
  positions: Int32Array,
  foreign: boolean | undefined,
): Steps<Residuals> {
  const a = batchOf(A, leadingDims(A), 'svd', foreign);
  const together = Math.max(1, Math.floor(2 ** 20 / Math.max(1, a.rows * a.cols)));
  return residualsAt(positions, factors.S, together, function* (some) {
    const part = ofFactors(factors, (x) => itemsAt(x, some));
    return yield* residualsOf(yield* owned(itemsAt(a, some), dtypeOf(A)), part);
  });
}

// One item after the other.

function* oneByOne(A: Input, options: Options): Steps<Part[]> {
  const leading = leadingDims(A);
  const total = product(leading);
  const parts: Part[] = [];
  const failed: Failure[] = [];
  const a = batchOf(A, leading, 'svd', options.foreign);
  const decompose = (i: number, truncation: Options) => inBlock(i, i + 1, total, onePart(a, i, truncation));
  for (let i = 0; i < total; i++) {
    try {
      parts.push(yield* decompose(i, options));
    } catch (error) {
      const behind = failuresBehind(error);
      if (options.onError !== 'collect' || behind.length === 0) throw error;
      failed.push(...behind);
    }
    yield { done: i + 1, total };
  }
  const rank = Math.max(0, ...parts.map(rankOf));
  for (const [i, part] of parts.entries()) {
    if (rankOf(part) < rank)
      parts[i] = yield* asPart(
        decompose(part.positions[0], { ...options, tol: undefined, energy: undefined, rank }),
      );
  }
  return [...parts, ...failed.map((failure) => failedPart(failure, a, rank))];
}

const rankOf = ({ factors }: Part): number => factors.S.cols;

const valuesOf = ({ data, cols }: Batch, i: number): FloatArray => data.subarray(i * cols, (i + 1) * cols);

/** The triplets of one item; all of the decomposition where another way does not give them. */
function* onePart(a: InputBatch, i: number, options: Options): Steps<Part> {
  const workspace = takeWorkspace();
  const some = yield* inWorkspace(workspace, affordablePart(yield* owned(items(a, i, i + 1)), options));
  returnWorkspace(workspace);
  if (some) return { ...some, positions: Int32Array.of(i) };
  const item = ndarray(a.data, [a.rows, a.cols], [a.rowStride, a.colStride], offsetOf(a, i)) as Input;
  return {
    ...(yield* asPart(partOfAll(item, { ...options, onError: 'throw' }))),
    positions: Int32Array.of(i),
  };
}

/**
 * `leadingPart`; undefined too where `'auto'` sees that it takes too many triplets. How many `tol` or `energy` ask for is then
 * seen by all singular values, which are cheaper than a search with ever more vectors.
 */
function* affordablePart(given: Batch, options: Options): Steps<Omit<Part, 'positions'> | undefined> {
  const { method = 'auto', rank } = options;
  if (method !== 'auto' || rank !== undefined) return yield* leadingPart(given, options);
  const { S } = yield* stage(0, 0.3, svdLadder(given, 'none'));
  const unit = S.data[0] || 1;
  const tails = tailsOf(Float64Array.from(S.data, (s) => (s / unit) ** 2));
  const number = rankFor(tails, options, unit) ?? Number.POSITIVE_INFINITY;
  if (number > mostTriplets(S.cols)) return undefined;
  return yield* stage(0.3, 1, leadingPart(given, { ...options, rank: number }));
}

/** What the methods other than `'full'` find; undefined where it is not as good as what was asked for. */
function* leadingPart(
  given: Batch,
  options: Options,
  earlier?: Leading,
): Steps<Omit<Part, 'positions'> | undefined> {
  const { method = 'auto', certify = method !== 'krylov', seed = 0, accuracy, tol, energy, rank } = options;
  const [m, n] = [given.rows, given.cols];
  const { a, exponent, norm } = yield* inRange(given);
  const wide = m <= n ? a : transposed(a);
  const relative = denseBound(dtypeOfBatch(given), m, n, 1, 'gesdd-blocked');
  const truncation = { rank, energy, tol: tol === undefined ? undefined : ldexp(tol, -exponent) };
  const tails = (squares: Float64Array) => tailsOf(squares, Math.max(0, norm ** 2 - sum(squares)));
  const arithmetic = arithmeticFor(accuracy ?? 0, dtypeOfBatch(given), m, n);
  const wanted = {
    rank: rank ?? ((squares: Float64Array) => rankFor(tails(squares), truncation, 1)),
    most: method === 'auto' ? mostTriplets(wide.rows) : wide.rows,
    seed,
    accuracy: accuracy ?? relative / 4,
    arithmetic,
  };
  const search = leadingTriplets(wide, method === 'krylov' ? 'krylov' : 'gram', wanted, earlier);
  const found = yield* stage(0, 0.7, search);
  if (!found) return undefined;
  const { U, S, Vh } = m <= n ? found : { ...found, U: transposed(found.Vh), Vh: transposed(found.U) };
  const factors = {
    U: yield* kept(U, given, 'U'),
    S: yield* kept(S, given, 'S'),
    Vh: yield* kept(Vh, given, 'Vh'),
  };
  const up = (x: number) => ldexp(x, exponent);
  const values = factors.S.data.map(up); // rounded, where they are subnormal
  values.forEach((s, j) => {
    if (s < Number.POSITIVE_INFINITY) factors.S.data[j] = ldexp(s, -exponent);
  });
  const { residuals, error } = yield* stage(0.7, 0.9, residualsOf(a, factors, arithmetic));
  const r = S.cols;
  const most = truncation.tol ?? Number.POSITIVE_INFINITY;
  if (error[0] > most && r < wide.rows) {
    const helps = error[0] ** 2 - found.next ** 2 <= most ** 2; // rounding, or a low accuracy, has taken it above tol
    return helps ? yield* leadingPart(given, { ...options, rank: r + 1 }, found) : undefined;
  }
  if (tol !== undefined && rank === undefined) {
    // What is measured to be left tells more of a small tol than what is left of ‖a‖².
    const fewer = rankFor(tailsOf(squaresOf(S), error[0] ** 2), truncation, 1) ?? r;
    if (fewer < r) return yield* leadingPart(given, { ...options, rank: fewer }, found);
  }
  const [first, last] = r > 0 ? [S.data[0], S.data[r - 1]] : [0, Number.POSITIVE_INFINITY];
  const above = last + relative * first;
  if (residuals.some((eta) => eta > Math.max(relative, accuracy ?? 0) * first)) return undefined;
  const certified = error[0] <= above || (certify && (yield* stage(0.9, 1, noneAbove(above, wide, found))));
  if (certify && !certified) return undefined;
  checkOverflow(values.includes(Number.POSITIVE_INFINITY) ? [0] : [], { ...given.origin, name: 'S' });
  factors.S.data.set(values);
  return {
    factors,
    residuals: residuals.map((x) => noLess(x, exponent)),
    error: error.map((x) => noLess(x, exponent)),
    driver: [found.gram && method !== 'krylov' ? 'gram' : 'krylov'],
    bound: Float64Array.of(up(Math.max(relative * first, ...residuals))),
    next: Float64Array.of(up(found.next)),
    certified: [certified],
  };
}

/** A copy in the dtype of `given` that outlives the workspace. */
const kept = (x: Batch, given: Batch, name: string): Steps<Batch> => {
  const data = allocate(dtypeOfBatch(given), [x.rows, x.cols], name);
  return packInto(x, packed(data, 1, x.rows, x.cols, given.origin));
};

const squaresOf = ({ data }: Batch): Float64Array => Float64Array.from(data, (s) => s ** 2);

const sum = (x: Float64Array): number => x.reduce((all, one) => all + one, 0);

// The result.

function failedPart({ position, error }: Failure, a: InputBatch, rank: number): Part {
  const empty = (rows: number, cols: number) =>
    packed(new Float64Array(rows * cols).fill(Number.NaN), 1, rows, cols);
  const nan = Float64Array.of(Number.NaN);
  return {
    positions: Int32Array.of(position),
    factors: { U: empty(a.rows, rank), S: empty(1, rank), Vh: empty(rank, a.cols) },
    residuals: new Float64Array(rank).fill(Number.NaN),
    error: nan,
    driver: ['failed'],
    bound: nan,
    next: nan,
    certified: [false],
    errors: [error],
  };
}

/** The parts, which all have as many triplets, as one decomposition. */
function* assembled(parts: readonly Part[], A: Input): Steps<TruncatedSvd> {
  const leading = leadingDims(A);
  const [count, m, n] = [product(leading), rows(A), cols(A)];
  const r = largest(parts.map(rankOf));
  const room = (name: string, rows: number, cols: number) =>
    packed(allocate(dtypeOf(A), [count, rows, cols], name), count, rows, cols);
  const out = { U: room('U', m, r), S: room('S', 1, r), Vh: room('Vh', r, n) };
  const [bound, next, error] = [0, 1, 2].map(() => new Float64Array(count));
  const residuals = new Float64Array(count * r);
  const driver = new Array<Driver>(count);
  const certified = new Array<boolean>(count);
  for (const part of parts) {
    for (const name of ['U', 'S', 'Vh'] as const) {
      yield* packInto(part.factors[name], itemsAt(out[name], part.positions));
    }
    part.positions.forEach((position, i) => {
      bound[position] = part.bound[i];
      next[position] = part.next[i];
      error[position] = part.error[i];
      residuals.set(part.residuals.subarray(i * r, (i + 1) * r), position * r);
      driver[position] = part.driver[i];
      certified[position] = part.certified[i];
    });
  }
  const truncated = r < Math.min(m, n);
  return new Svd(
    tensor(out.U.data, [...leading, m, r]),
    tensor(out.S.data, [...leading, r]),
    tensor(out.Vh.data, [...leading, r, n]),
    perMatrix(bound, leading),
    perMatrixNames(driver, leading),
    parts.flatMap(({ errors = [] }) => errors),
    truncated ? perMatrix(next, leading) : undefined,
    {
      truncationError: perMatrix(error, leading),
      residuals: tensor(residuals, [...leading, r]),
      certified: perMatrixNames(certified, leading),
    },
  ) as TruncatedSvd;
}

import type { FloatArray } from '../array/elements.ts';
import {
  type Batch,
  dtypeOfBatch,
  itemsAt,
  liesByColumns,
  packed,
  range,
  rowRange,
  transposed,
} from '../native/batch.ts';
import { call } from '../native/contract.ts';
import { applyQ, type Gauge, gemm, pack, packInto, qr } from '../native/kernels.ts';
import { driverOf, placeOf, statusOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import { selectGauge } from './balance.ts';
import { gramBlocks, gramOf } from './measure.ts';
import type { FactorDriver } from './result.ts';

// Step 4 of the product SVD: QR decompositions of a batch of tall matrices, whose Q is never formed. From the Gram matrix
// where that is accurate enough, from a second one on top (CholeskyQR2), and by Householder reflections otherwise, item by
// item; those in blocks of rows (TSQR) where an item is very tall.
// (Fukaya, Nakatsukasa, Yanagisawa, Yamamoto, "CholeskyQR2", ScalA 2014; docs/numerics.md says when each is taken.)

/** `a` with its gauge = Q·R. */
export interface TallQr {
  /** Upper triangular (trapezoidal where a is not tall), float64. */
  readonly R: Batch;
  readonly driver: readonly FactorDriver[];
  /** `Q·c` of every item into `out`, of either dtype, rows or columns one behind the other. */
  apply(c: Batch, out: Batch): Steps<void>;
}

/** Some items of a batch, and how to multiply with their Q. */
interface Group {
  readonly positions: Int32Array;
  apply(c: Batch, out: Batch): Steps<void>;
}

/** QR decomposition of every item by the cheapest path that is exact enough; `force` (for tests) skips the cheaper ones. */
export function* tallQr(a: Batch, gram: Batch, gauge: Gauge, force?: FactorDriver): Steps<TallQr> {
  const roots = yield* cholesky('cholesky', dtypeOfBatch(a), gram, gauge);
  const levels = levelsOf(a, force);
  const last = levels > 0 ? 'tsqr' : 'householder';
  // mirrors `enum class Root` in native/core/kernels/cholesky.h
  const paths: readonly FactorDriver[] = ['cholesky', 'cholesky2', last];
  const least = force === 'cholesky2' ? 1 : force === 'householder' || force === 'tsqr' ? 2 : 0;
  const path = Array.from(roots.verdict, (needed) => paths[Math.max(needed, least)]);
  const R: Batch = { ...roots.R, origin: a.origin };
  const groups: Group[] = [];
  const once = where(path, 'cholesky');
  if (once.length > 0) groups.push(onceGroup(a, roots, once));
  const twice = where(path, 'cholesky2');
  if (twice.length > 0) {
    const { group, failed } = yield* twiceGroup(a, roots, gauge, twice, R);
    groups.push(group);
    for (const i of failed) path[i] = last;
  }
  const rest = where(path, last);
  if (rest.length > 0) {
    const own = yield* householderGroup(a, gauge, rest, levels);
    yield* packInto(own.R, itemsAt(R, rest));
    groups.push(own.group);
  }
  return {
    R,
    driver: path,
    *apply(c, out) {
      const own = dtypeOfBatch(out) === dtypeOfBatch(a) ? out : likeIn(a, out);
      for (const { positions, apply } of groups) yield* apply(itemsAt(c, positions), itemsAt(own, positions));
      if (own !== out) yield* packInto(own, out);
    },
  };
}

/** New storage of the shape and order of `out`, in the dtype of `a`. */
function likeIn(a: Batch, out: Batch): Batch {
  if (liesByColumns(out)) return transposed(likeIn(a, transposed(out)));
  const { count, rows, cols, origin } = out;
  return packed(scratch(dtypeOfBatch(a), [count, rows, cols]), count, rows, cols, origin);
}

/** How often TSQR halves the rows: as the shape asks for; in tests never, or as often as it can. */
function levelsOf({ rows, cols }: Batch, force?: FactorDriver): number {
  if (force === 'householder') return 0;
  return force === 'tsqr' ? mostLevels(rows, cols) : tsqrLevels(rows, cols);
}

const where = (path: readonly FactorDriver[], which: FactorDriver): Int32Array =>
  Int32Array.from(path.flatMap((p, i) => (p === which ? [i] : [])));

// ------------------------------------------------------------------------------------------ from Gram matrices

interface Roots {
  /** Order and scaling that make the columns about 1 long. */
  readonly unit: Gauge;
  /** Cholesky root of the Gram matrix of those columns, column-major, in float64 and in the dtype of a. */
  readonly rootD: Batch;
  readonly root: Batch;
  readonly R: Batch;
  readonly verdict: Float64Array;
}

function* cholesky(
  kernel: 'cholesky' | 'choleskyAgain',
  dtype: 'float32' | 'float64',
  gram: Batch,
  gauge: Gauge,
  first?: Pick<Roots, 'unit' | 'root'>,
): Steps<Roots> {
  const [n, k] = [gram.count, gram.cols];
  const square = (data: FloatArray = scratch('float64', [n, k, k])) => packed(data, n, k, k);
  const unit = first?.unit ?? { perm: gauge.perm, exponents: new Int32Array(n * k) };
  const root = first?.root ?? square(scratch(dtype, [n, k, k]));
  const [rootD, R] = [square(), square()];
  const status = statusOf(n);
  const { perm, exponents } = gauge;
  const out = { root, unit: unit.exponents, rootD, r: R, status };
  yield call(kernel, { gram, perm, exponents, ...out });
  return { unit, root, rootD, R, verdict: Float64Array.from({ length: n }, (_, i) => driverOf(status, i)) };
}

/** X with Q·c = a·X where the root has all that is needed, in the dtype and the order of `like`. */
function* solveRoot(root: Batch, c: Batch, like: Batch, unit?: Gauge): Steps<Batch> {
  const x = likeIn(like, { ...like, rows: c.rows, cols: c.cols });
  yield call('solveRoot', { c, x, perm: unit?.perm, exponents: unit?.exponents, root });
  return x;
}

/** Q·c = a·X, one multiplication on the factor as the caller gave it. */
function onceGroup(all: Batch, roots: Roots, positions: Int32Array): Group {
  const a = itemsAt(all, positions);
  const root = itemsAt(roots.rootD, positions);
  const unit = selectGauge(roots.unit, positions, all.cols);
  return {
    positions,
    *apply(c, out) {
      yield* gemm(a, yield* solveRoot(root, c, out, unit), a.origin.name, { out });
    },
  };
}

/**
 * CholeskyQR2: a second Gram matrix, of Q1 = a·root⁻¹, gives what the first lacked. Q1 is formed again, block by block,
 * wherever it is needed. Writes R of the items it serves, and returns the others as `failed`.
 */
function* twiceGroup(all: Batch, roots: Roots, gauge: Gauge, positions: Int32Array, R: Batch) {
  const k = all.cols;
  const a = itemsAt(all, positions);
  const first = { unit: selectGauge(roots.unit, positions, k), root: itemsAt(roots.root, positions) };
  const gram = yield* gramOf(a, { gauge: first.unit, root: first.root });
  const own = selectGauge(gauge, positions, k);
  const second = yield* cholesky('choleskyAgain', dtypeOfBatch(a), gram, own, first);
  const served = range(0, positions.length).filter((i) => second.verdict[i] === 1);
  const at = Int32Array.from(served, (i) => positions[i]);
  const failed = positions.filter((p) => !at.includes(p));
  yield* packInto(itemsAt(second.R, served), itemsAt(R, at));

  const source = itemsAt(a, served);
  const unit = selectGauge(first.unit, served, k);
  const root = itemsAt(first.root, served);
  const rootD = itemsAt(second.rootD, served);
  const group: Group = {
    positions: at,
    *apply(c, out) {
      const x = yield* solveRoot(rootD, c, { ...out, rowStride: c.cols, colStride: 1 });
      const { perm, exponents } = unit;
      const blocks = gramBlocks(source.rows, k);
      yield call('multiplySolved', { a: source, perm, exponents, root, x, blocks, out });
    },
  };
  return { group, failed };
}

// ------------------------------------------------------------------------------------------ by reflections

/** Householder reflections, in float64 whatever a is: this path is taken for the most difficult factors. */
function* householderGroup(all: Batch, gauge: Gauge, positions: Int32Array, levels: number) {
  const own = selectGauge(gauge, positions, all.cols);
  const { R, apply } = yield* tsqr(itemsAt(all, positions), own, levels);
  const group: Group = {
    positions,
    *apply(c, out) {
      const wide = dtypeOfBatch(c) === 'float64' ? c : yield* pack(c, { dtype: 'float64' });
      yield* packInto(yield* apply(wide), out);
    },
  };
  return { group, R };
}

/** Householder QR decomposition of every item, which need not be tall: R has min(rows, cols) rows. */
export function* householderQr(a: Batch, gauge: Gauge): Steps<TallQr> {
  const { group, R } = yield* householderGroup(a, gauge, range(0, a.count), 0);
  return { R, driver: new Array(a.count).fill('householder'), apply: group.apply };
}

// Householder QR of tall matrices in blocks of rows that the compute threads share: TSQR. Everything is in float64.
// (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations",
// SIAM J. Sci. Comput. 34 (2012).)

/** `Q·R` of every item; Q is a tree of Householder reflections. */
interface BlockQr {
  /** Upper triangular (trapezoidal where rows < cols), min(rows, cols) × cols. */
  readonly R: Batch;
  /** `Q·c` of every item, rows × p; c has as many rows as R. */
  apply(c: Batch): Steps<Batch>;
}

// Blocks are so tall that the tree costs little beside them, and so many that they keep the threads busy and each stays
// in a cache: they depend on the shape only.
const leastRatio = 8;
const leastRows = 512;

/** How often TSQR halves the rows of a matrix of this shape: 0 where it is not that tall. */
const tsqrLevels = (rows: number, cols: number): number =>
  cols === 0 ? 0 : mostLevels(rows, Math.max(leastRows, leastRatio * cols));

/** The most halvings that leave blocks of at least `least` rows. */
export const mostLevels = (rows: number, least: number): number =>
  Math.max(0, Math.floor(Math.log2(rows / Math.max(1, least))));

/**
 * QR decomposition of every item with its gauge applied. The rows are halved `levels` times; each of the 2^levels blocks
 * has a QR decomposition of its own, and so has each pair of R's on the way up. The blocks must not be wider than tall.
 */
export function* tsqr(a: Batch, gauge: Gauge, levels: number): Steps<BlockQr> {
  const [n, k] = [a.count, a.cols];
  // Zero rows make the blocks equally tall: reflections leave them as they are, and `apply` drops them.
  const rows = 2 ** levels * Math.ceil(a.rows / 2 ** levels);
  const blocks = packed(scratch('float64', [n, rows, k]), n, rows, k, a.origin);
  if (rows > a.rows)
    for (let i = 1; i <= n; i++) blocks.data.fill(0, (i * rows - (rows - a.rows)) * k, i * rows * k);
  yield* packInto(a, rowRange(blocks, 0, a.rows), { gauge });
  const { R, apply } = yield* halved(blocks, levels);
  return {
    R,
    *apply(c) {
      return rowRange(yield* apply(c), 0, a.rows);
    },
  };
}

/** TSQR of contiguous items. The halves of an item lie one behind the other, and so do their R's and their Q·c. */
function* halved(a: Batch, levels: number): Steps<BlockQr> {
  if (levels === 0) return yield* single(a);
  const halves = yield* halved(cutInTwo(a), levels - 1);
  const top = yield* single(joinedInTwos(halves.R));
  return {
    R: top.R,
    *apply(c) {
      return joinedInTwos(yield* halves.apply(cutInTwo(yield* top.apply(c))));
    },
  };
}

/** Contiguous items as twice as many of half the rows. */
function cutInTwo({ data, count, rows, cols, origin }: Batch): Batch {
  const whole = Int32Array.from({ length: 2 * count }, (_, half) => half >> 1);
  return packed(data, 2 * count, rows / 2, cols, placeOf(origin, whole));
}

/** The other way round. */
function joinedInTwos({ data, count, rows, cols, origin }: Batch): Batch {
  const upper = Int32Array.from({ length: count / 2 }, (_, whole) => 2 * whole);
  return packed(data, count / 2, 2 * rows, cols, placeOf(origin, upper));
}

function* single(a: Batch): Steps<BlockQr> {
  const factors = yield* qr(a);
  return { R: factors.R, apply: (c) => applyQ(factors, c) };
}

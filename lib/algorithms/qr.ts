import type { FloatArray } from '../array/elements.ts';
import { powerOfTwo } from '../array/power-of-two.ts';
import { kernels } from '../native/addon.ts';
import {
  applyQ,
  type Batch,
  type ColumnNorms,
  count,
  dtypeOfBatch,
  gemm,
  itemsAt,
  pack,
  packed,
  packInto,
  qr,
  range,
  scan,
  transposed,
} from '../native/kernels.ts';
import { driverOf, type Origin, placeOf, statusOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import { type Gauge, selectBlocks, selectGauge } from './balance.ts';
import type { FactorDriver } from './result.ts';

// Householder QR of tall matrices in blocks of rows that the compute threads share: TSQR. Everything is in float64.
// (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations",
// SIAM J. Sci. Comput. 34 (2012).)

/** `Q·R` of every item; Q is a tree of Householder reflections. */
export interface BlockQr {
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
export const tsqrLevels = (rows: number, cols: number): number =>
  cols === 0 ? 0 : mostLevels(rows, Math.max(leastRows, leastRatio * cols));

/** The most halvings that leave blocks of at least `least` rows. */
export const mostLevels = (rows: number, least: number): number =>
  Math.max(0, Math.floor(Math.log2(rows / Math.max(1, least))));

/**
 * QR decomposition of every item with its gauge applied. The rows are halved `levels` times; each of the 2^levels blocks
 * has a QR decomposition of its own, and so has each pair of R's on the way up. The blocks must not be wider than tall.
 */
export function* tsqr(a: Batch, gauge: Gauge, levels: number, origin: Origin): Steps<BlockQr> {
  const [n, k] = [count(a), a.cols];
  // Zero rows make the blocks equally tall: reflections leave them as they are, and `apply` drops them.
  const rows = 2 ** levels * Math.ceil(a.rows / 2 ** levels);
  const blocks = scratch('float64', [n, rows, k]);
  if (rows > a.rows)
    for (let i = 1; i <= n; i++) blocks.fill(0, (i * rows - (rows - a.rows)) * k, i * rows * k);
  yield* packInto(a, blocks, { gauge, stride: rows * k });
  const { R, apply } = yield* halved(packed(blocks, n, rows, k), levels, origin);
  return {
    R,
    *apply(c) {
      return { ...(yield* apply(c)), rows: a.rows };
    },
  };
}

/** TSQR of contiguous items. The halves of an item lie one behind the other, and so do their R's and their Q·c. */
function* halved(a: Batch, levels: number, origin: Origin): Steps<BlockQr> {
  if (levels === 0) return yield* single(a, origin);
  const [n, k] = [count(a), a.cols];
  const both = Int32Array.from({ length: 2 * n }, (_, half) => half >> 1);
  const halves = yield* halved(packed(a.data, 2 * n, a.rows / 2, k), levels - 1, placeOf(origin, both));
  const top = yield* single(packed(halves.R.data, n, 2 * k, k), origin);
  return {
    R: top.R,
    *apply(c) {
      const parts = yield* top.apply(c);
      const whole = yield* halves.apply(packed(parts.data, 2 * n, k, c.cols));
      return packed(whole.data, n, a.rows, c.cols);
    },
  };
}

function* single(a: Batch, origin: Origin): Steps<BlockQr> {
  const factors = yield* qr(a, origin);
  return { R: factors.R, apply: (c) => applyQ(factors, c, origin) };
}

// QR decompositions of a batch of tall matrices, whose Q is never formed: from the Gram matrix where that is accurate
// enough, from a second one on top (CholeskyQR2), and by Householder reflections otherwise, item by item; those in blocks
// of rows (TSQR) where an item is very tall.
// (Fukaya, Nakatsukasa, Yanagisawa, Yamamoto, "CholeskyQR2", ScalA 2014; docs/numerics.md says when each is taken.)

/** AᵀA of every item, in float64. */
export interface Gram {
  /** Which of the Gram matrices belongs to every item; all in order where missing. */
  readonly source?: Int32Array;
  /** Sums over fixed blocks of rows. */
  readonly parts: FloatArray;
  /** There is one part of each, whatever the number of rows. */
  readonly summed?: boolean;
}

/** AᵀA of every item and the norms of its columns, in one pass over its rows. `ERR_SVD_NON_FINITE`. */
export function* gram(a: Batch, origin: Origin): Steps<Gram & { readonly norms: ColumnNorms }> {
  const { parts, squares } = yield* gramParts(a);
  const { norms, unsafe } = normsOf(squares, a);
  if (unsafe.length > 0) {
    const { fraction, exponent } = yield* scan(itemsAt(a, unsafe), placeOf(origin, unsafe));
    unsafe.forEach((position, i) => {
      norms.fraction.set(fraction.subarray(i * a.cols, (i + 1) * a.cols), position * a.cols);
      norms.exponent.set(exponent.subarray(i * a.cols, (i + 1) * a.cols), position * a.cols);
    });
  }
  return { parts, norms };
}

interface Solve {
  readonly gauge: Gauge;
  readonly root: FloatArray;
}

/** Gram matrices of a, or of the solution X of `X·root = a-with-its-gauge`; `squares` are their diagonals. */
function* gramParts(a: Batch, solve?: Solve): Steps<{ parts: FloatArray; squares: FloatArray }> {
  const shape = [count(a), kernels().gramBlocks(a.rows, a.cols), a.cols];
  const parts = scratch('float64', [...shape, a.cols]);
  const squares = scratch('float64', shape);
  const { perm = null, exponents = null } = solve?.gauge ?? {};
  yield {
    kernel: 'gram',
    args: [a.data, a.layout, a.rows, a.cols, perm, exponents, solve?.root, parts, squares],
  };
  return { parts, squares };
}

/** Norms of the columns, and the items of which a square is not finite or may have lost digits. */
function normsOf(squares: FloatArray, a: Batch): { norms: ColumnNorms; unsafe: Int32Array } {
  const [n, k, blocks] = [count(a), a.cols, kernels().gramBlocks(a.rows, a.cols)];
  const fraction = new Float64Array(n * k);
  const exponent = new Int32Array(n * k);
  const unsafe: number[] = [];
  const exactZero = dtypeOfBatch(a) === 'float32'; // squares of float32 never underflow in float64
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) {
      let square = 0;
      for (let b = 0; b < blocks; b++) square += squares[(i * blocks + b) * k + j];
      if (square === 0 && exactZero) continue;
      if (!(square > 1e-280 && square < 1e290)) {
        unsafe.push(i);
        break;
      }
      const norm = Math.sqrt(square);
      exponent[i * k + j] = Math.floor(Math.log2(norm)) + 1;
      fraction[i * k + j] = norm * powerOfTwo(-exponent[i * k + j]);
    }
  }
  return { norms: { fraction, exponent }, unsafe: Int32Array.from(unsafe) };
}

/** `a` with its gauge = Q·R. */
export interface TallQr {
  /** Upper triangular (trapezoidal where a is not tall), float64. */
  readonly R: Batch;
  readonly driver: readonly FactorDriver[];
  /** `Q·c` of every item into `out`, of either dtype, or its transpose; c is k×p. */
  apply(c: Batch, transpose: boolean, out: FloatArray): Steps<void>;
}

/** Some items of a batch, and how to multiply with their Q. */
interface Group {
  readonly positions: Int32Array;
  apply(c: Batch, transpose: boolean, out: FloatArray): Steps<void>;
}

/** QR decomposition of every item; `force` (for tests) takes one path for all that get as far. */
export function* tallQr(
  a: Batch,
  gram: Gram,
  gauge: Gauge,
  origin: Origin,
  force?: FactorDriver,
): Steps<TallQr> {
  const [n, k] = [count(a), a.cols];
  const r = scratch('float64', [n, k, k]);
  const roots = yield* cholesky('cholesky', a, gram, gauge, r);
  const levels = levelsOf(a, force);
  const last = levels > 0 ? 'tsqr' : 'householder';
  const paths: readonly FactorDriver[] = ['cholesky', 'cholesky2', last]; // as native/core/cholesky.h counts its Roots
  const least = force === 'cholesky2' ? 1 : force === 'householder' || force === 'tsqr' ? 2 : 0;
  const path = Array.from(roots.verdict, (needed) => paths[Math.max(needed, least)]);
  const groups: Group[] = [];
  const once = where(path, 'cholesky');
  if (once.length > 0) groups.push(onceGroup(a, roots, once, origin));
  const twice = where(path, 'cholesky2');
  if (twice.length > 0) {
    const { group, failed } = yield* twiceGroup(a, roots, gauge, twice, r);
    groups.push(group);
    for (const i of failed) path[i] = last;
  }
  const rest = where(path, last);
  if (rest.length > 0) {
    const { group, R } = yield* householderGroup(a, gauge, rest, levels, origin);
    yield* packInto(R, r, { positions: rest });
    groups.push(group);
  }
  return {
    R: packed(r, n, k, k),
    driver: path,
    *apply(c, transpose, out) {
      const same = out instanceof Float32Array === (dtypeOfBatch(a) === 'float32');
      const own = same ? out : scratch(dtypeOfBatch(a), [out.length]);
      for (const { positions, apply } of groups) yield* apply(itemsAt(c, positions), transpose, own);
      if (own !== out)
        yield* packInto(packed(own, n, transpose ? c.cols : a.rows, transpose ? a.rows : c.cols), out);
    },
  };
}

/** How often TSQR halves the rows: as the shape asks for; in tests never, or as often as it can. */
function levelsOf({ rows, cols }: Batch, force?: FactorDriver): number {
  if (force === 'householder') return 0;
  return force === 'tsqr' ? mostLevels(rows, cols) : tsqrLevels(rows, cols);
}

const where = (path: readonly FactorDriver[], which: FactorDriver): Int32Array =>
  Int32Array.from(path.flatMap((p, i) => (p === which ? [i] : [])));

interface Roots {
  /** Order and scaling that make the columns about 1 long. */
  readonly unit: { readonly perm: Int32Array; readonly exponents: Int32Array };
  /** Cholesky root of the Gram matrix of those columns, column-major, in float64 and in the dtype of a. */
  readonly rootD: FloatArray;
  readonly root: FloatArray;
  readonly verdict: Float64Array;
}

function* cholesky(
  kernel: 'cholesky' | 'choleskyAgain',
  a: Batch,
  { parts, source, summed }: Gram,
  gauge: Gauge,
  r: FloatArray,
  first?: Roots,
): Steps<Roots> {
  const [n, k] = [count(a), a.cols];
  const unit = first?.unit ?? { perm: gauge.perm, exponents: new Int32Array(n * k) };
  const root = first?.root ?? scratch(dtypeOfBatch(a), [n, k, k]);
  const rootD = scratch('float64', [n, k, k]);
  const status = statusOf(n);
  const shape = [n, summed ? 1 : a.rows, k]; // the kernel tells the number of parts from the rows
  const args = [...shape, root, parts, source, gauge.perm, gauge.exponents, unit.exponents, rootD, r, status];
  yield { kernel, args };
  return { unit, root, rootD, verdict: Float64Array.from({ length: n }, (_, i) => driverOf(status, i)) };
}

/** X with Q·c = a·X where the root has all that is needed, in the dtype of a; or Xᵀ. */
function* solveRoot(a: Batch, rootD: FloatArray, c: Batch, transpose: boolean, unit?: Gauge): Steps<Batch> {
  const dtype = dtypeOfBatch(a);
  const x = scratch(dtype, [count(c), c.rows, c.cols]);
  const { perm = null, exponents = null } = unit ?? {};
  const how = [dtype === 'float32' ? 1 : 0, transpose ? 1 : 0];
  yield { kernel: 'solveRoot', args: [c.data, c.layout, c.rows, c.cols, ...how, perm, exponents, rootD, x] };
  return transpose ? packed(x, count(c), c.cols, c.rows) : packed(x, count(c), c.rows, c.cols);
}

/** Q·c = a·X, one multiplication on the factor as the caller gave it. */
function onceGroup(all: Batch, roots: Roots, positions: Int32Array, origin: Origin): Group {
  const k2 = all.cols * all.cols;
  const a = itemsAt(all, positions);
  const rootD = selectBlocks(roots.rootD, positions, k2);
  const unit = selectGauge(roots.unit, positions, all.cols);
  return {
    positions,
    *apply(c, transpose, out) {
      const x = yield* solveRoot(a, rootD, c, transpose, unit); // X, or Xᵀ
      const at = placeOf(origin, positions);
      if (transpose) yield* gemm(x, transposed(a), at, { out, positions });
      else yield* gemm(a, x, at, { out, positions });
    },
  };
}

/**
 * CholeskyQR2: a second Gram matrix, of Q1 = a·root⁻¹, gives what the first lacked. Q1 is formed again, block by block,
 * wherever it is needed. Writes R of the items it serves, and returns the others as `failed`.
 */
function* twiceGroup(all: Batch, roots: Roots, gauge: Gauge, positions: Int32Array, r: FloatArray) {
  const k = all.cols;
  const k2 = k * k;
  const a = itemsAt(all, positions);
  const first: Roots = {
    unit: selectGauge(roots.unit, positions, k),
    root: selectBlocks(roots.root, positions, k2),
    rootD: roots.rootD,
    verdict: roots.verdict,
  };
  const { parts } = yield* gramParts(a, { gauge: first.unit, root: first.root });
  const product = scratch('float64', [count(a), k, k]);
  const second = yield* cholesky(
    'choleskyAgain',
    a,
    { parts },
    selectGauge(gauge, positions, k),
    product,
    first,
  );
  const served = Int32Array.from(positions.keys()).filter((i) => second.verdict[i] === 1);
  const at = Int32Array.from(served, (i) => positions[i]);
  const failed = positions.filter((p) => !at.includes(p));
  yield* packInto(itemsAt(packed(product, count(a), k, k), served), r, { positions: at });

  const source = itemsAt(a, served);
  const unit = selectGauge(first.unit, served, k);
  const root = selectBlocks(first.root, served, k2);
  const rootD = selectBlocks(second.rootD, served, k2);
  const group: Group = {
    positions: at,
    *apply(c, transpose, out) {
      const X = yield* solveRoot(source, rootD, c, false);
      const matrix = [source.data, source.layout, source.rows, k, unit.perm, unit.exponents, root];
      yield { kernel: 'multiplySolved', args: [...matrix, X.cols, X.data, transpose ? 1 : 0, at, out] };
    },
  };
  return { group, failed };
}

/** Householder reflections, in float64 whatever a is: this path is taken for the most difficult factors. */
function* householderGroup(all: Batch, gauge: Gauge, positions: Int32Array, levels: number, origin: Origin) {
  const own = selectGauge(gauge, positions, all.cols);
  const { R, apply } = yield* tsqr(itemsAt(all, positions), own, levels, placeOf(origin, positions));
  const group: Group = {
    positions,
    *apply(c, transpose, out) {
      const x = yield* apply(dtypeOfBatch(c) === 'float64' ? c : yield* pack(c, { dtype: 'float64' }));
      yield* packInto(transpose ? transposed(x) : x, out, { positions });
    },
  };
  return { group, R };
}

/** Householder QR decomposition of every item, which need not be tall: R has min(rows, cols) rows. */
export function* householderQr(a: Batch, gauge: Gauge, origin: Origin): Steps<TallQr> {
  const all = range(0, count(a));
  const { group, R } = yield* householderGroup(a, gauge, all, 0, origin);
  return { R, driver: new Array(count(a)).fill('householder'), apply: group.apply };
}

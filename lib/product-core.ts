import { type Balance, balance, type Gauge, selectBalance } from './balance.ts';
import {
  type Batch,
  type ColumnNorms,
  count,
  distinctItems,
  dtypeOfBatch,
  gemm,
  itemsAt,
  pack,
  packAsItLies,
  scan,
  transposed,
} from './kernels.ts';
import { type Origin, type Place, placeOf } from './status.ts';
import type { Steps } from './steps.ts';
import type { FactorDriver } from './svd-result.ts';
import { type Gram, gram, householderQr, type TallQr, tallQr } from './tall-qr.ts';
import type { Dtype } from './views.ts';

// Steps 1 to 5 of the product SVD: from the factors to the small core that stands for their product.

/** Factors whose inner dimension has been measured (step 1) and balanced and sorted (steps 2 and 3). */
export interface Prepared {
  readonly a: Batch;
  /** Bᵀ, so that the columns of both are the inner dimension. */
  readonly b: Batch;
  readonly left?: Gram;
  readonly right?: Gram;
  readonly balance: Balance;
}

export function* prepare(a: Batch, b: Batch, place: Place): Steps<Prepared> {
  const left = yield* measure(a, { ...place, name: 'A' });
  const right = yield* measure(b, { ...place, name: 'B', transposed: true });
  return {
    a,
    b,
    left: left.gram,
    right: right.gram,
    balance: balance(left.norms, right.norms, count(a), a.cols),
  };
}

/** How the core of an item is formed and decomposed; it depends on that item only. */
export interface Kind {
  readonly dtype: Dtype;
  /** The inner dimension spans so much that digits of small singular values must be looked after. */
  readonly graded: boolean;
}

// LAPACK's float32 SVD of a matrix of size 64 is wrong by some 8ε; in float64 a core this small costs hardly more.
const smallCore = 128;
// Beyond this range of ‖a_j‖·‖b_j‖ (log₂) a float32 core would take digits from small singular values,
const float32Range = 4;
// and beyond this one `?gesdd`, accurate relative to the largest, would.
const gradedRange = 10;

function kindOf({ a, b, balance }: Prepared, i: number): Kind {
  const size = Math.max(Math.min(a.rows, a.cols), Math.min(b.rows, b.cols));
  const range = balance.range[i];
  const single = dtypeOfBatch(a) === 'float32' && size > smallCore && range <= float32Range;
  return { dtype: single ? 'float32' : 'float64', graded: range > gradedRange };
}

/** The items of each kind, by their positions: nearly always all of one. */
export function kinds(all: Prepared): { kind: Kind; positions: Int32Array }[] {
  const groups = new Map<string, { kind: Kind; positions: number[] }>();
  for (let i = 0; i < count(all.a); i++) {
    const kind = kindOf(all, i);
    const name = `${kind.dtype} ${kind.graded}`;
    const group = groups.get(name);
    if (group) group.positions.push(i);
    else groups.set(name, { kind, positions: [i] });
  }
  return [...groups.values()].map(({ kind, positions }) => ({ kind, positions: Int32Array.from(positions) }));
}

/** Some of the prepared items. */
export function selectPrepared(all: Prepared, positions: Int32Array): Prepared {
  if (positions.length === count(all.a)) return all;
  const of = (g?: Gram) => g && { ...g, source: positions.map((i) => (g.source ? g.source[i] : i)) };
  return {
    a: itemsAt(all.a, positions),
    b: itemsAt(all.b, positions),
    left: of(all.left),
    right: of(all.right),
    balance: selectBalance(all.balance, positions, all.a.cols),
  };
}

export interface Core {
  /** R_A·R_Bᵀ, or the factor itself where it is not tall. */
  readonly C: Batch;
  readonly left: Half;
  readonly right: Half;
}

/** Steps 4 and 5, for items of one kind. */
export function* core(
  { a, b, left, right, balance }: Prepared,
  kind: Kind,
  at: Place,
  force?: FactorDriver,
): Steps<Core> {
  const halfA = yield* half(a, left, balance.a, kind, { ...at, name: 'A' }, force);
  const halfB = yield* half(b, right, balance.b, kind, { ...at, name: 'B' }, force);
  const C = yield* gemm(halfA.factor, transposed(halfB.factor), { ...at, name: 'core of A·B' });
  return { C, left: halfA, right: halfB };
}

const isTall = (x: Batch): boolean => x.rows > x.cols;

/** Step 1: the norms of the inner dimension, and the check that everything is finite. */
interface Measured {
  readonly norms: ColumnNorms;
  readonly gram?: Gram;
}

function* measure(x: Batch, origin: Origin): Steps<Measured> {
  const { distinct, source } = distinctItems(x); // a broadcast factor is looked at once
  const at = placeOf(origin, distinct);
  const own = itemsAt(x, distinct);
  if (!isTall(x)) return { norms: spread(yield* scan(own, at), source, x.cols) };
  const { parts, norms } = yield* gram(own, at);
  return { norms: spread(norms, source, x.cols), gram: { parts, source, norms } };
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
export interface Half {
  readonly factor: Batch;
  readonly q?: TallQr;
}

/**
 * Step 4: QR of a tall factor with its gauge applied. Any other goes into the core as it is, unless the inner dimension
 * is graded: only the product of triangular factors then keeps the digits of small singular values.
 */
function* half(
  x: Batch,
  gram: Gram | undefined,
  gauge: Gauge,
  { dtype, graded }: Kind,
  origin: Origin,
  force?: FactorDriver,
): Steps<Half> {
  if (!gram && !graded) return { factor: yield* packAsItLies(x, { gauge, dtype }) };
  const q = gram ? yield* tallQr(x, gram, gauge, origin, force) : yield* householderQr(x, gauge, origin);
  return { factor: dtypeOfBatch(q.R) === dtype ? q.R : yield* pack(q.R, { dtype }), q };
}

export const factorDriver = ({ q }: Half, i: number): FactorDriver => q?.driver[i] ?? 'direct';

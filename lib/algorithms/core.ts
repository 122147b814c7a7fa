import type { Dtype, FloatArray } from '../array/elements.ts';
import { epsilon } from '../array/tensor.ts';
import {
  type Batch,
  dtypeOfBatch,
  type InputBatch,
  items,
  itemsAt,
  named,
  packed,
  range,
  rowRange,
  transposed,
} from '../native/batch.ts';
import { type ColumnNorms, type Gauge, gemm, pack, packAsItLies, scaledCore } from '../native/kernels.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';
import {
  type Balance,
  balance,
  selectBalance,
  selectBlocks,
  selectGauge,
  unitBalance,
  unitGauge,
} from './balance.ts';
import { relativeAccuracy } from './bounds.ts';
import { Factor, gramAndNorms, isTall } from './measure.ts';
import { householderQr, type TallQr, tallQr } from './qr.ts';
import type { FactorDriver } from './result.ts';

const nameOfCore = 'core of A·B'; // in errors

// Steps 4 and 5 of the product SVD: from factors that are measured, balanced and sorted to the small core that stands for
// their product.

/** Factors whose inner dimension has been measured (step 1) and balanced and sorted (steps 2 and 3). */
export interface Balanced {
  readonly a: Batch;
  /** Bᵀ, so that the columns of both are the inner dimension. */
  readonly b: Batch;
  /** Gram matrices of a and of b, where these will have a QR decomposition. */
  readonly left: Batch | undefined;
  readonly right: Batch | undefined;
  readonly norms: { readonly a: ColumnNorms; readonly b: ColumnNorms };
  readonly balance: Balance;
}

/**
 * Both operands, A and Bᵀ, computed with in `dtype`; `memory` is where `ahead` put them. Gram matrices are wanted of what
 * will have a QR decomposition.
 */
export function factorsOf(
  inputs: readonly InputBatch[],
  memory: readonly InputBatch[],
  dtype: Dtype,
): readonly [Factor, Factor] {
  const [a, b] = inputs;
  const hasQr = (x: InputBatch) => isTall(x) && !formsProduct(a, b);
  return [new Factor(a, memory[0], dtype, hasQr(a)), new Factor(b, memory[1], dtype, hasQr(b))];
}

/** The items at `positions` of both factors. */
export function* balanceFactors(a: Factor, b: Factor, positions: Int32Array): Steps<Balanced> {
  const [left, right] = [yield* a.measure(positions), yield* b.measure(positions)];
  const [n, k] = [left.items.count, left.items.cols];
  const leading = Math.min(left.items.rows, k, right.items.rows);
  return {
    a: left.items,
    b: right.items,
    left: left.gram,
    right: right.gram,
    norms: { a: left.norms, b: right.norms },
    balance: balance(left.norms, right.norms, n, k, { leading }),
  };
}

/** How the core of an item is formed and decomposed; it depends on that item only. */
export interface Kind {
  readonly dtype: Dtype;
  /** The inner dimension spans so much that digits of small singular values must be looked after. */
  readonly graded: boolean;
  /** It spans so little that the Gram matrices of float32 factors may do. */
  readonly square: boolean;
}

// LAPACK's float32 SVD of a matrix of size 64 is wrong by some 8ε; in float64 a core this small costs hardly more.
export const smallCore = 128;
// Up to this range of ‖a_j‖·‖b_j‖ (log₂) nothing but the matrices themselves makes singular values small,
export const plainRange = 1;
// and beyond this one σ₁² is more than 2²⁴·σ_p² at once, which is too much for Gram matrices.
const squareRange = 12;

function kindOf({ a, b, balance }: Balanced, i: number): Kind {
  const size = formsProduct(a, b)
    ? Math.min(a.rows, b.rows)
    : Math.max(Math.min(a.rows, a.cols), Math.min(b.rows, b.cols));
  const range = balance.range[i];
  const wanted = dtypeOfBatch(a);
  const single = wanted === 'float32' && size > smallCore && range <= plainRange;
  const p = Math.min(a.rows, a.cols, b.rows);
  return {
    dtype: single ? 'float32' : 'float64',
    graded: range > plainRange && range > Math.log2(mostRatio(wanted, 'float64', p)),
    square: range <= squareRange,
  };
}

/**
 * The largest σ₁/σ_j up to which a decomposition whose errors are relative to σ₁, in `dtype`, leaves to σ_j of p singular
 * values the relative accuracy that a result of `wanted` promises.
 */
export const mostRatio = (wanted: Dtype, dtype: Dtype, p: number): number =>
  relativeAccuracy(wanted) / (epsilon(dtype) * Math.sqrt(p));

/** The items of each kind, by their positions: nearly always all of one. */
export function kinds(all: Balanced): { kind: Kind; positions: Int32Array }[] {
  const groups = new Map<string, { kind: Kind; positions: number[] }>();
  for (let i = 0; i < all.a.count; i++) {
    const kind = kindOf(all, i);
    const name = `${kind.dtype} ${kind.graded} ${kind.square}`;
    const group = groups.get(name);
    if (group) group.positions.push(i);
    else groups.set(name, { kind, positions: [i] });
  }
  return [...groups.values()].map(({ kind, positions }) => ({ kind, positions: Int32Array.from(positions) }));
}

/** Some of the balanced items. */
export function selectBalanced(all: Balanced, positions: Int32Array): Balanced {
  if (positions.length === all.a.count) return all;
  const k = all.a.cols;
  const norms = ({ fraction, exponent }: ColumnNorms) => ({
    fraction: selectBlocks(fraction, positions, k),
    exponent: selectBlocks(exponent, positions, k),
  });
  return {
    a: itemsAt(all.a, positions),
    b: itemsAt(all.b, positions),
    left: all.left && itemsAt(all.left, positions),
    right: all.right && itemsAt(all.right, positions),
    norms: { a: norms(all.norms.a), b: norms(all.norms.b) },
    balance: selectBalance(all.balance, positions, k),
  };
}

export interface Core {
  /** R_A·R_Bᵀ, or the factor itself where it is not tall; or the R of the product. */
  readonly C: Batch;
  /** Of graded items: column j of item i stands for itself times 2^scales[i·columns + j]. */
  readonly scales?: Int32Array;
  readonly left: Side;
  readonly right: Side;
}

/** Step 4, and the core of step 5, for items of one kind. */
export function* core(items: Balanced, kind: Kind, force?: FactorDriver): Steps<Core> {
  const { a, b, left, right, balance } = items;
  if (kind.graded) return yield* gradedCore(items, kind, force);
  if (formsProduct(a, b)) return yield* formedCore(items, kind, force);
  const halfA = yield* half(a, left, balance.a, kind, force);
  const halfB = yield* half(b, right, balance.b, kind, force);
  const C = yield* gemm(halfA.factor, transposed(halfB.factor), nameOfCore);
  return { C, left: halfA, right: halfB };
}

/** The same with columns of length 1 and a core whose columns have exponents: no pair is too small beside another. */
function* gradedCore(
  { a, b, left, right, norms, balance }: Balanced,
  kind: Kind,
  force?: FactorDriver,
): Steps<Core> {
  const unit = unitBalance(norms.a, norms.b, balance.a, a.cols);
  const halfA = yield* half(a, left, unit.a, kind, force);
  const halfB = yield* half(b, right, unit.b, kind, force);
  const { C, scales } = yield* scaledCore(halfA.factor, halfB.factor, unit.exponents);
  return { C: named(C, nameOfCore), scales, left: halfA, right: halfB };
}

/** The same with A·B formed, and one QR decomposition: of A·B or of its transpose, whichever is tall. */
function* formedCore({ a, b, balance }: Balanced, kind: Kind, force?: FactorDriver): Steps<Core> {
  const [A, B] = [
    { factor: a, gauge: balance.a },
    { factor: b, gauge: balance.b },
  ];
  const M = yield* isTall(a) ? gaugedProduct(A, B, kind.dtype) : gaugedProduct(B, A, kind.dtype);
  const { gram } = yield* gramAndNorms(M);
  const side = yield* half(M, gram, unitGauge(M.count, M.cols), kind, force);
  return isTall(a)
    ? { C: named(side.factor, nameOfCore), left: side, right: {} }
    : { C: named(transposed(side.factor), nameOfCore), left: {}, right: side };
}

/** The orthogonal factor that leads back from one side of the core; none where that side is the factor's own. */
export interface Side {
  readonly q?: TallQr;
}

/** What one factor brings to the core. */
interface Half extends Side {
  readonly factor: Batch;
}

/**
 * Step 4: QR of a tall factor with its gauge applied. Any other goes into the core as it is, unless the inner dimension
 * is graded: only the product of triangular factors then keeps the digits of small singular values.
 */
function* half(
  x: Batch,
  own: Batch | undefined,
  gauge: Gauge,
  { dtype, graded }: Kind,
  force?: FactorDriver,
): Steps<Half> {
  if (!own && !graded) return { factor: yield* packAsItLies(x, { gauge, dtype }) };
  const gram = own ?? (isTall(x) ? (yield* gramAndNorms(x)).gram : undefined); // a graded product is not formed after all
  const q = gram ? yield* tallQr(x, gram, gauge, force) : yield* householderQr(x, gauge);
  return { factor: dtypeOfBatch(q.R) === dtype ? q.R : yield* pack(q.R, { dtype }), q };
}

export const factorDriver = ({ q }: Side, i: number): FactorDriver => q?.driver[i] ?? 'direct';

// The product itself, where it is so small that forming it is the cheapest step of its decomposition.

/**
 * Whether one factor is tall, t×k, and the other so flat, s×k, that their product, t×s, has a QR decomposition in place of
 * the tall factor. In flops, of what grows with t: t·k² for the Gram matrix of the factor and 2·t·k·s to apply its Q,
 * against 2·t·k·s for the product, t·s² for its Gram matrix and 2·t·s² to apply its Q. These are equal at k = √3·s, and
 * at about 2·s where float32 factors are multiplied in float64.
 */
function formsProduct(a: InputBatch, b: InputBatch): boolean {
  const [s, t] = a.rows < b.rows ? [a.rows, b.rows] : [b.rows, a.rows];
  return 3 * s <= a.cols && a.cols < t;
}

const copiedElements = 2 ** 21;

/** X·Yᵀ in `dtype`, both with their gauges applied; no more than a few rows of a large X are copied at a time. */
function* gaugedProduct(
  x: { readonly factor: Batch; readonly gauge: Gauge },
  y: { readonly factor: Batch; readonly gauge: Gauge },
  dtype: Dtype,
): Steps<Batch> {
  const [n, k, rows, cols] = [x.factor.count, x.factor.cols, x.factor.rows, y.factor.rows];
  const right = transposed(yield* packAsItLies(y.factor, { gauge: y.gauge, dtype }));
  const out = packed(scratch(dtype, [n, rows, cols]), n, rows, cols, {
    ...x.factor.origin,
    name: nameOfCore,
  });
  const step = Math.min(rows, Math.ceil(copiedElements / k));
  const together = step < rows ? 1 : n;
  const memory = scratch(dtype, [together, step, k]);
  for (let item = 0; item < n; item += together) {
    const gauge = selectGauge(x.gauge, range(item, item + together), k);
    const some = <D extends FloatArray>(all: Batch<D>) => items(all, item, item + together);
    for (let from = 0; from < rows; from += step) {
      const to = Math.min(rows, from + step);
      const block = rowRange(some(x.factor), from, to);
      const left = yield* packAsItLies(block, { gauge, dtype, memory });
      yield* gemm(left, some(right), nameOfCore, { out: rowRange(some(out), from, to) });
    }
  }
  return out;
}

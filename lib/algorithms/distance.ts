import type { SvdError } from '../array/errors.ts';
import { allocate } from '../array/memory.ts';
import { ldexp } from '../array/power-of-two.ts';
import {
  broadcastShapes,
  cols,
  leadingDims,
  product,
  rows,
  swapLast,
  type Tensor,
  tensor,
} from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  type ColumnNorms,
  count,
  gemm,
  itemsAt,
  pack,
  packInto,
  range,
  rowRange,
  scan,
  transposed,
} from '../native/kernels.ts';
import { checkOverflow, type Origin, type Place, placeOf } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { mustBeFinite } from './arithmetic.ts';
import { balance, pairExponents, selectBlocks, selectGauge } from './balance.ts';
import { frobenius, infinite, productNorm } from './product.ts';
import { type PerMatrix, perMatrix } from './result.ts';

/** A matrix kept as a product, or one that is there as it is. Shapes have been checked. */
export type Operand = { readonly A: Tensor; readonly B: Tensor } | { readonly M: Tensor };

/**
 * `‖a − b‖_F` per matrix, computed in float64 whatever the operands are. Two products are compared through the QR
 * decompositions of `[A₁ A₂]` and `[B₁ᵀ −B₂ᵀ]`; a product and a plain matrix block of rows by block of rows.
 * The formula with traces of Gram matrices would lose half of the digits.
 */
export function* distance(a: Operand, b: Operand): Steps<PerMatrix> {
  const leading = broadcastShapes(leadingOf(a), leadingOf(b), 'dist');
  const total = product(leading);
  const norms =
    'A' in a && 'A' in b
      ? yield* betweenProducts(a.A, a.B, b.A, b.B, leading)
      : 'M' in a
        ? yield* fromDense(a.M, b, leading)
        : yield* fromDense((b as { M: Tensor }).M, a, leading);
  if ('M' in a || 'M' in b) yield { done: total, total };
  return perMatrix(norms, leading);
}

const leadingOf = (x: Operand) =>
  'M' in x ? leadingDims(x.M) : broadcastShapes(leadingDims(x.A), leadingDims(x.B), 'A·B');

/** ‖A₁B₁ − A₂B₂‖ = ‖[A₁ A₂]·[B₁; −B₂]‖. */
function* betweenProducts(
  A1: Tensor,
  B1: Tensor,
  A2: Tensor,
  B2: Tensor,
  leading: number[],
): Steps<Float64Array> {
  const n = product(leading);
  const [l, r, k1, k2] = [rows(A1), cols(B1), cols(A1), cols(A2)];
  const k = k1 + k2;
  const left = allocate('float64', [...leading, k, l], '[A₁ A₂]'); // transposed, so that the parts are contiguous
  yield* packInto(transposed(batchOf(A1, leading)), left, { stride: k * l });
  yield* packInto(transposed(batchOf(A2, leading)), left.subarray(k1 * l), { stride: k * l });
  const right = allocate('float64', [...leading, k, r], '[B₁; −B₂]');
  yield* packInto(batchOf(B1, leading), right, { stride: k * r });
  yield* packInto(batchOf(B2, leading), right.subarray(k1 * r), { stride: k * r, alpha: -1 });
  if (n === 0) return new Float64Array(0);
  const A = tensor(left, [...leading, k, l]);
  try {
    return yield* productNorm(swapLast(A), tensor(right, [...leading, k, r]));
  } catch (error) {
    if ((error as SvdError).code === 'ERR_SVD_NON_FINITE') yield* allFinite({ A1, B1, A2, B2 }); // says which of them
    throw error;
  }
}

function* allFinite(operands: Record<string, Tensor>): Steps<void> {
  for (const [name, x] of Object.entries(operands)) yield* mustBeFinite(x, name);
}

/** ‖M − N‖ over blocks of rows, both scaled by the same power of two so that nothing overflows. */
function* fromDense(M: Tensor, other: Operand, leading: number[]): Steps<Float64Array> {
  const m = batchOf(M, leading);
  const origin = { leading };
  const normsM = yield* scan(m, { ...origin, name: 'a' });
  const subtract = yield* 'M' in other
    ? denseSubtrahend(batchOf(other.M, leading), normsM, origin)
    : productSubtrahend(batchOf(other.A, leading), transposed(batchOf(other.B, leading)), normsM, origin);
  const { exponent } = subtract;
  const n = count(m);
  const sum = new Float64Array(n);
  if (m.cols === 0) return sum; // there may be any number of rows
  const step = Math.max(1, Math.min(m.rows, Math.floor(blockElements / Math.max(1, m.cols)))); // by the shape alone
  const together = Math.max(1, Math.floor(blockElements / Math.max(1, step * m.cols)));
  for (let first = 0; first < n; first += together) {
    const items = range(first, Math.min(n, first + together));
    const own = {
      items,
      scale: uniform(selectBlocks(exponent, items, 1), m.cols),
      place: placeOf({ ...origin, name: 'dist' }, items),
    };
    for (let from = 0; from < m.rows; from += step) {
      const block = { ...own, from, to: Math.min(m.rows, from + step) };
      const D = yield* pack(rowsOf(m, block), { gauge: block.scale, dtype: 'float64' });
      yield* subtract.from(D, block);
      const norms = yield* frobenius(D, new Int32Array(items.length), block.place);
      norms.forEach((norm, i) => {
        sum[first + i] = Math.hypot(sum[first + i], norm);
      });
    }
  }
  const distances = sum.map((norm, i) => ldexp(norm, exponent[i]));
  checkOverflow(infinite(distances, 1), { ...origin, name: 'dist' });
  return distances;
}

const blockElements = 2 ** 21;

/** Rows `from` … `to − 1` of some items. */
interface Block {
  readonly items: Int32Array;
  readonly from: number;
  readonly to: number;
  /** Multiplies every column of M by 2^−exponent of its item. */
  readonly scale: ReturnType<typeof uniform>;
  readonly place: Origin;
}

const rowsOf = (x: Batch, { items, from, to }: Block): Batch => rowRange(itemsAt(x, items), from, to);

/** What is subtracted from M, already scaled by 2^−exponent of its item. */
interface Subtrahend {
  readonly exponent: Int32Array;
  /** Subtracts `block` of it from D. */
  from(D: Batch, block: Block): Steps<void>;
}

function* denseSubtrahend(N: Batch, normsM: ColumnNorms, origin: Place): Steps<Subtrahend> {
  const normsN = yield* scan(N, { ...origin, name: 'b' });
  const exponent = maximum(largestExponents(normsM, count(N)), largestExponents(normsN, count(N)));
  return {
    exponent,
    *from(D, block) {
      yield* packInto(rowsOf(N, block), D.data, { gauge: block.scale, alpha: -1, accumulate: true });
    },
  };
}

function* productSubtrahend(a: Batch, b: Batch, normsM: ColumnNorms, origin: Place): Steps<Subtrahend> {
  const n = count(a);
  const normsA = yield* scan(a, { ...origin, name: 'A' });
  const normsB = yield* scan(b, { ...origin, name: 'B', transposed: true });
  const common = maximum(largestExponents(normsM, n), pairExponents(normsA, normsB, n, a.cols));
  const gauge = balance(normsA, normsB, n, a.cols, { common });
  const B = transposed(yield* pack(b, { gauge: gauge.b, dtype: 'float64' }));
  return {
    exponent: gauge.exponent,
    *from(D, block) {
      const own = selectGauge(gauge.a, block.items, a.cols);
      const A = yield* pack(rowsOf(a, block), { gauge: own, dtype: 'float64' });
      yield* gemm(A, itemsAt(B, block.items), block.place, { alpha: -1, onto: D.data });
    },
  };
}

/** The gauge that scales every column of item i by 2^−exponent[i]. */
const uniform = (exponent: Int32Array, cols: number) => ({
  perm: null,
  exponents: Int32Array.from({ length: exponent.length * cols }, (_, j) => -exponent[Math.floor(j / cols)]),
});

/** Exponent of the longest column of every item; 0 where all are zero. */
function largestExponents({ fraction, exponent }: ColumnNorms, n: number): Int32Array {
  const columns = n > 0 ? exponent.length / n : 0;
  return Int32Array.from({ length: n }, (_, i) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = i * columns; j < (i + 1) * columns; j++)
      if (fraction[j] > 0) largest = Math.max(largest, exponent[j]);
    return Number.isFinite(largest) ? largest : 0;
  });
}

const maximum = (a: Int32Array, b: Int32Array): Int32Array => a.map((x, i) => Math.max(x, b[i]));

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
import { turn } from '../array/turns.ts';
import { type Batch, batchOf, items, named, packed, range, rowRange, transposed } from '../native/batch.ts';
import { type ColumnNorms, gemm, pack, packInto, scan } from '../native/kernels.ts';
import { checkOverflow } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { mustBeFinite } from './arithmetic.ts';
import { balance, pairExponents, selectGauge } from './balance.ts';
import { downBy, frobenius, infinite, largestExponents, productNorm } from './norm.ts';
import type { Operand } from './operands.ts';
import { type PerMatrix, perMatrix } from './result.ts';

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
  const left = packed(allocate('float64', [...leading, k, l], '[A₁ A₂]'), n, k, l); // transposed, so that the parts are contiguous
  yield* packInto(transposed(batchOf(A1, leading)), rowRange(left, 0, k1));
  yield* packInto(transposed(batchOf(A2, leading)), rowRange(left, k1, k));
  const right = packed(allocate('float64', [...leading, k, r], '[B₁; −B₂]'), n, k, r);
  yield* packInto(batchOf(B1, leading), rowRange(right, 0, k1));
  yield* packInto(batchOf(B2, leading), rowRange(right, k1, k), { alpha: -1 });
  if (n === 0) return new Float64Array(0);
  const A = tensor(left.data, [...leading, k, l]);
  try {
    return yield* productNorm(swapLast(A), tensor(right.data, [...leading, k, r]));
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
  const m = batchOf(M, leading, 'a');
  const normsM = yield* scan(m);
  const subtract = yield* 'M' in other
    ? denseSubtrahend(batchOf(other.M, leading, 'b'), normsM)
    : productSubtrahend(batchOf(other.A, leading, 'A'), transposed(batchOf(other.B, leading, 'B')), normsM);
  const { exponent } = subtract;
  const sum = new Float64Array(m.count);
  if (m.cols === 0) return sum; // there may be any number of rows
  const step = Math.max(1, Math.min(m.rows, Math.floor(blockElements / Math.max(1, m.cols)))); // by the shape alone
  const together = Math.min(blockItems, Math.max(1, Math.floor(blockElements / Math.max(1, step * m.cols))));
  for (let first = 0; first < m.count; first += together) {
    if (first > 0) yield turn;
    const last = Math.min(m.count, first + together);
    const scale = downBy(exponent.subarray(first, last), m.cols);
    for (let from = 0; from < m.rows; from += step) {
      const block: Block = { first, last, from, to: Math.min(m.rows, from + step), scale };
      const D = named(yield* pack(rowsOf(m, block), { gauge: scale, dtype: 'float64' }), 'dist');
      yield* subtract.from(D, block);
      const norms = yield* frobenius(D, new Int32Array(last - first));
      norms.forEach((norm, i) => {
        sum[first + i] = Math.hypot(sum[first + i], norm);
      });
    }
  }
  const distances = sum.map((norm, i) => ldexp(norm, exponent[i]));
  checkOverflow(infinite(distances), { leading, name: 'dist' });
  return distances;
}

const blockElements = 2 ** 21;
const blockItems = 4096;

/** Rows `from` … `to − 1` of items `first` … `last − 1`. */
interface Block {
  readonly first: number;
  readonly last: number;
  readonly from: number;
  readonly to: number;
  /** Multiplies every column of M by 2^−exponent of its item. */
  readonly scale: ReturnType<typeof downBy>;
}

const rowsOf = (x: Batch, { first, last, from, to }: Block): Batch =>
  rowRange(items(x, first, last), from, to);

/** What is subtracted from M, already scaled by 2^−exponent of its item. */
interface Subtrahend {
  readonly exponent: Int32Array;
  /** Subtracts `block` of it from D. */
  from(D: Batch, block: Block): Steps<void>;
}

function* denseSubtrahend(N: Batch, normsM: ColumnNorms): Steps<Subtrahend> {
  const normsN = yield* scan(N);
  const exponent = maximum(largestExponents(normsM, N.count), largestExponents(normsN, N.count));
  return {
    exponent,
    *from(D, block) {
      yield* packInto(rowsOf(N, block), D, { gauge: block.scale, alpha: -1, accumulate: true });
    },
  };
}

function* productSubtrahend(a: Batch, b: Batch, normsM: ColumnNorms): Steps<Subtrahend> {
  const n = a.count;
  const normsA = yield* scan(a);
  const normsB = yield* scan(b);
  const common = maximum(largestExponents(normsM, n), pairExponents(normsA, normsB, n, a.cols));
  const gauge = balance(normsA, normsB, n, a.cols, { common });
  const B = transposed(yield* pack(b, { gauge: gauge.b, dtype: 'float64' }));
  return {
    exponent: gauge.exponent,
    *from(D, block) {
      const own = selectGauge(gauge.a, range(block.first, block.last), a.cols);
      const A = yield* pack(rowsOf(a, block), { gauge: own, dtype: 'float64' });
      yield* gemm(A, items(B, block.first, block.last), 'dist', { alpha: -1, accumulate: true, out: D });
    },
  };
}

const maximum = (a: Int32Array, b: Int32Array): Int32Array => a.map((x, i) => Math.max(x, b[i]));

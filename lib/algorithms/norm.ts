import type { Dtype, FloatArray } from '../array/elements.ts';
import { perItem } from '../array/memory.ts';
import { ldexp } from '../array/power-of-two.ts';
import { cols, dtypeOf, type Input, leadingDims, rows } from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  dtypeOfBatch,
  type InputBatch,
  items,
  named,
  range,
  transposed,
} from '../native/batch.ts';
import { type ColumnNorms, pack, scan } from '../native/kernels.ts';
import { ahead, type InputOptions, owned } from '../native/owned.ts';
import { checkOverflow } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { balanceFactors, core, factorsOf, kinds, selectBalanced } from './core.ts';
import type { Factor } from './measure.ts';
import { operands } from './product.ts';

// Norms of products and of differences, per matrix.

/** Frobenius norm of `A·B` per matrix, from the core: as accurate as the SVD, and free of overflow on the way. */
export function* productNorm(A: Input, B: Input, { foreign }: InputOptions = {}): Steps<Float64Array> {
  const { inputs, dtype, leading, blockSize } = operands(A, B, foreign);
  const [left, right] = factorsOf(inputs, yield* ahead(inputs, blockSize, dtype), dtype);
  const norms = perItem(leading, 'norms');
  const workspace = takeWorkspace();
  for (let from = 0; from < norms.length; from += blockSize) {
    const to = Math.min(norms.length, from + blockSize);
    yield* inWorkspace(workspace, normsOf(left, right, range(from, to), norms.subarray(from, to)));
    yield { done: to, total: norms.length };
  }
  returnWorkspace(workspace);
  return norms;
}

/** The norms of one block of the batch, into `out`. */
function* normsOf(a: Factor, b: Factor, positions: Int32Array, out: Float64Array): Steps<void> {
  const all = yield* balanceFactors(a, b, positions);
  for (const { kind, positions: alike } of kinds(all)) {
    const group = selectBalanced(all, alike);
    const { C } = yield* core(group, { ...kind, graded: false });
    const part = yield* frobenius(named(C, 'norm'), group.balance.exponent);
    alike.forEach((position, i) => {
      out[position] = part[i];
    });
  }
}

/** Frobenius norms of A·Bᵀ of the items at `positions`, all in float64. */
export function* normsOfProducts(A: Batch, B: Batch, positions: Int32Array): Steps<Float64Array> {
  const norms = new Float64Array(positions.length);
  yield* normsOf(...factorsOf([A, B], [A, B], 'float64'), positions, norms);
  return norms;
}

/** Frobenius norm of plain matrices `[..., m, n]`, from the norms of the columns of the taller one of a and its transpose. */
export function* denseNorm(a: Input, { foreign }: InputOptions = {}): Steps<Float64Array> {
  const leading = leadingDims(a);
  const dtype = dtypeOf(a);
  const all = batchOf(a, leading, 'norm', foreign);
  const blockSize = Math.max(1, Math.floor(blockElements / Math.max(1, rows(a) * cols(a))));
  const [input] = yield* ahead([all], blockSize, dtype);
  const norms = perItem(leading, 'norms');
  const workspace = takeWorkspace();
  for (let from = 0; from < norms.length; from += blockSize) {
    const to = Math.min(norms.length, from + blockSize);
    norms.set(yield* inWorkspace(workspace, normsOfItems(items(input, from, to), dtype)), from);
    yield { done: to, total: norms.length };
  }
  returnWorkspace(workspace);
  return norms;
}

const blockElements = 2 ** 21;

function* normsOfItems(part: InputBatch, dtype: Dtype): Steps<Float64Array> {
  const X = yield* owned(part, dtype);
  return yield* frobenius(X.rows < X.cols ? transposed(X) : X, new Int32Array(X.count));
}

/** `‖C‖_F · 2^exponent` of every item. */
export function* frobenius(C: Batch, exponent: Int32Array): Steps<Float64Array> {
  const { fraction, exponent: own } = yield* scan(C);
  const norms = Float64Array.from(exponent, (shift, i) => {
    const columns = fraction.subarray(i * C.cols, (i + 1) * C.cols);
    const top = columns.reduce((x, f, j) => (f > 0 ? Math.max(x, own[i * C.cols + j]) : x), -Infinity);
    if (top === -Infinity) return 0;
    const squares = sum(columns.map((f, j) => ldexp(f, own[i * C.cols + j] - top) ** 2));
    return ldexp(Math.sqrt(squares), top + shift);
  });
  checkOverflow(infinite(norms), C.origin);
  return norms;
}

/** The sum of numbers ≥ 0, with what the additions lose: many equal ones would add up equal errors. (Neumaier 1974) */
function sum(numbers: Float64Array): number {
  let [all, rest] = [0, 0];
  for (const x of numbers) {
    const next = all + x;
    rest += all >= x ? all - next + x : x - next + all;
    all = next;
  }
  return all + rest;
}

/** The positions of what is too large. */
export const infinite = (x: FloatArray): number[] =>
  Array.from(x.keys()).filter((i) => x[i] === Number.POSITIVE_INFINITY);

/** Exponent of the longest column of every item; 0 where all are zero. */
export function largestExponents({ fraction, exponent }: ColumnNorms, n: number): Int32Array {
  const columns = n > 0 ? exponent.length / n : 0;
  return Int32Array.from({ length: n }, (_, i) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = i * columns; j < (i + 1) * columns; j++)
      if (fraction[j] > 0) largest = Math.max(largest, exponent[j]);
    return Number.isFinite(largest) ? largest : 0;
  });
}

/** A gauge that multiplies every column of item i by 2^−exponent[i]. */
export const downBy = (exponent: Int32Array, cols: number) => ({
  exponents: Int32Array.from({ length: exponent.length * cols }, (_, j) => -exponent[Math.floor(j / cols)]),
});

/** ‖A‖_F·2^−common of every item, from the norms of its columns. */
export function scaledNorms({ fraction, exponent }: ColumnNorms, common: Int32Array): Float64Array {
  const columns = common.length > 0 ? exponent.length / common.length : 0;
  return Float64Array.from(common, (e, i) => {
    const own = fraction.subarray(i * columns, (i + 1) * columns);
    return Math.sqrt(sum(own.map((f, j) => ldexp(f, exponent[i * columns + j] - e) ** 2)));
  });
}

/** The same matrix times 2^−exponent where its squares might overflow or vanish, and ‖a‖_F. */
export function* inRange(given: Batch): Steps<{ a: Batch; exponent: number; norm: number }> {
  const columns = yield* scan(given);
  const exponents = largestExponents(columns, 1);
  if (Math.abs(exponents[0]) <= plainExponents[dtypeOfBatch(given)]) exponents[0] = 0;
  const [norm] = scaledNorms(columns, exponents);
  if (exponents[0] === 0) return { a: given, exponent: 0, norm };
  return { a: yield* pack(given, { gauge: downBy(exponents, given.cols) }), exponent: exponents[0], norm };
}

const plainExponents = { float32: 20, float64: 200 } as const satisfies Record<Dtype, number>;

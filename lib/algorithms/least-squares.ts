import { svdError } from '../array/errors.ts';
import { allocate, zeros } from '../array/memory.ts';
import { ldexp } from '../array/power-of-two.ts';
import {
  broadcastShapes,
  cols,
  dtypeOf,
  type Input,
  insertAxis,
  leadingDims,
  product,
  rows,
  showShape,
  swapLast,
  type Tensor,
  tensor,
} from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import { type Batch, batchOf, offsetOf, packed, transposed } from '../native/batch.ts';
import { gemm, pack, packInto, scan } from '../native/kernels.ts';
import { checkOverflow } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { scaleColumns } from './arithmetic.ts';
import { transposedVh } from './derived.ts';
import type { PerMatrix, Svd } from './result.ts';
import { pseudoInverseValues, rank, type Tolerance, tolerances } from './spectrum.ts';

// The pseudo-inverse of a plain matrix, and least squares with it, from a thin decomposition.

/** `V·diag(1/S)·Uᵀ` of m×n matrices, formed: `[..., n, m]`. */
export function* formedInverse(svd: Svd, tolerance: Tolerance): Steps<Tensor> {
  const [m, n] = [rows(svd.U), cols(svd.Vh)];
  const inverse = pseudoInverseValues(svd, m, n, tolerance);
  const [left, right] = [yield* scaleColumns(yield* transposedVh(svd), inverse), swapLast(svd.U)];
  const leading = leadingDims(left);
  const out = allocate(dtypeOf(left), [...leading, n, m], 'pinv');
  yield* gemm(batchOf(left, leading, 'pinv'), batchOf(right, leading), 'pinv', {
    out: packed(out, product(leading), n, m, { name: 'pinv', leading }),
  });
  return tensor(out, [...leading, n, m]);
}

/** What least squares find for matrices b `[..., m, k]`. */
export interface Solution {
  /** `[..., n, k]` */
  readonly x: Tensor;
  /** ‖b − a·x‖² of every column, `[..., k]`; `[..., 0]` unless m > n and all a have rank n. */
  readonly residuals: Tensor<Float64Array>;
  readonly rank: PerMatrix;
}

/**
 * x = V·diag(1/S)·Uᵀ·b and b − U·Uᵀ·b. The columns of b are brought to a length of about 1, and every quotient y/σ has
 * its exponent beside it until x is scaled back: nothing but x itself can be too large.
 */
export function* leastSquares(svd: Svd, b: Tensor, tolerance: Tolerance): Steps<Solution> {
  const { U, S, Vh } = svd;
  const [m, n, k] = [rows(U), cols(Vh), cols(b)];
  const leading = broadcastShapes(leadingDims(U), leadingDims(b), 'lstsq');
  const count = product(leading);
  const ranks = rank(svd, m, n, tolerance);
  const given = batchOf(b, leading, 'b');
  const { exponent } = yield* scan(given);
  const down = yield* pack(given, { gauge: { exponents: exponent.map((e) => -e) } });
  const [u, s, vh] = [U, insertAxis(S, S.shape.length - 1), Vh].map((x) => batchOf(x, leading));
  const y = yield* gemm(transposed(u), down, 'lstsq');
  const hasResiduals = m > n && isAlways(ranks, n);
  const residuals = zeros(Float64Array, [...leading, hasResiduals ? k : 0], 'residuals');
  if (hasResiduals) {
    yield* gemm(u, y, 'lstsq', { alpha: -1, accumulate: true, out: down });
    const left = yield* scan(down);
    for (let j = 0; j < residuals.length; j++)
      residuals[j] = ldexp(left.fraction[j] ** 2, 2 * (left.exponent[j] + exponent[j]));
  }
  const up = yield* divide(y, s, tolerances(svd, m, n, tolerance));
  const out = allocate(dtypeOf(b), [...leading, n, k], 'x');
  const x = packed(out, count, n, k, { name: 'lstsq', leading });
  const scaled = yield* gemm(transposed(vh), y, 'lstsq');
  yield* packInto(scaled, x, { gauge: { exponents: exponent.map((e, j) => e + up[j]) } });
  const tooLarge = yield* notFinite(x);
  checkOverflow(tooLarge, { name: 'lstsq', leading });
  return {
    x: tensor(out, [...leading, n, k]),
    residuals: tensor(residuals, [...leading, hasResiduals ? k : 0]) as Tensor<Float64Array>,
    rank: ranks,
  };
}

const isAlways = (x: PerMatrix, value: number): boolean =>
  typeof x === 'number' ? x === value : x.data.every((e) => e === value);

const elementsPerTurn = 2 ** 18;

/**
 * Row i of y divided by σ_i, and 0 where that counts as zero, each column times a power of two that makes its largest
 * quotient about 1. Returns the exponents by which the quotients are too small.
 */
function* divide(y: Batch, s: Batch, smallest: Float64Array): Steps<Int32Array> {
  const [p, k] = [y.rows, y.cols];
  const up = new Int32Array(y.count * k);
  let looked = 0;
  for (let item = 0; item < y.count; item++) {
    const [from, at] = [offsetOf(s, item), offsetOf(y, item)];
    const zero = p > 0 ? smallest[from / p] : 0;
    const kept = (s.data as Float64Array).subarray(from, from + p).findLastIndex((x) => x > zero) + 1;
    const parts = Array.from({ length: kept }, (_, i) => scientific(s.data[from + i]));
    for (let j = 0; j < k; j++) {
      let most = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < kept; i++)
        most = Math.max(most, exponentOf(y.data[at + i * k + j]) - parts[i].exponent);
      if (Number.isFinite(most)) up[item * k + j] = most;
      for (let i = 0; i < p; i++) {
        const e = at + i * k + j;
        y.data[e] =
          i < kept ? ldexp(y.data[e] / parts[i].fraction, -parts[i].exponent - up[item * k + j]) : 0;
      }
    }
    looked += p * k;
    if (looked > elementsPerTurn) {
      looked = 0;
      yield turn;
    }
  }
  return up;
}

/** −∞ of 0. */
const exponentOf = (x: number): number => Math.floor(Math.log2(Math.abs(x)));

/** x = fraction·2^exponent, fraction about 1. */
function scientific(x: number): { fraction: number; exponent: number } {
  const exponent = exponentOf(x);
  return { fraction: ldexp(x, -exponent), exponent };
}

/** The items with an element that is not finite. */
function* notFinite(x: Batch): Steps<number[]> {
  const bad = new Set<number>();
  const size = x.rows * x.cols;
  for (let from = 0; from < x.data.length; from += elementsPerTurn) {
    if (from > 0) yield turn;
    const to = Math.min(x.data.length, from + elementsPerTurn);
    for (let e = from; e < to; e++) if (!Number.isFinite(x.data[e])) bad.add(Math.floor(e / size));
  }
  return [...bad];
}

/** b as matrices, and whether it was a vector. `ERR_SVD_SHAPE` unless it has as many rows as the matrices of shape `of`. */
export function rightHandSides(b: Input, of: readonly number[]): Input {
  const columns = b.shape.length === 1 ? insertAxis(b, 1) : b;
  if (rows(columns) !== of[of.length - 2])
    throw svdError('ERR_SVD_SHAPE', `lstsq: rows of ${showShape(of)} and ${showShape(b.shape)} differ`);
  broadcastShapes(of.slice(0, -2), leadingDims(columns), 'lstsq');
  return columns;
}

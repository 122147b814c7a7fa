import type { Dtype } from '../array/elements.ts';
import { ldexp } from '../array/power-of-two.ts';
import { epsilon } from '../array/tensor.ts';
import { type Batch, dtypeOfBatch, offsetOf, packed, range, rowRange, transposed } from '../native/batch.ts';
import { type ColumnNorms, gemm, pack, packInto, type SvdFactors, scan } from '../native/kernels.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, scratch, takeWorkspace, Workspace } from '../native/workspace.ts';
import { downBy, frobenius, largestExponents, scaledNorms } from './norm.ts';

/** What shows how good some singular triplets are, for each item of a batch. */
export interface Residuals {
  /** η of every triplet, one row for each item: some singular value lies within η of it. */
  readonly residuals: Float64Array;
  /** ‖A − U·diag(S)·Vh‖_F, and no less. */
  readonly error: Float64Array;
}

/**
 * η_i = √((‖A·v − σ·u‖² + ‖Aᵀ·u − σ·v‖²)/2) and ‖A − U·diag(S)·Vh‖_F, in float64 block by block of rows, from the factors
 * as they are returned, with what rounding can do to these numbers added. (Weyl's theorem on the symmetric matrix
 * `[0 A; Aᵀ 0]`, to which (u; v)/√2 is nearly an eigenvector; docs/numerics.md.) Another `arithmetic` than float64 is for
 * residuals far above its rounding errors.
 */
export function* residualsOf(A: Batch, factors: SvdFactors, arithmetic: Dtype = 'float64'): Steps<Residuals> {
  const [count, m, n, r] = [A.count, A.rows, A.cols, factors.S.cols];
  const columns = yield* scan(A);
  const exponent = largestExponents(columns, count);
  const norms = scaledNorms(columns, exponent);
  const S = packed(scaledValues(factors.S, exponent), count, 1, r);
  const dtype = arithmetic;
  const diagonal = yield* pack(packed(diagonals(S.data as Float64Array, count, r), count, r, r), { dtype });
  const Vh = yield* pack(factors.Vh, { dtype });
  const U = yield* pack(factors.U, { dtype });
  const US = yield* gemm(U, diagonal, 'U·diag(S)');
  const right = packed(scratch(dtype, [count, r, n]), count, r, n); // Uᵀ·A − diag(S)·Vh
  yield* gemm(diagonal, Vh, 'diag(S)·Vh', { alpha: -1, out: right });
  const left = new Float64Array(count * r); // ‖A·v − σ·u‖
  const error = new Float64Array(count);
  const scale = downBy(exponent, n);
  const block = function* (from: number, to: number): Steps<void> {
    const D = yield* pack(rowRange(A, from, to), { gauge: scale, dtype });
    yield* gemm(transposed(rowRange(U, from, to)), D, 'Uᵀ·A', { accumulate: true, out: right });
    const us = rowRange(US, from, to);
    const L = yield* gemm(D, transposed(Vh), 'A·V');
    addNorms(left, yield* scan(yield* packInto(us, L, { alpha: -1, accumulate: true })));
    yield* gemm(us, Vh, 'U·diag(S)·Vh', { alpha: -1, accumulate: true, out: D });
    const part = yield* frobenius(D, new Int32Array(count));
    for (let i = 0; i < count; i++) error[i] = Math.hypot(error[i], part[i]);
  };
  const step = Math.max(1, Math.floor(blockElements / Math.max(1, n * count)));
  const memory = new Workspace(); // of one block
  for (let from = 0; from < m; from += step) {
    yield { within: [from / m, Math.min(m, from + step) / m] };
    yield* inWorkspace(memory, block(from, Math.min(m, from + step)));
  }
  const other = new Float64Array(count * r);
  addNorms(other, yield* scan(transposed(right)));
  const sums = 1 + ((m + n + 8) / 4) * epsilon('float64'); // of squares, which are never negative (Higham, ASNA, section 4.2)
  const units = sums + 8 * epsilon(dtypeOfBatch(factors.U)); // of the length of u and v
  const residuals = new Float64Array(count * r);
  for (let i = 0; i < count; i++) {
    const unit = epsilon(dtype);
    const rounding = unit * roundingErrors(norms[i], r > 0 ? S.data[i * r] : norms[i], Math.max(m, n));
    for (let j = i * r; j < (i + 1) * r; j++) {
      const eta = Math.hypot(left[j], other[j]) * Math.SQRT1_2 * units + rounding;
      // Where a 0 that no singular value belongs to is as near, what is proved is a little less.
      residuals[j] = noLess(m !== n && S.data[j] <= eta ? eta * Math.SQRT2 : eta, exponent[i]);
    }
    error[i] = noLess(error[i] * sums + rounding, exponent[i]);
  }
  return { residuals, error };
}

/** x·2^exponent, and no less where that is a subnormal number. */
export const noLess = (x: number, exponent: number): number => {
  const y = ldexp(x, exponent);
  return x > 0 && y < 2 ** -1022 ? y + 2 ** -1074 : y;
};

/** What `measure` finds for the matrices of a batch at `positions`, so many at once; NaN for the others. */
export function* residualsAt(
  positions: Int32Array,
  { count, cols }: Batch,
  together: number,
  measure: (some: Int32Array) => Steps<Residuals>,
): Steps<Residuals> {
  const residuals = new Float64Array(count * cols).fill(Number.NaN);
  const error = new Float64Array(count).fill(Number.NaN);
  const workspace = takeWorkspace();
  for (let from = 0; from < positions.length; from += together) {
    const some = positions.subarray(from, from + together);
    const found = yield* inWorkspace(workspace, measure(some));
    some.forEach((position, i) => {
      residuals.set(found.residuals.subarray(i * cols, (i + 1) * cols), position * cols);
      error[position] = found.error[i];
    });
  }
  returnWorkspace(workspace);
  return { residuals, error };
}

const blockElements = 2 ** 23;

/**
 * What rounding errors are in sums of `n` products, all rows of a matrix together, in units of ε: those of elements without
 * a pattern cancel to less than ‖A‖_F; of equal ones, which σ₁ shows, they need not, in the some 256 terms that BLAS adds up
 * one after the other.
 */
const roundingErrors = (norm: number, sigma1: number, n: number): number =>
  norm + (2 + Math.sqrt(n) / 4 + Math.min(n, 256) / 8) * sigma1;

/** In which arithmetic what is wanted to `accuracy`·σ₁ of an m×n matrix in `dtype` can be computed, and proved. */
export function arithmeticFor(accuracy: number, dtype: Dtype, m: number, n: number): Dtype {
  const norm = Math.sqrt(Math.min(m, n)); // at most, as a share of σ₁
  return accuracy > 32 * epsilon(dtype) * roundingErrors(norm, 1, Math.max(m, n)) ? dtype : 'float64';
}

/** One row of singular values for each item, times 2^−exponent of it. */
export function scaledValues(S: Batch, exponent: Int32Array): Float64Array {
  const out = new Float64Array(S.count * S.cols);
  for (const i of range(0, S.count)) {
    const at = offsetOf(S, i);
    for (let j = 0; j < S.cols; j++) out[i * S.cols + j] = ldexp(S.data[at + j], -exponent[i]);
  }
  return out;
}

/** The values, r for each item, as the diagonals of matrices. */
export function diagonals(values: Float64Array, count: number, r: number): Float64Array {
  const out = new Float64Array(count * r * r);
  values.forEach((value, j) => {
    out[j * r + (j % r)] = value;
  });
  return out;
}

/** Adds the norms of columns to what others of the same columns add up to. */
export function addNorms(sum: Float64Array, { fraction, exponent }: ColumnNorms): void {
  for (let j = 0; j < sum.length; j++) sum[j] = Math.hypot(sum[j], ldexp(fraction[j], exponent[j]));
}

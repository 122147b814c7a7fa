import { ldexp } from '../array/power-of-two.ts';
import { epsilon } from '../array/tensor.ts';
import { type Batch, dtypeOfBatch, packed, range, transposed } from '../native/batch.ts';
import { gemm, pack, packInto, type SvdFactors, scan } from '../native/kernels.ts';
import type { Steps } from '../native/steps.ts';
import { balance } from './balance.ts';
import { coreAllowance } from './bounds.ts';
import { addNorms, diagonals, type Residuals, scaledValues } from './evidence.ts';
import { gramMatrices } from './measure.ts';
import { frobenius, normsOfProducts } from './norm.ts';

/**
 * `residualsOf` for products A·B, through the factors as they are balanced (docs/numerics.md): with W = Uᵀ·A and
 * R = W·B − diag(S)·Vh, A·B − U·diag(S)·Vh = (A − U·W)·B + U·R.
 *
 * @param A m×k
 * @param B k×n
 */
export function* productResiduals(A: Batch, B: Batch, factors: SvdFactors): Steps<Residuals> {
  const [count, m, k, n, p] = [A.count, A.rows, A.cols, B.cols, factors.S.cols];
  const columns = yield* scan(A);
  const rows = yield* scan(transposed(B));
  const { a: left, b: right, exponent, beta } = balance(columns, rows, count, k);
  const dtype = 'float64';
  const a = yield* pack(A, { gauge: left, dtype });
  const b = transposed(yield* pack(transposed(B), { gauge: right, dtype }));
  const U = yield* pack(factors.U, { dtype });
  const Vh = yield* pack(factors.Vh, { dtype });
  const S = packed(scaledValues(factors.S, exponent), count, 1, p);
  const diagonal = packed(diagonals(S.data as Float64Array, count, p), count, p, p);
  const US = yield* gemm(U, diagonal, 'U·diag(S)');
  const BV = yield* gemm(b, transposed(Vh), 'B·V');
  const AV = yield* gemm(a, BV, 'A·B·V');
  const W = yield* gemm(transposed(U), a, 'Uᵀ·A');
  const R = yield* gemm(W, b, 'Uᵀ·A·B');
  yield* gemm(diagonal, Vh, 'diag(S)·Vh', { alpha: -1, accumulate: true, out: R });
  const [ofLeft, ofRight] = [new Float64Array(count * p), new Float64Array(count * p)];
  addNorms(ofLeft, yield* scan(yield* packInto(US, AV, { alpha: -1, accumulate: true })));
  addNorms(ofRight, yield* scan(transposed(R)));

  const unit = epsilon(dtypeOfBatch(factors.U));
  const [most, ofEqual] = [plainErrors(Math.max(m, k, n)), equalErrors(Math.max(m, k, n))];
  const [lengthsW, lengthsBV] = [new Float64Array(count * p), new Float64Array(count * p)];
  addNorms(lengthsW, yield* scan(transposed(W)));
  addNorms(lengthsBV, yield* scan(BV));
  const rounding = beta.map((x) => (most + equalErrors(k)) * epsilon(dtype) * x);
  const enough = rounding.map((x, i) => x + (p > 0 ? unit * S.data[i * p] : 0));
  const rest =
    Math.min(m, n) <= k
      ? yield* formedError(a, b, US, Vh)
      : yield* deflatedError({ a, b, U, W, S, ofRight, enough, unit });
  const residuals = new Float64Array(count * p);
  for (let i = 0; i < count; i++) {
    const up = (x: number) => (x > 0 ? ldexp(x, exponent[i]) + Number.MIN_VALUE : x);
    for (let j = i * p; j < (i + 1) * p; j++) {
      const equal = Math.sqrt(2 * beta[i]) * (lengthsW[j] + lengthsBV[j]); // ≥ Σ|w_q|·‖b_q‖ + Σ‖a_q‖·|b_q·v|
      const own = epsilon(dtype) * (most * beta[i] + ofEqual * equal);
      const eta = Math.hypot(ofLeft[j], ofRight[j]) * Math.SQRT1_2 * (1 + 8 * unit) + own;
      // As of plain matrices; where k is less than min(m, n) zero is a singular value.
      const besides = m !== n && k >= Math.min(m, n) && S.data[j] <= eta;
      residuals[j] = up(besides ? eta * Math.SQRT2 : eta);
    }
    rest[i] = up(rest[i] + rounding[i]);
  }
  return { residuals, error: rest };
}

// What rounding errors are in sums of n terms, in units of ε: of terms without a pattern, and besides of equal ones, in the
// some 256 terms that BLAS adds up one after the other.
const plainErrors = (n: number): number => 3 + Math.sqrt(n) / 4;
const equalErrors = (n: number): number => Math.min(n, 256) / 8;

/** ‖A·B − U·diag(S)·Vh‖_F where that is no larger than a factor. */
function* formedError(a: Batch, b: Batch, US: Batch, Vh: Batch): Steps<Float64Array> {
  const E = yield* gemm(a, b, 'A·B');
  yield* gemm(US, Vh, 'U·diag(S)·Vh', { alpha: -1, accumulate: true, out: E });
  return yield* frobenius(E, new Int32Array(E.count));
}

interface Deflation {
  readonly a: Batch;
  readonly b: Batch;
  readonly U: Batch;
  /** Uᵀ·A */
  readonly W: Batch;
  readonly S: Batch;
  /** Norms of the rows of R = W·B − diag(S)·Vh. */
  readonly ofRight: Float64Array;
  /** What may be lost. */
  readonly enough: Float64Array;
  /** Of the elements of U. */
  readonly unit: number;
}

/** The same from D = A − U·W: ‖D·B + U·R‖ where Uᵀ·D is all but zero. */
function* deflatedError({ a, b, U, W, S, ofRight, enough, unit }: Deflation): Steps<Float64Array> {
  const p = S.cols;
  yield* gemm(U, W, 'U·Uᵀ·A', { alpha: -1, accumulate: true, out: a });
  const defect = yield* departures(U);
  const rest = yield* productNorms(a, b, enough);
  return rest.map((norm, i) => {
    const [own, sigma] = [ofRight, S.data].map((x) => Math.hypot(...x.subarray(i * p, (i + 1) * p)));
    const cross = 2 * defect[i] * (own + sigma * (1 + 8 * unit)) * own;
    return Math.sqrt(norm ** 2 + (1 + defect[i]) * own ** 2 + cross);
  });
}

/** ‖UᵀU − I‖_F of every item. */
function* departures(U: Batch): Steps<Float64Array> {
  const p = U.cols;
  const G = yield* gramMatrices(U);
  return Float64Array.from({ length: U.count }, (_, item) => {
    let square = 0;
    for (let i = 0; i < p; i++) {
      const row = (item * p + i) * p;
      for (let j = 0; j < i; j++) square += 2 * G[row + j] ** 2;
      square += (G[row + i] - 1) ** 2;
    }
    return Math.sqrt(square);
  });
}

/**
 * ‖D·B‖_F of every item, and no less: the root of trace(H·K), H = DᵀD and K = BBᵀ, elements of which are wrong by ε·‖d_i‖·‖d_j‖
 * and ε·‖b_i‖·‖b_j‖. Where that takes more than `enough` from QR decompositions.
 */
function* productNorms(d: Batch, b: Batch, enough: Float64Array): Steps<Float64Array> {
  const [count, k] = [d.count, d.cols];
  const [H, K] = [yield* gramMatrices(d), yield* gramMatrices(transposed(b))];
  const n = Math.max(d.rows, b.cols);
  const errors = plainErrors(n) + equalErrors(n);
  const lengths = new Float64Array(count);
  const [x, y] = [new Float64Array(k), new Float64Array(k)]; // ‖d_j‖ and ‖b_j‖
  const norms = lengths.map((_, item) => {
    const at = item * k * k;
    for (let j = 0; j < k; j++) {
      x[j] = Math.sqrt(H[at + j * (k + 1)]);
      y[j] = Math.sqrt(K[at + j * (k + 1)]);
      lengths[item] += x[j] * y[j];
    }
    let [trace, wrong] = [0, 0];
    for (let i = 0; i < k; i++) {
      let [own, loss] = [0, 0];
      for (let j = 0, p = at + i * k; j < i; j++, p++) {
        own += H[p] * K[p];
        loss += x[i] * x[j] * Math.abs(K[p]) + y[i] * y[j] * Math.abs(H[p]);
      }
      trace += 2 * own + (x[i] * y[i]) ** 2;
      wrong += 2 * (loss + (x[i] * y[i]) ** 2);
    }
    const square = Math.max(0, trace);
    const most = Math.sqrt(square + epsilon('float64') * (errors * wrong + (k / 2) * square));
    return most - Math.sqrt(square) > enough[item] + coreAllowance(lengths[item]) ? Number.NaN : most;
  });
  const again = range(0, count).filter((i) => Number.isNaN(norms[i]));
  if (again.length === 0) return norms;
  const better = yield* normsOfProducts(d, transposed(b), again);
  again.forEach((i, j) => {
    norms[i] = better[j] + coreAllowance(lengths[i]);
  });
  return norms;
}

import { powerOfTwo } from '../array/power-of-two.ts';
import { type Dtype, leadingDims, promote, type Tensor } from '../array/tensor.ts';
import {
  type Batch,
  batchOf,
  colRange,
  dtypeOfBatch,
  packed,
  range,
  rowRange,
  transposed,
} from '../native/batch.ts';
import { gemm, pack } from '../native/kernels.ts';
import { owned } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { balanceFactors } from './core.ts';
import { Factor, isTall } from './measure.ts';
import { downBy, frobenius } from './norm.ts';
import { tallQr } from './qr.ts';

// How much of what one product writes another reads, for all pairs of two batches: ‖M·N‖_F/(‖M‖_F·‖N‖_F).
//
//   M = A·B = Q·(R·B), so that ‖M·X‖_F = ‖(R·B)·X‖_F for every X, and likewise for Nᵀ. With the halves P = R·B of M and
//   G = R'·B' of Nᵀ, ‖M·N‖_F = ‖P·Gᵀ‖_F: k×d times d×k in place of d×d times d×d, and one product for all pairs.

/** R·B of products A·B = Q·R·B, as they are needed for scores. */
export interface Halves {
  /** Below each other, each of `height` rows: a power of two times R·B, so that its norm is about 1. */
  readonly P: Batch;
  readonly height: number;
  /** ‖P‖_F of every product, from 1/2 to 1; 0 where the product is zero. */
  readonly norms: Float64Array;
}

/**
 * The halves of the products A·B: A `[n, l, k]`, B `[n, k, r]`. They are computed in float64 from the balanced factors, so
 * that nothing overflows or underflows, and rounded to `dtype` in the end.
 *
 * @throws `ERR_SVD_NON_FINITE`
 */
export function* halvesOf(A: Tensor, B: Tensor, dtype: Dtype): Steps<Halves> {
  const leading = leadingDims(A);
  const [left, right] = [batchOf(A, leading, 'A'), transposed(batchOf(B, leading, 'B'))];
  const factors = [
    new Factor(left, left, dtype, isTall(left)),
    new Factor(right, right, dtype, false),
  ] as const;
  const items = yield* balanceFactors(...factors, range(0, left.count));
  const { a, b, left: gram, balance } = items;
  const R = gram
    ? (yield* tallQr(a, gram, balance.a)).R
    : yield* pack(a, { gauge: balance.a, dtype: 'float64' });
  const own = yield* gemm(
    R,
    transposed(yield* pack(b, { gauge: balance.b, dtype: 'float64' })),
    'half of A·B',
  );
  const norms = yield* frobenius(own, new Int32Array(own.count));
  const exponents = Int32Array.from(norms, (norm) => (norm > 0 ? Math.floor(Math.log2(norm)) + 1 : 0));
  const unit = yield* pack(own, { gauge: downBy(exponents, own.cols), dtype });
  return {
    P: packed(unit.data, 1, own.count * own.rows, own.cols),
    height: own.rows,
    norms: norms.map((norm, i) => norm * powerOfTwo(-exponents[i])),
  };
}

const blockElements = 2 ** 22;

/**
 * ‖M_i·N_j‖_F/(‖M_i‖_F·‖N_j‖_F) of all pairs, row-major, from the halves of the M_i and of the N_jᵀ; 0 where either is zero.
 * Columns that the halves of only one side have meet zeros.
 */
export function* scoresOf(left: Halves, right: Halves): Steps<Float64Array> {
  const [n, m] = [left.norms.length, right.norms.length];
  const scores = new Float64Array(n * m);
  const d = Math.min(left.P.cols, right.P.cols);
  const dtype = promote(dtypeOfBatch(left.P), dtypeOfBatch(right.P));
  const P = colRange(yield* owned(left.P, dtype), 0, d);
  const G = colRange(yield* owned(right.P, dtype), 0, d);
  const width = G.rows;
  const step = Math.max(1, Math.floor(blockElements / Math.max(1, left.height * width))); // by the shape alone
  for (let from = 0; from < n; from += step) {
    const count = Math.min(step, n - from);
    const rows = rowRange(P, from * left.height, (from + count) * left.height);
    const C = yield* gemm(rows, transposed(G), 'composition');
    const norms = yield* frobenius(blocks(C, count, m), new Int32Array(count * m));
    norms.forEach((norm, e) => {
      const [i, j] = [from + Math.floor(e / m), e % m];
      const both = left.norms[i] * right.norms[j];
      scores[i * m + j] = both > 0 ? norm / both : 0;
    });
  }
  return scores;
}

/** A matrix as n×m blocks of one size, row by row. */
function blocks(C: Batch, n: number, m: number): Batch {
  const [rows, cols] = [C.rows / n, C.cols / m];
  const offsets = Float64Array.from(
    { length: n * m },
    (_, e) => C.first + Math.floor(e / m) * rows * C.rowStride + (e % m) * cols * C.colStride,
  );
  return { ...C, count: n * m, rows, cols, offsets };
}

import { svdError } from '../array/errors.ts';
import { ldexp } from '../array/power-of-two.ts';
import { cols, epsilon, leadingDims, product, rows, swapLast, type Tensor } from '../array/tensor.ts';
import { batchOf } from '../native/batch.ts';
import { scan } from '../native/kernels.ts';
import { asPart, type Steps } from '../native/steps.ts';
import { coreAllowance } from './bounds.ts';
import { denseSvd } from './dense.ts';
import { even, firstTriplets } from './derived.ts';
import { distance } from './distance.ts';
import type { Operand } from './operands.ts';
import { checkRank, productSvd } from './product.ts';
import { type PerMatrix, perMatrix, type Svd } from './result.ts';
import { truncatedSvd } from './truncated.ts';
import { enoughTriplets, spectraOf, type Truncation } from './truncation.ts';

/** The factors U·√S and √S·Vh, and how far their product is from the matrix at most. */
export interface LowRank {
  readonly factors: readonly [left: Tensor, right: Tensor];
  readonly truncationError: PerMatrix;
}

/** The best approximation of every matrix of `a` by a product of small inner dimension, the same for the whole batch. */
export function* lowRankOf(a: Operand, share: Truncation): Steps<LowRank> {
  const most = 'M' in a ? Math.min(rows(a.M), cols(a.M)) : Math.min(rows(a.A), cols(a.A), cols(a.B));
  if (share.rank !== undefined) checkRank(share.rank, most, 'lowRank: rank');
  const svd = yield* decomposition(a, share);
  const { evidence } = yield* enoughTriplets(spectraOf(svd.S), share, function* (rank) {
    const factors = yield* even(yield* firstTriplets(svd, rank));
    const truncationError = yield* asPart(errorOf(a, factors));
    const error =
      typeof truncationError === 'number' ? Float64Array.of(truncationError) : truncationError.data;
    return { factors, truncationError, error };
  });
  return evidence;
}

/** The triplets to choose from: those asked for at the least. */
function* decomposition(a: Operand, { rank }: Truncation): Steps<Svd> {
  if ('A' in a) return yield* productSvd(a.A, a.B, rank === undefined ? {} : { rank });
  return yield* rank === undefined ? denseSvd(a.M) : truncatedSvd(a.M, { rank });
}

/**
 * ‖a − left·right‖_F as it is measured, and what rounding can have taken from it: in float64, of k terms whose lengths add
 * up to β, (k + 4)·u·β, or that of a product through QR decompositions; and the sum of the squares.
 */
function* errorOf(a: Operand, [A, B]: LowRank['factors']): Steps<PerMatrix> {
  const measured = yield* distance(a, { A, B });
  const allowance = yield* roundingOf(a, A, B);
  if (typeof measured === 'number') return above(measured, allowance[0]);
  return perMatrix(
    measured.data.map((x, i) => above(x, allowance[i])),
    measured.shape,
  );
}

const above = (x: number, allowance: number): number => (x + allowance) * (1 + epsilon('float64'));

function* roundingOf(a: Operand, A: Tensor, B: Tensor): Steps<Float64Array> {
  const own = yield* lengths(A, B);
  if ('M' in a) {
    // Terms are formed and subtracted in any order: Higham, ASNA, section 3.1; the norms of columns add their rows up.
    const [m, n, k] = [rows(a.M), cols(a.M), cols(A)];
    const norms = yield* lengths(a.M, undefined);
    return own.map((beta, i) => ((k + 4 + m + n) / 2) * (beta + norms[i]) + Math.sqrt(m * n) * 2 ** -1074);
  }
  const given = yield* lengths(a.A, a.B);
  const [m, n] = [rows(a.A), cols(a.B)];
  const core = coreAllowance(1 / epsilon('float64'));
  return own.map((beta, i) => core * (beta + given[i]) + Math.sqrt(m * n) * 2 ** -1074);
}

/** ε times Σ‖a_j‖·‖b_j‖ of every product, which itself may be beyond all numbers; without B, ε·‖A‖_F. */
function* lengths(A: Tensor, B: Tensor | undefined): Steps<Float64Array> {
  const dims = leadingDims(A);
  const x = yield* scan(batchOf(A, dims, 'a'));
  const y = B ? yield* scan(batchOf(swapLast(B) as Tensor, dims, 'a')) : undefined;
  const [n, k] = [product(dims), cols(A)];
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = i * k; j < (i + 1) * k; j++) {
      if (y) sum += ldexp(x.fraction[j] * y.fraction[j], x.exponent[j] + y.exponent[j] - 52);
      else sum = Math.hypot(sum, ldexp(x.fraction[j], x.exponent[j] - 52));
    }
    return sum;
  });
}

/** `ERR_SVD_ARGUMENT` unless one of them is given, and one alone. */
export function checkShare(share: Truncation): void {
  const given = [share.rank, share.tol, share.energy].filter((x) => x !== undefined).length;
  if (given !== 1)
    throw svdError('ERR_SVD_ARGUMENT', `lowRank: expected one of rank, tol and energy, got ${given}`);
}

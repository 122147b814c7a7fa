import type { Dtype } from '../array/elements.ts';
import { epsilon } from '../array/tensor.ts';
import { type Batch, colRange, dtypeOfBatch, packed, rowRange, transposed } from '../native/batch.ts';
import { areDefinite, gemm, outer, pack, packInto, type SvdFactors, svdLadder } from '../native/kernels.ts';
import { type Steps, stage } from '../native/steps.ts';
import { inWorkspace, scratch, Workspace } from '../native/workspace.ts';
import { randomMatrix } from './random.ts';
import { type Estimates, leadingSubspace, type Operator } from './subspace.ts';

// The leading singular triplets of one matrix without decomposing all of it. A is p×q, p ≤ q, finite, and neither very
// large nor very small.

/** How a subspace is found that holds the leading left singular vectors. */
export type Method = 'gram' | 'krylov';

/** Leading triplets; U in float64. */
export interface Leading extends SvdFactors {
  /** The singular value after the last one, as far as it is known. */
  readonly next: number;
  /** AAᵀ where it was formed. */
  readonly gram: Batch | undefined;
  /** Orthonormal columns, more than triplets: a space that nearly holds their left vectors, those of large values first. */
  readonly X: Batch;
}

export interface Wanted {
  /** How many triplets; or what tells it from the squares of the leading singular values, undefined where it takes more. */
  readonly rank: number | ((squares: Float64Array) => number | undefined);
  /** More than so many are not worth it. */
  readonly most: number;
  readonly seed: number;
  /** Largest residual η of a triplet, as a share of σ₁. */
  readonly accuracy: number;
  /** In which the triplets are computed from the subspace that holds them. */
  readonly arithmetic: Dtype;
}

/**
 * The leading triplets of A; undefined where it takes too many of them.
 *
 * `'gram'`: from AAᵀ in float64, whose forming takes most of the time, and which has all that float32 can tell of A;
 * float64 loses digits in it, and goes on with products with A itself. `'krylov'`: from products with A alone. What an
 * `earlier` search for another number of triplets found is where it begins.
 */
export function* leadingTriplets(
  A: Batch,
  method: Method,
  wanted: Wanted,
  earlier?: Leading,
): Steps<Leading | undefined> {
  const { rank, most, seed } = wanted;
  const gram = method === 'gram' ? (earlier?.gram ?? (yield* stage(0, 0.6, outer(A)))) : undefined;
  const before = (x: Batch) => gemm(gram as Batch, x, 'AAᵀ·x');
  let start = earlier?.X;
  for (
    let known = typeof rank === 'number' ? Math.max(1, rank) : Math.min(firstRank, most);
    ;
    known = Math.min(2 * known, most)
  ) {
    const block = Math.min(A.rows, known + Math.max(8, Math.ceil(known / 8)));
    const enough = isAccurate(known, wanted.accuracy);
    const search = { order: A.rows, block, seed, enough, most: mostProducts };
    const first = { ...search, start: start && (yield* widened(start, block, seed)) };
    const apply = gram ? before : throughBoth(A);
    let found = yield* stage(gram ? 0.6 : 0, 1, leadingSubspace(apply, first));
    if (gram && dtypeOfBatch(A) === 'float64') {
      found = yield* leadingSubspace(throughBoth(A), { ...search, start: found.X, most: mostRefining });
    }
    const number = typeof rank === 'number' ? rank : rank(found.values.subarray(0, known));
    if (number !== undefined) {
      return { ...(yield* rayleighRitz(A, found.X, number, wanted.arithmetic)), gram, X: found.X };
    }
    if (known >= most) return undefined;
    start = found.X;
  }
}

const firstRank = 32;
const mostProducts = 100;
const mostRefining = 12;

/** A·(Aᵀ·x), in the arithmetic of A. */
export const throughBoth = (A: Batch): Operator =>
  function* (x) {
    const dtype = dtypeOfBatch(A);
    const y = yield* gemm(transposed(A), yield* pack(x, { dtype }), 'Aᵀ·x');
    return yield* pack(yield* gemm(A, y, 'A·Aᵀ·x'), { dtype: 'float64' });
  };

/**
 * Whether the residuals η of the leading triplets are small enough: ‖A·v − σ·u‖ = ‖AAᵀ·u − σ²·u‖/σ, and on the other side
 * there is none, because v is Aᵀ·u/σ.
 */
const isAccurate =
  (rank: number, accuracy: number) =>
  ({ values, residuals }: Estimates): boolean => {
    if (values.length < rank) return false;
    const most = accuracy * Math.sqrt(values[0] ?? 0);
    for (let i = 0; i < rank; i++) {
      const sigma = Math.sqrt(values[i]);
      if (sigma > most && residuals[i] > Math.SQRT2 * most * sigma) return false;
    }
    return true;
  };

/** X with so many columns: without its last ones, or with random ones after its own. */
function* widened(X: Batch, columns: number, seed: number): Steps<Batch> {
  if (X.cols >= columns) return colRange(X, 0, columns);
  const out = packed(scratch('float64', [X.rows, columns]), 1, X.rows, columns);
  yield* packInto(X, colRange(out, 0, X.cols));
  yield* packInto(yield* randomMatrix(X.rows, columns - X.cols, seed), colRange(out, X.cols, columns));
  return out;
}

/** The singular triplets that A has in the space of X, whose columns are orthonormal: those of XᵀA. */
function* rayleighRitz(
  A: Batch,
  X: Batch,
  rank: number,
  dtype: Dtype,
): Steps<SvdFactors & { readonly next: number }> {
  const W = packed(scratch(dtype, [X.cols, A.cols]), 1, X.cols, A.cols, A.origin);
  const block = function* (from: number, to: number): Steps<void> {
    const rows = yield* pack(rowRange(A, from, to), { dtype });
    const left = yield* pack(transposed(rowRange(X, from, to)), { dtype });
    yield* gemm(left, rows, 'Xᵀ·A', { accumulate: from > 0, out: W });
  };
  const step = Math.max(1, Math.floor(blockElements / A.cols));
  const memory = new Workspace(); // of one block
  for (let from = 0; from < A.rows; from += step) {
    yield* inWorkspace(memory, block(from, Math.min(A.rows, from + step)));
  }
  const { U, S, Vh } = yield* svdLadder(W, 'thin');
  return {
    U: yield* gemm(X, yield* pack(colRange(U, 0, rank), { dtype: 'float64' }), 'X·U'),
    S: colRange(S, 0, rank),
    Vh: rowRange(Vh, 0, rank),
    next: S.cols > rank ? S.data[rank] : 0,
  };
}

const blockElements = 2 ** 23;

/**
 * Whether no singular value of A is larger than `most` but those of the triplets in `leading`. Where `most`²·I − D has a
 * Cholesky decomposition, D = AAᵀ without its part in the space of U, no eigenvalue of D is as large as `most`² (Sylvester's
 * law of inertia); what rounding can do to AAᵀ and in the decomposition is taken off `most`² beforehand.
 */
export function* noneAbove(most: number, A: Batch, { U, S, gram }: Leading): Steps<boolean> {
  const G = gram ?? (yield* outer(A));
  const largest = S.cols > 0 ? S.data[0] : 0;
  const shift = most ** 2 - (A.rows + A.cols) * epsilon('float64') * largest ** 2;
  if (!(shift > 0)) return largest === 0 && most === 0;
  const P = yield* gemm(G, U, 'G·U');
  const M = yield* gemm(transposed(U), P, 'Uᵀ·G·U');
  yield* gemm(U, M, 'U·Uᵀ·G·U', { alpha: -0.5, accumulate: true, out: P });
  const D = yield* pack(G, { alpha: -1 }); // −(I − UUᵀ)·G·(I − UUᵀ) = −G + P·Uᵀ + U·Pᵀ
  yield* gemm(P, transposed(U), 'P·Uᵀ', { accumulate: true, out: D });
  yield* gemm(U, transposed(P), 'U·Pᵀ', { accumulate: true, out: D });
  for (let i = 0; i < A.rows; i++) D.data[i * (A.rows + 1)] += shift;
  return (yield* areDefinite(D))[0];
}

import { type Batch, colRange, packed, rowRange, transposed } from '../native/batch.ts';
import { gemm, packInto, svdLadder } from '../native/kernels.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, scratch, Workspace } from '../native/workspace.ts';
import { randomMatrix } from './random.ts';

// The leading eigenvectors of a symmetric, positive semidefinite matrix S that is known by its products alone: block Krylov
// with full orthogonalisation, Rayleigh-Ritz on all of the basis, and thick restarts. (Musco and Musco, "Randomized block
// Krylov methods for stronger and faster approximate singular value decomposition", NIPS 2015; Stewart, "A Krylov-Schur
// algorithm for large eigenproblems", SIAM J. Matrix Anal. Appl. 23 (2001).)

/** x ↦ S·x; both are float64. */
export type Operator = (x: Batch) => Steps<Batch>;

/** How well the leading eigenvalues are known, by descending value. */
export interface Estimates {
  readonly values: Float64Array;
  /** ‖S·x − value·x‖ */
  readonly residuals: Float64Array;
  /** Products of S with a block that it took. */
  readonly products: number;
}

export interface Subspace extends Estimates {
  /** The eigenvectors: as many rows as S has, orthonormal columns. */
  readonly X: Batch;
}

interface Search {
  /** Rows of S. */
  readonly order: number;
  /** Vectors that are multiplied at once, and that are found: more than are wanted. */
  readonly block: number;
  readonly seed: number;
  /** What to begin with instead of random vectors: as many orthonormal ones as a block has. */
  readonly start?: Batch | undefined;
  /** Whether it need not go on. */
  readonly enough: (found: Estimates) => boolean;
  /** Products after which it gives up. */
  readonly most: number;
}

/** How many blocks the basis may have before it is restarted. */
const basisBlocks = (block: number): number => (block <= 16 ? 24 : block <= 128 ? 8 : block <= 320 ? 5 : 3);
/** How many are kept then: what is thrown away has to be found again. */
const keptBlocks = (block: number): number => Math.floor(basisBlocks(block) / 2);
/** Whether T is decomposed when the basis has so many, which takes longer than many a product. */
const isLookedAt = (blocks: number): boolean => blocks > 2 && (blocks <= 8 || blocks % 4 === 0);

const slower = 0.9; // nobody knows how many products it takes

export function* leadingSubspace(
  apply: Operator,
  { order, block, seed, start, enough, most }: Search,
): Steps<Subspace> {
  const basis = new Basis(order, block, Math.min(order, basisBlocks(block) * block));
  const memory = new Workspace(); // of one product and what follows from it
  yield* inWorkspace(memory, basis.begin(start ?? (yield* randomMatrix(order, block, seed)), seed));
  for (let products = 1; ; products++) {
    yield { within: [1 - slower ** (products - 1), 1 - slower ** products] };
    yield* inWorkspace(memory, basis.expand(apply, seed + products));
    if (!basis.isFull && products < most && !isLookedAt(basis.blocks)) {
      yield* basis.grow();
      continue;
    }
    const found = yield* inWorkspace(memory, basis.ritz(keptBlocks(block) * block));
    const { values, residuals } = found;
    const estimates = {
      values: values.subarray(0, block),
      residuals: residuals.subarray(0, block),
      products,
    };
    if (enough(estimates) || products >= most || basis.isComplete) {
      return { ...estimates, X: yield* basis.vectors(colRange(found.Y, 0, estimates.values.length)) };
    }
    if (basis.isFull) yield* inWorkspace(memory, basis.restart(found));
    yield* basis.grow();
  }
}

interface Ritz {
  /** Eigenvectors of T, which is S in the basis. */
  readonly Y: Batch;
  readonly values: Float64Array;
  readonly residuals: Float64Array;
}

/** An orthonormal basis Q, and T = Qᵀ·S·Q. The last vectors of the basis are new: S has not been applied to them. */
class Basis {
  readonly #order: number;
  readonly #capacity: number;
  readonly #q: Batch;
  readonly #t: Float64Array; // symmetric, rows of `capacity`
  /** What S does to the basis leads out of it here. */
  #next: Batch;
  /** S times the last vectors is in the basis but for `next`·R. */
  #R: Batch;
  #old = 0;
  #size = 0;
  blocks = 0;

  constructor(order: number, block: number, capacity: number) {
    this.#order = order;
    this.#capacity = capacity;
    this.#q = packed(scratch('float64', [order, capacity]), 1, order, capacity);
    this.#t = scratch('float64', [capacity, capacity]).fill(0);
    this.#next = packed(scratch('float64', [order, block]), 1, order, 0);
    this.#R = packed(scratch('float64', [block, block]), 1, 0, 0);
  }

  get #Q(): Batch {
    return colRange(this.#q, 0, this.#size);
  }

  /** Whether the basis has as many vectors as there are. */
  get isComplete(): boolean {
    return this.#size >= this.#order;
  }

  /** Whether it has no room for what S leads to. */
  get isFull(): boolean {
    return this.isComplete || this.#size + this.#next.cols > this.#capacity;
  }

  *begin(start: Batch, seed: number): Steps<void> {
    const { Q } = yield* orthonormal(start, undefined, seed);
    yield* this.#append(Q);
  }

  *#append(vectors: Batch): Steps<void> {
    yield* packInto(vectors, colRange(this.#q, this.#size, this.#size + vectors.cols));
    this.#size += vectors.cols;
    this.blocks += 1;
  }

  /** Applies S to the vectors that are new. */
  *expand(apply: Operator, seed: number): Steps<void> {
    const [Q, at] = [this.#Q, this.#old];
    const image = yield* apply(colRange(Q, at, this.#size));
    this.#fillT(yield* without(image, Q), at, image.cols);
    this.#old = this.#size;
    const { Q: next, R } = yield* orthonormal(image, Q, seed);
    const n = Math.min(next.cols, this.#order - this.#size); // there are no more that are orthogonal to the basis
    this.#next = yield* packInto(colRange(next, 0, n), packed(this.#next.data, 1, this.#order, n));
    this.#R = yield* packInto(rowRange(R, 0, n), packed(this.#R.data, 1, n, R.cols));
  }

  #fillT(h: Float64Array, at: number, cols: number): void {
    const [t, ld] = [this.#t, this.#capacity];
    for (let i = 0; i < this.#size; i++)
      for (let j = 0; j < cols; j++) {
        // The block on the diagonal is symmetric but for rounding.
        const other = i >= at ? h[(at + j) * cols + (i - at)] : h[i * cols + j];
        const value = (h[i * cols + j] + other) / 2;
        t[i * ld + at + j] = value;
        t[(at + j) * ld + i] = value;
      }
  }

  /** What the basis knows of the leading `count` eigenvalues. */
  *ritz(count: number): Steps<Ritz> {
    const n = this.#size;
    const T: Batch = { ...packed(this.#t, 1, n, n), rowStride: this.#capacity };
    const { U, S } = yield* svdLadder(T, 'thin');
    const k = Math.min(count, n);
    const Y = yield* packInto(colRange(U, 0, k), packed(new Float64Array(n * k), 1, n, k));
    const out = yield* gemm(this.#R, rowRange(Y, n - this.#R.cols, n), 'krylov');
    const residuals = new Float64Array(k);
    for (let i = 0; i < out.rows; i++)
      for (let j = 0; j < k; j++) residuals[j] = Math.hypot(residuals[j], out.data[i * k + j]);
    return { Y, values: Float64Array.from(S.data.subarray(0, k)), residuals };
  }

  /** Makes what S leads to part of the basis. */
  grow(): Steps<void> {
    return this.#append(this.#next);
  }

  /** Keeps what was found, and nothing else. */
  *restart({ Y, values }: Ritz): Steps<void> {
    const X = yield* this.vectors(Y);
    this.#size = this.blocks = 0;
    yield* this.#append(X);
    this.#old = this.#size;
    this.#t.fill(0);
    for (const [i, value] of values.entries()) this.#t[i * this.#capacity + i] = value;
  }

  /** The eigenvectors of S that those of T stand for. */
  vectors(Y: Batch): Steps<Batch> {
    return gemm(colRange(this.#q, 0, Y.rows), Y, 'krylov');
  }
}

/** Takes from x what of it lies in Q, in place and twice, so that nothing is left; returns Qᵀ·x. */
function* without(x: Batch, Q: Batch): Steps<Float64Array> {
  const h = new Float64Array(Q.cols * x.cols);
  for (let again = 0; again < 2; again++) {
    const part = yield* gemm(transposed(Q), x, 'krylov');
    yield* gemm(Q, part, 'krylov', { alpha: -1, accumulate: true, out: x });
    for (let i = 0; i < h.length; i++) h[i] += part.data[i];
  }
  return h;
}

interface Orthonormal {
  /** As many columns as x, orthonormal and orthogonal to the basis. */
  readonly Q: Batch;
  readonly R: Batch;
}

/**
 * x = Q·R, but for directions that are rounding errors: random ones take their place, because an eigenspace may have
 * more dimensions than a block.
 */
function* orthonormal(x: Batch, basis: Batch | undefined, seed: number): Steps<Orthonormal> {
  const { U, S, Vh } = yield* svdLadder(x, 'thin');
  const n = x.cols;
  let known = 0;
  while (known < n && S.data[known] > S.data[0] * negligible) known++;
  if (known < n) yield* packInto(yield* randomMatrix(x.rows, n - known, ~seed), colRange(U, known, n));
  if (basis) yield* without(U, basis);
  const Q = basis || known < n ? (yield* svdLadder(U, 'thin')).U : U;
  for (let i = 0; i < known; i++) for (let j = 0; j < n; j++) Vh.data[i * n + j] *= S.data[i];
  const turned = yield* gemm(transposed(Q), colRange(U, 0, known), 'krylov');
  return { Q, R: yield* gemm(turned, rowRange(Vh, 0, known), 'krylov') };
}

const negligible = 1e-13;

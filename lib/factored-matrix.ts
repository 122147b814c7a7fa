import { inspect } from 'node:util';
import { asTensor, type MatrixLike } from './arrays.ts';
import type { ErrorOptions } from './batched-svd.ts';
import { warnLegacy } from './deprecation.ts';
import { scaleColumns } from './diagonal.ts';
import { type Eigenvalues, eigenvaluesOf } from './eigenvalues.ts';
import { shown, svdError } from './errors.ts';
import { type Index, select, selectLeading } from './indexing.ts';
import { inDtype, matrixProduct, scaled } from './matrix-product.ts';
import { type Factored, isFactored } from './operands.ts';
import { ownedTensors } from './owned.ts';
import { checkRank, productNorm, productSvd } from './product-svd.ts';
import { even, legacy, transposedVh, withoutU, withoutVh } from './results.ts';
import { cond, pseudoInverseValues, rank, type Spectrum } from './spectrum.ts';
import { type AsyncOptions, afterwards, runAsync, runSync, type Steps } from './steps.ts';
import { type LegacySvd, type PerMatrix, perMatrix, type Svd } from './svd-result.ts';
import { threeSvd } from './three-svd.ts';
import {
  broadcastLeading,
  broadcastShapes,
  cols,
  dropAxis,
  dtypeOf,
  insertAxis,
  leadingDims,
  promote,
  rows,
  showShape,
  sliceAxis,
  swapLast,
  type Tensor,
} from './views.ts';

export interface ProductSvdOptions extends ErrorOptions {
  /**
   * `'product'`: the balanced, sorted QR–QR–core decomposition. `'three-svd'`: the composition that TransformerLens
   * uses, for comparison; it is not cached.
   */
  readonly algorithm?: 'product' | 'three-svd';
  /** Only the leading singular triplets, this many: the other vectors are not formed. Not cached. */
  readonly rank?: number;
}

export interface ToleranceOptions {
  /** Singular values up to this one count as zero. Default: max(l, r)·ε·σ₁, and no less than their error bound. */
  readonly tol?: number;
}

/**
 * A matrix `M = A·B` that is kept as its factors: A `[..., l, k]`, B `[..., k, r]`, leading dimensions broadcast as in
 * numpy. It shares memory with the arrays it is made of; they must not be written to once it has been decomposed.
 * The semantics are those of TransformerLens' `FactoredMatrix`, except that `Vh` is Vᵀ and that `getCorner` cuts
 * the last two dimensions only.
 *
 * Whatever runs LAPACK throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW` or
 * `ERR_SVD_TOO_LARGE`, and has an `…Async` twin, which reads the factors as `svdAsync` reads its array: they must not
 * be written to until the promise settles, and where they are transferred away it rejects with `ERR_SVD_ARGUMENT`.
 */
export class FactoredMatrix implements Factored {
  /** `[..., l, k]`, leading dimensions broadcast. */
  readonly A: Tensor;
  /** `[..., k, r]`, leading dimensions broadcast. */
  readonly B: Tensor;
  /** `[..., l, r]` */
  readonly shape: readonly number[];
  readonly #cache: { svd?: Svd; spectrum?: Spectrum; V?: Tensor } = {};

  /** @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` (inner dimensions differ, or leading ones do not broadcast) */
  constructor(A: MatrixLike, B: MatrixLike) {
    const [a, b] = [asTensor(A, 'A'), asTensor(B, 'B')];
    if (cols(a) !== rows(b)) {
      const shapes = `A ${showShape(a.shape)} and B ${showShape(b.shape)}`;
      throw svdError('ERR_SVD_SHAPE', `FactoredMatrix: inner dimensions of ${shapes} differ`);
    }
    const leading = broadcastShapes(leadingDims(a), leadingDims(b), 'FactoredMatrix');
    const dtype = promote(dtypeOf(a), dtypeOf(b));
    this.A = broadcastLeading(runSync(inDtype(a, dtype)), leading);
    this.B = broadcastLeading(runSync(inDtype(b, dtype)), leading);
    this.shape = Object.freeze([...leading, rows(a), cols(b)]);
  }

  /** `x` itself, or the same factors from another copy of this package. */
  static from(x: Factored): FactoredMatrix {
    if (x instanceof FactoredMatrix) return x;
    if (isFactored(x)) return new FactoredMatrix(x.A, x.B);
    throw svdError('ERR_SVD_ARGUMENT', `FactoredMatrix.from: expected a factored matrix, got ${shown(x)}`);
  }

  get ndim(): number {
    return this.shape.length;
  }
  /** l, the rows of A. */
  get ldim(): number {
    return rows(this.A);
  }
  /** k, the inner dimension. */
  get mdim(): number {
    return cols(this.A);
  }
  /** r, the columns of B. */
  get rdim(): number {
    return cols(this.B);
  }
  get hasLeadingDims(): boolean {
    return this.ndim > 2;
  }
  get pair(): readonly [A: Tensor, B: Tensor] {
    return [this.A, this.B];
  }

  /** The product, `[..., l, r]`; formed on every call. */
  get AB(): Tensor {
    return runSync(matrixProduct(this.A, this.B));
  }

  /** The product the other way round, `[..., k, k]`; needs l = r (`ERR_SVD_SHAPE`). */
  get BA(): Tensor {
    this.#mustBeSquare('BA');
    return runSync(matrixProduct(this.B, this.A));
  }

  /** The transpose, `Bᵀ·Aᵀ`: views of the same factors. */
  get T(): FactoredMatrix {
    return new FactoredMatrix(swapLast(this.B), swapLast(this.A));
  }

  // ------------------------------------------------------------------------------------------ decomposition

  /**
   * `M ≈ U · diag(S) · Vh` without forming an M that is larger than its factors: U `[..., l, p]`, S `[..., p]`,
   * Vh `[..., p, r]`, p = min(l, k, r). Computed once; every call returns the same arrays, unless some matrices of the
   * batch failed. See `productSvd` for the algorithm and its source.
   */
  svd(options: ProductSvdOptions = {}): Svd {
    if (isThreeSvd(options)) return runSync(threeSvd(this.A, this.B));
    return this.#cached(options) ?? this.#keep(runSync(productSvd(this.A, this.B, options)), options);
  }

  /** `svd` off the event loop; fills the same cache. */
  async svdAsync(options: ProductSvdOptions & AsyncOptions = {}): Promise<Svd> {
    const three = isThreeSvd(options);
    options.signal?.throwIfAborted();
    if (three) return this.#offThread(threeSvd, options);
    const steps = () => productSvd(this.A, this.B, { ...options, foreign: true });
    return this.#cached(options) ?? this.#keep(await runAsync(steps(), options), options);
  }

  /** Singular values alone, `[..., p]`: cheaper than `svd`, equal to its S within `bound`; cached. */
  svdvals(): Tensor {
    return this.#spectrum().S;
  }

  async svdvalsAsync(options: AsyncOptions = {}): Promise<Tensor> {
    return (await this.#spectrumAsync(options)).S;
  }

  /**
   * `{ U, S, V }` with `M ≈ U · diag(S) · Vᵀ`, what TransformerLens' `FactoredMatrix.svd` returns.
   *
   * @deprecated Use `svd`, which returns `Vh`. Emits one `DeprecationWarning`, code `FSVD_DEP0001`, per process.
   */
  svdLegacy(): LegacySvd {
    warnLegacy();
    return runSync(legacy(this.svd()));
  }

  /** @deprecated Use `svdAsync`, which returns `Vh`. */
  async svdLegacyAsync(options: AsyncOptions = {}): Promise<LegacySvd> {
    warnLegacy();
    return afterwards(legacy(await this.#completeAsync(options)), options);
  }

  get U(): Tensor {
    return this.svd().U;
  }
  get S(): Tensor {
    return this.svd().S;
  }
  /** Vᵀ, `[..., p, r]`. */
  get Vh(): Tensor {
    return this.svd().Vh;
  }
  /** V, `[..., r, p]`. */
  get V(): Tensor {
    return runSync(this.#formV(this.svd()));
  }

  // -------------------------------------------------------------------------------------- one number per matrix

  /** Frobenius norm ‖M‖_F, without forming M. */
  norm(): PerMatrix {
    return perMatrix(runSync(productNorm(this.A, this.B)), this.shape.slice(0, -2));
  }

  async normAsync(options: AsyncOptions = {}): Promise<PerMatrix> {
    const norms = await runAsync(productNorm(this.A, this.B, { foreign: true }), options);
    return perMatrix(norms, this.shape.slice(0, -2));
  }

  /** Number of singular values above `tol`. */
  rank({ tol }: ToleranceOptions = {}): PerMatrix {
    return rank(this.#spectrum(), this.ldim, this.rdim, tol);
  }

  async rankAsync({ tol, ...options }: ToleranceOptions & AsyncOptions = {}): Promise<PerMatrix> {
    return rank(await this.#spectrumAsync(options), this.ldim, this.rdim, tol);
  }

  /** Condition number σ₁/σ_p of M as a map of rank p = min(l, k, r); `Infinity` when σ_p is 0. */
  cond(): PerMatrix {
    return cond(this.svdvals());
  }

  async condAsync(options: AsyncOptions = {}): Promise<PerMatrix> {
    return cond(await this.svdvalsAsync(options));
  }

  // -------------------------------------------------------------------------------------- new factored matrices

  /** Moore–Penrose inverse, `[..., r, l]`, kept factored; singular values up to `tol` count as zero (see `rank`). */
  pinv({ tol }: ToleranceOptions = {}): FactoredMatrix {
    return runSync(this.#inverse(this.svd(), tol));
  }

  async pinvAsync({ tol, ...options }: ToleranceOptions & AsyncOptions = {}): Promise<FactoredMatrix> {
    return afterwards(this.#inverse(await this.#completeAsync(options), tol), options);
  }

  /** The same matrix as `(U·√S) · (√S·Vh)`: both factors with orthogonal columns or rows of equal length. */
  makeEven(): FactoredMatrix {
    return new FactoredMatrix(...runSync(even(this.svd())));
  }

  async makeEvenAsync(options: AsyncOptions = {}): Promise<FactoredMatrix> {
    return new FactoredMatrix(...(await afterwards(even(await this.#completeAsync(options)), options)));
  }

  /** The best approximation of rank p: `(U·diag(S))[:, :p] · Vh[:p]`. `ERR_SVD_ARGUMENT` unless 0 ≤ p ≤ min(l, k, r). */
  truncate(p: number): FactoredMatrix {
    const svd = this.svd({ rank: checkRank(p, this.#mostTriplets, 'truncate') });
    return new FactoredMatrix(runSync(withoutVh(svd)), svd.Vh);
  }

  async truncateAsync(p: number, options: AsyncOptions = {}): Promise<FactoredMatrix> {
    const rank = checkRank(p, this.#mostTriplets, 'truncate');
    const svd = await this.#completeAsync(options, rank);
    return new FactoredMatrix(await afterwards(withoutVh(svd), options), svd.Vh);
  }

  /** `diag(S) · Vh`, `[..., p, r]`: M without its left orthogonal factor. */
  collapseL(): Tensor {
    return runSync(withoutU(this.svd()));
  }

  async collapseLAsync(options: AsyncOptions = {}): Promise<Tensor> {
    return afterwards(withoutU(await this.#completeAsync(options)), options);
  }

  /** `U · diag(S)`, `[..., l, p]`: M without its right orthogonal factor. */
  collapseR(): Tensor {
    return runSync(withoutVh(this.svd()));
  }

  async collapseRAsync(options: AsyncOptions = {}): Promise<Tensor> {
    return afterwards(withoutVh(await this.#completeAsync(options)), options);
  }

  /** Eigenvalues of BA, `[..., k]`: those of M apart from zeros. Needs l = r (`ERR_SVD_SHAPE`). */
  eigenvalues(): Eigenvalues {
    return runSync(eigenvaluesOf(this.BA));
  }

  async eigenvaluesAsync(options: AsyncOptions = {}): Promise<Eigenvalues> {
    this.#mustBeSquare('eigenvalues');
    return this.#offThread(function* (A, B) {
      return yield* eigenvaluesOf(yield* matrixProduct(B, A));
    }, options);
  }

  // ------------------------------------------------------------------------------------------ products

  /** `this · x`: a vector gives a vector `[..., l]`; a matrix is absorbed where the inner dimension stays smallest. */
  matmul(x: Factored): FactoredMatrix;
  matmul(x: MatrixLike | Factored): FactoredMatrix | Tensor;
  matmul(x: MatrixLike | Factored): FactoredMatrix | Tensor {
    if (isFactored(x)) return (this.matmul(x.A) as FactoredMatrix).matmul(x.B) as FactoredMatrix;
    const right = asTensor(x, 'x', 1);
    const inner = right.shape.length === 1 ? right.shape[0] : rows(right);
    if (inner !== this.rdim) this.#mustFit(this.shape, right.shape);
    if (right.shape.length === 1) return this.#timesVector(right);
    return this.rdim > this.mdim
      ? new FactoredMatrix(this.A, runSync(matrixProduct(this.B, right)))
      : new FactoredMatrix(this.AB, right);
  }

  /** `x · this`: a vector gives a vector `[..., r]`; a matrix is absorbed where the inner dimension stays smallest. */
  rmatmul(x: Factored): FactoredMatrix;
  rmatmul(x: MatrixLike | Factored): FactoredMatrix | Tensor;
  rmatmul(x: MatrixLike | Factored): FactoredMatrix | Tensor {
    if (isFactored(x)) return FactoredMatrix.from(x).matmul(this);
    const left = asTensor(x, 'x', 1);
    if (left.shape[left.shape.length - 1] !== this.ldim) this.#mustFit(left.shape, this.shape);
    if (left.shape.length === 1) return this.T.matmul(left);
    return this.ldim > this.mdim
      ? new FactoredMatrix(runSync(matrixProduct(left, this.A)), this.B)
      : new FactoredMatrix(left, this.AB);
  }

  /** `scalar · this`, applied to A. The scalar is a finite number or an array of one element. */
  mul(scalar: number | MatrixLike): FactoredMatrix {
    return new FactoredMatrix(runSync(scaled(this.A, asScalar(scalar))), this.B);
  }

  // ------------------------------------------------------------------------------------------ views and parts

  /** A new leading dimension of size 1; `axis` counts from 0, or from the end when negative (`ERR_SVD_ARGUMENT`). */
  unsqueeze(axis: number): FactoredMatrix {
    const at = typeof axis === 'number' && axis < 0 ? axis + this.ndim + 1 : axis;
    if (!Number.isInteger(at) || at < 0 || at > this.ndim - 2) {
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `unsqueeze: expected an axis from 0 to ${this.ndim - 2}, got ${shown(axis)}`,
      );
    }
    return new FactoredMatrix(insertAxis(this.A, at), insertAxis(this.B, at));
  }

  /** The upper left k×k corner of every matrix, `[..., min(k, l), min(k, r)]`. */
  getCorner(k = 3): Tensor {
    if (!Number.isInteger(k) || k < 0) {
      throw svdError('ERR_SVD_ARGUMENT', `getCorner: expected an integer ≥ 0, got ${shown(k)}`);
    }
    const [row, column] = [this.ndim - 2, this.ndim - 1];
    const top = sliceAxis(this.A, row, 0, Math.min(k, this.ldim));
    return runSync(matrixProduct(top, sliceAxis(this.B, column, 0, Math.min(k, this.rdim))));
  }

  /**
   * The part that `index` selects, kept factored: leading dimensions first, then row, then column. An integer drops a
   * leading dimension but keeps a row or column as size 1; arrays gather, each along its own axis; `null` adds a
   * leading dimension.
   *
   * @throws `ERR_SVD_ARGUMENT` for an index out of range, of another kind, or too many of them
   */
  at(...index: readonly Index[]): FactoredMatrix {
    const leading = this.ndim - 2;
    let used = 0;
    let split = 0; // entries of `index` for the leading dimensions
    for (const entry of index) {
      if (entry !== null && ++used > leading) break;
      split++;
    }
    const [row, column, ...rest] = index.slice(split);
    if (rest.length > 0) {
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `at: ${used + rest.length + 1} indices for shape ${showShape(this.shape)}`,
      );
    }
    if (row === null || column === null) {
      throw svdError('ERR_SVD_ARGUMENT', 'at: a new axis must stand before the index of the row');
    }
    const A = selectLeading(this.A, index.slice(0, split));
    const B = selectLeading(this.B, index.slice(0, split));
    return new FactoredMatrix(
      row === undefined ? A : select(A, A.shape.length - 2, row, 'row index'),
      column === undefined ? B : select(B, B.shape.length - 1, column, 'column index'),
    );
  }

  toString(): string {
    return `FactoredMatrix: Shape(${showShape(this.shape)}), Hidden Dim(${this.mdim})`;
  }

  [inspect.custom](): string {
    return `FactoredMatrix ${showShape(this.shape)} = ${showShape(this.A.shape)} · ${showShape(this.B.shape)} ${dtypeOf(this.A)}`;
  }

  // ------------------------------------------------------------------------------------------ helpers

  /** For computations that read the factors more than once or at different times: over copies of them. */
  #offThread<T>(steps: (A: Tensor, B: Tensor) => Steps<T>, options: AsyncOptions): Promise<T> {
    const overCopies = function* (factors: readonly Tensor[]): Steps<T> {
      const [A, B] = yield* ownedTensors(factors);
      return yield* steps(A, B);
    };
    return runAsync(overCopies(this.pair), options);
  }

  *#formV(svd: Svd): Steps<Tensor> {
    const V = this.#cache.V ?? (yield* transposedVh(svd));
    this.#cache.V ??= V;
    return this.#cache.V;
  }

  /** `V·diag(1/S) · Uᵀ` */
  *#inverse(svd: Svd, tol: number | undefined): Steps<FactoredMatrix> {
    const inverse = pseudoInverseValues(svd, this.ldim, this.rdim, tol);
    return new FactoredMatrix(yield* scaleColumns(yield* this.#formV(svd), inverse), swapLast(svd.U));
  }

  /** The decomposition where it is known, else one without vectors. */
  #spectrum(): Spectrum {
    this.#cache.spectrum ??= this.#cache.svd ?? runSync(productSvd(this.A, this.B, { vectors: 'none' }));
    return this.#cache.spectrum;
  }

  async #spectrumAsync(options: AsyncOptions): Promise<Spectrum> {
    options.signal?.throwIfAborted();
    const known = this.#cache.spectrum ?? this.#cache.svd;
    const steps = () => productSvd(this.A, this.B, { vectors: 'none', foreign: true });
    const spectrum = known ?? (await runAsync(steps(), options));
    this.#cache.spectrum ??= spectrum;
    return this.#cache.spectrum;
  }

  get #mostTriplets(): number {
    return Math.min(this.ldim, this.mdim, this.rdim);
  }

  #cached({ rank }: ProductSvdOptions): Svd | undefined {
    return rank === undefined ? this.#cache.svd : undefined;
  }

  /** The decomposition for another result: no matrix of the batch may fail, whatever else the options say. */
  #completeAsync({ signal, onProgress }: AsyncOptions, rank?: number): Promise<Svd> {
    return this.svdAsync({ signal, onProgress, rank });
  }

  /** Into the cache, unless it is truncated, another call was first, or matrices of the batch failed. */
  #keep(svd: Svd, { rank }: ProductSvdOptions): Svd {
    if (rank !== undefined || svd.errors.length > 0) return svd;
    this.#cache.svd ??= svd;
    return this.#cache.svd;
  }

  /** A·(B·x), `[..., l]`. */
  #timesVector(x: Tensor): Tensor {
    const inner = runSync(matrixProduct(this.B, insertAxis(x, 1), [this.B, x]));
    const column = runSync(matrixProduct(this.A, inner));
    return dropAxis(column, column.shape.length - 1);
  }

  #mustBeSquare(member: string): void {
    if (this.ldim === this.rdim) return;
    throw svdError('ERR_SVD_SHAPE', `${member}: needs a square matrix, got shape ${showShape(this.shape)}`);
  }

  #mustFit(left: readonly number[], right: readonly number[]): never {
    throw svdError(
      'ERR_SVD_SHAPE',
      `matmul: inner dimensions of ${showShape(left)} and ${showShape(right)} differ`,
    );
  }
}

function isThreeSvd({ algorithm = 'product' }: ProductSvdOptions): boolean {
  if (algorithm === 'product' || algorithm === 'three-svd') return algorithm === 'three-svd';
  throw svdError('ERR_SVD_ARGUMENT', `algorithm: expected 'product' or 'three-svd', got ${shown(algorithm)}`);
}

function asScalar(x: number | MatrixLike): number {
  const value = typeof x === 'number' ? x : onlyElement(asTensor(x, 'mul', 0));
  if (Number.isFinite(value)) return value;
  throw svdError('ERR_SVD_ARGUMENT', `mul: expected a finite number, got ${shown(value)}`);
}

function onlyElement(x: Tensor): number {
  if (x.size === 1) return x.data[x.offset];
  throw svdError(
    'ERR_SVD_SHAPE',
    `mul: expected one element, got shape ${showShape(x.shape)}; for a matrix use matmul`,
  );
}

import { inspect } from 'node:util';
import { contiguousCopy, matrixProduct, scaleColumns, scaled } from './algorithms/arithmetic.ts';
import { copyOfSpectrum, even, legacy, transposedVh, withoutU, withoutVh } from './algorithms/derived.ts';
import { type Eigenvalues, eigenvaluesOf } from './algorithms/eigenvalues.ts';
import { asScalar, cornerOf, partOf, timesVector } from './algorithms/factors.ts';
import { Known } from './algorithms/known.ts';
import {
  broadcastFactors,
  type Factored,
  isFactored,
  keepFactors,
  type StoredFactors,
} from './algorithms/operands.ts';
import { checkRank } from './algorithms/product.ts';
import type { LegacySvd, PerMatrix, Svd, TruncatedSvd } from './algorithms/result.ts';
import { cond, type Norm, pseudoInverseValues, rank, type Tolerance } from './algorithms/spectrum.ts';
import { entering, exposed, exposeMembers } from './arguments/boundary.ts';
import { warnLegacy } from './arguments/deprecation.ts';
import { factoredSignatures } from './arguments/factored.ts';
import {
  checkKind,
  checkTruncation,
  norms,
  type ProductSvdOptions,
  type ToleranceOptions,
  type Truncating,
} from './arguments/options.ts';
import { shown, svdError } from './array/errors.ts';
import type { Index } from './array/indexing.ts';
import { asInput, type MatrixLike } from './array/input.ts';
import {
  cols,
  type Dtype,
  type FloatArray,
  frozenView,
  type Input,
  insertAxis,
  rows,
  showShape,
  swapLast,
  type Tensor,
} from './array/tensor.ts';
import type {
  DataOf,
  LargerRank,
  Matrix,
  MatrixOf,
  NumberPer,
  Promoted,
  RankOf,
  ShapeOf,
  VectorOf,
} from './array/types.ts';
import { floats } from './native/owned.ts';
import { type AsyncOptions, afterwards, runAsync, runSync, type Steps } from './native/steps.ts';

/** What `FactoredMatrix.matmul` and `rmatmul` give: a vector for a vector, else again a product. */
export type TimesFactored<D extends FloatArray, N extends PerMatrix, X> =
  RankOf<X> extends 1
    ? VectorOf<Promoted<D, DataOf<X>>, N>
    : 1 extends RankOf<X>
      ? FactoredMatrix | Tensor<Promoted<D, DataOf<X>>>
      : FactoredMatrix<Promoted<D, DataOf<X>>, NumberPer<LargerRank<RankPer<N>, RankOf<X>>>>;

type RankPer<N> = N extends number ? 2 : 3;

/** What `FactoredMatrix` is as a value: a class. */
export interface FactoredMatrixConstructor {
  /**
   * The product A·B, by its factors; their leading dimensions broadcast.
   *
   * @param A `[..., l, k]`
   * @param B `[..., k, r]`
   * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` (inner dimensions differ, or leading ones do not broadcast)
   */
  new <A extends MatrixLike = MatrixLike, B extends MatrixLike = MatrixLike>(
    A: A,
    B: B,
  ): FactoredMatrix<Promoted<DataOf<A>, DataOf<B>>, NumberPer<LargerRank<RankOf<A>, RankOf<B>>>>;
  /**
   * `x` itself, or the same factors from another copy of this package.
   *
   * @throws `ERR_SVD_ARGUMENT` for anything else
   */
  from<D extends FloatArray, N extends PerMatrix>(x: FactoredMatrix<D, N>): FactoredMatrix<D, N>;
  /**
   * A factored matrix from what has the factors A and B of one.
   *
   * @throws `ERR_SVD_ARGUMENT` for anything else
   */
  from(x: Factored): FactoredMatrix;
  /** @internal */
  readonly prototype: FactoredMatrix;
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
 *
 * `D` is the element type, `N` what one number per matrix is: `number`, or an ndarray for a batch.
 */
export interface FactoredMatrix<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix>
  extends Product<D, N> {}

const computed = new WeakMap<FactoredMatrix, Known<FloatArray, PerMatrix>>();

/** What functions of a `FactoredMatrix` share with its members, which keep what they find. */
export const knownOf = (M: FactoredMatrix): Known<FloatArray, PerMatrix> =>
  computed.get(M) as Known<FloatArray, PerMatrix>;

class Product<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> implements Factored {
  /** `[..., l, r]` */
  readonly shape: ShapeOf<N>;
  /** As they are stored, which may be as 16-bit floats, or in another dtype than the other. */
  readonly #stored: StoredFactors;
  readonly #dtype: Dtype;
  #A?: Tensor;
  #B?: Tensor;
  /** Handed out as copies only: what is written into a result, or transferred away with it, changes no later answer. */
  /** What has been computed of it. */
  readonly #known: Known<D, N>;

  /** @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` (inner dimensions differ, or leading ones do not broadcast) */
  constructor(A: MatrixLike, B: MatrixLike) {
    // biome-ignore lint/complexity/noArguments: surplus ones are an error
    const factors = entering(Product, 'FactoredMatrix', { takes: ['A', 'B'] }, [...arguments], () =>
      broadcastFactors(A, B),
    );
    this.#stored = { A: factors.A, B: factors.B };
    this.#dtype = factors.dtype;
    this.#known = new Known(this.#stored, this.#dtype);
    computed.set(this, this.#known);
    keepFactors(this, this.#stored);
    this.shape = factors.shape as ShapeOf<N>;
  }

  /** `x` itself, or the same factors from another copy of this package. */
  static from(x: Factored): FactoredMatrix {
    if (isFactored(x) && x instanceof Product) return x as Product;
    if (isFactored(x)) return new FactoredMatrix(x.A, x.B);
    throw svdError('ERR_SVD_ARGUMENT', `FactoredMatrix.from: expected a factored matrix, got ${shown(x)}`);
  }

  /** `[..., l, k]`, leading dimensions broadcast; widened when it is first asked for. */
  get A(): MatrixOf<D, N> {
    this.#A ??= frozenView(runSync(floats(this.#stored.A, this.#dtype)));
    return this.#A as MatrixOf<D, N>;
  }
  /** `[..., k, r]`, leading dimensions broadcast; widened when it is first asked for. */
  get B(): MatrixOf<D, N> {
    this.#B ??= frozenView(runSync(floats(this.#stored.B, this.#dtype)));
    return this.#B as MatrixOf<D, N>;
  }
  /** Number of dimensions, those of the batch included. */
  get ndim(): number {
    return this.shape.length;
  }
  /** l, the rows of A. */
  get ldim(): number {
    return rows(this.#stored.A);
  }
  /** k, the inner dimension. */
  get mdim(): number {
    return cols(this.#stored.A);
  }
  /** r, the columns of B. */
  get rdim(): number {
    return cols(this.#stored.B);
  }
  /** Whether this is a batch of matrices. */
  get hasLeadingDims(): boolean {
    return this.ndim > 2;
  }
  /** Both factors. */
  get pair(): readonly [A: MatrixOf<D, N>, B: MatrixOf<D, N>] {
    return [this.A, this.B];
  }

  /** The product, `[..., l, r]`; formed on every call. */
  get AB(): MatrixOf<D, N> {
    return runSync(matrixProduct(this.#stored.A, this.#stored.B)) as MatrixOf<D, N>;
  }

  /** The product the other way round, `[..., k, k]`; needs l = r (`ERR_SVD_SHAPE`). */
  get BA(): MatrixOf<D, N> {
    this.#mustBeSquare('BA');
    return runSync(matrixProduct(this.#stored.B, this.#stored.A)) as MatrixOf<D, N>;
  }

  /** The transpose, `Bᵀ·Aᵀ`: views of the same factors. */
  get T(): FactoredMatrix<D, N> {
    return product(swapLast(this.#stored.B), swapLast(this.#stored.A));
  }

  // ------------------------------------------------------------------------------------------ decomposition

  /**
   * `M ≈ U · diag(S) · Vh` without forming an M that is larger than its factors: U `[..., l, p]`, S `[..., p]`,
   * Vh `[..., p, r]`, p = min(l, k, r). The arrays are the caller's own. The first call hands out what it has computed
   * and keeps S alone; a second one computes again and keeps a copy, which later calls copy in turn (unless `rank` or
   * another `algorithm` is asked for, or some matrices of the batch failed). After Golub, Sølna, Van Dooren (2000);
   * docs/numerics.md has the algorithm and derives `bound`.
   *
   * With `rank`, `tol` or `energy` the leading triplets alone, with `truncationError`, `residuals` and `certified`, which is
   * true of every matrix that did not fail.
   *
   * @throws `ERR_SVD_ARGUMENT` for an option that does not exist, for two of `rank`, `tol` and `energy`, or a `rank` that is no
   *   integer from 0 to p
   */
  svd(options: ProductSvdOptions & Truncating): TruncatedSvd<D, N>;
  svd(options?: ProductSvdOptions): Svd<D, N>;
  svd(options: ProductSvdOptions = {}): Svd<D, N> {
    checkTruncation(options, 'FactoredMatrix.svd');
    return runSync(this.#known.decomposition(options));
  }

  /** `svd` off the event loop. */
  async svdAsync(options: ProductSvdOptions & Truncating & AsyncOptions): Promise<TruncatedSvd<D, N>>;
  async svdAsync(options?: ProductSvdOptions & AsyncOptions): Promise<Svd<D, N>>;
  async svdAsync({
    signal,
    onProgress,
    ...options
  }: ProductSvdOptions & AsyncOptions = {}): Promise<Svd<D, N>> {
    checkTruncation(options, 'FactoredMatrix.svdAsync');
    return runAsync(this.#known.decomposition(options, true), { signal, onProgress });
  }

  /** Singular values alone, `[..., p]`: cheaper than `svd`, equal to its S within `bound`. Computed once. */
  svdvals(): VectorOf<D, N> {
    return copyOfSpectrum(runSync(this.#known.spectrum())).S;
  }

  /** `svdvals` off the event loop. */
  async svdvalsAsync(options: AsyncOptions = {}): Promise<VectorOf<D, N>> {
    return copyOfSpectrum(await runAsync(this.#known.spectrum(true), options)).S;
  }

  /**
   * `{ U, S, V }` with `M ≈ U · diag(S) · Vᵀ`, what TransformerLens' `FactoredMatrix.svd` returns.
   *
   * @deprecated Use `svd`, which returns `Vh`. Emits one `DeprecationWarning`, code `FSVD_DEP0001`, per process.
   */
  svdLegacy(): LegacySvd<D, N> {
    warnLegacy();
    return runSync(legacy(this.svd()));
  }

  /**
   * `svdLegacy` off the event loop.
   *
   * @deprecated Use `svdAsync`, which returns `Vh`.
   */
  async svdLegacyAsync(options: AsyncOptions = {}): Promise<LegacySvd<D, N>> {
    warnLegacy();
    return afterwards(legacy(await this.svdAsync(options)), options);
  }

  /** A copy of U, whose decomposition is computed once. */
  get U(): MatrixOf<D, N> {
    return runSync(contiguousCopy(runSync(this.#known.whole()).U));
  }
  /** A copy of S. */
  get S(): VectorOf<D, N> {
    return copyOfSpectrum(runSync(this.#known.whole())).S;
  }
  /** A copy of Vᵀ, `[..., p, r]`. */
  get Vh(): MatrixOf<D, N> {
    return runSync(contiguousCopy(runSync(this.#known.whole()).Vh));
  }
  /** V, `[..., r, p]`. */
  get V(): MatrixOf<D, N> {
    return runSync(transposedVh(runSync(this.#known.whole())));
  }

  // -------------------------------------------------------------------------------------- one number per matrix

  /**
   * Norm of M, without forming it: `'fro'` (default) ‖M‖_F, `'nuc'` the sum of the singular values, `2` the largest.
   *
   * @throws `ERR_SVD_OVERFLOW` when it is not representable
   */
  norm(ord: Norm = 'fro'): N {
    return runSync(this.#norm(ord));
  }

  /** `norm` off the event loop. */
  async normAsync(ord: Norm = 'fro', options: AsyncOptions = {}): Promise<N> {
    return runAsync(this.#norm(ord, true), options);
  }

  /**
   * Number of singular values above the tolerance, per matrix. Default: max(l, r)·ε·σ₁, and no less than `bound`.
   *
   * @throws `ERR_SVD_ARGUMENT` unless `tol` and `rtol` are numbers ≥ 0
   */
  rank(options: ToleranceOptions = {}): N {
    return rank(runSync(this.#known.spectrum()), this.ldim, this.rdim, options) as N;
  }

  /** `rank` off the event loop. */
  async rankAsync({ signal, onProgress, ...tolerance }: ToleranceOptions & AsyncOptions = {}): Promise<N> {
    const spectrum = await runAsync(this.#known.spectrum(true), { signal, onProgress });
    return rank(spectrum, this.ldim, this.rdim, tolerance) as N;
  }

  /**
   * Condition number σ₁/σ_p, per matrix, of M as a map of rank p = min(l, k, r): zeros that the inner dimension makes
   * certain do not count. `Infinity` when σ_p is 0, or the ratio beyond the largest number.
   *
   * @throws `ERR_SVD_SHAPE` for an empty matrix, which has no singular values
   */
  cond(): N {
    return cond(runSync(this.#known.spectrum())) as N;
  }

  /** `cond` off the event loop. */
  async condAsync(options: AsyncOptions = {}): Promise<N> {
    return cond(await runAsync(this.#known.spectrum(true), options)) as N;
  }

  // -------------------------------------------------------------------------------------- new factored matrices

  /**
   * Moore–Penrose inverse, `[..., r, l]`, kept factored; `tol` and `rtol` say which singular values count as zero, as for
   * `rank`.
   */
  pinv(options: ToleranceOptions = {}): FactoredMatrix<D, N> {
    return runSync(this.#inverse(this.svd(), options));
  }

  /** `pinv` off the event loop. */
  async pinvAsync({
    signal,
    onProgress,
    ...tolerance
  }: ToleranceOptions & AsyncOptions = {}): Promise<FactoredMatrix<D, N>> {
    return afterwards(this.#inverse(await this.svdAsync({ signal, onProgress }), tolerance), { signal });
  }

  /** The same matrix as `(U·√S) · (√S·Vh)`: column j of the left factor and row j of the right one are √σ_j long. */
  makeEven(): FactoredMatrix<D, N> {
    return product(...runSync(even(runSync(this.#known.whole()))));
  }

  /** `makeEven` off the event loop. */
  async makeEvenAsync(options: AsyncOptions = {}): Promise<FactoredMatrix<D, N>> {
    return product(...(await this.#fromKept(even, options)));
  }

  /** The best approximation of rank p: `(U·diag(S))[:, :p] · Vh[:p]`. `ERR_SVD_ARGUMENT` unless 0 ≤ p ≤ min(l, k, r). */
  truncate(p: number): FactoredMatrix<D, N> {
    const svd = runSync(this.#known.leading(checkRank(p, this.#mostTriplets, 'truncate')));
    return product(runSync(withoutVh(svd)), svd.Vh);
  }

  /** `truncate` off the event loop. */
  async truncateAsync(p: number, options: AsyncOptions = {}): Promise<FactoredMatrix<D, N>> {
    const rank = checkRank(p, this.#mostTriplets, 'truncate');
    const svd = await runAsync(this.#known.leading(rank, true), options);
    return product(await afterwards(withoutVh(svd), options), svd.Vh);
  }

  /** `diag(S) · Vh`, `[..., p, r]`: M without its left orthogonal factor. */
  collapseL(): MatrixOf<D, N> {
    return runSync(withoutU(runSync(this.#known.whole())));
  }

  /** `collapseL` off the event loop. */
  async collapseLAsync(options: AsyncOptions = {}): Promise<MatrixOf<D, N>> {
    return this.#fromKept(withoutU, options);
  }

  /** `U · diag(S)`, `[..., l, p]`: M without its right orthogonal factor. */
  collapseR(): MatrixOf<D, N> {
    return runSync(withoutVh(runSync(this.#known.whole())));
  }

  /** `collapseR` off the event loop. */
  async collapseRAsync(options: AsyncOptions = {}): Promise<MatrixOf<D, N>> {
    return this.#fromKept(withoutVh, options);
  }

  /** Eigenvalues of BA, `[..., k]`, by `?geev`: those of M apart from zeros. Needs l = r (`ERR_SVD_SHAPE`). */
  eigenvalues(): Eigenvalues {
    return runSync(eigenvaluesOf(this.BA));
  }

  /** `eigenvalues` off the event loop. */
  async eigenvaluesAsync(options: AsyncOptions = {}): Promise<Eigenvalues> {
    this.#mustBeSquare('eigenvalues');
    return runAsync(this.#known.eigenvalues(), options);
  }

  // ------------------------------------------------------------------------------------------ products

  /**
   * `this · x`: a vector `[r]` gives a vector `[..., l]`; a matrix `[..., r, n]` becomes part of the factor that keeps the
   * inner dimension smallest.
   *
   * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`
   */
  matmul<X extends MatrixLike | Factored>(x: X): TimesFactored<D, N, X>;
  matmul(x: MatrixLike | Factored): FactoredMatrix | Tensor {
    if (isFactored(x)) return (this.matmul(x.A as Matrix) as FactoredMatrix).matmul(x.B as Matrix);
    const right = asInput(x, 'x', 1);
    const inner = right.shape.length === 1 ? right.shape[0] : rows(right);
    if (inner !== this.rdim) throw unfit(this.shape, right.shape);
    if (right.shape.length === 1) return runSync(timesVector(this.A, this.B, right));
    return this.rdim > this.mdim
      ? product(this.#stored.A, runSync(matrixProduct(this.B, right)))
      : product(this.AB, right);
  }

  /**
   * `x · this`: a vector `[l]` gives a vector `[..., r]`; a matrix `[..., n, l]` becomes part of the factor that keeps the
   * inner dimension smallest.
   *
   * @throws as `matmul`
   */
  rmatmul<X extends MatrixLike | Factored>(x: X): TimesFactored<D, N, X>;
  rmatmul(x: MatrixLike | Factored): FactoredMatrix | Tensor {
    if (isFactored(x)) return FactoredMatrix.from(x).matmul(this as Factored) as FactoredMatrix;
    const left = asInput(x, 'x', 1);
    if (left.shape[left.shape.length - 1] !== this.ldim) throw unfit(left.shape, this.shape);
    if (left.shape.length === 1) return this.T.matmul(left) as Tensor;
    return this.ldim > this.mdim
      ? product(runSync(matrixProduct(left, this.A)), this.#stored.B)
      : product(left, this.AB);
  }

  /**
   * `scalar · this`, applied to A.
   *
   * @param scalar a finite number, or an array of one element
   * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` for anything else; `ERR_SVD_OVERFLOW`
   */
  mul(scalar: number | MatrixLike): FactoredMatrix<D, N> {
    return product(runSync(scaled(this.A, asScalar(scalar))), this.#stored.B);
  }

  // ------------------------------------------------------------------------------------------ views and parts

  /** A new leading dimension of size 1; `axis` counts from 0, or from the end when negative (`ERR_SVD_ARGUMENT`). */
  unsqueeze(axis: number): FactoredMatrix<D, Tensor<Float64Array>> {
    const at = typeof axis === 'number' && axis < 0 ? axis + this.ndim + 1 : axis;
    if (!Number.isInteger(at) || at < 0 || at > this.ndim - 2) {
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `unsqueeze: expected an axis from 0 to ${this.ndim - 2}, got ${shown(axis)}`,
      );
    }
    return product(insertAxis(this.#stored.A, at), insertAxis(this.#stored.B, at));
  }

  /**
   * The upper left k×k corner of every matrix, `[..., min(k, l), min(k, r)]`.
   *
   * @throws `ERR_SVD_ARGUMENT` unless k is an integer ≥ 0
   */
  getCorner(k = 3): MatrixOf<D, N> {
    if (!Number.isInteger(k) || k < 0) {
      throw svdError('ERR_SVD_ARGUMENT', `getCorner: expected an integer ≥ 0, got ${shown(k)}`);
    }
    const { A, B } = cornerOf(this.#stored, k + 0);
    return runSync(matrixProduct(A, B)) as MatrixOf<D, N>;
  }

  /**
   * The part that `index` selects, kept factored: leading dimensions first, then row, then column. An integer drops a
   * leading dimension but keeps a row or column as size 1; arrays gather, each along its own axis; `null` adds a
   * leading dimension.
   *
   * @throws `ERR_SVD_ARGUMENT` for an index out of range, of another kind, or too many of them
   */
  at(...index: readonly Index[]): FactoredMatrix<D> {
    const { A, B } = partOf(this.#stored, index);
    return product(A, B);
  }

  /** Shape and inner dimension, in the words of TransformerLens. */
  toString(): string {
    return `FactoredMatrix: Shape(${showShape(this.shape)}), Hidden Dim(${this.mdim})`;
  }

  /** @internal */
  [inspect.custom](): string {
    return `FactoredMatrix ${showShape(this.shape)} = ${showShape(this.#stored.A.shape)} · ${showShape(this.#stored.B.shape)} ${this.#dtype}`;
  }

  // ------------------------------------------------------------------------------------------ helpers

  /** What is made of the decomposition, off the event loop. */
  async #fromKept<T>(make: (svd: Svd<D, N>) => Steps<T>, options: AsyncOptions): Promise<T> {
    return afterwards(make(await runAsync(this.#known.whole(true), options)), options);
  }

  *#norm(ord: Norm, foreign = false): Steps<N> {
    return yield* this.#known.norm(checkKind(ord, norms, 'norm'), foreign);
  }

  /** `V·diag(1/S) · Uᵀ` */
  *#inverse(svd: Svd<D, N>, tolerance: Tolerance): Steps<FactoredMatrix<D, N>> {
    const inverse = pseudoInverseValues(svd, this.ldim, this.rdim, tolerance);
    return product(
      yield* scaleColumns(yield* transposedVh(svd), inverse),
      yield* contiguousCopy(swapLast(svd.U)),
    );
  }

  get #mostTriplets(): number {
    return Math.min(this.ldim, this.mdim, this.rdim);
  }

  #mustBeSquare(member: string): void {
    if (this.ldim === this.rdim) return;
    throw svdError('ERR_SVD_SHAPE', `${member}: needs a square matrix, got shape ${showShape(this.shape)}`);
  }
}

Object.defineProperty(Product, 'name', { value: 'FactoredMatrix' }); // as users know it

Product.from = exposed({ takes: ['x'] }, Product.from, 'FactoredMatrix.from');
exposeMembers(Product, factoredSignatures);

/** The class of factored matrices; its members are those of the interface of the same name. */
export const FactoredMatrix = Product as FactoredMatrixConstructor;

/** A product whose types its caller knows. */
const product = <D extends FloatArray, N extends PerMatrix>(A: Input, B: Input): FactoredMatrix<D, N> =>
  new Product<D, N>(A, B);

const unfit = (left: readonly number[], right: readonly number[]) =>
  svdError('ERR_SVD_SHAPE', `matmul: inner dimensions of ${showShape(left)} and ${showShape(right)} differ`);

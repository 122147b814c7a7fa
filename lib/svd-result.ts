import type { SvdError } from './errors.ts';
import type { DenseDriver } from './kernels.ts';
import { type Tensor, tensor } from './views.ts';

/** One number per matrix: a number, or an ndarray of the leading dimensions. */
export type PerMatrix = number | Tensor<Float64Array>;

/** How a matrix was decomposed: the routine for a dense one; for a product its two factors and its core. */
export type Driver =
  | DenseDriver
  | `${FactorDriver}/${FactorDriver}/${DenseDriver | 'eigen'}`
  | 'three-svd'
  | 'failed';

/**
 * How a factor was decomposed: by Cholesky QR, by CholeskyQR2, by Householder, by Householder in blocks of rows; or not at
 * all, where it is not tall or where its Gram matrix was enough.
 */
export type FactorDriver = 'gram' | 'cholesky' | 'cholesky2' | 'householder' | 'tsqr' | 'direct';

/** A singular value decomposition: `a ≈ U · diag(S) · Vh`. Frozen, and iterable as `[U, S, Vh]`. */
export class Svd {
  /** Left singular vectors, `[..., m, p]`. */
  readonly U: Tensor;
  /** Singular values, descending, `[..., p]`. */
  readonly S: Tensor;
  /** Right singular vectors as rows, `[..., p, n]`: Vᵀ, not V. */
  readonly Vh: Tensor;
  /** Largest error to expect in a singular value, per matrix; docs/numerics.md derives it. */
  readonly bound: PerMatrix;
  /** Which path gave the result: one name, or one per matrix in row-major order where there are leading dimensions. */
  readonly driver: Driver | readonly Driver[];
  /** With `onError: 'collect'`, an error for every matrix that could not be decomposed; else empty. */
  readonly errors: readonly SvdError[];
  /**
   * The singular value that follows the last of S, per matrix: what decides how well the last vectors of a truncated
   * decomposition are determined. 0 where S holds all that the factors of a product can have; absent where it holds
   * min(m, n). Not enumerable.
   */
  declare readonly next: PerMatrix | undefined;

  constructor(
    U: Tensor,
    S: Tensor,
    Vh: Tensor,
    bound: PerMatrix,
    driver: Driver | readonly Driver[],
    errors: readonly SvdError[] = [],
    next?: PerMatrix,
  ) {
    this.U = U;
    this.S = S;
    this.Vh = Vh;
    this.bound = bound;
    this.driver = driver;
    this.errors = Object.freeze(errors);
    Object.defineProperty(this, 'next', { value: next });
    Object.freeze(this);
  }

  *[Symbol.iterator](): Generator<Tensor, void> {
    yield this.U;
    yield this.S;
    yield this.Vh;
  }
}

/** `a ≈ U · diag(S) · Vᵀ`, as `torch.svd` returns it. Frozen, and iterable as `[U, S, V]`. */
export class LegacySvd {
  readonly U: Tensor;
  readonly S: Tensor;
  /** Right singular vectors as columns, `[..., n, p]`. */
  readonly V: Tensor;

  constructor(U: Tensor, S: Tensor, V: Tensor) {
    this.U = U;
    this.S = S;
    this.V = V;
    Object.freeze(this);
  }

  *[Symbol.iterator](): Generator<Tensor, void> {
    yield this.U;
    yield this.S;
    yield this.V;
  }
}

/** `values`, one per matrix, in the form that the leading dimensions ask for. */
export function perMatrix(values: Float64Array, leading: readonly number[]): PerMatrix {
  return leading.length === 0 ? values[0] : tensor(values, leading);
}

export function perMatrixNames<T>(values: T[], leading: readonly number[]): T | readonly T[] {
  return leading.length === 0 ? values[0] : Object.freeze(values);
}

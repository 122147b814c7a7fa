import { inspect } from 'node:util';
import type { MatrixOf, PerMatrix, VectorOf } from './array-types.ts';
import type { SvdError } from './errors.ts';
import type { DenseDriver } from './kernels.ts';
import {
  type ArrayJson,
  arrayJson,
  type ErrorJson,
  errorJson,
  perMatrixJson,
  shownDecomposition,
  shownNames,
  shownPerMatrix,
} from './shown-results.ts';
import { likeTuple } from './tuple.ts';
import { type FloatArray, tensor } from './views.ts';

export type { PerMatrix } from './array-types.ts';

/**
 * How a matrix was decomposed. A dense one: `gesdd-blocked`, the steps of `?gesdd` by kernels of this library; or the routine
 * of LAPACK itself, `gesdd`, `gesvd`, `gesvd-scaled` or `gejsv`, for square factors and where those did not converge. A product: how its left factor, its right factor
 * and its core were, for example `cholesky/householder/jacobi`; docs/numerics.md says when.
 */
export type Driver =
  | DenseDriver
  | `${FactorDriver}/${FactorDriver}/${DenseDriver | 'eigen'}`
  | 'three-svd'
  | 'failed';

/**
 * How a factor was decomposed: by Cholesky QR, by CholeskyQR2, by Householder, by Householder in blocks of rows; or not at
 * all, where it is not tall or where its Gram matrix was enough.
 *
 * @inline
 */
export type FactorDriver = 'gram' | 'cholesky' | 'cholesky2' | 'householder' | 'tsqr' | 'direct';

type Triple<D extends FloatArray, N extends PerMatrix> = readonly [
  U: MatrixOf<D, N>,
  S: VectorOf<D, N>,
  Vh: MatrixOf<D, N>,
];

/**
 * A singular value decomposition: `a ≈ U · diag(S) · Vh`. Frozen, and a readonly tuple `[U, S, Vh]`; its arrays are the
 * caller's own. `D` is the element type, `N` what one number per matrix is: `number`, or an ndarray for a batch.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: likeTuple gives the class what the interface says
export class Svd<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> {
  /** Left singular vectors, `[..., m, p]`. */
  readonly U: MatrixOf<D, N>;
  /** Singular values, descending, `[..., p]`. */
  readonly S: VectorOf<D, N>;
  /** Right singular vectors as rows, `[..., p, n]`: Vᵀ, not V. */
  readonly Vh: MatrixOf<D, N>;
  /** Largest error to expect in a singular value, per matrix; docs/numerics.md derives it. */
  readonly bound: N;
  /** Which path gave the result: one name, or one per matrix in row-major order where there are leading dimensions. */
  readonly driver: N extends number ? Driver : readonly Driver[];
  /** With `onError: 'collect'`, an error for every matrix that could not be decomposed; else empty. */
  readonly errors: readonly SvdError[];
  /**
   * The singular value that follows the last of S, per matrix: what decides how well the last vectors of a truncated
   * decomposition are determined. 0 where S holds all that the factors of a product can have; absent where it holds
   * min(m, n). Not enumerable.
   */
  declare readonly next: N | undefined;

  /** @internal */
  constructor(
    U: MatrixOf<D, N>,
    S: VectorOf<D, N>,
    Vh: MatrixOf<D, N>,
    bound: N,
    driver: N extends number ? Driver : readonly Driver[],
    errors: readonly SvdError[] = [],
    next?: N,
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

  /** Plain arrays with their shapes, elements in row-major order. */
  toJSON(): SvdJson {
    return {
      U: arrayJson(this.U),
      S: arrayJson(this.S),
      Vh: arrayJson(this.Vh),
      bound: perMatrixJson(this.bound),
      ...(this.next !== undefined && { next: perMatrixJson(this.next) }),
      driver: this.driver,
      errors: this.errors.map(errorJson),
    };
  }

  /** @internal */
  [inspect.custom](): string {
    const { U, S, Vh, bound, driver, errors } = this;
    const more = { bound: shownPerMatrix(bound), driver: shownNames(driver) };
    return shownDecomposition(
      'Svd',
      { U, S, Vh },
      errors.length > 0 ? { ...more, errors: String(errors.length) } : more,
    );
  }
}
export interface Svd<D extends FloatArray, N extends PerMatrix> extends Triple<D, N> {}
likeTuple(Svd, ['U', 'S', 'Vh']);

/** What `JSON.stringify` makes of an `Svd`. */
export interface SvdJson {
  /** Left singular vectors, `[..., m, p]`. */
  readonly U: ArrayJson;
  /** Singular values, `[..., p]`. */
  readonly S: ArrayJson;
  /** Right singular vectors as rows, `[..., p, n]`. */
  readonly Vh: ArrayJson;
  /** Largest error to expect in a singular value, per matrix. */
  readonly bound: number | ArrayJson;
  /** The singular value after the last of S, per matrix; of a truncated decomposition. */
  readonly next?: number | ArrayJson;
  /** How it was decomposed, per matrix. */
  readonly driver: Driver | readonly Driver[];
  /** An error for every matrix that could not be decomposed. */
  readonly errors: readonly ErrorJson[];
}

type LegacyTriple<D extends FloatArray, N extends PerMatrix> = readonly [
  U: MatrixOf<D, N>,
  S: VectorOf<D, N>,
  V: MatrixOf<D, N>,
];

/** `a ≈ U · diag(S) · Vᵀ`, as `torch.svd` returns it. Frozen, and a readonly tuple `[U, S, V]`. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: likeTuple gives the class what the interface says
export class LegacySvd<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> {
  /** Left singular vectors, `[..., m, p]`. */
  readonly U: MatrixOf<D, N>;
  /** Singular values, descending, `[..., p]`. */
  readonly S: VectorOf<D, N>;
  /** Right singular vectors as columns, `[..., n, p]`. */
  readonly V: MatrixOf<D, N>;

  /** @internal */
  constructor(U: MatrixOf<D, N>, S: VectorOf<D, N>, V: MatrixOf<D, N>) {
    this.U = U;
    this.S = S;
    this.V = V;
    Object.freeze(this);
  }

  /** Plain arrays with their shapes, elements in row-major order. */
  toJSON(): Record<'U' | 'S' | 'V', ArrayJson> {
    return { U: arrayJson(this.U), S: arrayJson(this.S), V: arrayJson(this.V) };
  }

  /** @internal */
  [inspect.custom](): string {
    return shownDecomposition('LegacySvd', { U: this.U, S: this.S, V: this.V });
  }
}
export interface LegacySvd<D extends FloatArray, N extends PerMatrix> extends LegacyTriple<D, N> {}
likeTuple(LegacySvd, ['U', 'S', 'V']);

/** `values`, one per matrix, in the form that the leading dimensions ask for. */
export function perMatrix(values: Float64Array, leading: readonly number[]): PerMatrix {
  return leading.length === 0 ? values[0] : tensor(values, leading);
}

export function perMatrixNames<T>(values: T[], leading: readonly number[]): T | readonly T[] {
  return leading.length === 0 ? values[0] : Object.freeze(values);
}

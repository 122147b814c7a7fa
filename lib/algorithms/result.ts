import { inspect } from 'node:util';
import type { FloatArray } from '../array/elements.ts';
import type { SvdError } from '../array/errors.ts';
import { itemOffsets } from '../array/indexing.ts';
import { dtypeOf, showShape, type Tensor, tensor } from '../array/tensor.ts';
import type { MatrixOf, PerMatrix, VectorOf } from '../array/types.ts';
import type { DenseDriver } from '../native/kernels.ts';

const mutating = new Set(
  'constructor copyWithin fill pop push reverse shift sort splice toLocaleString toString unshift'.split(' '),
);

/**
 * Makes the instances of a class behave like a readonly tuple of some of their fields: indices, length, iteration and all
 * methods of an array that change nothing. They stay objects: `Array.isArray` is false, and their keys are their fields.
 */
function likeTuple(
  { prototype }: abstract new (...args: never[]) => object,
  fields: readonly string[],
): void {
  for (const key of Reflect.ownKeys(Array.prototype)) {
    const method = Array.prototype[key as keyof unknown[]];
    if (typeof method === 'function' && !mutating.has(key as string))
      Object.defineProperty(prototype, key, { value: method, configurable: true, writable: true });
  }
  fields.forEach((field, i) => {
    Object.defineProperty(prototype, i, {
      get(this: Record<string, unknown>) {
        return this[field];
      },
      configurable: true,
    });
  });
  Object.defineProperty(prototype, 'length', { value: fields.length });
  Object.defineProperty(prototype, Symbol.isConcatSpreadable, { value: true });
}

// Results as JSON, and as text for people.

/** An array in JSON: its elements in row-major order. What is not finite is `null` there. */
export interface ArrayJson {
  /** Size of every dimension. */
  readonly shape: readonly number[];
  /** All elements, in row-major order. */
  readonly data: readonly number[];
}

const arrayJson = (x: Tensor): ArrayJson => ({
  shape: [...x.shape],
  data: Array.from(itemOffsets(x, x.shape.length), (offset) => x.data[offset]),
});

/** One number per matrix in JSON. */
const perMatrixJson = (x: Svd['bound']): number | ArrayJson => (typeof x === 'number' ? x : arrayJson(x));

/** An error in JSON. */
export interface ErrorJson {
  /** One of `SvdErrorCode`. */
  readonly code: string;
  /** What went wrong, where, and what was expected. */
  readonly message: string;
  /** Indices of the matrix in the leading dimensions, where there are any. */
  readonly batchIndex?: readonly number[];
}

const errorJson = ({ code, message, batchIndex }: SvdError): ErrorJson => ({
  code,
  message,
  ...(batchIndex && { batchIndex }),
});

/** `float64 [3, 2]` */
const kind = (x: Tensor): string => `${dtypeOf(x)} ${showShape(x.shape)}`;

const short = (x: number): string => String(Number(x.toPrecision(5)));

/** A few of the singular values: `float64 [4] (3.1, 2.2, … 0.1)`. */
function shownValues(S: Tensor): string {
  if (S.shape.length > 1 || S.size === 0) return kind(S);
  const all = Array.from(S.data.subarray(S.offset, S.offset + S.size), short);
  const some = all.length > 4 ? [...all.slice(0, 3), `… ${all.at(-1)}`] : all;
  return `${kind(S)} (${some.join(', ')})`;
}

/** One line for a decomposition, whose last array is called `last`. */
function shownDecomposition(
  name: string,
  { U, S, ...last }: { readonly U: Tensor; readonly S: Tensor } & Record<string, Tensor>,
  more: Record<string, string> = {},
): string {
  const fields = {
    U: kind(U),
    S: shownValues(S),
    ...Object.fromEntries(Object.entries(last).map(([key, x]) => [key, kind(x)])),
    ...more,
  };
  return `${name} { ${Object.entries(fields)
    .map(([key, text]) => `${key}: ${text}`)
    .join(', ')} }`;
}

/** `1.2e-15`, or the dtype and shape. */
const shownPerMatrix = (x: Svd['bound']): string => (typeof x === 'number' ? short(x) : kind(x));

/** The name, or each of several with how many there are. */
function shownNames(names: string | readonly string[]): string {
  if (typeof names === 'string') return names;
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Array.from(counts, ([name, n]) => `${name} (${n})`).join(', ');
}

export type { PerMatrix } from '../array/types.ts';

/**
 * How a matrix was decomposed. A dense one: `gesdd-blocked`, the steps of `?gesdd` by kernels of this library; or a routine of
 * LAPACK itself, `gesdd`, `gesvd`, `gesvd-scaled` or `gejsv`, where that was asked for, for square factors, and where those
 * kernels did not converge;
 * `gram` or `krylov`, where leading triplets were found without decomposing all of it. A
 * product: how its left factor, its right factor and its core were, for example `cholesky/householder/jacobi`.
 * docs/numerics.md says which is taken when.
 */
export type Driver =
  | DenseDriver
  | 'gram'
  | 'krylov'
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
    evidence?: Evidence<N>,
  ) {
    this.U = U;
    this.S = S;
    this.Vh = Vh;
    this.bound = bound;
    this.driver = driver;
    this.errors = Object.freeze(errors);
    Object.defineProperty(this, 'next', { value: next });
    if (evidence) Object.assign(this, evidence);
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
      ...(isTruncated(this) && {
        truncationError: perMatrixJson(this.truncationError),
        residuals: arrayJson(this.residuals),
        certified: this.certified,
      }),
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

/** The evidence of a decomposition that has some. */
export function evidenceOf<N extends PerMatrix>(svd: Svd<FloatArray, N>): Evidence<N> | undefined {
  if (!isTruncated(svd)) return undefined;
  const { truncationError, residuals, certified } = svd;
  return { truncationError, residuals, certified };
}

const isTruncated = <D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): svd is TruncatedSvd<D, N> =>
  'residuals' in svd;

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
  /** Of leading triplets that were asked for: what shows how good they are. */
  readonly truncationError?: number | ArrayJson;
  /** Of every triplet. */
  readonly residuals?: ArrayJson;
  /** Whether no larger singular value was missed, per matrix. */
  readonly certified?: boolean | readonly boolean[];
  /** How it was decomposed, per matrix. */
  readonly driver: Driver | readonly Driver[];
  /** An error for every matrix that could not be decomposed. */
  readonly errors: readonly ErrorJson[];
}

/** What shows how good leading triplets are, all with what rounding can do to these numbers allowed for. */
export interface Evidence<N extends PerMatrix = PerMatrix> {
  /** ‖a − U·diag(S)·Vh‖_F per matrix, and no less. */
  readonly truncationError: N;
  /**
   * `[..., rank]`: η = √((‖a·v − s·u‖² + ‖aᵀ·u − s·v‖²)/2) of every triplet; some singular value lies within η of s.
   */
  readonly residuals: VectorOf<Float64Array, N>;
  /**
   * Per matrix, in row-major order where there are leading dimensions: it is proved that no singular value but those in S
   * is larger than the last of S, by more than `bound`.
   */
  readonly certified: N extends number ? boolean : readonly boolean[];
}

/** The leading triplets of a singular value decomposition, with the evidence for them. */
export type TruncatedSvd<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> = Svd<D, N> &
  Evidence<N>;

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

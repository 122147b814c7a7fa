import { mustBeFinite } from './algorithms/arithmetic.ts';
import { denseSvd } from './algorithms/dense.ts';
import { formedInverse, leastSquares, rightHandSides } from './algorithms/least-squares.ts';
import { type Factored, isFactored, readFactors } from './algorithms/operands.ts';
import { productSvd } from './algorithms/product.ts';
import type { Svd } from './algorithms/result.ts';
import type { Tolerance } from './algorithms/spectrum.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import { asyncOptions, type ToleranceOptions, toleranceOptions } from './arguments/options.ts';
import { type MatrixLike, readInput } from './array/input.ts';
import { cols, dropAxis, dtypeOf, type FloatArray, promote, rows, type Tensor } from './array/tensor.ts';
import type {
  DataOf,
  LargerRank,
  MatrixOf,
  NumberPer,
  PerMatrixOf,
  Promoted,
  RankOf,
  VectorOf,
} from './array/types.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { floats, ownedTensors } from './native/owned.ts';
import { type AsyncOptions, runAsync, runSync, type Steps } from './native/steps.ts';

interface PinvFunction {
  <M extends Factored>(a: M, options?: ToleranceOptions): FactoredMatrix<DataOf<M>, PerMatrixOf<M>>;
  <M extends MatrixLike>(a: M, options?: ToleranceOptions): MatrixOf<DataOf<M>, PerMatrixOf<M>>;
}

function* inverseSteps(a: MatrixLike, tolerance: Tolerance, foreign = false): Steps<Tensor> {
  return yield* formedInverse(yield* denseSvd(yield* readInput(a, 'pinv'), 'thin', { foreign }), tolerance);
}

/**
 * Moore–Penrose inverse, V·diag(1/S)·Uᵀ, as `numpy.linalg.pinv` and `torch.linalg.pinv` mean it: `tol` and `rtol` say which
 * singular values count as zero, as for `matrixRank`, by default those up to max(m, n)·ε·σ₁ (torch's default) or to their
 * `bound`. Of a `FactoredMatrix` its own `pinv`, which is a `FactoredMatrix` again; of a plain matrix a plain one.
 *
 * @param a `[..., m, n]`; leading dimensions are a batch
 * @returns `[..., n, m]`
 * @throws as `svd`; `ERR_SVD_OVERFLOW` also where an inverse is not representable
 * @example pinv([[2, 0], [0, 0]]) // [[0.5, 0], [0, 0]]
 * @function
 */
export const pinv = exposed(
  { takes: ['a'], options: toleranceOptions },
  function pinv(a: MatrixLike | Factored, options: ToleranceOptions = {}): Tensor | FactoredMatrix {
    return isFactored(a) ? FactoredMatrix.from(a).pinv(options) : runSync(inverseSteps(a, options));
  },
) as PinvFunction;

interface PinvAsyncFunction {
  <M extends Factored>(
    a: M,
    options?: ToleranceOptions & AsyncOptions,
  ): Promise<FactoredMatrix<DataOf<M>, PerMatrixOf<M>>>;
  <M extends MatrixLike>(
    a: M,
    options?: ToleranceOptions & AsyncOptions,
  ): Promise<MatrixOf<DataOf<M>, PerMatrixOf<M>>>;
}

/**
 * `pinv` off the event loop, as `svdAsync`.
 *
 * @throws as `pinv`, and `signal.reason` on abort
 * @function
 */
export const pinvAsync = exposedAsync(
  { takes: ['a'], options: { ...toleranceOptions, ...asyncOptions } },
  async function pinvAsync(
    a: MatrixLike | Factored,
    options: ToleranceOptions & AsyncOptions = {},
  ): Promise<Tensor | FactoredMatrix> {
    if (isFactored(a)) return FactoredMatrix.from(a).pinvAsync(options);
    return runAsync(inverseSteps(a, options, true), options);
  },
) as PinvAsyncFunction;

/** What `lstsq` returns; frozen. `D` is the element type, `A` and `B` the arguments. */
export interface LeastSquares<A = MatrixLike, B = MatrixLike> {
  /** The x of least length among those that make ‖a·x − b‖ least: `[..., n]` for a vector b, else `[..., n, k]`. */
  readonly x: RankOf<B> extends 1
    ? VectorOf<Promoted<DataOf<A>, DataOf<B>>, PerMatrixOf<A>>
    : 1 extends RankOf<B>
      ? Tensor<Promoted<DataOf<A>, DataOf<B>>>
      : MatrixOf<Promoted<DataOf<A>, DataOf<B>>, NumberPer<LargerRank<RankOf<A>, RankOf<B>>>>;
  /**
   * ‖b − a·x‖² of every column of b, `[..., k]` (`[..., 1]` for a vector), in float64: 0 or `Infinity` where the square is
   * not representable. As in numpy there are none, `[..., 0]`, unless m > n and a has rank n, in a batch every a.
   */
  readonly residuals: Tensor<Float64Array>;
  /** Of a, as `matrixRank`. */
  readonly rank: PerMatrixOf<A>;
  /** Singular values of a, `[..., p]`. */
  readonly S: VectorOf<Promoted<DataOf<A>, DataOf<B>>, PerMatrixOf<A>>;
}

function* decomposed(a: MatrixLike | Factored, b: MatrixLike, foreign: boolean) {
  const right = yield* readInput(b, 'b', 1);
  const left = isFactored(a) ? yield* readFactors(a, 'a') : { M: yield* readInput(a as MatrixLike, 'a') };
  const shape = 'M' in left ? left.M.shape : [...left.A.shape.slice(0, -2), rows(left.A), cols(left.B)];
  const sides = rightHandSides(right, shape);
  const dtype = Object.values(left).reduce((d, x) => promote(d, dtypeOf(x)), dtypeOf(right));
  const [own] = foreign ? yield* ownedTensors([sides], dtype) : [yield* floats(sides, dtype)];
  const isVector = right.shape.length === 1;
  yield* mustBeFinite(isVector ? dropAxis(own, 1) : own, 'b');
  const wide = (x: Tensor) => floats(x, dtype);
  let svd: Svd;
  if ('M' in left) {
    const same = dtypeOf(left.M) === dtype;
    const [M] = same
      ? [left.M]
      : foreign
        ? yield* ownedTensors([left.M], dtype)
        : [yield* wide(left.M as Tensor)];
    svd = yield* denseSvd(M, 'thin', { foreign: foreign && same });
  } else {
    const same = promote(dtypeOf(left.A), dtypeOf(left.B)) === dtype;
    const both = [left.A, left.B];
    const [A, B] = same
      ? both
      : foreign
        ? yield* ownedTensors(both, dtype)
        : [yield* wide(left.A as Tensor), left.B];
    svd = yield* productSvd(A, B, { foreign: foreign && same });
  }
  return { svd, sides: own, isVector };
}

function* solved(
  a: MatrixLike | Factored,
  b: MatrixLike,
  tolerance: Tolerance,
  foreign = false,
): Steps<LeastSquares> {
  const { svd, sides, isVector } = yield* decomposed(a, b, foreign);
  const { x, residuals, rank } = yield* leastSquares(svd, sides, tolerance);
  return Object.freeze({
    x: isVector ? dropAxis(x as Tensor<FloatArray>, x.shape.length - 1) : x,
    residuals,
    rank,
    S: svd.S,
  }) as LeastSquares;
}

/**
 * Least squares: the x of least length among those that make ‖a·x − b‖ least, by the singular value decomposition of a, as
 * `numpy.linalg.lstsq` means it. Singular values up to `tol` or `rtol`·σ₁ count as zero, as for `matrixRank`; ε is that of
 * the dtype, as in torch.
 *
 * @param a `[..., m, n]`, or a `FactoredMatrix`, which is not formed; leading dimensions are a batch
 * @param b a vector `[m]`, or `[..., m, k]`; leading dimensions broadcast with those of a
 * @returns frozen `{ x, residuals, rank, S }`: x `[..., n]` or `[..., n, k]`, residuals `[..., k]`, rank and S of a
 * @throws `ERR_SVD_SHAPE` with both shapes where a and b differ in m; `ERR_SVD_OVERFLOW` where x is too large; as `svd`
 * @example lstsq([[1, 0], [1, 1], [1, 2]], [1, 3, 5]).x // [1, 2], up to rounding
 * @function
 */
export const lstsq = exposed({ takes: ['a', 'b'], options: toleranceOptions }, function lstsq<
  A extends MatrixLike | Factored,
  B extends MatrixLike,
>(a: A, b: B, options: ToleranceOptions = {}): LeastSquares<A, B> {
  return runSync(solved(a, b, options)) as unknown as LeastSquares<A, B>;
});

/**
 * `lstsq` off the event loop, as `svdAsync`.
 *
 * @throws as `lstsq`, and `signal.reason` on abort
 * @function
 */
export const lstsqAsync = exposedAsync(
  { takes: ['a', 'b'], options: { ...toleranceOptions, ...asyncOptions } },
  async function lstsqAsync<A extends MatrixLike | Factored, B extends MatrixLike>(
    a: A,
    b: B,
    options: ToleranceOptions & AsyncOptions = {},
  ): Promise<LeastSquares<A, B>> {
    return (await runAsync(solved(a, b, options, true), options)) as unknown as LeastSquares<A, B>;
  },
);

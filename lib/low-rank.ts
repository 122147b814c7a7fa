import { checkShare, lowRankOf } from './algorithms/low-rank.ts';
import { type Factored, isFactored, readFactors } from './algorithms/operands.ts';
import type { PerMatrix } from './algorithms/result.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import { asyncOptions, type LowRankOptions, lowRankOptions } from './arguments/options.ts';
import { type MatrixLike, readInput } from './array/input.ts';
import { dtypeOf, type FloatArray, promote } from './array/tensor.ts';
import type { DataOf, PerMatrixOf } from './array/types.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { floats, ownedTensors } from './native/owned.ts';
import { type AsyncOptions, runAsync, runSync, type Steps } from './native/steps.ts';

/** A matrix of low rank as the product `(U·√S)·(√S·Vh)`, and how far it is from the one that it approximates. */
export type LowRank<D extends FloatArray = FloatArray, N extends PerMatrix = PerMatrix> = FactoredMatrix<
  D,
  N
> & {
  /** ‖a − A·B‖_F is no larger, per matrix: as measured in float64, with its own rounding added. */
  readonly truncationError: N;
};

function* steps(a: MatrixLike | Factored, options: LowRankOptions, foreign = false): Steps<LowRank> {
  checkShare(options);
  const parts = isFactored(a)
    ? Object.values(yield* readFactors(FactoredMatrix.from(a), 'a'))
    : [yield* readInput(a as MatrixLike, 'lowRank')];
  const dtype = parts.map(dtypeOf).reduce(promote);
  const own = foreign ? yield* ownedTensors(parts, dtype) : [];
  if (!foreign) for (const x of parts) own.push(yield* floats(x, dtype));
  const operand = own.length === 1 ? { M: own[0] } : { A: own[0], B: own[1] };
  const { factors, truncationError } = yield* lowRankOf(operand, options);
  const product = new FactoredMatrix(...factors);
  return Object.defineProperty(product, 'truncationError', {
    value: truncationError,
    enumerable: true,
  }) as LowRank;
}

/**
 * The best approximation of a matrix by a product of small inner dimension, (U·√S)·(√S·Vh) of its leading singular triplets:
 * `rank` of them; or as few as leave ‖a − A·B‖_F ≤ `tol`; or as few as hold the share `energy` of ‖a‖_F² (Eckart and Young,
 * Psychometrika 1, 1936). In a batch all have the inner dimension of the one that needs most. Where `tol` is less than
 * what rounding leaves, all triplets are kept, and `truncationError` says what that leaves.
 *
 * @param a `[..., m, n]`, or a `FactoredMatrix`, which is not formed; leading dimensions are a batch
 * @returns a `FactoredMatrix` with `truncationError`, an upper bound of ‖a − A·B‖_F per matrix
 * @throws `ERR_SVD_ARGUMENT` unless one of the three options is given, one alone, and a rank is at most min(m, n), of a
 *   product the inner dimension too; else as `svd` and `dist`
 * @example lowRank([[2, 0], [0, 1]], { rank: 1 }).truncationError // 1, up to rounding
 * @function
 */
export const lowRank = exposed({ takes: ['a'], options: lowRankOptions }, function lowRank<
  M extends MatrixLike | Factored,
>(a: M, options: LowRankOptions = {}): LowRank<DataOf<M>, PerMatrixOf<M>> {
  return runSync(steps(a, options)) as unknown as LowRank<DataOf<M>, PerMatrixOf<M>>;
});

/**
 * `lowRank` off the event loop; it reads its arrays as `svdAsync` does, copying all of them in slices first.
 *
 * @throws as `lowRank`, and `signal.reason` on abort
 * @function
 */
export const lowRankAsync = exposedAsync(
  { takes: ['a'], options: { ...lowRankOptions, ...asyncOptions } },
  async function lowRankAsync<M extends MatrixLike | Factored>(
    a: M,
    options: LowRankOptions & AsyncOptions = {},
  ): Promise<LowRank<DataOf<M>, PerMatrixOf<M>>> {
    return (await runAsync(steps(a, options, true), options)) as unknown as LowRank<
      DataOf<M>,
      PerMatrixOf<M>
    >;
  },
);

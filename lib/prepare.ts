import { measureBothWays } from './algorithms/measure.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import { asyncOptions } from './arguments/options.ts';
import { formatOf } from './array/elements.ts';
import { type MatrixLike, readInput } from './array/input.ts';
import { ndarray } from './array/ndarray.ts';
import { dtypeOf, frozenView, leadingDims, type Tensor, withoutRepeats } from './array/tensor.ts';
import type { DataOf, MatrixOf, PerMatrixOf } from './array/types.ts';
import { type Batch, batchOf } from './native/batch.ts';
import { floats, type InputOptions, ownedTensors } from './native/owned.ts';
import { type AsyncOptions, runAsync, runSync, type Steps } from './native/steps.ts';

/**
 * The same matrix, ready to be a factor of many products: what a decomposition of `A·B` needs of A alone, or of B
 * alone, is computed here once. That is the check that every element is finite, the norms of rows and columns, and the
 * Gram matrix along the longer dimension (step 1 of CholeskyQR: Fukaya, Nakatsukasa, Yanagisawa, Yamamoto,
 * "CholeskyQR2", ScalA 2014). It pays for a long matrix with a short inner dimension, such as an unembedding
 * `[768, 50257]` that the heads of a model share; no singular value or vector changes by it (`bound`
 * may, by a rounding).
 *
 * The result is used like any other matrix, as A or as B, transposed or by its leading dimensions; a selection of its
 * rows or columns, or a partner of another dtype, has to be measured anew. It shares memory with `factor` (unless the
 * elements have to be widened), which must not be written to while the result is in use.
 *
 * @param factor `[..., m, n]`; leading dimensions are a batch
 * @returns a frozen view of `factor`: its shape, strides and offset
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE`, `ERR_SVD_NON_FINITE`, `ERR_SVD_TOO_LARGE`
 * @example
 * const W_U = prepare(unembedding);
 * const spectra = heads.map((OV) => new FactoredMatrix(OV, W_U).svdvals());
 * @function
 */
export const prepare = exposed({ takes: ['factor'] }, function prepare<
  M extends MatrixLike,
>(factor: M): MatrixOf<DataOf<M>, PerMatrixOf<M>> {
  return runSync(prepared(factor)) as MatrixOf<DataOf<M>, PerMatrixOf<M>>;
});

/**
 * `prepare` off the event loop. `factor` must not be written to until the promise settles.
 *
 * @throws as `prepare`, and `signal.reason` on abort
 * @function
 */
export const prepareAsync = exposedAsync(
  { takes: ['factor'], options: asyncOptions },
  async function prepareAsync<M extends MatrixLike>(
    factor: M,
    options: AsyncOptions = {},
  ): Promise<MatrixOf<DataOf<M>, PerMatrixOf<M>>> {
    return (await runAsync(prepared(factor, { foreign: true }), options)) as MatrixOf<
      DataOf<M>,
      PerMatrixOf<M>
    >;
  },
);

function* prepared(factor: MatrixLike, { foreign }: InputOptions = {}): Steps<Tensor> {
  const input = yield* readInput(factor, 'prepare');
  const widened = formatOf(input.data) !== dtypeOf(input);
  const [copy] = foreign ? yield* ownedTensors([input]) : [yield* floats(input)];
  const { data, shape, stride, offset } = widened ? copy : (input as Tensor);
  // Over an array object of its own: what is known stays with the result, and the caller's array is measured as it is.
  const result = frozenView(ndarray(data.subarray(0), shape, stride, offset)) as Tensor;
  yield* measureBothWays(distinctMatrices(copy), distinctMatrices(result));
  return result;
}

/** The matrices of `x`, each of them once. */
function distinctMatrices(x: Tensor): Batch {
  const once = withoutRepeats(x);
  return batchOf(once, leadingDims(once), 'prepare');
}

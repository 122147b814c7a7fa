import { cols, dtypeOf, type Input, leadingDims, rows } from '../array/tensor.ts';
import { batchOf, itemsAt, offsetOf } from '../native/batch.ts';
import { checkSvdSize, svdLadder, svdShapes, type Vectors } from '../native/kernels.ts';
import { ahead, type InputOptions, owned } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { batchedSvd, type ErrorOptions } from './blocks.ts';
import { denseBound } from './bounds.ts';
import type { Svd } from './result.ts';

/**
 * Singular value decomposition of plain matrices, by the steps of `?gesdd`.
 *
 * @param A `[..., m, n]`
 * @returns U `[..., m, p]`, S `[..., p]`, Vh `[..., p, n]`, p = min(m, n); square U and Vh for 'full', empty for 'none'
 * @throws `ERR_SVD_NON_FINITE`, `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW`, `ERR_SVD_TOO_LARGE`
 */
export function* denseSvd(
  A: Input,
  vectors: Vectors = 'thin',
  { foreign, onError }: ErrorOptions & InputOptions = {},
): Steps<Svd> {
  const leading = leadingDims(A);
  const [m, n] = [rows(A), cols(A)];
  const p = Math.min(m, n);
  const dtype = dtypeOf(A);
  checkSvdSize(m, n, vectors, dtype, 'svd');
  const blockSize = Math.min(blockItems, Math.max(1, Math.floor(blockFlops / Math.max(1, 14 * m * n * p))));
  const batched = { leading, shapes: svdShapes(m, n, vectors), dtype, blockSize, onError };
  const [a] = yield* ahead([batchOf(A, leading, 'svd', foreign)], blockSize, dtype);
  return yield* batchedSvd(batched, function* (positions, out) {
    const part = yield* owned(itemsAt(a, positions));
    yield { within: [0, 1] };
    const { S, routines: driver } = yield* svdLadder(part, vectors, { out });
    const bound = driver.map((routine, i) => denseBound(dtype, m, n, S.data[offsetOf(S, i)], routine));
    return { bound, driver };
  });
}

const blockFlops = 2e9;
const blockItems = 4096; // what is said of each takes time on this thread, too

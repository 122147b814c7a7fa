import { cols, dtypeOf, type Input, leadingDims, rows } from '../array/tensor.ts';
import { batchOf, itemsAt, offsetOf } from '../native/batch.ts';
import { checkSvdSize, type Routine, svdLadder, svdShapes, type Vectors } from '../native/kernels.ts';
import { ahead, type InputOptions, owned } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { batchedSvd, type ErrorOptions } from './blocks.ts';
import { denseBound } from './bounds.ts';
import type { Svd } from './result.ts';

/** Which routine decomposes. */
export interface Routines {
  /**
   * `'auto'` (default): the fastest that keeps `bound`, and where it does not converge the next. `'gesdd'`, `'gesvd'`,
   * `'gejsv'`: that routine of LAPACK alone, whatever the size, with the larger `bound` that it has; a matrix
   * is not shared among threads, and the computing goes on after an abort, which rejects at once all the same.
   */
  readonly driver?: Routine | undefined;
}

interface DenseOptions extends ErrorOptions, InputOptions, Routines {}

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
  { foreign, onError, driver: routine }: DenseOptions = {},
): Steps<Svd> {
  const leading = leadingDims(A);
  const [m, n] = [rows(A), cols(A)];
  const p = Math.min(m, n);
  const dtype = dtypeOf(A);
  checkSvdSize(m, n, { vectors, dtype, name: 'svd', routine });
  const blockSize = Math.min(blockItems, Math.max(1, Math.floor(blockFlops / Math.max(1, 14 * m * n * p))));
  const batched = { leading, shapes: svdShapes(m, n, vectors), dtype, blockSize, onError };
  const [a] = yield* ahead([batchOf(A, leading, 'svd', foreign)], blockSize, dtype);
  return yield* batchedSvd(batched, function* (positions, out) {
    const part = yield* owned(itemsAt(a, positions));
    yield { within: [0, 1] };
    const { S, routines: driver } = yield* svdLadder(part, vectors, { out, routine });
    const bound = driver.map((name, i) => denseBound(dtype, m, n, S.data[offsetOf(S, i)], name));
    return { bound, driver };
  });
}

const blockFlops = 2e9;
const blockItems = 4096; // what is said of each takes time on this thread, too

import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import { svdError } from './errors.ts';
import { type Dtype, type FloatArray, product, showShape } from './views.ts';

const installed = totalmem(); // asking takes longer than a small decomposition
const smallBytes = 4096; // of such, V8 zeroes an array sooner than Node finds unset memory for it

/**
 * Storage for an array of `shape`, for a kernel to write in full: its elements are not set, because zeroing takes longer
 * than many a kernel. `ERR_SVD_TOO_LARGE` with `bytes` when it exceeds this machine's memory (the
 * system would hand it out all the same and end the process later) or cannot be had.
 */
export function allocate(dtype: Dtype, shape: readonly number[], what: string): FloatArray {
  const length = product(shape);
  const bytes = length * (dtype === 'float32' ? 4 : 8);
  const fail = (cause?: unknown) =>
    svdError('ERR_SVD_TOO_LARGE', `${what} of shape ${showShape(shape)} needs ${bytes} bytes of memory`, {
      bytes,
      cause,
    });
  if (!(bytes <= installed)) throw fail();
  try {
    const array = dtype === 'float32' ? Float32Array : Float64Array;
    const zeroed = bytes <= smallBytes || bytes > constants.MAX_LENGTH;
    return zeroed ? new array(length) : new array(Buffer.allocUnsafeSlow(bytes).buffer, 0, length);
  } catch (cause) {
    throw fail(cause);
  }
}

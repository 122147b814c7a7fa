import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import {
  arrayOf,
  bytesPerElement,
  type Dtype,
  type FloatArray,
  type Format,
  type Stored,
} from './elements.ts';
import { svdError } from './errors.ts';
import { product, showShape } from './tensor.ts';

const installed = totalmem(); // asking takes longer than a small decomposition
const smallBytes = 4096; // up to here V8 zeroes an array faster than Node finds memory that is not set

/**
 * Storage for an array of `shape`, for a kernel to write in full: its elements are not set, because zeroing takes longer
 * than many a kernel. `ERR_SVD_TOO_LARGE` with `bytes` when it exceeds this machine's memory (the
 * system would hand it out all the same and end the process later) or cannot be had.
 */
export function allocate(format: Dtype, shape: readonly number[], what: string): FloatArray;
export function allocate(format: Format, shape: readonly number[], what: string): Stored;
export function allocate(format: Format, shape: readonly number[], what: string): Stored {
  const length = product(shape);
  const bytes = length * bytesPerElement(format);
  if (!(bytes <= installed)) throw tooLarge(what, shape, bytes);
  try {
    const array = arrayOf(format);
    const zeroed = bytes <= smallBytes || bytes > constants.MAX_LENGTH;
    const buffer = zeroed ? new ArrayBuffer(bytes) : Buffer.allocUnsafeSlow(bytes).buffer;
    return new array(buffer, 0, length);
  } catch (cause) {
    throw tooLarge(what, shape, bytes, cause);
  }
}

/** The same for numbers of one kind, all 0: `zeros(Int32Array, [n, k], 'permutations')`. */
export function zeros<A>(
  array: { new (length: number): A; readonly BYTES_PER_ELEMENT: number },
  shape: readonly number[],
  what: string,
): A {
  const length = product(shape);
  const bytes = length * array.BYTES_PER_ELEMENT;
  if (!(bytes <= installed)) throw tooLarge(what, shape, bytes);
  try {
    return new array(length);
  } catch (cause) {
    throw tooLarge(what, shape, bytes, cause);
  }
}

const tooLarge = (what: string, shape: readonly number[], bytes: number, cause?: unknown) =>
  svdError('ERR_SVD_TOO_LARGE', `${what} of shape ${showShape(shape)} needs ${bytes} bytes of memory`, {
    bytes,
    cause,
  });

/**
 * Numbers that are said of the matrices of a batch, one for each: all 0. As `checkItems`, however small the
 * matrices are.
 */
export function perItem(leading: readonly number[], what: string): Float64Array {
  checkItems(leading, what);
  return zeros(Float64Array, leading, what);
}

/** `ERR_SVD_TOO_LARGE` for more matrices than lists in JavaScript can be made of. */
export function checkItems(leading: readonly number[], what: string): void {
  const bytes = product(leading) * bytesPerItem;
  if (!(bytes <= mostBytesOfItems)) throw tooLarge(what, leading, bytes);
}

const bytesPerItem = 64; // with a driver's name and the like
const mostBytesOfItems = 2 ** 32;

const slabLength = 1024;
const mostInSlab = 32;
let slab = new Float64Array(slabLength);
let used = 0;

/**
 * A new array of zeros for what kernels are told and report of each matrix. Small ones are cut from one allocation: V8 moves
 * each buffer that the addon sees to the system's memory, which takes longer than a small kernel.
 */
export function descriptor(length: number): Float64Array {
  if (length > mostInSlab) return zeros(Float64Array, [length], 'list of items');
  if (used + length > slabLength) {
    slab = new Float64Array(slabLength);
    used = 0;
  }
  used += length;
  return new Float64Array(slab.buffer, (used - length) * Float64Array.BYTES_PER_ELEMENT, length);
}

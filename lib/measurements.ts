import {
  type Batch,
  type ColumnNorms,
  count,
  type InputBatch,
  itemsAt,
  packed,
  packInto,
  scan,
} from './kernels.ts';
import type { Origin } from './status.ts';
import type { Steps } from './steps.ts';
import { gram } from './tall-qr.ts';
import type { FloatArray } from './views.ts';
import { scratch } from './workspace.ts';

/** Step 1 of the product SVD for one matrix, in memory of its own: it may outlive the block that it was made in. */
export interface Measurement {
  /** Of its columns. */
  readonly norms: ColumnNorms;
  /** Its Gram matrix, k×k. */
  readonly gram?: FloatArray;
}

/** Only a matrix with more rows than columns is replaced by the R of its QR decomposition. */
export const isTall = (x: InputBatch): boolean => x.rows > x.cols;

/** Measures every item, its Gram matrix too where `hasGram`. `ERR_SVD_NON_FINITE`. */
export function* measureEach(x: Batch, hasGram: boolean, origin: Origin): Steps<Measurement[]> {
  const [n, k] = [count(x), x.cols];
  const { parts, norms } = hasGram
    ? yield* gram(x, origin)
    : { parts: undefined, norms: yield* scan(x, origin) };
  const sums = parts && (yield* sumOfParts(parts, n, k));
  return Array.from({ length: n }, (_, i) => ({
    norms: {
      fraction: norms.fraction.slice(i * k, (i + 1) * k),
      exponent: norms.exponent.slice(i * k, (i + 1) * k),
    },
    gram: sums?.slice(i * k * k, (i + 1) * k * k),
  }));
}

/** The Gram matrices of `n` items, from their parts; added up in the order of the kernel that takes the parts. */
function* sumOfParts(parts: FloatArray, n: number, k: number): Steps<FloatArray> {
  const size = n * k * k;
  if (parts.length === size) return parts;
  const sums = scratch('float64', [n, k, k]);
  const blocks = size > 0 ? parts.length / size : 0;
  for (let b = 0; b < blocks; b++) {
    const all = packed(parts, n * blocks, k, k);
    const every = Int32Array.from({ length: n }, (_, i) => i * blocks + b);
    yield* packInto(itemsAt(all, every), sums, { accumulate: b > 0 });
  }
  return sums;
}

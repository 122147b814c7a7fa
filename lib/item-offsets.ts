import { allocate } from './memory.ts';
import { type Input, product } from './views.ts';

/** Offset of every item of the leading dimensions, in row-major order. */
export function itemOffsets(x: Input, dims = x.shape.length - 2): Float64Array {
  const out = allocate('float64', [product(x.shape.slice(0, dims))], 'list of items') as Float64Array;
  writeItemOffsets(x, out, dims);
  return out;
}

/** `itemOffsets` into `out`, which has a place for each: by lines of the last dimension, a nanosecond an item. */
export function writeItemOffsets(x: Input, out: Float64Array, dims = x.shape.length - 2): void {
  const shape = x.shape.slice(0, dims);
  const line = dims > 0 ? shape[dims - 1] : 1;
  const step = dims > 0 ? x.stride[dims - 1] : 0;
  const index = new Array<number>(dims).fill(0);
  for (let i = 0, start = x.offset; i < out.length; ) {
    for (let j = 0, offset = start; j < line; j++, offset += step) out[i++] = offset;
    for (let axis = dims - 2; axis >= 0; axis--) {
      start += x.stride[axis];
      if (++index[axis] < shape[axis]) break;
      start -= shape[axis] * x.stride[axis];
      index[axis] = 0;
    }
  }
}

import { allocate } from './memory.ts';
import { type Input, product } from './views.ts';

/** Offset of every item of the leading dimensions, in row-major order. */
export function itemOffsets(x: Input, dims = x.shape.length - 2): Float64Array {
  const shape = x.shape.slice(0, dims);
  const out = allocate('float64', [product(shape)], 'list of items') as Float64Array;
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
  return out;
}

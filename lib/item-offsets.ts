import { allocate } from './memory.ts';
import { type Input, product } from './views.ts';

/** Offset of every item of the leading dimensions, in row-major order. */
export function itemOffsets(x: Input, dims = x.shape.length - 2): Float64Array {
  const shape = x.shape.slice(0, dims);
  const out = allocate('float64', [product(shape)], 'list of items') as Float64Array;
  const index = new Array<number>(dims).fill(0);
  for (let i = 0, offset = x.offset; i < out.length; i++) {
    out[i] = offset;
    for (let axis = dims - 1; axis >= 0; axis--) {
      offset += x.stride[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= shape[axis] * x.stride[axis];
      index[axis] = 0;
    }
  }
  return out;
}

import type { FloatArray } from '../../lib/array/tensor.ts';

export const rows = 5;
export const cols = 4;

/** As `Tensor` of onnxruntime. */
export class OnnxTensor {
  readonly type: string;
  readonly data: FloatArray | Uint16Array;
  readonly dims: readonly number[];
  constructor(type: string, data: FloatArray | Uint16Array, dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
  get size() {
    return this.data.length;
  }
  get location() {
    return 'cpu';
  }
}

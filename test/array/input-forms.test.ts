import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Dtype, FloatArray, Tensor } from '../../lib/array/tensor.ts';
import {
  dist,
  FactoredMatrix,
  type MatrixLike,
  matmul,
  svd,
  svdAsync,
  svdvals,
  transpose,
} from '../../lib/index.ts';
import { allBits, bits, checkSvd } from '../support/checks.ts';
import { cols, OnnxTensor, rows } from '../support/forms.ts';
import { array, randomMatrix } from '../support/matrices.ts';

/** A larger array with `x` scattered in it: element (i, j) at `offset + i·down + j·across`, NaN everywhere else. */
function scattered(x: Tensor, length: number, offset: number, [down, across]: [number, number]): FloatArray {
  const data = x.data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  data.fill(Number.NaN);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) data[offset + i * down + j * across] = x.get(i, j);
  }
  return data;
}

/** As `Tensor` of @huggingface/transformers: a proxy whose integer keys are items, and `stride` is a method. */
class HuggingFaceTensor {
  readonly ort_tensor: OnnxTensor;
  constructor(type: string, data: FloatArray, dims: number[]) {
    this.ort_tensor = new OnnxTensor(type, data, dims);
    // biome-ignore lint/correctness/noConstructorReturn: so does the class that this one imitates.
    return new Proxy(this, {
      get: (tensor, key) => {
        if (typeof key === 'string' && Number.isInteger(Number(key)))
          throw new Error('items are not tensors here');
        return tensor[key as keyof HuggingFaceTensor];
      },
    });
  }
  get dims() {
    return this.ort_tensor.dims;
  }
  get type() {
    return this.ort_tensor.type;
  }
  get data() {
    return this.ort_tensor.data;
  }
  get size() {
    return this.ort_tensor.size;
  }
  stride(): number[] {
    return this.dims.map((_, axis) => this.dims.slice(axis + 1).reduce((product, n) => product * n, 1));
  }
}

/** As `NDArray` of numpy-ts 1.4: `data` is that of the base array, and only `storage` knows where a view begins. */
class NumpyTsArray {
  readonly storage: { data: FloatArray; shape: number[]; strides: number[]; offset: number };
  constructor(data: FloatArray, shape: number[], strides: number[], offset = 0) {
    this.storage = { data, shape, strides, offset };
  }
  get shape(): readonly number[] {
    return this.storage.shape;
  }
  get strides(): readonly number[] {
    return this.storage.strides;
  }
  get data() {
    return this.storage.data;
  }
  get dtype() {
    return this.data instanceof Float32Array ? 'float32' : 'float64';
  }
  get ndim() {
    return this.shape.length;
  }
}

const arrayOf = { float32: Float32Array, float64: Float64Array };

/** Every way to hand over the matrix `x` that keeps its dtype. */
const forms: Record<string, (x: Tensor, dtype: Dtype) => MatrixLike> = {
  'ndarray, contiguous': (x) => ndarray(x.data, x.shape),
  'ndarray, transposed': (x) =>
    ndarray(scattered(x, rows * cols, 0, [1, rows]), [cols, rows]).transpose(1, 0),
  'ndarray, a slice with an offset and gaps': (x) =>
    ndarray(scattered(x, 200, 11, [13, 3]), [rows, cols], [13, 3], 11),
  'ndarray, lo().hi() of a larger array': (x) => {
    const outer = ndarray(scattered(x, 100, 21, [10, 1]), [10, 10]);
    return outer.lo(2, 1).hi(rows, cols);
  },
  'ndarray, rows reversed': (x) => ndarray(scattered(x, 20, 16, [-4, 1]), [rows, cols]).step(-1, 1),
  'ndarray, columns reversed': (x) => ndarray(scattered(x, 20, 3, [4, -1]), [rows, cols]).step(1, -1),
  'ndarray, both reversed and transposed': (x) =>
    ndarray(scattered(x, 20, 19, [-1, -5]), [cols, rows])
      .transpose(1, 0)
      .step(-1, -1),
  'ndarray, every other row and column': (x) =>
    ndarray(scattered(x, 100, 0, [20, 2]), [10, 10])
      .step(2, 2)
      .hi(rows, cols),
  'ndarray, an item of a batch': (x) =>
    ndarray(scattered(x, 60, 20, [4, 1]), [3, rows, cols]).pick(1, null, null),
  'data and shape': (x) => ({ data: x.data, shape: [rows, cols] }),
  'data and dims': (x) => ({ data: x.data, dims: [rows, cols] }),
  'shape as a typed array': (x) => ({
    data: x.data,
    shape: Int32Array.of(rows, cols) as unknown as number[],
  }),
  'data longer than the matrix': (x) => ({ data: scattered(x, 50, 0, [cols, 1]), shape: [rows, cols] }),
  stride: (x) => ({ data: scattered(x, 100, 0, [1, 20]), shape: [rows, cols], stride: [1, 20] }),
  strides: (x) => ({ data: scattered(x, 100, 0, [1, 20]), shape: [rows, cols], strides: [1, 20] }),
  'strides and offset, negative': (x) => ({
    data: scattered(x, 100, 99, [-4, -1]),
    shape: [rows, cols],
    strides: [-4, -1],
    offset: 99,
  }),
  'stride as a method': (x) => ({
    data: scattered(x, 100, 0, [1, 20]),
    shape: [rows, cols],
    down: 1,
    stride(this: { down: number }): number[] {
      return [this.down, 20];
    },
  }),
  dtype: (x, dtype) => ({ data: x.data, shape: [rows, cols], dtype }),
  type: (x, dtype) => ({ data: x.data, dims: [rows, cols], type: dtype }),
  'null strides, as plain JSON has them': (x) => ({
    data: x.data,
    shape: [rows, cols],
    strides: null as unknown as undefined,
  }),
  'a frozen object': (x) => Object.freeze({ data: x.data, shape: Object.freeze([rows, cols]) }),
  'an object without prototype': (x) =>
    Object.assign(Object.create(null), { data: x.data, shape: [rows, cols] }),
  'onnxruntime Tensor': (x, dtype) => new OnnxTensor(dtype, x.data, [rows, cols]),
  'Hugging Face Tensor': (x, dtype) => new HuggingFaceTensor(dtype, x.data, [rows, cols]),
  'numpy-ts array': (x) => new NumpyTsArray(x.data, [rows, cols], [cols, 1]),
  'numpy-ts array, transposed': (x) =>
    new NumpyTsArray(scattered(x, 20, 0, [1, rows]), [rows, cols], [1, rows]),
  'numpy-ts view that does not begin where its data does': (x) =>
    new NumpyTsArray(scattered(x, 100, 21, [10, 1]), [rows, cols], [10, 1], 21),
  'numpy-ts view, rows reversed': (x) =>
    new NumpyTsArray(scattered(x, 20, 16, [-4, 1]), [rows, cols], [-4, 1], 16),
  'data on a SharedArrayBuffer': (x, dtype) => {
    const shared = new arrayOf[dtype](new SharedArrayBuffer(x.data.byteLength) as unknown as ArrayBuffer);
    shared.set(x.data);
    return { data: shared as FloatArray, shape: [rows, cols] };
  },
  'data inside a larger buffer': (x, dtype) => {
    const bytes = new ArrayBuffer(1000);
    const part = new arrayOf[dtype](bytes, 40, rows * cols);
    part.set(x.data);
    return { data: part, shape: [rows, cols] };
  },
  'data on a resizable buffer': (x, dtype) => {
    const Resizable = ArrayBuffer as unknown as new (
      n: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer;
    const part = new arrayOf[dtype](new Resizable(x.data.byteLength, { maxByteLength: 1000 }));
    part.set(x.data);
    return { data: part, shape: [rows, cols] };
  },
  'a subclass of the typed array': (x, dtype) => {
    const Own = class extends (arrayOf[dtype] as Float64ArrayConstructor) {};
    const data = new Own(rows * cols);
    data.set(x.data);
    return { data, shape: [rows, cols] };
  },
};

const cases = (['float64', 'float32'] as Dtype[]).flatMap((dtype) =>
  Object.entries(forms).map(([form, make]) => ({ dtype, form, make })),
);

describe('every form of an array has the bits of its contiguous copy', () => {
  it.each(cases)('svd, svdvals and svdAsync: $dtype, $form', async ({ dtype, make }) => {
    const x = randomMatrix(1, [rows, cols], dtype);
    const form = make(x, dtype);
    const expected = allBits(svd(x));
    expect(allBits(svd(form))).toEqual(expected);
    expect(allBits(await svdAsync(form))).toEqual(expected);
    expect(bits(svdvals(form))).toBe(bits(svdvals(x)));
    expect(allBits(svd(form, { fullMatrices: true }))).toEqual(allBits(svd(x, { fullMatrices: true })));
  });

  it.each(cases)('as a factor, in matmul and in dist: $dtype, $form', ({ dtype, make }) => {
    const x = randomMatrix(2, [rows, cols], dtype);
    const other = randomMatrix(3, [cols, rows], dtype);
    const form = make(x, dtype);
    for (const [a, b, c, d] of [
      [form, other, x, other],
      [transpose(other), transpose(form), transpose(other), transpose(x)],
    ]) {
      expect(allBits(new FactoredMatrix(a, b).svd())).toEqual(allBits(new FactoredMatrix(c, d).svd()));
      expect(new FactoredMatrix(a, b).norm()).toBe(new FactoredMatrix(c, d).norm());
      expect(bits(matmul(a, b) as Tensor)).toBe(bits(matmul(c, d) as Tensor));
    }
    expect(dist(form, x)).toBe(0);
    expect(dist(form, transpose(other))).toBe(dist(x, transpose(other)));
  });

  it('the scattered data hold NaN between the elements: reading one too many is an error, not luck', () => {
    const x = randomMatrix(4, [rows, cols]);
    const data = scattered(x, 200, 11, [13, 3]);
    expect(() => svd({ data, shape: [rows, cols], strides: [13, 2], offset: 11 })).toThrow(/NaN/);
  });
});

describe('views with stride 0', () => {
  it('repeat one row, or one column, or one number', () => {
    const row = array([1, 2, 3, 4], [4]);
    const same = { data: row.data, shape: [rows, cols], stride: [0, 1] };
    const copy = array(Array.from({ length: rows }, () => [1, 2, 3, 4]).flat(), [rows, cols]);
    expect(allBits(svd(same))).toEqual(allBits(svd(copy)));
    const turned = { data: row.data, shape: [cols, rows], stride: [1, 0] };
    expect(allBits(svd(turned))).toEqual(
      allBits(
        svd(
          array(
            Array.from({ length: 20 }, (_, e) => 1 + Math.floor(e / rows)),
            [cols, rows],
          ),
        ),
      ),
    );
    const one = { data: Float64Array.of(7), shape: [3, 3], strides: [0, 0] };
    expect(allBits(svd(one))).toEqual(allBits(svd(array(new Array(9).fill(7), [3, 3]))));
  });

  it('repeat a matrix along a batch, also off the event loop', async () => {
    const x = randomMatrix(7, [rows, cols]);
    const view = { data: x.data, shape: [2, 3, rows, cols], stride: [0, 0, cols, 1] };
    const copy = array(
      [1, 2, 3, 4, 5, 6].flatMap(() => Array.from(x.data)),
      [2, 3, rows, cols],
    );
    const expected = allBits(svd(copy));
    expect(allBits(svd(view))).toEqual(expected);
    expect(allBits(await svdAsync(view))).toEqual(expected);
    expect(allBits(new FactoredMatrix(view, transpose(x)).svd())).toEqual(
      allBits(new FactoredMatrix(copy, transpose(x)).svd()),
    );
  });

  it('any stride will do where the dimension is 1 or the array is empty', () => {
    const x = randomMatrix(8, [1, 4]);
    expect(allBits(svd({ data: x.data, shape: [1, 4], stride: [-1000, 1] }))).toEqual(allBits(svd(x)));
    expect(svd({ data: new Float64Array(0), shape: [0, 4], stride: [-7, 99] }).Vh.shape).toEqual([0, 4]);
  });

  it('a repeated view is told from its transpose', () => {
    const same = ndarray(Float64Array.of(1, 2, 3), [3, 3], [0, 1]);
    checkSvd(same, svd(same));
    expect(() => checkSvd(same, svd(transpose(same)))).toThrow(/reconstruction/);
  });
});

import { describe, expect, it } from 'vitest';
import { FactoredMatrix, svd, svdAsync, transpose } from '../../lib/index.ts';
import { allBits } from '../support/checks.ts';
import { cols, OnnxTensor, rows } from '../support/forms.ts';
import { array, randomMatrix } from '../support/matrices.ts';

describe('16-bit floats', () => {
  const half = (bits: number): number => {
    const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const size =
      exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return sign ? -size : size;
  };
  const brain = (bits: number): number => {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint16(0, bits);
    return view.getFloat32(0);
  };
  const every = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

  it.each([
    ['float16', half],
    ['bfloat16', brain],
  ] as const)('%s: each of the 65536 patterns widens to the float32 that it stands for', (dtype, decode) => {
    const wide = transpose({ data: every, shape: [2 ** 16, 1], dtype });
    expect(wide.dtype).toBe('float32');
    let wrong = 0;
    for (let bits = 0; bits < every.length; bits++) {
      const [is, should] = [wide.get(0, bits), decode(bits)];
      if (!Object.is(is, should)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('the decoders of this test know the landmarks of both formats', () => {
    expect([0x0001, 0x03ff, 0x0400, 0x3c00, 0x7bff, 0x8000, 0xfc00].map(half)).toEqual([
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1,
      65504,
      -0,
      Number.NEGATIVE_INFINITY,
    ]);
    expect([0x0001, 0x3f80, 0x4049, 0xff80].map(brain)).toEqual([
      2 ** -133,
      1,
      3.140625,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  it.each([
    ['float16', 0x3c00],
    ['bfloat16', 0x3f80],
  ] as const)(
    '%s matrices, views of them and `type` have the bits of their float32 copies',
    async (dtype, one) => {
      const decode = dtype === 'float16' ? half : brain;
      const data = Uint16Array.from(
        { length: 40 },
        (_, e) => one + ((e * 37) % 91) + (e % 3 === 0 ? 0x8000 : 0),
      );
      const strided = { data, shape: [rows, cols], strides: [-8, 2], offset: 32 };
      const copy = array(
        Array.from({ length: 20 }, (_, e) => decode(data[32 - 8 * Math.floor(e / 4) + 2 * (e % 4)])),
        [rows, cols],
        'float32',
      );
      const expected = allBits(svd(copy));
      expect(allBits(svd({ ...strided, dtype }))).toEqual(expected);
      expect(allBits(svd({ ...strided, type: dtype }))).toEqual(expected);
      expect(allBits(await svdAsync({ ...strided, dtype }))).toEqual(expected);
      const tensor = new OnnxTensor(dtype, data.slice(0, 20), [rows, cols]);
      const first = array(Array.from(data.slice(0, 20), decode), [rows, cols], 'float32');
      expect(allBits(svd(tensor))).toEqual(allBits(svd(first)));
      const right = randomMatrix(9, [cols, 3], 'float32');
      expect(allBits(new FactoredMatrix({ ...strided, dtype }, right).svd())).toEqual(
        allBits(new FactoredMatrix(copy, right).svd()),
      );
    },
  );

  const Float16 = (globalThis as { Float16Array?: { from(x: ArrayLike<number>): unknown } }).Float16Array;
  it.runIf(Float16)('Float16Array is widened to float32', () => {
    const x = array([1, 0.5, -2, 65504, 2 ** -24, 0], [2, 3], 'float32');
    expect(allBits(svd({ data: Float16!.from(x.data), shape: [2, 3] }))).toEqual(allBits(svd(x)));
  });

  it('the widened copy is another array: the 16-bit data stay as they were', () => {
    const data = Uint16Array.of(0x3c00, 0, 0, 0x3c00);
    svd({ data, shape: [2, 2], dtype: 'float16' });
    expect(data).toEqual(Uint16Array.of(0x3c00, 0, 0, 0x3c00));
  });
});

import { rmSync, writeFileSync } from 'node:fs';
import type { NdArray } from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf, fileBytes, readAll } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;

beforeEach(() => {
  path = at('file.safetensors');
  rmSync(path, { force: true });
});

describe('half precision is widened exactly', () => {
  const allHalves = Uint16Array.from({ length: 65536 }, (_, i) => i);

  async function widened(dtype: 'F16' | 'BF16') {
    const header = JSON.stringify({ h: { dtype, shape: [256, 256], data_offsets: [0, 131072] } });
    writeFileSync(path, fileBytes(header, bytesOf(allHalves)));
    const { arrays } = await readAll(path);
    return arrays.get('h')! as NdArray<Float32Array>;
  }

  test('every F16 bit pattern: normal, subnormal, ±0, ±∞, NaN', async () => {
    const array = await widened('F16');
    expect(array.dtype).toBe('float32');
    const expected = Float32Array.from(allHalves, (half) => {
      const sign = half & 0x8000 ? -1 : 1;
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
      if (exponent === 0) return sign * fraction * 2 ** -24;
      return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
    expect(allHalves.filter((half) => !Object.is(array.data[half], expected[half]))).toHaveLength(0);
  });

  test('every BF16 bit pattern is the upper half of its float32', async () => {
    const array = await widened('BF16');
    const bits = new Uint32Array(array.data.buffer);
    expect(allHalves.filter((half) => bits[half] !== half * 65536)).toHaveLength(0);
    expect([0x3f80, 0xff80, 0x0001, 0x8000].map((half) => array.data[half])).toEqual([
      1,
      -Infinity,
      2 ** -133,
      -0,
    ]);
  });
});

test('a half-precision tensor longer than one buffer is widened to its end', async () => {
  const halves = Uint16Array.from({ length: 2 ** 20 + 3 }, (_, i) => i);
  const header = JSON.stringify({
    h: { dtype: 'BF16', shape: [halves.length], data_offsets: [0, 2 * halves.length] },
  });
  writeFileSync(path, fileBytes(header, bytesOf(halves)));
  const { arrays } = await readAll(path);
  const bits = new Uint32Array(arrays.get('h')!.data.buffer);
  expect(halves.filter((half, i) => bits[i] !== half * 65536)).toHaveLength(0);
});

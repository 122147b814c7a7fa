import { describe, expect, test } from 'vitest';
import { narrow, widenBfloat16, widenFloat16 } from '../../lib/array/elements.ts';

const formats = {
  bfloat16: { widen: widenBfloat16, infinity: 0x7f80 },
  float16: { widen: widenFloat16, infinity: 0x7c00 },
} as const;

/** The next float64 away from zero, and towards it. */
function neighbours(x: number): [number, number] {
  const view = new DataView(new ArrayBuffer(8));
  const moved = (by: bigint) => {
    view.setFloat64(0, x);
    view.setBigInt64(0, view.getBigInt64(0) + by);
    return view.getFloat64(0);
  };
  return [moved(1n), moved(-1n)];
}

describe.each(Object.entries(formats))('to %s', (name, { widen, infinity }) => {
  const format = name as keyof typeof formats;
  const bits = Uint16Array.from({ length: infinity }, (_, i) => i);
  const numbers = [...widen(bits)];

  test('every number of the format, of either sign, is itself', () => {
    for (const array of [Float32Array, Float64Array]) {
      expect([...narrow(array.from(numbers), format).data]).toEqual([...bits]);
      const negative = narrow(array.from(numbers.map((x) => -x)), format);
      expect(negative.data.findIndex((y, i) => y !== (i | 0x8000))).toBe(-1);
      expect(negative.overflow).toBe(-1);
    }
  });

  test('between two numbers: to the nearer, from the middle to the even one, by float64 steps', () => {
    const middles = numbers.slice(1).map((x, i) => (x + numbers[i]) / 2);
    const even = middles.map((_, i) => i + (i % 2));
    expect([...narrow(Float64Array.from(middles), format).data]).toEqual(even);
    expect([...narrow(Float64Array.from(middles.map((x) => neighbours(x)[0])), format).data]).toEqual(
      middles.map((_, i) => i + 1),
    );
    expect([...narrow(Float64Array.from(middles.map((x) => neighbours(x)[1])), format).data]).toEqual(
      middles.map((_, i) => i),
    );
    // The same in float32, where the middle is one of its numbers.
    const exact = middles.map((x, i) => (Math.fround(x) === x ? i : -1)).filter((i) => i >= 0);
    expect(exact.length).toBeGreaterThan(middles.length / 2);
    expect([...narrow(Float32Array.from(exact.map((i) => middles[i])), format).data]).toEqual(
      exact.map((i) => even[i]),
    );
  });

  test('what is finite and beyond the range is named, an infinity and NaN are not', () => {
    const largest = numbers[numbers.length - 1];
    const beyond = largest + (largest - numbers[numbers.length - 2]) / 2;
    for (const array of [Float32Array, Float64Array]) {
      const { data, overflow } = narrow(array.of(NaN, -Infinity, 1, Infinity, -beyond, beyond), format);
      expect(overflow).toBe(4);
      expect(widen(data as Uint16Array)).toEqual(
        Float32Array.of(NaN, -Infinity, 1, Infinity, -Infinity, Infinity),
      );
    }
    expect(narrow(Float64Array.of(neighbours(beyond)[1]), format)).toMatchObject({ overflow: -1 });
    expect(narrow(Float64Array.of(Number.MIN_VALUE, -Number.MIN_VALUE), format).data).toEqual(
      narrow(Float64Array.of(0, -0), format).data,
    );
  });
});

test('to float32 and float64: what the machine does, and overflow', () => {
  expect(narrow(Float64Array.of(0.1, 1e39), 'float32')).toEqual({
    data: Float32Array.of(0.1, Infinity),
    overflow: 1,
  });
  expect(narrow(Float32Array.of(0.1), 'float64').data).toEqual(Float64Array.of(Math.fround(0.1)));
});

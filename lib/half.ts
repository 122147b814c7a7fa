// 16-bit floats on this thread, for those who read files; what is computed with, native/core/half.h widens.

/** bfloat16 bits → float32, exactly: the upper half of a float32. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

let every: Float32Array | undefined; // float16 number, by its bits

/** IEEE 754 half precision bits → float32, exactly (subnormals, infinities and NaN included). */
export function widenFloat16(bits: Uint16Array): Float32Array {
  every ??= Float32Array.from({ length: 2 ** 16 }, (_, i) => halfToNumber(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = every[bits[i]];
  return out;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

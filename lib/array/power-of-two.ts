const largest = 1023;
const powers = Float64Array.from({ length: 2 * largest + 1 }, (_, i) => 2 ** (i - largest)); // `**` is slow

/** 2^exponent for an integer exponent. */
export const powerOfTwo = (exponent: number): number => powers[exponent + largest] ?? 2 ** exponent;

/** `x · 2^exponent` with a single rounding; two factors reach exponents that one double cannot hold. */
export function ldexp(x: number, exponent: number): number {
  if (x === 0) return x; // beyond ±2046 a factor is infinite, and 0 times that is NaN
  const half = Math.trunc(exponent / 2);
  return x * powerOfTwo(half) * powerOfTwo(exponent - half);
}

/** `x · 2^exponent` with a single rounding; two factors reach exponents that one double cannot hold. */
export function ldexp(x: number, exponent: number): number {
  if (x === 0) return x; // beyond ±2046 a factor is infinite, and 0 times that is NaN
  const half = Math.trunc(exponent / 2);
  return x * 2 ** half * 2 ** (exponent - half);
}

import type { Rows } from './checks.ts';

// Exact arithmetic on matrices of floating-point numbers, to judge the code that judges. Every finite number is an integer
// times a power of two, so that sums and products of them are integers too: nothing rounds, overflows or underflows.

/** `integers · 2^exponent` */
export interface Exact {
  readonly integers: readonly (readonly bigint[])[];
  readonly exponent: number;
}

const view = new DataView(new ArrayBuffer(8));

/** x = integer · 2^exponent. */
function parts(x: number): { integer: bigint; exponent: number } {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  if (biased === 0x7ff) throw new RangeError(`${x} is not finite`);
  const integer = (bits & (2n ** 52n - 1n)) + (biased > 0 ? 2n ** 52n : 0n);
  if (integer === 0n) return { integer, exponent: 0 };
  return { integer: x < 0 ? -integer : integer, exponent: Math.max(biased, 1) - 1075 };
}

export function exactly(x: Rows): Exact {
  const all = x.map((row) => row.map(parts));
  const exponent = all.flat().reduce((least, part) => Math.min(least, part.exponent), 0);
  return { integers: all.map((row) => row.map((p) => p.integer << BigInt(p.exponent - exponent))), exponent };
}

/** The product of m×k and k×n; `n` is needed where k is 0. */
export function times(x: Exact, y: Exact, n = y.integers[0]?.length ?? 0): Exact {
  const entry = (row: readonly bigint[], j: number) =>
    row.reduce((sum, value, q) => sum + value * y.integers[q][j], 0n);
  return {
    integers: x.integers.map((row) => Array.from({ length: n }, (_, j) => entry(row, j))),
    exponent: x.exponent + y.exponent,
  };
}

export function minus(x: Exact, y: Exact): Exact {
  const exponent = Math.min(x.exponent, y.exponent);
  const [up, other] = [x, y].map((z) => BigInt(z.exponent - exponent));
  const integers = x.integers.map((row, i) => row.map((a, j) => (a << up) - (y.integers[i][j] << other)));
  return { integers, exponent };
}

/** The Frobenius norm, rounded to a double; infinite where it does not fit one. */
export const normOf = (x: Exact): number => root(squares(x.integers), x.exponent);

/** β = Σ‖a_j‖·‖b_j‖ over the columns of A and the rows of B. */
export function betaOf(A: Exact, B: Exact): number {
  const exponent = A.exponent + B.exponent;
  return B.integers.reduce((beta, row, j) => {
    const column = A.integers.map((entries) => [entries[j]]);
    return beta + root(squares(column) * squares([row]), exponent);
  }, 0);
}

const squares = (x: Exact['integers']): bigint =>
  x.reduce((sum, row) => row.reduce((part, value) => part + value * value, sum), 0n);

/** √square · 2^exponent */
function root(square: bigint, exponent: number): number {
  const surplus = Math.max(0, square.toString(16).length * 4 - 200); // of bits that a double cannot see
  const even = surplus + (surplus % 2);
  return scaled(Math.sqrt(Number(square >> BigInt(even))), even / 2 + exponent);
}

/** x · 2^exponent in steps that do not overflow before the last. */
function scaled(x: number, exponent: number): number {
  if (x === 0 || Math.abs(exponent) <= 500) return x * 2 ** exponent;
  const step = Math.sign(exponent) * 500;
  return scaled(x * 2 ** step, exponent - step);
}

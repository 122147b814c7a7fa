import type { FloatArray } from '../array/elements.ts';
import { isBigEndian } from '../weights/dtypes.ts';

/** Numbers that a matrix may have been rounded to. */
export interface Grid {
  /** `bfloat16`, `int8 per row` */
  readonly name: string;
  /** From `x`, which is element `e`, to the next number of the grid, away from zero. */
  step(x: number, e: number): number;
  /** Elements that have a scale of their own, and the one `e` is of. */
  readonly groups?: { readonly size: number; readonly count: number; of(e: number): number };
  /** Whether `y`, which is element `e`, is what `x` has become because it is beyond all numbers of the grid. */
  isClipped?(x: number, y: number, e: number): boolean;
}

/** A floating-point format: bits after the leading one, its smallest exponent, its largest number. */
export interface FloatFormat extends Grid {
  readonly precision: number;
  readonly largest: number;
  has(x: number): boolean;
  step(x: number): number;
}

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);
const highWord = isBigEndian ? 0 : 1;

function floatFormat(name: string, precision: number, least: number, largest: number): FloatFormat {
  const steps = Float64Array.from(
    { length: 2048 },
    (_, biased) => 2 ** Math.max(Math.max(biased - 1023, least) - precision, -1074),
  );
  const step = (x: number): number => {
    number[0] = x;
    return steps[(words[highWord] >>> 20) & 2047];
  };
  return {
    name,
    precision,
    largest,
    step,
    has: (x) => Math.abs(x) <= largest && Number.isInteger(x / step(x)),
  };
}

const float64 = floatFormat('float64', 52, -1022, Number.MAX_VALUE);
const float32 = floatFormat('float32', 23, -126, (2 - 2 ** -23) * 2 ** 127);

/** Those that weights are cast to, finest first. */
export const shortFormats = [
  floatFormat('float16', 10, -14, 65504),
  floatFormat('bfloat16', 7, -126, (2 - 2 ** -7) * 2 ** 127),
  floatFormat('float8_e4m3', 3, -6, 448),
  floatFormat('float8_e5m2', 2, -14, 57344),
] as const;

export const [float16, bfloat16, float8e4m3] = shortFormats;

const all: readonly FloatFormat[] = [float64, float32, ...shortFormats];

/** The floating-point formats that have every one of the numbers, finest first; that of the array is one. */
export function formatsOf(x: FloatArray): FloatFormat[] {
  return all.filter((format) => {
    if (format === float64) return x instanceof Float64Array;
    if (format === float32 && x instanceof Float32Array) return true;
    return x.every(format.has);
  });
}

/** Largest absolute value. */
export function largestOf(x: FloatArray): number {
  let most = 0;
  for (let e = 0; e < x.length; e++) if (Math.abs(x[e]) > most) most = Math.abs(x[e]);
  return most;
}

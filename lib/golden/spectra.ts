import type { Dtype } from '../array/elements.ts';
import type { Tensor } from '../array/tensor.ts';
import * as bounds from '../testing/bounds.ts';
import { vectorItems } from '../testing/decomposition.ts';
import { type Check, measured } from '../testing/report.ts';

/** What is kept of the singular values of one matrix. */
export interface Spectrum {
  /** The largest ones, in descending order. */
  readonly leading: readonly number[];
  /** The smallest one. */
  readonly last: number;
  /** Their sum, which may be beyond the range of float64: infinite. */
  readonly nuclear: number;
  /** Largest error of each. */
  readonly bound: number;
}

/** Those of every matrix of `S` `[..., p]`, p ≥ 1. */
export const spectraOf = (
  S: Tensor,
  bound: (S: Float64Array, i: number) => number,
  leading: number,
): Spectrum[] =>
  vectorItems(S).map((s, i) => ({
    leading: Array.from(s.subarray(0, leading)),
    last: s[s.length - 1],
    nuclear: s.reduce((sum, x) => sum + x, 0),
    bound: bound(s, i),
  }));

/** |s − t| ≤ τ for the singular values that were kept, p·τ for the sum of all p. */
export function compareSpectra(
  now: Spectrum,
  then: Spectrum,
  { p, dtype, batchIndex }: { p: number; dtype: Dtype; batchIndex?: readonly number[] | undefined },
): Check[] {
  const tau = bounds.singularValues(dtype, now.bound, then.bound);
  const names = [...then.leading.map((_, j) => `S[${j}]`), `S[${p - 1}]`];
  const [a, b] = [now, then].map(({ leading, last }) => [...leading, last]);
  const distances = b.map((s, j) => Math.abs(s - a[j]));
  const worst = distances.reduce((most, d, j) => (d > distances[most] ? j : most), 0);
  const detail = `${names[worst]} is ${digits(a[worst])}, was ${digits(b[worst])}`;
  const nuclear = `it is ${digits(now.nuclear)}, was ${digits(then.nuclear)}`;
  return [
    measured('singular values', distances[worst], tau, { batchIndex, detail }),
    measured(
      'nuclear norm',
      now.nuclear === then.nuclear ? 0 : Math.abs(now.nuclear - then.nuclear),
      p * tau,
      {
        batchIndex,
        detail: nuclear,
      },
    ),
  ];
}

/** Seven digits. */
export const digits = (x: number): string => String(Number(x.toPrecision(7)));

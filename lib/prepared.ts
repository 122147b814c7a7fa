import type { Stored } from './elements.ts';
import type { Batch, InputBatch } from './kernels.ts';
import type { Measurement } from './measurements.ts';

// What is known of the matrices in an array that `prepare` has returned, for as long as that array lives.

const known = new WeakMap<Stored, Map<string, Measurement>>();

/** Two matrices in one array are the same where these numbers are. */
const layoutOf = ({ layout, rows, cols }: InputBatch, i: number): string =>
  [rows, cols, layout[0], layout[1], layout[2 + i]].join();

/** The measurement of item `i` of `x`, if it was prepared. */
export const recall = (x: InputBatch, i: number): Measurement | undefined =>
  known.get(x.data)?.get(layoutOf(x, i));

export function remember(x: Batch, measurements: readonly Measurement[]): void {
  const inArray = known.get(x.data) ?? new Map<string, Measurement>();
  measurements.forEach((measurement, i) => {
    inArray.set(layoutOf(x, i), measurement);
  });
  known.set(x.data, inArray);
}

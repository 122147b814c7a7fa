import type { FloatArray } from '../array/elements.ts';
import { float32, float64, formatsOf, type Grid } from './formats.ts';
import { latticesOf, scaledFloatsOf } from './lattices.ts';

/** The grids that a matrix lies on, finest first: that of its array, and others that it may have been rounded to. */
export function gridsOf(x: FloatArray, rows: number, cols: number): Grid[] {
  const formats = formatsOf(x);
  const stored = formats[formats.length - 1];
  return [...formats, ...scaledFloatsOf(x, rows, cols, stored), ...latticesOf(x, rows, cols, stored)];
}

/** How one matrix is the rounding of the other. */
export interface Cast {
  /** What it was rounded to. */
  readonly to: string;
  /** Which of the two is the rounded one. */
  readonly rounded: 'A' | 'B';
  /** Whether towards zero, not to the nearest. */
  readonly truncated?: boolean;
  /** Elements beyond the largest number there is, which became that. */
  readonly saturated?: number;
}

/** The rounding that makes `b` of `a`, or `a` of `b`, exactly; `undefined` where none does. */
export function castOf(a: FloatArray, b: FloatArray, gridsA: Grid[], gridsB: Grid[]): Cast | undefined {
  for (const [rounded, from, to, grids] of [
    ['B', a, b, gridsB],
    ['A', b, a, gridsA],
  ] as const)
    for (const grid of grids) {
      if (grid === float64 || (grid === float32 && a instanceof Float32Array)) continue; // what everything is
      const saturated = isNearest(from, to, grid);
      if (saturated !== undefined) return { to: grid.name, rounded, ...(saturated > 0 ? { saturated } : {}) };
      if (isTruncated(from, to, grid)) return { to: grid.name, rounded, truncated: true };
    }
  return undefined;
}

/** Ties may go either way, and a scale is not exact. */
const half = 0.5 + 1e-3;

/** Of all elements at most this share may be beyond the largest number. */
const mostSaturated = 0.01;

/** Whether every element of `to` is the nearest of its grid to that of `from`; then how many are saturated. */
function isNearest(from: FloatArray, to: FloatArray, grid: Grid): number | undefined {
  const isFloat = grid.isLast === undefined;
  let saturated = 0;
  for (let e = 0; e < to.length; e++) {
    const [x, y] = [from[e], to[e]];
    if (x === y) continue;
    const inward = Math.abs(x) < Math.abs(y);
    // Below a power of two the next number is half as far.
    if (Math.abs(x - y) <= (isFloat ? 0.5 * grid.step(inward ? x : y, e) : half * grid.step(y, e))) continue;
    if (inward || !grid.isLast?.(y, e) || ++saturated > mostSaturated * to.length) return undefined;
  }
  return saturated;
}

function isTruncated(from: FloatArray, to: FloatArray, grid: Grid): boolean {
  for (let e = 0; e < to.length; e++) {
    const [x, y] = [from[e], to[e]];
    if (Math.abs(x) < Math.abs(y) || Math.abs(x - y) >= grid.step(y, e)) return false;
  }
  return true;
}

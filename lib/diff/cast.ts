import type { FloatArray } from '../array/elements.ts';
import { type FloatFormat, formatsOf, type Grid } from './formats.ts';
import { latticeOf, scaledFloatsOf } from './lattices.ts';

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

/** What two matrices were rounded to. */
export interface Roundings {
  /** The rounding that makes one of the other exactly, if one does. */
  readonly cast?: Cast | undefined;
  /** The coarsest grid that A lies on, and that of B. */
  readonly gridA: Grid;
  readonly gridB: Grid;
}

/** Whether `b` is `a`, or `a` is `b`, rounded, and to what. */
export function roundingsOf(a: FloatArray, b: FloatArray, rows: number, cols: number): Roundings {
  const [variedA, variedB] = [isVaried(a), isVaried(b)];
  const [formatsA, formatsB] = [formatsOf(a), formatsOf(b)].map((all, i) =>
    [variedA, variedB][i] ? all : all.slice(0, 1),
  );
  const asCast = (gridsA: readonly Grid[], gridsB: readonly Grid[]) =>
    castOf('B', a, b, gridsB) ?? castOf('A', b, a, gridsA);
  const [lastA, lastB] = [formatsA[formatsA.length - 1], formatsB[formatsB.length - 1]];
  // The format of the array itself is what everything is.
  const cast = asCast(formatsA.slice(1), formatsB.slice(1));
  if (cast !== undefined) return { cast, gridA: lastA, gridB: lastB };
  const othersA = variedA ? othersOf(a, rows, cols, lastA) : [];
  const othersB = variedB ? othersOf(b, rows, cols, lastB) : [];
  return { cast: asCast(othersA, othersB), gridA: othersA.at(-1) ?? lastA, gridB: othersB.at(-1) ?? lastB };
}

/** Whether there are three different numbers: ones are the rounding of whatever is near one, which says nothing. */
function isVaried(x: FloatArray): boolean {
  const other = x.find((value) => value !== x[0]);
  return other !== undefined && x.some((value) => value !== x[0] && value !== other);
}

/** Grids with scales, finest first. */
function othersOf(x: FloatArray, rows: number, cols: number, stored: FloatFormat): Grid[] {
  const lattice = latticeOf(x, rows, cols, stored);
  return [...scaledFloatsOf(x, rows, cols, stored), ...(lattice === undefined ? [] : [lattice])];
}

function castOf(
  rounded: Cast['rounded'],
  from: FloatArray,
  to: FloatArray,
  grids: readonly Grid[],
): Cast | undefined {
  for (const grid of grids) {
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

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
    castOf('B', a, b, gridsB) ?? unrounding(castOf('A', b, a, gridsA));
  // What is near numbers of a coarse grid may have been edited: to be what was rounded to them, it must be spread as that is.
  const unrounding = (found: Found | undefined) => {
    const spread = found && spreadOf(a, b, found.grid, lastB);
    return spread?.everywhere && spread.level > leastSpread && spread.level < mostSpread ? found : undefined;
  };
  const [lastA, lastB] = [formatsA[formatsA.length - 1], formatsB[formatsB.length - 1]];
  // The format of the array itself is what everything is.
  const cast = asCast(formatsA.slice(1), formatsB.slice(1));
  if (cast !== undefined) return asFound(cast, lastA, lastB);
  const othersA = variedA ? othersOf(a, rows, cols, lastA) : [];
  const othersB = variedB ? othersOf(b, rows, cols, lastB) : [];
  return asFound(asCast(othersA, othersB), othersA.at(-1) ?? lastA, othersB.at(-1) ?? lastB);
}

type Found = Cast & { readonly grid: Grid };

/** The grid of a cast is that of its side. */
function asFound(found: Found | undefined, gridA: Grid, gridB: Grid): Roundings {
  if (found === undefined) return { gridA, gridB };
  const { grid, ...cast } = found;
  return cast.rounded === 'A' ? { cast, gridA: grid, gridB } : { cast, gridA, gridB: grid };
}

/** The mean square of what rounding took away, in twelfths of a squared step, is 1; so far it may be off. */
const [leastSpread, mostSpread] = [0.5, 2];

/** Of the elements that rounding would change this part has to be changed. */
const mostChanged = 0.9;

/**
 * Whether b − a is spread over the steps of A's grid as what a rounding to it took away.
 * @param fine the numbers that B has
 * @returns whether nearly all elements changed that would have, and the mean of 12·((b − a)/step)²
 */
export function spreadOf(a: FloatArray, b: FloatArray, grid: Grid, fine: Grid) {
  let [expected, changed, sum, count] = [0, 0, 0, 0];
  for (let e = 0; e < a.length; e++) {
    const step = grid.step(a[e], e);
    // Zeros have no step of their own: all that underflows is zero.
    if (a[e] === 0 && !grid.groups) continue;
    const kept = Math.min(1, fine.step(b[e], e) / step);
    expected += 1 - kept;
    if (a[e] !== b[e]) changed++;
    sum += ((b[e] - a[e]) / step) ** 2;
    count++;
  }
  const few = 3 * Math.sqrt(count - expected);
  return { everywhere: expected > 0 && changed >= mostChanged * expected - few, level: (12 * sum) / count };
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
): Found | undefined {
  for (const grid of grids) {
    const saturated = isNearest(from, to, grid);
    const cast = { to: grid.name, rounded, grid };
    if (saturated !== undefined) return { ...cast, ...(saturated > 0 ? { saturated } : {}) };
    if (isTruncated(from, to, grid)) return { ...cast, truncated: true };
  }
  return undefined;
}

/** Ties may go either way, and a scale is not exact. */
const half = 0.5 + 1e-3;

/** Of all elements at most this share may be beyond the largest number. */
const mostSaturated = 0.01;

/** And of those with a scale of their own at most this, or one: a row that is mostly beyond was scaled or lost. */
const mostOfGroup = 0.125;

/** Whether every element of `to` is the nearest of its grid to that of `from`; then how many are saturated. */
function isNearest(from: FloatArray, to: FloatArray, grid: Grid): number | undefined {
  const isFloat = grid.isClipped === undefined;
  const inGroup = new Uint32Array(grid.groups?.count ?? 0);
  let saturated = 0;
  for (let e = 0; e < to.length; e++) {
    const [x, y] = [from[e], to[e]];
    if (x === y) continue;
    const inward = Math.abs(x) < Math.abs(y);
    // Below a power of two the next number is half as far.
    if (Math.abs(x - y) <= (isFloat ? 0.5 * grid.step(inward ? x : y, e) : half * grid.step(y, e))) continue;
    if (!grid.isClipped?.(x, y, e) || ++saturated > mostSaturated * to.length) return undefined;
    const { size, of } = grid.groups!;
    inGroup[of(e)]++;
    if (inGroup[of(e)] > Math.max(1, mostOfGroup * size)) return undefined;
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

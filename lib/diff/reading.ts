import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { FloatArray } from '../array/elements.ts';
import type { AsyncOptions } from '../index.ts';
import { type Cast, roundingsOf, spreadOf } from './cast.ts';
import { bfloat16, float8e4m3, type Grid, largestOf, shortFormats } from './formats.ts';
import { raised, type SharedSpikes, type Spikes, spikesOf } from './noise.ts';

/**
 * What a change of values is:
 * - `equal`: the same numbers, in other bytes: the sign of zeros, the payload of NaN, another dtype;
 * - `cast`: every element is the rounding of its old value;
 * - `cast-like`: no larger than a rounding, and nothing stands out, but not every element is the nearest;
 * - `spikes`: few singular values above the noise of rounding: an adapter, an edit;
 * - `bulk`: more than rounding everywhere: trained on, say;
 * - `changed`: a vector or a number, which has no spectrum;
 * - `non-finite`: NaN or infinities that were not there.
 */
export type ReadingKind = 'equal' | 'cast' | 'cast-like' | 'spikes' | 'bulk' | 'changed' | 'non-finite';

/** One matrix, or vector, and how it has changed. */
export interface Reading {
  readonly kind: ReadingKind;
  /** ‖B − A‖_F / ‖A‖_F; of what was zero, infinity; NaN where numbers are missing. */
  readonly relative: number;
  /** Largest |B − A| of an element. */
  readonly largest: number;
  /** Elements that are not the same number. */
  readonly changed: number;
  readonly elements: number;
  /** NaN and infinities in A and in B. */
  readonly nonFinite?: readonly [a: number, b: number];
  /** Of `cast`; of `cast-like` what it is like. */
  readonly cast?: Cast;
  /** Of matrices that are no cast. */
  readonly spikes?: Spikes;
  /** Share of ‖B − A‖_F² that the spikes hold. */
  readonly energy?: number;
  /** More stand out of the rounding of the weights, but not of one of the change itself to bfloat16. */
  readonly faint?: number;
}

/** Between these neither the differences of float32 numbers nor their steps leave float32. */
const [leastSingle, mostSingle] = [1e-30, 1e38];

/** And the rest of what was rounded away from A is no less than this. */
const leastOfA = 0.7;

/** The change of a low rank holds at least this share where it was rounded itself before it was added. */
const mostlyLow = 0.9;

/**
 * How A has become B.
 * @param a rows×cols, row-major; overwritten, as `b` is
 * @param rows 0 for what is no matrix
 */
export async function readChange(
  a: FloatArray,
  b: FloatArray,
  rows: number,
  cols: number,
  options: AsyncOptions = {},
): Promise<Reading> {
  if (a instanceof Float64Array !== b instanceof Float64Array)
    [a, b] = [Float64Array.from(a), Float64Array.from(b)];
  const { kind, scale, ...measured } = measure(a, b);
  if (a instanceof Float32Array && (scale > mostSingle || scale < leastSingle))
    [a, b] = [Float64Array.from(a), Float64Array.from(b)];
  if (kind !== undefined) return { ...measured, kind };
  const isMatrix = Math.min(rows, cols) > 1;
  const [m, n] = isMatrix ? [rows, cols] : [1, a.length];
  const pause = async () => {
    await turnOfTheLoop();
    options.signal?.throwIfAborted();
  };
  await pause();
  const { cast, gridA, gridB } = roundingsOf(a, b, m, n);
  if (cast !== undefined && (cast.rounded === 'B' || !isMatrix)) return { ...measured, kind: 'cast', cast };
  if (!isMatrix) return { ...measured, kind: 'changed' };
  await pause();
  // A is what it is, however coarse its grid: B − A has the rounding of B alone, unless all of it is as large as A's.
  const exactA: Grid = {
    name: gridB.name,
    step: (x, e) => Math.min(gridA.step(x, e), gridB.step(x, e)),
  };
  const mayBeRounded = cast !== undefined || spreadOf(a, b, gridA, gridB).everywhere;
  const [x, y] = mayBeRounded ? [a.slice(), b.slice()] : [a, b];
  const first = await readSpectrum(x, y, exactA, gridB, [m, n], options);
  if (!mayBeRounded || first.kind === 'spikes' || (first.kind === 'cast-like' && !cast))
    return { ...measured, ...first };
  const second = await readSpectrum(a, b, gridA, gridB, [m, n], options);
  const { count, level } = second.spikes!;
  const isRounding = level >= leastOfA && level <= raised;
  if (cast !== undefined && isRounding && count === 0) return { ...measured, kind: 'cast', cast };
  return { ...measured, ...(isRounding && second.kind !== 'bulk' ? second : first) };
}

async function readSpectrum(
  a: FloatArray,
  b: FloatArray,
  gridA: Grid,
  gridB: Grid,
  [m, n]: readonly [number, number],
  options: AsyncOptions,
): Promise<Pick<Reading, 'kind' | 'spikes' | 'energy' | 'faint' | 'cast'>> {
  const like = roundingLike(a, b, gridA, gridB);
  const [E, deviations] = [a, b];
  for (let e = 0; e < a.length; e++) {
    const variance = (gridA.step(a[e], e) ** 2 + gridB.step(b[e], e) ** 2) / 12;
    E[e] = b[e] - a[e];
    deviations[e] = Math.sqrt(variance);
  }
  const found = await spikesOf(E, deviations, m, n, options);
  const few = ({ count, level }: Spikes) => count > 0 && count <= Math.min(m, n) / 2 && level <= raised;
  const as = (kind: 'spikes' | 'bulk', { energy, ...spikes }: SharedSpikes) => ({ kind, spikes, energy });
  if (found.count === 0 && found.level <= 2 * raised && like !== undefined)
    return { ...as('bulk', found), kind: 'cast-like', cast: like };
  if (found.count === 0) return as('bulk', found);
  // A product that was rounded before it was added is of low rank up to that rounding.
  for (let e = 0; e < E.length; e++)
    deviations[e] = Math.hypot(deviations[e], bfloat16.step(E[e]) / Math.sqrt(12));
  const again = await spikesOf(E, deviations, m, n, options);
  if (few(again) && (few(found) || again.energy >= mostlyLow)) {
    const faint = few(found) ? found.count - again.count : 0;
    return { ...as('spikes', again), ...(faint > 0 ? { faint } : {}) };
  }
  return as(few(found) ? 'spikes' : 'bulk', found);
}

/** What a change is like that is nowhere larger than a step of rounding, or on the whole no larger than that to integers. */
function roundingLike(a: FloatArray, b: FloatArray, gridA: Grid, gridB: Grid): Cast | undefined {
  let [beyond, squares] = [0, 0];
  for (let e = 0; e < a.length; e++) {
    const difference = Math.abs(a[e] - b[e]);
    if (difference === 0) continue;
    const step = Math.hypot(gridA.step(a[e], e), gridB.step(b[e], e));
    if (difference > step * (1 + 1e-6)) beyond++;
    squares += (difference / step) ** 2;
  }
  const rounded = gridB.step(1, 0) >= gridA.step(1, 0) ? 'B' : 'A';
  const grid = rounded === 'B' ? gridB : gridA;
  const isInteger = grid.name.startsWith('int');
  if (beyond <= 1e-4 * a.length || (isInteger && squares <= a.length / 3)) return { to: grid.name, rounded };
  // The size of the error of a rounding whose results were changed once more: nowhere above half a step, nor far below on the whole.
  const format = shortFormats
    .slice(0, shortFormats.indexOf(float8e4m3) + 1)
    .find((short) => a.every((x, e) => Math.abs(x - b[e]) <= 0.5 * (1 + 2 ** -10) * short.step(x)));
  if (format === undefined || meanSquareOfSteps(a, b, format) < leastOfRounding / 12) return undefined;
  return { to: format.name, rounded: 'B' };
}

/** What rounding makes of a step on the mean, squared, is a twelfth; this share of it at least. */
const leastOfRounding = 0.25;

/** The mean of ((b − a)/step of a)² over what is not zero. */
function meanSquareOfSteps(a: FloatArray, b: FloatArray, { step }: Grid): number {
  let [sum, count] = [0, 0];
  for (let e = 0; e < a.length; e++) {
    if (a[e] === 0) continue;
    sum += ((b[e] - a[e]) / step(a[e], e)) ** 2;
    count++;
  }
  return count > 0 ? sum / count : 0;
}

interface Measured extends Omit<Reading, 'kind'> {
  /** Largest |A| or |B| where they differ. */
  readonly scale: number;
  readonly kind?: 'equal' | 'non-finite';
}

function measure(a: FloatArray, b: FloatArray): Measured {
  let [changed, largest, scale] = [0, 0, 0];
  let [badA, badB, moved] = [0, 0, 0];
  for (let e = 0; e < a.length; e++) {
    const [x, y] = [a[e], b[e]];
    if (!Number.isFinite(x)) badA++;
    if (!Number.isFinite(y)) badB++;
    if (Object.is(x, y) || x === y) continue;
    changed++;
    const difference = Math.abs(y - x);
    if (!(difference < Number.POSITIVE_INFINITY)) moved++;
    else if (difference > largest) largest = difference;
    scale = Math.max(scale, Math.abs(x), Math.abs(y));
  }
  const elements = a.length;
  const nonFinite = badA + badB > 0 ? ([badA, badB] as const) : undefined;
  const of = { changed, elements, nonFinite, scale };
  if (changed === 0) return { ...of, kind: 'equal', relative: 0, largest: 0 };
  if (badA + badB + moved > 0)
    return {
      ...of,
      kind: 'non-finite',
      relative: Number.NaN,
      largest: moved > 0 ? Number.NaN : largest,
    };
  const size = scaledNorm(elements, largest, (e) => b[e] - a[e]);
  const before = scaledNorm(elements, largestOf(a), (e) => a[e]);
  return { ...of, relative: size / before, largest };
}

/** √Σx², whatever the size of the numbers. */
function scaledNorm(length: number, largest: number, x: (e: number) => number): number {
  if (largest === 0) return 0;
  let sum = 0;
  for (let e = 0; e < length; e++) sum += (x(e) / largest) ** 2;
  return largest * Math.sqrt(sum);
}

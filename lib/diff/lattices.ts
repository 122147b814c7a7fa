import type { FloatArray } from '../array/elements.ts';
import { type FloatFormat, float8e4m3, type Grid, largestOf, shortFormats } from './formats.ts';

// Multiples of a step of its own in each group of elements: what integers times a scale are. The step is found from the
// numbers alone, whatever it was computed from: the largest number is at most 255 of them.

/** Elements with a scale of their own: `size` of them, `stride` apart. */
interface Groups {
  readonly name: string;
  readonly count: number;
  readonly size: number;
  readonly stride: number;
  first(group: number): number;
  of(e: number): number;
}

/** A group has at least so many elements; of fewer everything looks like multiples of something. */
const leastSize = 8;

/** Lengths of groups within a row. */
const lengths = [256, 128, 64, 32, 16];

function groupings(rows: number, cols: number): Groups[] {
  const row = (name: string, size: number): Groups => ({
    name,
    count: (rows * cols) / size,
    size,
    stride: 1,
    first: (group) => group * size,
    of: (e) => Math.floor(e / size),
  });
  return [
    row('per tensor', rows * cols),
    row('per row', cols),
    {
      name: 'per column',
      count: cols,
      size: rows,
      stride: cols,
      first: (group: number) => group,
      of: (e: number) => e % cols,
    },
    ...lengths
      .filter((length) => length < cols && cols % length === 0)
      .map((length) => row(`per group of ${length}`, length)),
  ].filter(({ size }) => size >= leastSize);
}

/** The step whose multiples the numbers of a group are. */
interface Fit {
  readonly step: number;
  /** From the least multiple to the largest. */
  readonly levels: number;
  /** The largest multiple of either sign. */
  readonly reach: number;
  /** How unlikely that is of other numbers: −log of the chance. */
  readonly evidence: number;
}

/** The largest number may be so many steps. */
const mostSteps = 255;
const mostDistinct = 2 * mostSteps + 1;

/** Of fewer different numbers there is always a step: weights that are all ones are no integers. */
const leastDistinct = 3;

/** Fewer steps where zero is none of the numbers: largest minus least. */
const fullRanges = [15, 255, 3, 7];

/** What a whole tensor must have of it for each group, beyond what fits by the choice of a step. */
const leastEvidence = 12;

/**
 * The grid of integers times a scale that `x` lies on, with the fewest scales.
 * @param stored the coarsest floating-point format that has all the numbers: the products were rounded to it
 */
export function latticeOf(x: FloatArray, rows: number, cols: number, stored: FloatFormat): Grid | undefined {
  for (const groups of groupings(rows, cols)) {
    const found = fitAll(x, groups, stored);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fitAll(x: FloatArray, groups: Groups, stored: FloatFormat): Grid | undefined {
  const steps = new Float64Array(groups.count);
  const least = new Float64Array(groups.count);
  const largest = new Float64Array(groups.count);
  let [used, most, levels, evidence, reach] = [0, 0, 0, 0, 0];
  const ranges = new Float64Array(groups.count);
  for (let group = 0; group < groups.count; group++) {
    const counts = countsOf(x, groups, group);
    if (counts === undefined) return undefined;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of counts.keys()) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    [least[group], largest[group]] = [low, high];
    if (low === 0 && high === 0) continue;
    const fit = fitGroup(counts, low, high, stored);
    if (fit === undefined) return undefined;
    most = Math.max(most, counts.size);
    steps[group] = fit.step;
    ranges[group] = fit.levels;
    levels = Math.max(levels, fit.levels);
    reach = Math.max(reach, fit.reach);
    evidence += fit.evidence;
    used++;
  }
  if (most < leastDistinct || evidence < leastEvidence * (used + 2)) return undefined;
  return {
    name: `${integerName(levels)} ${groups.name}`,
    step: (value, e) => steps[groups.of(e)] + stored.step(value),
    groups,
    isClipped: (from, to, e) => {
      const [group, side] = [groups.of(e), from > to ? 1 : -1];
      if (to !== (side > 0 ? largest : least)[group]) return false;
      // The last number of a group is the last level only where the group goes as far as any.
      const isFull = ranges[group] === levels && fullRanges.includes(levels);
      return isFull || side * to > Math.max(0.5, reach - 1.5) * steps[group];
    },
  };
}

/** How often each number is in a group; `undefined` where there are more of them than multiples of one step. */
function countsOf(
  x: FloatArray,
  { first, size, stride }: Groups,
  group: number,
): Map<number, number> | undefined {
  const counts = new Map<number, number>();
  const start = first(group);
  for (let i = 0; i < size; i++) {
    const value = x[start + i * stride];
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > mostDistinct) return undefined;
  }
  return counts;
}

const integerName = (levels: number): string =>
  `int${levels <= 3 ? 2 : levels <= 7 ? 3 : levels <= 15 ? 4 : 8}`;

/** The numbers of a group, each once, from those near an offset to those far from it. */
interface Distances {
  readonly distance: Float64Array;
  /** How far each may be from a multiple: by its own rounding, and that of the offset. */
  readonly allowed: Float64Array;
  readonly side: Int8Array;
  readonly count: Float64Array;
}

function distancesOf(counts: ReadonlyMap<number, number>, offset: number, stored: FloatFormat): Distances {
  const values = [...counts.keys()].sort((x, y) => Math.abs(x - offset) - Math.abs(y - offset));
  const part = stored.precision < 23 ? 0.51 : 2; // a product in single precision and a sum
  const own = offset === 0 ? 0 : stored.step(offset);
  return {
    distance: Float64Array.from(values, (x) => Math.abs(x - offset)),
    allowed: Float64Array.from(values, (x) => part * (stored.step(x) + own)),
    side: Int8Array.from(values, (x) => (x < offset ? -1 : 1)),
    count: Float64Array.from(values, (x) => counts.get(x)!),
  };
}

/** @param low the least, @param high the largest of the numbers */
function fitGroup(
  counts: ReadonlyMap<number, number>,
  low: number,
  high: number,
  stored: FloatFormat,
): Fit | undefined {
  const around = distancesOf(counts, 0, stored);
  for (let count = 1; count <= mostSteps; count++) {
    const found = fitSteps(around, count);
    if (found !== undefined) return found;
  }
  if (low === high) return undefined;
  const above = distancesOf(counts, low, stored);
  for (const count of fullRanges) {
    const found = fitSteps(above, count);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The step of which all are multiples, the farthest `count` of them. Each number whose multiple is certain says more exactly
 * what the step is: from those near the offset to those far from it.
 */
function fitSteps({ distance, allowed, side, count: times }: Distances, count: number): Fit | undefined {
  const end = distance.length - 1;
  let low = (distance[end] - allowed[end]) / count;
  let high = (distance[end] + allowed[end]) / count;
  // Most counts fail at once by numbers that are far out.
  for (let i = end; i >= 0; i--)
    if (Math.ceil((distance[i] - allowed[i]) / high) > (distance[i] + allowed[i]) / low) return undefined;
  let [least, largest, evidence] = [0, 0, 0];
  for (let i = 0; i <= end; i++) {
    const first = Math.ceil((distance[i] - allowed[i]) / high);
    const last = Math.floor((distance[i] + allowed[i]) / low);
    if (first > last) return undefined;
    if (side[i] < 0) least = Math.min(least, -first);
    else largest = Math.max(largest, last);
    if (distance[i] > 0)
      evidence -= times[i] * Math.log(Math.min(1, (2 * allowed[i] + last * (high - low)) / low));
    if (first !== last || first === 0) continue;
    low = Math.max(low, (distance[i] - allowed[i]) / first);
    high = Math.min(high, (distance[i] + allowed[i]) / first);
    if (low > high) return undefined;
  }
  return { step: (low + high) / 2, levels: largest - least, reach: Math.max(largest, -least), evidence };
}

/** Scales are not exact: this part of a step more. */
const slack = 1e-4;

/** So much they may be wrong by: what seems to be below a power of two may be it. */
const scaleError = 2 ** -20;

/** 8-bit floats times a scale, one for the tensor or one a row, that makes the largest of them the largest there is. */
export function scaledFloatsOf(x: FloatArray, rows: number, cols: number, stored: FloatFormat): Grid[] {
  const out: Grid[] = [];
  const eights = shortFormats.slice(shortFormats.indexOf(float8e4m3));
  for (const groups of groupings(rows, cols).slice(0, 2))
    for (const format of eights) {
      const scales = new Float64Array(groups.count);
      const fits = scales.every((_, group) => {
        const values = x.subarray(groups.first(group), groups.first(group) + groups.size);
        const most = largestOf(values);
        scales[group] = most / format.largest;
        return values.every((value) => {
          const multiple = value / scales[group] / format.step(value / scales[group]);
          if (value === 0) return true;
          return (
            Math.round(multiple) !== 0 &&
            Math.abs(multiple - Math.round(multiple)) <= slack + 2 ** -stored.precision * Math.abs(multiple)
          );
        });
      });
      if (fits && scales.some((scale) => scale > 0 && scale !== 1))
        out.push({
          name: `${format.name} with a scale ${groups.name}`,
          step: (value, e) => {
            const scale = scales[groups.of(e)];
            return scale === 0
              ? 0
              : scale * format.step((value / scale) * (1 + scaleError)) + stored.step(value);
          },
        });
    }
  return out;
}

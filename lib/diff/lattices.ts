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
  /** How unlikely that is of other numbers: −log of the chance. */
  readonly evidence: number;
}

/** The largest number may be so many steps. */
const mostSteps = 255;

/** Fewer steps where zero is none of the numbers: largest minus least. */
const ranges = [15, 255, 3, 7];

/** What a whole tensor must have of it for each group, beyond what fits by the choice of a step. */
const leastEvidence = 12;

/**
 * The grids of integers times a scale that `x` lies on, those with the fewest scales first.
 * @param stored the coarsest floating-point format that has all the numbers: the products were rounded to it
 */
export function latticesOf(x: FloatArray, rows: number, cols: number, stored: FloatFormat): Grid[] {
  const out: Grid[] = [];
  for (const groups of groupings(rows, cols)) {
    const found = fitAll(x, groups, stored);
    if (found !== undefined) out.push(found);
  }
  return out;
}

function fitAll(x: FloatArray, groups: Groups, stored: FloatFormat): Grid | undefined {
  const steps = new Float64Array(groups.count);
  const least = new Float64Array(groups.count);
  const largest = new Float64Array(groups.count);
  let [levels, evidence] = [0, 0];
  let used = 0;
  for (let group = 0; group < groups.count; group++) {
    const values = valuesOf(x, groups, group);
    const [low, high] = rangeOf(values);
    [least[group], largest[group]] = [low, high];
    if (low === 0 && high === 0) continue;
    const fit = fitGroup(values, low, high, stored);
    if (fit === undefined) return undefined;
    steps[group] = fit.step;
    levels = Math.max(levels, fit.levels);
    evidence += fit.evidence;
    used++;
  }
  if (used === 0 || evidence < leastEvidence * used + 2 * leastEvidence) return undefined;
  return {
    name: `${integerName(levels)} ${groups.name}`,
    step: (value, e) => steps[groups.of(e)] + stored.step(value),
    isLast: (value, e) => value === (value < 0 ? least : largest)[groups.of(e)],
  };
}

function valuesOf(x: FloatArray, { first, size, stride }: Groups, group: number): FloatArray {
  const start = first(group);
  return stride === 1
    ? x.subarray(start, start + size)
    : Float64Array.from({ length: size }, (_, i) => x[start + i * stride]);
}

const integerName = (levels: number): string =>
  `int${levels <= 3 ? 2 : levels <= 7 ? 3 : levels <= 15 ? 4 : 8}`;

function rangeOf(values: FloatArray): [low: number, high: number] {
  let [low, high] = [values[0], values[0]];
  for (const x of values) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return [low, high];
}

function fitGroup(values: FloatArray, low: number, high: number, stored: FloatFormat): Fit | undefined {
  const sorted = new Map<number, FloatArray>(); // by offset
  const tried = (reach: number, count: number, offset: number): Fit | undefined => {
    const tolerance = toleranceOf(stored, offset);
    const end = offset + reach;
    const about = [(reach - tolerance(end)) / count, (reach + tolerance(end)) / count] as const;
    if (!values.every((value) => fits(Math.abs(value - offset), tolerance(value), about))) return undefined;
    if (!sorted.has(offset))
      sorted.set(
        offset,
        values.slice().sort((x, y) => Math.abs(x - offset) - Math.abs(y - offset)),
      );
    return fitSteps(sorted.get(offset)!, about, offset, tolerance);
  };
  const most = Math.max(high, -low);
  for (let count = 1; count <= mostSteps; count++) {
    const found = tried(most, count, 0);
    if (found !== undefined) return found;
  }
  for (const count of high > low ? ranges : []) {
    const found = tried(high - low, count, low);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** How far a number may be from a multiple: by its own rounding, and that of the offset. */
const toleranceOf = ({ step, precision }: FloatFormat, offset: number): ((value: number) => number) => {
  const part = precision < 23 ? 0.51 : 2; // a product in single precision and a sum
  return (value) => part * (step(value) + (offset === 0 ? 0 : step(offset)));
};

/** Whether a distance is a multiple of a step between these. */
const fits = (distance: number, tolerance: number, [least, most]: readonly [number, number]): boolean =>
  Math.ceil((distance - tolerance) / most) <= (distance + tolerance) / least;

/**
 * The step, between these, of which all are multiples. Each number whose multiple is certain says more exactly what the step
 * is: from those near the offset to those far from it.
 */
function fitSteps(
  values: FloatArray,
  about: readonly [number, number],
  offset: number,
  tolerance: (value: number) => number,
): Fit | undefined {
  let [low, high] = about;
  let [least, largest, evidence] = [0, 0, 0];
  for (const value of values) {
    const [distance, allowed] = [Math.abs(value - offset), tolerance(value)];
    const first = Math.ceil((distance - allowed) / high);
    const last = Math.floor((distance + allowed) / low);
    if (first > last) return undefined;
    if (value < offset) least = Math.min(least, -first);
    else largest = Math.max(largest, last);
    if (distance > 0) evidence -= Math.log(Math.min(1, (2 * allowed + last * (high - low)) / low));
    if (first !== last || first === 0) continue;
    low = Math.max(low, (distance - allowed) / first);
    high = Math.min(high, (distance + allowed) / first);
    if (low > high) return undefined;
  }
  return { step: (low + high) / 2, levels: largest - least, evidence };
}

/** Scales are not exact: this part of a step more. */
const slack = 1e-4;

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
          return (
            most === 0 ||
            Math.abs(multiple - Math.round(multiple)) <= slack + 2 ** -stored.precision * Math.abs(multiple)
          );
        });
      });
      if (fits && scales.some((scale) => scale > 0 && scale !== 1))
        out.push({
          name: `${format.name} with a scale ${groups.name}`,
          step: (value, e) => {
            const scale = scales[groups.of(e)];
            return scale === 0 ? 0 : scale * format.step(value / scale) + stored.step(value);
          },
        });
    }
  return out;
}

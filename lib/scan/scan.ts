import { setImmediate } from 'node:timers/promises';
import { isOwnError } from '../array/errors.ts';
import type { Turns } from '../array/turns.ts';
import { type AsyncOptions, type StridedArray, svdvalsAsync } from '../index.ts';
import { isReadable } from '../weights/dtypes.ts';
import type { Weights } from '../weights/index.ts';
import { type ElementNumbers, type Elements, elementNumbers } from './elements.ts';
import { curvePlaces } from './places.ts';
import type { Unit } from './plan.ts';
import { isBroken, type ScanRow } from './row.ts';
import { spectrumNumbers } from './spectrum.ts';

/** What was found of a unit. */
export interface Scanned {
  readonly unit: Unit;
  /** One of each matrix, or of the tensor where it is none. */
  readonly rows: readonly ScanRow[];
}

/**
 * Scans units of open weights one after the other; the next is read while one is computed, so that two are in memory. `onProgress`
 * is told the share that is done.
 * @throws `ERR_SVD_FILE`; `signal.reason` on abort. NaN, and a decomposition that fails, are said in the row
 */
export async function* scanUnits(
  weights: Weights,
  units: readonly Unit[],
  { signal, onProgress }: AsyncOptions = {},
): AsyncGenerator<Scanned, void, void> {
  const total = units.reduce((sum, { cost }) => sum + cost, 0);
  let done = 0;
  const read = (unit: Unit | undefined) => {
    const reading = unit && readUnit(weights, unit);
    reading?.catch(() => {}); // whoever awaits it is told
    return reading;
  };
  let next = read(units[0]);
  for (const [i, unit] of units.entries()) {
    const elements = await next;
    signal?.throwIfAborted();
    next = read(units[i + 1]);
    const inside = (share: number) => onProgress?.({ done: (done + unit.cost * share) / total, total: 1 });
    const rows = elements
      ? await rowsOf(unit, elements, { signal, onProgress: (part) => inside(part.done / part.total) })
      : [rowOf(unit, 0)];
    signal?.throwIfAborted();
    inside(1);
    done += unit.cost;
    yield { unit, rows };
  }
}

/** The elements; `undefined` where they are no floats. */
async function readUnit(weights: Weights, { name, info, matrices, from, to }: Unit) {
  if (!isReadable(info.dtype)) return undefined;
  const rows = (matrices?.count ?? 1) > 1 ? ([from, to] as const) : undefined;
  return (await weights.readStored(name, { rows })) as Elements;
}

function rowOf({ name, info: { dtype, shape }, matrices, reason }: Unit, item: number): ScanRow {
  return {
    name,
    ...(matrices && matrices.count > 1 && { item }),
    dtype,
    shape,
    ...(matrices && { matrix: [matrices.rows, matrices.cols] as const }),
    ...(reason !== undefined && { reason }),
  };
}

async function rowsOf(unit: Unit, { data, dtype }: Elements, options: AsyncOptions): Promise<ScanRow[]> {
  const { matrices = { rows: 1, cols: data.length }, from, to } = unit;
  const { rows, cols } = matrices;
  const each = rows * cols;
  const parts = Array.from({ length: to - from }, (_, i) => data.subarray(i * each, (i + 1) * each));
  const known: ScanRow[] = [];
  for (const [i, part] of parts.entries())
    known.push({ ...rowOf(unit, from + i), ...(await numbersOf({ data: part, dtype }, options)) });
  if (unit.matrices === undefined) return known;
  if (known.length > 1 && !known.some(isBroken)) {
    const all = await spectra({ data, shape: [to - from, rows, cols], dtype }, options);
    if (typeof all !== 'string') return known.map((row, i) => withSpectrum(row, all[i]));
  }
  // One by one, where there is one, or some of them have none.
  const out: ScanRow[] = [];
  for (const [i, row] of known.entries()) {
    if (isBroken(row)) out.push({ ...row, reason: 'not all of it is finite' });
    else {
      const own = await spectra({ data: parts[i], shape: [1, rows, cols], dtype }, options);
      out.push(typeof own === 'string' ? { ...row, reason: own } : withSpectrum(row, own[0]));
    }
  }
  return out;
}

/** The pass over the elements, between whose slices the event loop turns. */
async function numbersOf(elements: Elements, { signal }: AsyncOptions): Promise<ElementNumbers> {
  const turns: Turns<ElementNumbers> = elementNumbers(elements);
  for (;;) {
    const step = turns.next();
    if (step.done) return step.value;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

/** The singular values of every matrix of a batch, or why there are none. `signal.reason` on abort */
async function spectra(batch: StridedArray, options: AsyncOptions): Promise<Float64Array[] | string> {
  try {
    const S = await svdvalsAsync(batch, options);
    const p = S.shape[1];
    return Array.from({ length: S.shape[0] }, (_, i) =>
      Float64Array.from(S.data.subarray(i * p, (i + 1) * p)),
    );
  } catch (error) {
    if (!isOwnError(error) || !ofMatrix.has(error.code)) throw error;
    return error.message;
  }
}

/** What a matrix can have that others have not. */
const ofMatrix = new Set(['ERR_SVD_NO_CONVERGENCE', 'ERR_SVD_OVERFLOW', 'ERR_SVD_TOO_LARGE']);

function withSpectrum(row: ScanRow, S: Float64Array): ScanRow {
  const [rows, cols] = row.matrix!;
  const curve = curvePlaces(S.length).map((i) => Number(S[i].toPrecision(6)));
  return { ...row, ...spectrumNumbers(S, rows, cols), curve };
}

import { join } from 'node:path';
import { type Adapter, openAdapter } from '../adapters/index.ts';
import { weightsName } from '../adapters/open.ts';
import { type Tensor, tensor } from '../array/tensor.ts';
import { type AsyncOptions, FactoredMatrix } from '../index.ts';
import type { Weights } from '../weights/index.ts';
import { isChosen, mustMatch } from './pairs.ts';
import type { Reading } from './reading.ts';
import { type DiffOptions, failureOf, type TensorDiff, type Walk } from './walk.ts';

/** Names of the factors of low-rank adapters. */
const factorName = /\blora_?(A|B|down|up|embedding_A|embedding_B)\b/;

/** Whether weights are those of an adapter, by the names of their tensors. */
export const isAdapter = ({ names }: Weights): boolean => names.some((name) => factorName.test(name));

/** Bits after the leading one of what factors are stored in. */
const precision: Readonly<Record<string, number>> = { bfloat16: 7, float16: 10, float32: 23, float64: 52 };

/** Leading singular values that are kept of a difference. */
const mostKept = 64;

/**
 * How adapter A has become B, module by module: by what they add to the weights, B₁·A₁ and B₂·A₂, whose difference
 * [B₂ −B₁]·[A₂; A₁] is never formed. What they have whole is compared by its elements.
 */
export async function diffAdapters(pathA: string, pathB: string, options: DiffOptions): Promise<Walk> {
  const [a, b] = [
    await openAdapter(pathA, { signal: options.signal }),
    await openAdapter(pathB, { signal: options.signal }),
  ];
  const names = [
    ...new Set([a, b].flatMap(({ modules, replaced }) => [...modules.keys(), ...replaced.keys()])),
  ];
  mustMatch(names, options, pathA);
  const chosen = names.filter((name) => isChosen(name, options));
  const opened = (path: string) => ({ path, files: [join(path, weightsName)] });
  return {
    prefix: undefined,
    total: chosen.length,
    names,
    opened: [opened(pathA), opened(pathB)],
    tensors: walk(chosen, a, b, options),
  };
}

async function* walk(
  names: readonly string[],
  a: Adapter,
  b: Adapter,
  options: DiffOptions,
): AsyncGenerator<TensorDiff, void, void> {
  const own = names.filter(
    (_, i) => options.shard === undefined || i % options.shard.count === options.shard.index - 1,
  );
  for (const [done, name] of own.entries()) {
    options.onProgress?.({ done, total: own.length });
    options.signal?.throwIfAborted();
    yield options.known?.get(name) ?? (await diffModule(name, a, b, options));
  }
}

async function diffModule(
  name: string,
  a: Adapter,
  b: Adapter,
  { signal }: DiffOptions,
): Promise<TensorDiff> {
  const [x, y] = [a, b].map(({ modules, replaced }) => modules.get(name) ?? replaced.get(name));
  const dtypes = [a, b].map(({ info, replaced }) => info.get(name)?.dtype ?? replaced.get(name)?.dtype);
  const found = (kinds: TensorDiff['kinds'], reading?: Reading, failed?: string): TensorDiff => ({
    name,
    dtype: [...new Set(dtypes.filter((dtype) => dtype !== undefined))],
    shape: x && y && String(x.shape) !== String(y.shape) ? [x.shape, y.shape] : [(x ?? y)!.shape],
    kinds,
    readings: reading === undefined ? [] : [{ index: 0, reading }],
    matrices: 1,
    ...(failed === undefined ? {} : { failed }),
  });
  if (x === undefined || y === undefined) return found([x === undefined ? 'added' : 'missing']);
  if (String(x.shape) !== String(y.shape)) return found(['shape']);
  if (!(x instanceof FactoredMatrix && y instanceof FactoredMatrix)) {
    if (x instanceof FactoredMatrix || y instanceof FactoredMatrix) return found(['bytes']);
    const isSame =
      x.data.length === y.data.length && [...x.data].every((value, e) => Object.is(value, y.data[e]));
    return found(isSame && x.dtype === y.dtype ? [] : ['bytes']);
  }
  const dtype = dtypes[0] === dtypes[1] ? [] : (['dtype'] as const);
  if (sameFactor(x.A, y.A) && sameFactor(x.B, y.B)) return found([...dtype]);
  const rounding = 2 ** -Math.min(...dtypes.map((dtype) => precision[dtype!] ?? 7));
  try {
    const reading = await readProducts(x, y, rounding, signal);
    return found([...dtype, reading.kind], reading);
  } catch (error) {
    return found([...dtype, 'unreadable'], undefined, failureOf(error, signal));
  }
}

function sameFactor(x: Tensor, y: Tensor): boolean {
  const [m, n] = x.shape;
  if (y.shape[0] !== m || y.shape[1] !== n) return false;
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) if (x.get(i, j) !== y.get(i, j)) return false;
  return true;
}

/** @param rounding relative error of the factors, as they are stored */
async function readProducts(
  x: FactoredMatrix,
  y: FactoredMatrix,
  rounding: number,
  signal: AsyncOptions['signal'],
): Promise<Reading> {
  const [m, n] = x.shape;
  const [p, q] = [x.mdim, y.mdim];
  const [left, right] = [new Float64Array(m * (p + q)), new Float64Array((p + q) * n)];
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < p; k++) left[i * (p + q) + k] = -x.A.get(i, k);
    for (let k = 0; k < q; k++) left[i * (p + q) + p + k] = y.A.get(i, k);
  }
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < p; k++) right[k * n + j] = x.B.get(k, j);
    for (let k = 0; k < q; k++) right[(p + k) * n + j] = y.B.get(k, j);
  }
  const difference = new FactoredMatrix(tensor(left, [m, p + q]), tensor(right, [p + q, n]));
  const { U, S, Vh } = await difference.svdAsync({ signal });
  const values = Array.from(S.data as Float64Array);
  const [before, norm] = [x.norm() as number, Math.hypot(...values)];
  const of = {
    relative: norm === 0 ? 0 : norm / before,
    largest: Number.NaN,
    changed: Number.NaN,
    elements: m * n,
  };
  if (norm === 0) return { ...of, kind: 'equal' };
  // Two factors, each rounded.
  if (of.relative <= 2 * rounding)
    return { ...of, kind: 'cast-like', cast: { to: 'the dtype of the factors', rounded: 'B' } };
  const count = Math.min(mostKept, values.filter((s) => s > 1e-10 * values[0]).length);
  const part = {
    U: leading(U as Tensor, 1, count),
    S: leading(S as Tensor, 0, count),
    Vh: leading(Vh as Tensor, 0, count),
  };
  const kept = values.slice(0, count);
  const energy = Math.min(1, (Math.hypot(...kept) / norm) ** 2);
  return {
    ...of,
    kind: 'spikes',
    energy,
    spikes: { count, level: 0, ratio: Number.POSITIVE_INFINITY, S: kept, part },
  };
}

/** The first indices of an axis. */
const leading = (x: Tensor, axis: number, count: number): Tensor =>
  x.hi(...x.shape.map((size, i) => (i === axis ? count : size))) as Tensor;

import { stat } from 'node:fs/promises';
import { isOwnError } from '../array/errors.ts';
import type { AsyncOptions } from '../index.ts';
import { isReadable, isStorable } from '../weights/dtypes.ts';
import type { TensorInfo, Weights } from '../weights/index.ts';
import { matricesOf } from '../weights/matrices.ts';
import type { Opened } from './beside.ts';
import { type Filter, type Inventory, type Pair, pairsOf, sameBytes, withRenamed } from './pairs.ts';
import { type Reading, type ReadingKind, readChange } from './reading.ts';

/** What can have happened to a tensor besides its values: `bytes` where those of a dtype that is not read as numbers differ. */
export type InventoryKind = 'missing' | 'added' | 'renamed' | 'dtype' | 'shape' | 'bytes' | 'unreadable';

export type ChangeKind = InventoryKind | ReadingKind;

export const changeKinds: readonly ChangeKind[] = [
  ...(['missing', 'added', 'renamed', 'dtype', 'shape', 'bytes', 'unreadable'] as const),
  ...(['equal', 'cast', 'cast-like', 'spikes', 'bulk', 'changed', 'non-finite'] as const),
];

/** One tensor of A, of B, or of both. */
export interface TensorDiff {
  /** Name in A; in B of what is in B alone. */
  readonly name: string;
  /** Name in B where it is another one. */
  readonly other?: string | undefined;
  readonly dtype: readonly string[];
  readonly shape: readonly (readonly number[])[];
  /** All that has happened to it; empty where nothing has. */
  readonly kinds: readonly ChangeKind[];
  /** Its matrices that have changed, by their place in the tensor. */
  readonly readings: readonly { readonly index: number; readonly reading: Reading }[];
  /** Matrices in all. */
  readonly matrices: number;
  /** Why it could not be compared, or one of its matrices: it is `unreadable`, too. */
  readonly failed?: string | undefined;
}

export interface DiffOptions extends Filter, Pick<AsyncOptions, 'signal'> {
  /** Part `index` of `count`, from 1: of the tensors in both, and of all others. */
  readonly shard?: { readonly index: number; readonly count: number } | undefined;
  /** What is known already. */
  readonly known?: ReadonlyMap<string, TensorDiff> | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** What kept a tensor from being compared, where it says nothing of the others; thrown on if it does, or the signal was aborted. */
export function failureOf(error: unknown, signal: AbortSignal | undefined): string {
  signal?.throwIfAborted();
  if (!isOwnError(error) || error.code === 'ERR_SVD_FILE') throw error;
  return error.message;
}

/** Differences, tensor by tensor, and what was found of the names. */
export interface Walk {
  readonly prefix: Inventory['prefix'];
  /** Tensors that were chosen, of all shards. */
  readonly total: number;
  /** Every name in A or B, chosen or not. */
  readonly names: readonly string[];
  readonly opened: readonly [Opened, Opened];
  readonly tensors: AsyncGenerator<TensorDiff, void, void>;
}

/**
 * How checkpoint A has become B: first what is missing, added or renamed, then tensor by tensor, of which two are in memory. What is the same file is not read.
 * @throws `ERR_SVD_FILE`; `signal.reason` on abort
 */
export async function diffWeights(a: Weights, b: Weights, options: DiffOptions): Promise<Walk> {
  const inventory = await withRenamed(a, b, pairsOf(a, b, options), options);
  const { prefix, pairs, missing, added } = inventory;
  const total = pairs.length + missing.length + added.length;
  const names = [...a.names, ...b.names];
  return { prefix, total, names, opened: [a, b], tensors: walk(a, b, inventory, options) };
}

async function* walk(
  a: Weights,
  b: Weights,
  { pairs, missing, added }: Inventory,
  { shard, known, signal, onProgress }: DiffOptions,
): AsyncGenerator<TensorDiff, void, void> {
  const isSameFile = await sameFiles(a, b);
  const alone = (name: string, info: TensorInfo, kind: 'missing' | 'added'): TensorDiff => ({
    name,
    dtype: [info.dtype],
    shape: [info.shape],
    kinds: [kind],
    readings: [],
    matrices: 0,
  });
  const work: (() => TensorDiff | Promise<TensorDiff>)[] = [
    ...pairs.map((pair) => () => known?.get(pair.name) ?? diffPair(a, b, pair, isSameFile, signal)),
    ...missing.map((name) => () => alone(name, a.tensors.get(name)!, 'missing')),
    ...added.map((name) => () => alone(name, b.tensors.get(name)!, 'added')),
  ];
  const own = work.filter((_, i) => shard === undefined || i % shard.count === shard.index - 1);
  for (const [done, step] of own.entries()) {
    onProgress?.({ done, total: own.length });
    signal?.throwIfAborted();
    yield await step();
  }
}

/** Whether two tensors stand at the same place of the same file, under whatever names. */
async function sameFiles(a: Weights, b: Weights): Promise<(x: TensorInfo, y: TensorInfo) => boolean> {
  const identities = new Map<string, string>();
  for (const path of new Set([...a.files, ...b.files]))
    await stat(path, { bigint: true }).then(
      ({ dev, ino }) => identities.set(path, `${dev} ${ino}`),
      () => {}, // gone since: what is open is read
    );
  const of = (info: TensorInfo) => identities.get(info.file);
  return (x, y) =>
    x.byteOffset !== undefined && x.byteOffset === y.byteOffset && of(x) !== undefined && of(x) === of(y);
}

async function diffPair(
  a: Weights,
  b: Weights,
  pair: Pair,
  isSameFile: (x: TensorInfo, y: TensorInfo) => boolean,
  signal: AbortSignal | undefined,
): Promise<TensorDiff> {
  const { name, other, a: from, b: to } = pair;
  const kinds = new Set<ChangeKind>(name === other || pair.unnamed ? [] : ['renamed']);
  const sameDtype = from.dtype === to.dtype;
  if (!sameDtype) kinds.add('dtype');
  const sameShape = String(from.shape) === String(to.shape);
  if (!sameShape) kinds.add('shape');
  const found = (
    matrices = 0,
    readings: TensorDiff['readings'] = [],
    failed?: string | undefined,
  ): TensorDiff => ({
    name,
    ...(name === other ? {} : { other }),
    dtype: sameDtype ? [from.dtype] : [from.dtype, to.dtype],
    shape: sameShape ? [from.shape] : [from.shape, to.shape],
    kinds: [...kinds],
    readings,
    matrices,
    ...(failed === undefined ? {} : { failed }),
  });
  if (!sameShape) return found();
  if (sameDtype && isSameFile(from, to)) return found();
  if (sameDtype && isStorable(from.dtype) && (await sameBytes(a, b, pair, signal))) return found();
  if (!isReadable(from.dtype) || !isReadable(to.dtype)) {
    kinds.add(sameDtype && isStorable(from.dtype) ? 'bytes' : 'unreadable');
    return found();
  }
  const { count, rows, cols } = matricesOf(from.shape) ?? { count: 1, rows: 0, cols: 0 };
  const readings: { index: number; reading: Reading }[] = [];
  let failed: string | undefined;
  for (let index = 0; index < count; index++) {
    signal?.throwIfAborted();
    const part = count > 1 ? ({ rows: [index, index + 1] } as const) : {};
    try {
      const [left, right] = await Promise.all([a.read(name, part), b.read(other, part)]);
      const reading = await readChange(left.data, right.data, rows, cols, { signal });
      if (count > 1 && reading.kind === 'equal') continue;
      readings.push({ index, reading });
      kinds.add(reading.kind);
    } catch (error) {
      const why = failureOf(error, signal);
      failed ??= count > 1 ? `matrix ${index}: ${why}` : why;
      kinds.add('unreadable');
    }
  }
  if (readings.length === 0 && failed === undefined) kinds.add('equal');
  return found(count, readings, failed);
}

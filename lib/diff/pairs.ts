import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { isStorable } from '../weights/dtypes.ts';
import { fileError } from '../weights/file-errors.ts';
import type { TensorInfo, Weights } from '../weights/index.ts';
import { suggestNames } from '../weights/names.ts';
import { match } from '../weights/patterns.ts';
import { tensorBytes } from '../weights/weights.ts';

/** Two tensors that are compared. */
export interface Pair {
  /** Name in A. */
  readonly name: string;
  /** Name in B. */
  readonly other: string;
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  /** The names are those of files: they say nothing. */
  readonly unnamed?: boolean;
}

/** The tensors of two checkpoints. */
export interface Inventory {
  readonly pairs: readonly Pair[];
  /** Names in A alone. */
  readonly missing: readonly string[];
  /** Names in B alone. */
  readonly added: readonly string[];
  /** A beginning that many names have lost or got. */
  readonly prefix?: { readonly of: 'A' | 'B'; readonly text: string };
}

/** Which tensors are looked at. */
export interface Filter {
  /** Patterns: only what matches one, by either name. */
  readonly include?: readonly string[] | undefined;
  /** Patterns: nothing that matches one. */
  readonly exclude?: readonly string[] | undefined;
}

/** The tensors of A and B that belong together: by name, or by what remains of their names without a common beginning. `ERR_SVD_FILE` */
export function pairsOf(a: Weights, b: Weights, filter: Filter): Inventory {
  const [inA, inB] = selected(a, b, filter);
  // Two arrays belong together, whatever their files are called.
  if (inA.size === 1 && inB.size === 1 && isArray(a) && isArray(b)) {
    const [[name], [other]] = [[...inA], [...inB]];
    const [left, right] = [a.tensors.get(name)!, b.tensors.get(other)!];
    return { pairs: [{ name, other, a: left, b: right, unnamed: true }], missing: [], added: [] };
  }
  const pairs: Pair[] = [];
  const add = (name: string, other: string) =>
    pairs.push({ name, other, a: a.tensors.get(name)!, b: b.tensors.get(other)! });
  for (const name of inA) if (inB.has(name)) add(name, name);
  const missing = inA.size === pairs.length ? [] : [...inA].filter((name) => !inB.has(name));
  const added = [...inB].filter((name) => !inA.has(name));
  const found = commonPrefix(missing, added) ?? commonPrefix(added, missing);
  if (found === undefined) return { pairs, missing, added };
  const longer = found.of === missing;
  const [lefts, rights] = [new Set(missing), new Set(added)];
  for (const long of found.of) {
    const short = long.slice(found.text.length);
    const [name, other] = longer ? [long, short] : [short, long];
    if (!long.startsWith(found.text) || !lefts.has(name) || !rights.has(other)) continue;
    add(name, other);
    lefts.delete(name);
    rights.delete(other);
  }
  const prefix = { of: longer ? ('A' as const) : ('B' as const), text: found.text };
  return { pairs, missing: [...lefts], added: [...rights], prefix };
}

/** Whether weights are those of an `.npy` file, whose array has the name of the file. */
const isArray = ({ names: [name], files: [file] }: Weights): boolean => basename(file) === `${name}.npy`;

function selected(a: Weights, b: Weights, filter: Filter): [Set<string>, Set<string>] {
  mustMatch([...new Set([...a.names, ...b.names])], filter, a.path);
  const isIn = (name: string) => isChosen(name, filter);
  return [new Set(a.names.filter(isIn)), new Set(b.names.filter(isIn))];
}

/** Each pattern must match a name. `ERR_SVD_FILE` */
export function mustMatch(
  names: readonly string[],
  { include = [], exclude = [] }: Filter,
  path: string,
): void {
  for (const pattern of [...include, ...exclude])
    if (!names.some((name) => match(pattern, name)))
      throw fileError(path, `nothing in A or B matches ${pattern}; ${suggestNames(pattern, names)}`);
}

export const isChosen = (name: string, { include, exclude = [] }: Filter): boolean =>
  (include === undefined || include.some((pattern) => match(pattern, name))) &&
  !exclude.some((pattern) => match(pattern, name));

/** The beginning, up to a dot, without which most of the long names are among the short ones. */
function commonPrefix(
  longs: readonly string[],
  shorts: readonly string[],
): { of: readonly string[]; text: string } | undefined {
  const known = new Set(shorts);
  const votes = new Map<string, number>();
  for (const long of longs)
    for (let dot = long.indexOf('.'); dot >= 0; dot = long.indexOf('.', dot + 1)) {
      const text = long.slice(0, dot + 1);
      if (known.has(long.slice(dot + 1))) votes.set(text, (votes.get(text) ?? 0) + 1);
    }
  const [best] = [...votes].sort(([, x], [, y]) => y - x);
  return best && { of: longs, text: best[0] };
}

/** The inventory with those paired whose bytes are the same under another name. Only what could be is read. */
export async function withRenamed(
  a: Weights,
  b: Weights,
  inventory: Inventory,
  { signal }: { signal?: AbortSignal | undefined },
): Promise<Inventory> {
  const key = ({ dtype, shape }: TensorInfo) => `${dtype} ${shape}`;
  const missing = inventory.missing.filter((name) => isStorable(a.tensors.get(name)!.dtype));
  const candidates = new Map<string, string[]>();
  for (const name of inventory.added) {
    const of = key(b.tensors.get(name)!);
    candidates.set(of, [...(candidates.get(of) ?? []), name]);
  }
  const wanted = new Set(missing.map((name) => key(a.tensors.get(name)!)));
  const byHash = new Map<string, string[]>();
  for (const [of, names] of candidates)
    for (const name of wanted.has(of) ? names : []) {
      const hash = `${of} ${await hashOf(b, name, signal)}`;
      byHash.set(hash, [...(byHash.get(hash) ?? []), name]);
    }
  const pairs = [...inventory.pairs];
  const found = new Set<string>();
  for (const name of missing) {
    const info = a.tensors.get(name)!;
    if (!candidates.has(key(info))) continue;
    const other = byHash.get(`${key(info)} ${await hashOf(a, name, signal)}`)?.shift();
    if (other === undefined) continue;
    pairs.push({ name, other, a: info, b: b.tensors.get(other)! });
    found.add(name).add(other);
  }
  const rest = (names: readonly string[]) => names.filter((name) => !found.has(name));
  const [lost, got] = [new Set(pairs.map(({ name }) => name)), new Set(pairs.map(({ other }) => other))];
  return {
    ...inventory,
    pairs,
    missing: rest(inventory.missing).filter((name) => !lost.has(name)),
    added: rest(inventory.added).filter((name) => !got.has(name)),
  };
}

async function hashOf(weights: Weights, name: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of tensorBytes(weights, name)) {
    signal?.throwIfAborted();
    hash.update(bytes);
  }
  return hash.digest('base64');
}

/** Whether the elements of two tensors of the same dtype and shape are the same bytes; both are read at once, up to where they differ. */
export async function sameBytes(
  a: Weights,
  b: Weights,
  { name, other }: Pair,
  signal?: AbortSignal,
): Promise<boolean> {
  const [left, right] = [tensorBytes(a, name), tensorBytes(b, other)];
  try {
    for (;;) {
      signal?.throwIfAborted();
      const [x, y] = await Promise.all([left.next(), right.next()]);
      if (x.done || y.done) return true;
      if (Buffer.compare(x.value, y.value) !== 0) return false;
    }
  } finally {
    await Promise.all([left.return(), right.return()]);
  }
}

import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { truncatedSvd } from '../algorithms/truncated.ts';
import type { Truncation } from '../algorithms/truncation.ts';
import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions, type Kind, lowRankOptions, type OptionTable } from '../arguments/options.ts';
import { typedArrayName } from '../array/elements.ts';
import { isOwnError, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { asInput, type MatrixLike } from '../array/input.ts';
import { allocate } from '../array/memory.ts';
import { ldexp } from '../array/power-of-two.ts';
import { dtypeOf, product, promote, type Tensor, tensor } from '../array/tensor.ts';
import { batchOf } from '../native/batch.ts';
import { packInto, scan } from '../native/kernels.ts';
import { type AsyncOptions, asPart, runAsync, type Steps } from '../native/steps.ts';
import { Config } from '../weights/config.ts';
import { isReadable, type StoredTensor } from '../weights/dtypes.ts';
import { fileError, shapeText, shownPath } from '../weights/file-errors.ts';
import { openWeights, type Weights } from '../weights/index.ts';
import { matricesOf } from '../weights/matrices.ts';
import { matches, namesText } from '../weights/patterns.ts';
import { tensorBytes } from '../weights/weights.ts';
import { Adapter, infoOf, type Module } from './adapter.ts';
import { keepOptions } from './keep.ts';
import { countNonFinite } from './non-finite.ts';
import { mostDimensions } from './open.ts';
import { evenFactors, type Made, type ModuleReport } from './recompress.ts';
import type { AdapterResult } from './resize.ts';

/** What is taken into an adapter, and how exactly: one of `rank`, `energy` and `tol`. */
export interface ExtractOptions {
  /** So many singular triplets of every matrix, or all that it has. */
  readonly rank?: number | undefined;
  /** As few as hold this share of ‖W′ − W‖_F², from 0 to 1. */
  readonly energy?: number | undefined;
  /** As few as leave ‖W′ − W‖_F up to this. */
  readonly tol?: number | undefined;
  /** Names of tensors, or patterns like `'*.q_proj.weight'`; all by default. */
  readonly include?: string | readonly string[] | undefined;
  /** The same of tensors that are left alone: they are not even compared. */
  readonly exclude?: string | readonly string[] | undefined;
}

/** An adapter that was extracted. */
export interface Extraction extends AdapterResult {
  /** Tensors that are the same in both, by their names. */
  readonly unchanged: readonly string[];
  /** Tensors that differ and are in no module all the same, and why. */
  readonly leftOut: ReadonlyMap<string, string>;
}

const patterns: Kind<string | readonly string[]> = {
  expected: 'a name, a pattern, or an array of them',
  accepts: (x): x is string | readonly string[] =>
    [x].flat().every((pattern) => typeof pattern === 'string' && pattern !== ''),
};

const extractOptions: OptionTable<ExtractOptions> = {
  ...lowRankOptions,
  rank: keepOptions.rank,
  include: patterns,
  exclude: patterns,
};

/**
 * What was added to a model as a low-rank adapter: of every matrix that differs the leading singular triplets of W′ − W. One
 * tensor of each side is in memory at a time. The names of modules are those of the tensors without `.weight`.
 *
 * The matrices of convolutions are `[out, in·…kernel]`. Vectors, stacks of matrices and integers that differ cannot be part of such an
 * adapter: `leftOut` has them.
 *
 * @param base what `openWeights` takes, or open weights
 * @param tuned the same; its tensors have the names and shapes of those of `base`
 * @throws before any work `ERR_SVD_ARGUMENT` unless one of rank, energy and tol is given, `ERR_SVD_FILE` for weights that cannot be opened,
 *   tensors that only one side has, patterns that no name matches and two tensors that would be one module, `ERR_SVD_SHAPE` for tensors of
 *   two shapes; then `ERR_SVD_NON_FINITE` and `ERR_SVD_OVERFLOW` with the name of the tensor, `ERR_SVD_FILE`; `signal.reason` on abort
 * @function
 */
export const extract = exposedAsync(
  { takes: ['base', 'tuned'], options: { ...extractOptions, ...asyncOptions } },
  async function extract(
    base: string | URL | Weights,
    tuned: string | URL | Weights,
    options: ExtractOptions & AsyncOptions,
  ): Promise<Extraction> {
    const { signal, onProgress, ...rest } = options ?? {};
    const truncation = truncationOf(rest);
    await using from = isOpen(base) ? undefined : await openWeights(base);
    await using to = isOpen(tuned) ? undefined : await openWeights(tuned);
    const pair = { base: from ?? (base as Weights), tuned: to ?? (tuned as Weights) };
    const names = namesToExtract(pair, rest);
    const outcomes = new Map<string, Outcome>();
    for (const [i, name] of names.entries()) {
      outcomes.set(name, await outcomeOf(pair, name, truncation, signal));
      onProgress?.({ done: i + 1, total: names.length });
    }
    return extractionOf(outcomes, await keepsInputsFirst(pair.base));
  },
);

const isOpen = (x: unknown): x is Weights => x !== null && typeof x === 'object' && 'tensors' in x;

/** Two checkpoints. */
export interface Pair {
  readonly base: Weights;
  readonly tuned: Weights;
}

/** What came of a tensor. */
export type Outcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'left out'; readonly why: string }
  | ({ readonly kind: 'module'; readonly shape: readonly number[] } & Made);

/** `ERR_SVD_ARGUMENT` unless it is one of the three. */
export function truncationOf({ rank, energy, tol }: ExtractOptions): Truncation {
  const given = Object.entries({ rank, energy, tol }).filter(([, x]) => x !== undefined);
  if (given.length === 1) return Object.fromEntries(given);
  throw svdError(
    'ERR_SVD_ARGUMENT',
    `extract: expected one of rank, energy and tol, got ${given.map(([name]) => name).join(' and ') || 'none'}`,
  );
}

/** The tensors that are compared, in the order of `base`; all that is wrong with their names and shapes is one error. */
export function namesToExtract(
  { base, tuned }: Pair,
  { include = '*', exclude = [] }: ExtractOptions,
): string[] {
  const all = [...new Set([...base.names, ...tuned.names])];
  const matching = (given: string | readonly string[]) =>
    new Set([given].flat().flatMap((pattern) => [...matches(pattern, all, base.path).keys()]));
  const [included, excluded] = [matching(include), matching(exclude)];
  const names = all.filter((name) => included.has(name) && !excluded.has(name));
  for (const [from, to] of [
    [base, tuned],
    [tuned, base],
  ]) {
    const missing = names.filter((name) => from.tensors.has(name) && !to.tensors.has(name));
    if (missing.length > 0)
      throw fileError(to.path, `lacks what ${shownPath(from.path)} has: ${namesText(missing)}; exclude them`);
  }
  const shapes = (name: string) => [base, tuned].map((x) => shapeText(x.tensors.get(name)?.shape ?? []));
  const different = names.filter((name) => new Set(shapes(name)).size > 1);
  if (different.length > 0) {
    const texts = different.slice(0, 8).map((name) => `${quote(name)} ${shapes(name).join(' and ')}`);
    const more = different.length > 8 ? ` and ${different.length - 8} more` : '';
    throw svdError('ERR_SVD_SHAPE', `tensors of two shapes: ${texts.join('; ')}${more}; exclude them`);
  }
  checkModules(base, names);
  return names;
}

const moduleOf = (tensor: string): string => tensor.replace(/\.weight$/, '');

/** `ERR_SVD_FILE` where two matrices would be one module. */
function checkModules({ path, tensors }: Weights, names: readonly string[]): void {
  const tensorOf = new Map<string, string>();
  for (const name of names) {
    if ((tensors.get(name)?.shape.length ?? 0) < 2) continue;
    const module = moduleOf(name);
    const other = tensorOf.get(module);
    if (other !== undefined)
      throw fileError(
        path,
        `${quote(other)} and ${quote(name)} would both be module ${quote(module)}: exclude one`,
      );
    tensorOf.set(module, name);
  }
}

/**
 * `ERR_SVD_ARGUMENT` where a weight that differs has no place in the format: in kohya's embeddings, and what is kept as `[in, out]`; in
 * PEFT's linear weights of both kinds. Of two dtypes that is found out in the end.
 */
export async function checkPlaces(
  pair: Pair,
  names: readonly string[],
  format: 'peft' | 'kohya',
  signal: AbortSignal,
): Promise<void> {
  const inputsFirst = await keepsInputsFirst(pair.base);
  const kinds = names.map((name) => {
    const shape = pair.base.tensors.get(name)?.shape ?? [];
    return { name, isLinear: shape.length === 2, ...kindOf(moduleOf(name), shape, inputsFirst) };
  });
  const first = async (fits: (kind: (typeof kinds)[number]) => boolean): Promise<string | undefined> => {
    for (const kind of kinds) if (fits(kind) && (await isOther(pair, kind.name, signal))) return kind.name;
    return undefined;
  };
  const conv1d = await first((x) => (format === 'kohya' ? x.transposed : x.transposed && !x.embedding));
  const fail = (problem: string) =>
    svdError('ERR_SVD_ARGUMENT', `extract: ${quote(conv1d as string)} ${problem}`);
  if (conv1d !== undefined && format === 'kohya')
    throw fail('is an embedding or kept as [in, out], which has no place in a file of kohya: exclude it');
  const linear = conv1d && (await first((x) => x.isLinear && !x.transposed));
  if (linear !== undefined)
    throw fail(
      `is kept as [in, out], ${quote(linear)} is not; in a config of PEFT all are, or none: exclude one`,
    );
}

/** Whether tensors of one dtype differ. */
async function isOther({ base, tuned }: Pair, name: string, signal: AbortSignal): Promise<boolean> {
  if (base.tensors.get(name)?.dtype !== tuned.tensors.get(name)?.dtype) return false;
  return (await hashOf(base, name, signal)) !== (await hashOf(tuned, name, signal));
}

/** SHA-256 of all elements. */
export async function hashOf(weights: Weights, name: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of tensorBytes(weights, name)) {
    signal?.throwIfAborted();
    hash.update(piece);
  }
  return hash.digest('hex');
}

/** Reads a tensor of both, and decomposes the difference. */
export async function outcomeOf(
  { base, tuned }: Pair,
  name: string,
  truncation: Truncation,
  signal?: AbortSignal,
): Promise<Outcome> {
  signal?.throwIfAborted();
  const before = await base.readStored(name);
  const after = await tuned.readStored(name);
  const { shape } = after;
  if (before.dtype === after.dtype && bytesOf(before).equals(bytesOf(after))) return { kind: 'unchanged' };
  const dtypes = [base, tuned].map((x) => x.tensors.get(name)?.dtype ?? '');
  if (!dtypes.every(isReadable))
    return { kind: 'left out', why: `${dtypes.join(' and ')}, which are no floats` };
  try {
    return await runAsync(named(name, decomposed(before, after, shape, truncation)), { signal });
  } catch (error) {
    if (!isOwnError(error) || error.code !== 'ERR_SVD_NON_FINITE') throw error;
    const again = await tuned.readStored(name); // the difference may have its place
    if (countNonFinite(before) + countNonFinite(again) > 0) throw error;
    throw svdError('ERR_SVD_OVERFLOW', `tensor ${quote(name)}: the difference of both overflows`);
  }
}

const bytesOf = ({ data }: StoredTensor): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Errors of the steps with the name of the tensor. */
function* named<T>(name: string, steps: Steps<T>): Steps<T> {
  try {
    return yield* asPart(steps);
  } catch (error) {
    if (!isOwnError(error)) throw error;
    const { code, message, ...fields } = error;
    throw svdError(code, `tensor ${quote(name)}: ${message}`, fields);
  }
}

function* decomposed(
  before: StoredTensor,
  after: StoredTensor,
  shape: readonly number[],
  truncation: Truncation,
): Steps<Outcome> {
  const matrices = matricesOf(shape);
  const { count, rows, cols } = matrices ?? { count: 1, rows: 1, cols: product(shape) };
  const change = yield* difference(before, after, [count * rows, cols]);
  const norm = yield* frobenius(change);
  if (norm === 0) return { kind: 'unchanged' };
  if (count > 1 || matrices === undefined)
    return { kind: 'left out', why: `${shapeText(shape)}, no matrix: changed by ${norm.toPrecision(3)}` };
  if (shape.length > mostDimensions)
    return {
      kind: 'left out',
      why: `${shapeText(shape)}, more than ${mostDimensions} dimensions: changed by ${norm.toPrecision(3)}`,
    };
  const most = Math.min(rows, cols);
  const { rank } = truncation;
  const found = yield* truncatedSvd(change, rank === undefined ? truncation : { rank: Math.min(rank, most) });
  const kept = found.S.size;
  if (kept === 0) return { kind: 'left out', why: `changed by ${norm.toPrecision(3)}, within tol` };
  const report: ModuleReport = {
    rankBefore: most,
    rank: kept,
    norm,
    sigma: found.S.data[0],
    error: (found.truncationError as number) / norm,
    retained: Math.min(1, Math.hypot(...found.S.data) / norm),
  };
  return { kind: 'module', shape, matrix: evenFactors(found, kept), report };
}

/** `after − before`, each element rounded once: in float64 where one of both is, else in float32. */
function* difference(
  before: StoredTensor,
  after: StoredTensor,
  shape: readonly [rows: number, cols: number],
): Steps<Tensor> {
  const [x, y] = [before, after].map((t) => asInput({ ...t, shape } as MatrixLike, 'tensor'));
  const dtype = promote(dtypeOf(x), dtypeOf(y));
  const isOwn = typedArrayName(y.data)?.toLowerCase() === `${dtype}array`; // nobody else has it
  const out = isOwn ? (y as Tensor) : tensor(allocate(dtype, shape, 'difference'), shape);
  if (!isOwn) yield* packInto(batchOf(y, []), batchOf(out, []));
  yield* packInto(batchOf(x, []), batchOf(out, []), { alpha: -1, accumulate: true });
  return out;
}

/** `ERR_SVD_NON_FINITE` */
function* frobenius(x: Tensor): Steps<number> {
  const { fraction, exponent } = yield* scan(batchOf(x, [], 'difference'));
  const largest = exponent.reduce((a, b) => Math.max(a, b), -1e6);
  const sum = fraction.reduce((all, f, i) => all + ldexp(f, exponent[i] - largest) ** 2, 0);
  return ldexp(Math.sqrt(sum), largest);
}

/**
 * Whether the linear weights of a model are `[in, out]`, GPT-2's `Conv1D`: by the `config.json` beside its files, without it where the
 * weight that makes queries, keys and values at once is [n, 3n].
 */
export async function keepsInputsFirst({ files, tensors }: Weights): Promise<boolean> {
  const config = await Config.read(join(dirname(files[0]), 'config.json')).catch(() => undefined);
  if (config?.raw('model_type') === undefined)
    return [...tensors].some(
      ([name, { shape }]) =>
        /(^|\.)c_attn\.weight$/.test(name) && shape.length === 2 && shape[1] === 3 * shape[0],
    );
  return ['gpt2', 'openai-gpt', 'imagegpt', 'decision_transformer'].includes(
    String(config?.raw('model_type')),
  );
}

/** The adapter of all modules that were found. */
export function extractionOf(outcomes: ReadonlyMap<string, Outcome>, inputsFirst: boolean): Extraction {
  const modules = new Map<string, Module>();
  const report = new Map<string, ModuleReport>();
  const leftOut = new Map<string, string>();
  const unchanged: string[] = [];
  for (const [name, outcome] of outcomes) {
    if (outcome.kind === 'unchanged') unchanged.push(name);
    else if (outcome.kind === 'left out') leftOut.set(name, outcome.why);
    else {
      const { matrix, shape } = outcome;
      const module = moduleOf(name);
      modules.set(module, {
        matrix,
        info: infoOf(matrix, { weightShape: shape, ...kindOf(module, shape, inputsFirst) }),
      });
      report.set(module, outcome.report);
    }
  }
  return { adapter: new Adapter({ format: 'peft', modules }), report, unchanged, leftOut };
}

/** What the weight is besides a matrix. */
function kindOf(module: string, shape: readonly number[], inputsFirst: boolean) {
  const embedding = shape.length === 2 && isEmbedding(module);
  const conv1d = inputsFirst && shape.length === 2 && /(^|\.)(c_attn|q_attn|c_fc|c_proj)$/.test(module);
  return { embedding, transposed: embedding || conv1d };
}

/** By the names that models give to their embeddings. */
const isEmbedding = (module: string): boolean =>
  /(^|\.)(wte|wpe|shared|[^.]*embed(ding)?s?(_tokens|_in|_positions)?)$/.test(module);

import { createHash, type Hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { svdError } from '../../array/errors.ts';
import { escapedJson } from '../../array/escape.ts';
import { product } from '../../array/tensor.ts';
import { version } from '../../native/version.ts';
import { fileStep } from '../../weights/file-errors.ts';
import type { Weights } from '../../weights/index.ts';
import type { JsonReader } from '../../weights/json-reader.ts';
import { type CircuitKind, type CircuitState, circuitKinds } from '../attention.ts';
import type { Checkpoint } from '../checkpoint.ts';
import type { DeclaredLayout } from '../declared.ts';
import { stacks } from '../families.ts';

/** The choices that went into the circuits of a run. Numbers of different states are not comparable. */
export interface RunState extends CircuitState {
  /** Position of the key minus that of the query in QK; 0: it is not rotated. */
  readonly rotaryOffset: number;
  /** Whether gains of norms on queries and keys stand between W_Q and W_Kᵀ. */
  readonly qkNormGains: boolean;
}

/** What tells one checkpoint from another, wherever it lies. */
export interface CheckpointIdentity {
  readonly modelType: string;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dModel: number;
  readonly dOut: number;
  readonly dHead: number;
  /** SHA-256 of config.json, where there is one. */
  readonly config: string | null;
  /** SHA-256 of the declared layout, where there is one. */
  readonly layout: string | null;
  /** SHA-256 of the names, dtypes and shapes of all tensors, and of samples from those that the circuits come of. */
  readonly weights: string;
}

/** Everything that the numbers of a run depend on but the machine; shards of one run have the same. */
export interface Plan {
  readonly factoredSvd: string;
  readonly checkpoint: CheckpointIdentity;
  readonly state: RunState;
  readonly kinds: readonly CircuitKind[];
  /** `[from, to]`, without `to`. */
  readonly layers: readonly [from: number, to: number];
  /** How many of the leading triplets are kept; `null`: all. */
  readonly rank: number | null;
}

export interface PlanOptions {
  readonly kinds: readonly CircuitKind[];
  /** `[from, to]`, without `to`; default all. */
  readonly layers?: readonly [from: number, to: number] | undefined;
  readonly rank?: number | undefined;
  readonly rotaryOffset?: number | undefined;
  /** The declared layout that the checkpoint was opened with. */
  readonly layout?: DeclaredLayout | undefined;
}

/**
 * The plan of a run over an open checkpoint, of whose weights a sample is read.
 * @throws `ERR_SVD_ARGUMENT` for layers, a rank or a rotation that the checkpoint has not; `ERR_SVD_FILE`
 */
export async function planOf(checkpoint: Checkpoint, options: PlanOptions): Promise<Plan> {
  const { modelType, heads, kvHeads, dModel, dOut, dHead, state, qkNormGains } = checkpoint;
  const { rank = null, rotaryOffset = 0, layout, layers = [0, checkpoint.layers] } = options;
  const kinds = circuitKinds.filter((kind) => options.kinds.includes(kind));
  const most = Math.min(dHead, dModel);
  if (rank !== null && rank > most)
    throw svdError('ERR_SVD_ARGUMENT', `rank ${rank}: a circuit has ${most} singular values`);
  for (const kind of kinds) checkpoint.decompose(kind, { layers, ...rotationOf(kind, rotaryOffset) }); // checks them
  return {
    factoredSvd: version,
    checkpoint: {
      modelType,
      layers: checkpoint.layers,
      heads,
      kvHeads,
      dModel,
      dOut,
      dHead,
      config: await configHash(checkpoint.folder),
      layout: layout === undefined ? null : sha256(JSON.stringify(layout)),
      weights: await weightsHash(checkpoint),
    },
    state: { ...state, rotaryOffset, qkNormGains },
    kinds,
    layers: [layers[0], layers[1]],
    rank,
  };
}

/** Only QK is rotated. */
export const rotationOf = (kind: CircuitKind, rotaryOffset: number): { rotaryOffset?: number } =>
  kind === 'QK' ? { rotaryOffset } : {};

/** A short name for a plan that no other has: every file of a run carries it. */
export const fingerprint = (plan: Plan): string => sha256(JSON.stringify(plan));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function configHash(folder: string): Promise<string | null> {
  const path = join(folder, 'config.json');
  const text = await fileStep(path, 'read', () =>
    readFile(path).catch((error) => (error.code === 'ENOENT' ? null : Promise.reject(error))),
  );
  return text && createHash('sha256').update(text).digest('hex');
}

/** Rows of a tensor that are sampled at most, and elements. */
const [sampledRows, sampledElements] = [16, 2 ** 20];

async function weightsHash({ weights, tensorNames }: Checkpoint): Promise<string> {
  const hash = createHash('sha256');
  for (const [name, { dtype, shape }] of [...weights.tensors].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(JSON.stringify([name, dtype, shape]));
  for (const name of tensorNames) await addSamples(hash, weights, name);
  return hash.digest('hex');
}

/** A small tensor, or rows from all over a large one: whatever trains a model changes some number in them. */
async function addSamples(hash: Hash, weights: Weights, name: string): Promise<void> {
  const [rows = 1, ...row] = weights.tensors.get(name)!.shape;
  const most = Math.max(1, Math.floor(sampledElements / product(row)));
  const count = Math.min(rows, most, row.length === 0 ? sampledElements : sampledRows);
  const parts =
    count === rows
      ? [undefined]
      : Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * rows) / count));
  for (const at of parts) {
    const { data } = await weights.readStored(name, at === undefined ? {} : { rows: [at, at + 1] });
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

/** What each member of a plan is called in a message; of the others the name says it. */
const called: Record<string, string> = {
  factoredSvd: 'version of factored-svd',
  'checkpoint.config': 'config.json',
  'checkpoint.layout': 'declared layout',
  'checkpoint.weights': 'tensors of the checkpoint (names, shapes or values)',
};

/** How two plans differ, one line each: `rank: 4, not 8`. Empty where they are the same. */
export function differences(found: Plan, expected: Plan): string[] {
  const [a, b] = [members(found), members(expected)];
  return [...a.keys()]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => {
      const name = called[key];
      if (name !== undefined && key !== 'factoredSvd') return `another ${name}`;
      return `${name ?? key.replace(/^.*\./, '')} ${a.get(key)}, not ${b.get(key)}`;
    });
}

/** All members by their path, as they can be shown. */
function members(plan: Plan): Map<string, string> {
  const { checkpoint, state, ...rest } = plan;
  const all = {
    ...rest,
    layers: `${plan.layers[0]}-${plan.layers[1] - 1}`,
    rank: plan.rank ?? 'all',
    ...prefixed('checkpoint', checkpoint),
    ...prefixed('state', state),
  };
  return new Map(
    Object.entries(all).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : escapedJson(value).replaceAll('"', ''),
    ]),
  );
}

const prefixed = (name: string, x: object): object =>
  Object.fromEntries(Object.entries(x).map(([key, value]) => [`${name}.${key}`, value]));

/** Layers of a checkpoint that a manifest may tell of. */
const mostLayers = 100_000;

/** The plan in a manifest, checked. */
export function parsePlan(reader: JsonReader, manifest: Record<string, unknown>): Plan {
  const checkpoint = reader.object(manifest.checkpoint, 'checkpoint');
  const state = reader.object(manifest.state, 'state');
  const size = (key: string) => reader.size(checkpoint[key], `checkpoint.${key}`);
  const textOrNull = (key: string) =>
    checkpoint[key] === null ? null : reader.text(checkpoint[key], `checkpoint.${key}`);
  const stack = state.stack;
  const flag = (key: string) => reader.flag(state[key], `state.${key}`);
  const kinds = reader.list(manifest.kinds, 'kinds', (kind, at) =>
    circuitKinds.includes(kind as CircuitKind) ? (kind as CircuitKind) : reader.fail(at, 'OV or QK'),
  );
  const layers = reader.list(manifest.layers, 'layers', (n, at) => reader.size(n, at));
  const all = size('layers');
  if (all > mostLayers) reader.fail('checkpoint.layers', `at most ${mostLayers}`);
  if (layers.length !== 2 || layers[0] > layers[1] || layers[1] > all)
    reader.fail('layers', `[from, to] of ${all} layers`);
  return {
    factoredSvd: reader.text(manifest.factoredSvd, 'factoredSvd'),
    checkpoint: {
      modelType: reader.text(checkpoint.modelType, 'checkpoint.modelType'),
      layers: all,
      heads: size('heads'),
      kvHeads: size('kvHeads'),
      dModel: size('dModel'),
      dOut: size('dOut'),
      dHead: size('dHead'),
      config: textOrNull('config'),
      layout: textOrNull('layout'),
      weights: reader.text(checkpoint.weights, 'checkpoint.weights'),
    },
    state: {
      foldNorms: flag('foldNorms'),
      centerWriting: flag('centerWriting'),
      biases: flag('biases'),
      ...(stack !== undefined && {
        stack: stacks.find((name) => name === stack) ?? reader.fail('state.stack', stacks.join(', ')),
      }),
      rotaryOffset: reader.number(state.rotaryOffset, 'state.rotaryOffset'),
      qkNormGains: flag('qkNormGains'),
    },
    kinds: circuitKinds.filter((kind) => kinds.includes(kind)),
    layers: [layers[0], layers[1]],
    rank: manifest.rank === null ? null : reader.size(manifest.rank, 'rank'),
  };
}

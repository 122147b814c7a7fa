import { basename, resolve } from 'node:path';
import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { svdError } from '../array/errors.ts';
import { dtypeOf, type FloatArray, sliceAxis, swapLast, type Tensor } from '../array/tensor.ts';
import { circuitKinds } from '../circuits/attention.ts';
import type { Checkpoint } from '../circuits/checkpoint.ts';
import { compositionScores, randomCompositionScore } from '../circuits/composition.ts';
import { directions } from '../circuits/isolation.ts';
import { randomSpectrum } from '../circuits/random.ts';
import { type Plan, planOf, type Run, type RunState } from '../circuits/run/index.ts';
import { differences, rotationOf } from '../circuits/run/plan.ts';
import { canRead, tokensOf } from '../circuits/tokens.ts';
import { type AsyncOptions, type TruncatedSvd, versions } from '../index.ts';
import { vectorItems } from '../testing/decomposition.ts';
import type {
  CircuitKind,
  CircuitReport,
  CompositionScores,
  RandomSpectrum,
  ReportData,
  TokenReading,
} from './data.ts';

/** What goes into a report, and how it is called. */
export interface CollectOptions extends AsyncOptions {
  /** Heading of the page; default the name of the checkpoint. */
  readonly title?: string | undefined;
  /** QK as it is between a query and a key so many positions after it, in models that rotate. Default 0. Of a run, that of the run. */
  readonly rotaryOffset?: number | undefined;
  /**
   * Of a run: the checkpoint that it is of. What a run does not hold is read from its weights: composition
   * scores, and what the directions are tokens of.
   */
  readonly checkpoint?: Checkpoint | undefined;
}

/** Of more heads in all, scores of all pairs would take more room than the spectra. */
const mostScoredHeads = 1024;
/** Tokens are read for so many heads of each kind, those with the largest σ₁, and so many directions of each. */
const [readHeads, readDirections, readTokens] = [64, 3, 8];

/** What a report is made of: decompositions, and the weights behind them where they are at hand. */
interface Source {
  readonly name: string;
  readonly model: ReportData['model'];
  readonly state: RunState;
  readonly kinds: readonly CircuitKind[];
  /** Whether all singular values of the heads are there. */
  readonly complete: boolean;
  readonly weights: Checkpoint | undefined;
  decompositions(kind: CircuitKind, options: AsyncOptions): AsyncIterable<Decomposed>;
}

/** The circuits of one layer: S [heads, p] and numbers by head; U and Vh where the weights are at hand. */
interface Decomposed {
  readonly layer: number;
  readonly S: Tensor;
  readonly bound: ArrayLike<number>;
  readonly factorNorm: ArrayLike<number>;
  readonly next: ArrayLike<number> | undefined;
  readonly truncationError: ArrayLike<number> | undefined;
  readonly vectors: { readonly U: Tensor; readonly Vh: Tensor } | undefined;
}

/**
 * Everything that the page shows: of a checkpoint, which is decomposed layer by layer, with one layer in memory and beside it the
 * directions whose tokens are read; or of a finished run, which is not computed again. `onProgress` counts passes over layers.
 *
 * @throws as `Checkpoint.decompose`, `compositionScores` and `Checkpoint.tokens`; `ERR_SVD_ARGUMENT` where the run is of another
 *   checkpoint, or of one in another state; `signal.reason` on abort
 */
export async function collectReport(
  of: Checkpoint | Run,
  { title, rotaryOffset = 0, checkpoint, signal, onProgress }: CollectOptions = {},
): Promise<ReportData> {
  const start = performance.now();
  const source = 'plan' in of ? await sourceOfRun(of, checkpoint) : sourceOfCheckpoint(of, rotaryOffset);
  const { model, state, weights } = source;
  const scored = weights ? scoredKinds(weights) : [];
  const progress = new Passes(model.layers, source.kinds.length + scored.length, onProgress);
  const circuits: CircuitReport[] = [];
  const random: RandomSpectrum[] = [];
  const tokens: TokenReading[] = [];
  for (const kind of source.kinds) {
    random.push({ kind, S: await chanceOf(kind, source, { signal }) });
    const strongest = new Strongest(kind);
    for await (const decomposed of source.decompositions(kind, { signal, onProgress: progress.next() })) {
      const reports = reportsOf(kind, decomposed, source.complete);
      circuits.push(...reports);
      if (decomposed.vectors) for (const report of reports) strongest.take(report, decomposed.vectors);
    }
    if (weights) tokens.push(...(await readingsOf(weights, strongest, { signal })));
  }
  const composition: CompositionScores[] = [];
  for (const kind of scored) {
    const { data } = await compositionScores(weights!, kind, { signal, onProgress: progress.next() });
    composition.push({ kind, scores: onlyLater(data, model), random: randomCompositionScore(weights!) });
  }
  return {
    title: title ?? `Attention circuits of ${source.name}`,
    source: source.name,
    model,
    state: { ...state },
    versions: versions(),
    ...('plan' in of ? {} : { seconds: (performance.now() - start) / 1000 }),
    circuits,
    random,
    ...(composition.length > 0 && { composition }),
    ...(tokens.length > 0 && { tokens }),
  };
}

function sourceOfCheckpoint(weights: Checkpoint, rotaryOffset: number): Source {
  const { modelType, layers, heads, kvHeads, dModel, dOut, dHead, qkNormGains } = weights;
  const rank = Math.min(dHead, dModel); // all of them, and how far they are from the matrix
  return {
    name: basename(resolve(weights.path)),
    model: { modelType, layers, heads, kvHeads, dModel, ...(dOut !== dModel && { dOut }), dHead },
    state: { ...weights.state, rotaryOffset, qkNormGains },
    kinds: circuitKinds,
    complete: true,
    weights,
    async *decompositions(kind, options) {
      const all = weights.decompose(kind, { rank, ...rotationOf(kind, rotaryOffset), ...options });
      for await (const { layer, svd, factorNorms: factorNorm } of all) {
        const { U, S, Vh, bound, next, truncationError } = svd as TruncatedSvd<
          FloatArray,
          Tensor<Float64Array>
        >;
        const numbers = { bound: bound.data, next: next?.data, truncationError: truncationError.data };
        yield { layer, S, factorNorm, ...numbers, vectors: { U, Vh } };
      }
    },
  };
}

async function sourceOfRun(run: Run, weights: Checkpoint | undefined): Promise<Source> {
  const { plan, parts } = run;
  const { modelType, layers, heads, kvHeads, dModel, dOut, dHead } = plan.checkpoint;
  if (weights) await mustBeOf(plan, weights);
  return {
    name: basename(resolve(weights?.path ?? run.path)),
    model: { modelType, layers, heads, kvHeads, dModel, ...(dOut !== dModel && { dOut }), dHead },
    state: plan.state,
    kinds: plan.kinds,
    complete: plan.rank === null || plan.rank >= Math.min(dHead, dModel),
    weights,
    async *decompositions(kind, { signal, onProgress }) {
      const own = parts.filter((part) => part.kind === kind);
      for (const [i, { layer }] of own.entries()) {
        signal?.throwIfAborted();
        const vectors = weights && (await run.svd(kind, layer));
        const { S, bound, factorNorm, next, truncationError } = vectors ?? (await run.spectra(kind, layer));
        yield { layer, S, bound, factorNorm, next, truncationError, vectors };
        onProgress?.({ done: i + 1, total: own.length });
      }
    },
  };
}

/** `ERR_SVD_ARGUMENT` unless the run is of that checkpoint, in its state. */
async function mustBeOf(plan: Plan, weights: Checkpoint): Promise<void> {
  const { kinds, layers, rank, state, factoredSvd } = plan;
  const same = { kinds, layers, rank: rank ?? undefined, rotaryOffset: state.rotaryOffset };
  const { checkpoint, ...own } = await planOf(weights, same);
  const { layout } = plan.checkpoint; // the checkpoint is open, however that was said
  const differ = differences(plan, { ...own, factoredSvd, checkpoint: { ...checkpoint, layout } });
  if (differ.length > 0)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `the run is not of ${weights.path} as it was opened: ${differ.join('; ')}`,
    );
}

/** What chance gives for a kind. */
function chanceOf(kind: CircuitKind, { model, state }: Source, options: AsyncOptions): Promise<Float64Array> {
  const wide = model.dModel + (state.biases ? 1 : 0);
  return randomSpectrum(
    { rows: wide, inner: model.dHead, cols: kind === 'QK' ? wide : (model.dOut ?? model.dModel) },
    options,
  );
}

/** Tells how far all passes over the layers are, each of them as long as the others. */
class Passes {
  readonly #layers: number;
  readonly #count: number;
  readonly #tell: AsyncOptions['onProgress'];
  #begun = 0;

  constructor(layers: number, count: number, tell: AsyncOptions['onProgress']) {
    this.#layers = layers;
    this.#count = count;
    this.#tell = tell;
  }

  /** What the next pass tells its progress to. */
  next(): AsyncOptions['onProgress'] {
    const before = this.#begun++ * this.#layers;
    return ({ done, total }) =>
      this.#tell?.({ done: before + (done / total) * this.#layers, total: this.#count * this.#layers });
  }
}

/** What is said of the heads of one layer. */
function reportsOf(
  kind: CircuitKind,
  { layer, S: all, bound, factorNorm, next, truncationError }: Decomposed,
  complete: boolean,
): CircuitReport[] {
  const p = all.shape[1];
  return vectorItems(all).map((S, head) => {
    const rest = truncationError?.[head];
    const norm = Math.hypot(...S, complete ? 0 : (rest ?? 0));
    const known = { S, bound: bound[head], next: next?.[head] ?? 0, dtype: dtypeOf(all) };
    return {
      kind,
      layer,
      head,
      S: dtypeOf(all) === 'float32' ? Float32Array.from(S) : S,
      bound: bound[head],
      norm,
      factorNorm: factorNorm[head],
      effectiveRank: complete ? effectiveRankOf(S) : Number.NaN,
      condition: !complete ? Number.NaN : S[p - 1] === 0 ? Number.POSITIVE_INFINITY : S[0] / S[p - 1],
      ...(complete && rest !== undefined && { residual: norm > 0 ? rest / norm : 0 }),
      isolated: directions(known).filter(({ isolated }) => isolated).length,
    };
  });
}

/** The later heads of cross attention read keys and values of another stream. */
function scoredKinds({ layers, heads, state }: Checkpoint): CompositionScores['kind'][] {
  if (layers < 2 || layers * heads > mostScoredHeads) return [];
  return state.stack === 'cross' ? ['Q'] : ['Q', 'K', 'V'];
}

/** The scores in float32, NaN where the column is in no later layer. */
function onlyLater(scores: ArrayLike<number>, { layers, heads }: ReportData['model']): Float32Array {
  const n = layers * heads;
  const layerOf = (head: number) => Math.floor(head / heads);
  return Float32Array.from(scores, (score, e) =>
    layerOf(e % n) > layerOf(Math.floor(e / n)) ? score : Number.NaN,
  );
}

/** The first directions of one head. */
interface HeadDirections extends Pick<CircuitReport, 'layer' | 'head' | 'S'> {
  readonly left: readonly FloatArray[];
  readonly right: readonly FloatArray[];
}

/** The heads of one kind with the largest σ₁, and their first directions; those of the others are not kept. */
class Strongest {
  readonly kind: CircuitKind;
  readonly heads: HeadDirections[] = [];

  constructor(kind: CircuitKind) {
    this.kind = kind;
  }

  take({ layer, head, S }: CircuitReport, { U, Vh }: { readonly U: Tensor; readonly Vh: Tensor }): void {
    const { heads } = this;
    if (heads.length === readHeads && !(S[0] > heads[readHeads - 1].S[0])) return;
    const first = (x: Tensor) => {
      const rows = sliceAxis(x.pick(head, null, null) as Tensor, 0, 0, Math.min(readDirections, S.length));
      return vectorItems(rows).map((row) => (x.data instanceof Float32Array ? Float32Array.from(row) : row));
    };
    heads.push({ layer, head, S, left: first(swapLast(U)), right: first(Vh) });
    heads.sort((a, b) => b.S[0] - a.S[0]);
    heads.splice(readHeads);
  }
}

/** The tokens of both sides of the directions, those of which the checkpoint has the matrix. */
async function readingsOf(
  model: Checkpoint,
  { kind, heads }: Strongest,
  { signal }: AsyncOptions,
): Promise<TokenReading[]> {
  const readings: TokenReading[] = [];
  for (const side of ['left', 'right'] as const) {
    const through = kind === 'OV' && side === 'right' ? 'write' : 'read'; // QK reads on both sides
    const directions = heads.flatMap((each) => each[side]);
    if (directions.length === 0 || !canRead(model, directions[0].length, through)) continue;
    const tokens = await tokensOf(model, directions, { k: readTokens, side: through, signal });
    const ends = tokens[Symbol.iterator]();
    for (const { layer, head, S, ...own } of heads)
      for (const direction of own[side].keys()) {
        const { top, bottom } = ends.next().value!;
        readings.push({ kind, layer, head, direction, sigma: S[direction], side, top, bottom });
      }
  }
  return readings;
}

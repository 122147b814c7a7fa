import { basename, resolve } from 'node:path';
import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { type FloatArray, sliceAxis, swapLast, type Tensor } from '../array/tensor.ts';
import { circuitKinds } from '../circuits/attention.ts';
import type { Checkpoint, LayerSvd } from '../circuits/checkpoint.ts';
import { compositionScores, randomCompositionScore } from '../circuits/composition.ts';
import { isolation } from '../circuits/isolation.ts';
import { randomSpectrum } from '../circuits/random.ts';
import { canRead, tokensOf } from '../circuits/tokens.ts';
import { type AsyncOptions, type FactoredMatrix, normAsync, type TruncatedSvd, versions } from '../index.ts';
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
  /** QK as it is between a query and a key so many positions behind it, in models that rotate. Default 0. */
  readonly rotaryOffset?: number | undefined;
}

/** Of more heads in all, scores of all pairs would take more room than the spectra. */
const mostScoredHeads = 1024;
/** Tokens are read for so many heads of each kind, those with the largest σ₁, and so many directions of each. */
const [readHeads, readDirections, readTokens] = [64, 3, 8];

/**
 * Everything that the page shows of a checkpoint: it is decomposed layer by layer, with one layer in memory, and beside that the
 * directions whose tokens are read. `onProgress` counts passes over layers.
 *
 * @throws as `Checkpoint.decompose`, `compositionScores` and `Checkpoint.tokens`; `signal.reason` on abort
 */
export async function collectReport(
  model: Checkpoint,
  { title, rotaryOffset = 0, signal, onProgress }: CollectOptions = {},
): Promise<ReportData> {
  const start = performance.now();
  const source = basename(resolve(model.path));
  const scored = model.layers > 1 && model.layers * model.heads <= mostScoredHeads ? scoredKinds(model) : [];
  const progress = new Passes(model.layers, circuitKinds.length + scored.length, onProgress);
  const circuits: CircuitReport[] = [];
  const random: RandomSpectrum[] = [];
  const tokens: TokenReading[] = [];
  for (const kind of circuitKinds) {
    const rotation = kind === 'QK' ? { rotaryOffset } : {};
    const strongest = new Strongest(kind);
    const rank = Math.min(model.dHead, model.dModel); // all of them, and how far they are from the matrix
    const decompositions = model.decompose(kind, { ...rotation, rank, signal, onProgress: progress.next() });
    for await (const { layer, svd } of decompositions) {
      const M = await model.circuit(kind, { layers: [layer, layer + 1], ...rotation, signal });
      const reports = await reportsOf(kind, layer, svd, M, { signal });
      circuits.push(...reports);
      for (const report of reports) strongest.take(report, svd);
      if (layer > 0) continue;
      const { ldim: rows, mdim: inner, rdim: cols } = M;
      random.push({ kind, S: await randomSpectrum({ rows, inner, cols }, { signal }) });
    }
    tokens.push(...(await readingsOf(model, strongest, { signal })));
  }
  const composition: CompositionScores[] = [];
  for (const kind of scored) {
    const { data } = await compositionScores(model, kind, { signal, onProgress: progress.next() });
    composition.push({ kind, scores: onlyLater(data, model), random: randomCompositionScore(model) });
  }
  const { modelType, layers, heads, kvHeads, dModel, dHead, qkNormGains } = model;
  return {
    title: title ?? `Attention circuits of ${source}`,
    source,
    model: { modelType, layers, heads, kvHeads, dModel, dHead },
    state: { ...model.state, rotaryOffset, qkNormGains },
    versions: versions(),
    seconds: (performance.now() - start) / 1000,
    circuits,
    random,
    ...(composition.length > 0 && { composition }),
    ...(tokens.length > 0 && { tokens }),
  };
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
async function reportsOf(
  kind: CircuitKind,
  layer: number,
  svd: LayerSvd['svd'],
  M: FactoredMatrix,
  options: AsyncOptions,
): Promise<CircuitReport[]> {
  const perHead = async (x: Promise<unknown>) => ((await x) as Tensor).data;
  const [left, right] = [
    await perHead(normAsync(M.A, 'fro', options)),
    await perHead(normAsync(M.B, 'fro', options)),
  ];
  const { truncationError } = svd as TruncatedSvd<FloatArray, Tensor<Float64Array>>;
  const { isolated } = isolation(svd);
  const [heads, p] = svd.S.shape;
  return Array.from({ length: heads }, (_, head) => {
    const S = svd.S.data.slice(head * p, (head + 1) * p);
    const norm = Math.hypot(...S);
    return {
      kind,
      layer,
      head,
      S,
      bound: svd.bound.data[head],
      norm,
      factorNorm: left[head] * right[head],
      effectiveRank: effectiveRankOf(S),
      condition: S[p - 1] === 0 ? Number.POSITIVE_INFINITY : S[0] / S[p - 1],
      residual: norm > 0 ? truncationError.data[head] / norm : 0,
      isolated: isolated.data.subarray(head * p, (head + 1) * p).filter((one) => one === 1).length,
    };
  });
}

/** The later heads of cross attention read keys and values of another stream. */
const scoredKinds = ({ state }: Checkpoint): CompositionScores['kind'][] =>
  state.stack === 'cross' ? ['Q'] : ['Q', 'K', 'V'];

/** The scores in float32, NaN where the column is in no later layer. */
function onlyLater(scores: ArrayLike<number>, { layers, heads }: Checkpoint): Float32Array {
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

  take({ layer, head, S }: CircuitReport, { U, Vh }: LayerSvd['svd']): void {
    const { heads } = this;
    if (heads.length === readHeads && !(S[0] > heads[readHeads - 1].S[0])) return;
    const first = (x: Tensor) => {
      const rows = sliceAxis(x.pick(head, null, null) as Tensor, 0, 0, Math.min(readDirections, S.length));
      return vectorItems(rows).map((row) => (x.data instanceof Float32Array ? Float32Array.from(row) : row));
    };
    heads.push({ layer, head, S, left: first(swapLast(U as Tensor)), right: first(Vh as Tensor) });
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

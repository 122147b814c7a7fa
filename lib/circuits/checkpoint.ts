import { type Driver, evidenceOf, Svd } from '../algorithms/result.ts';
import { exposeMembers } from '../arguments/boundary.ts';
import { asyncOptions, count, type Kind, type OptionTable } from '../arguments/options.ts';
import { asyncDispose } from '../array/disposal.ts';
import type { FloatArray } from '../array/elements.ts';
import { isOwnError, shown, svdError } from '../array/errors.ts';
import type { MatrixLike } from '../array/input.ts';
import { dropAxis, type Tensor, tensor } from '../array/tensor.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import type { AsyncOptions } from '../native/steps.ts';
import type { Weights } from '../weights/index.ts';
import {
  type AttentionWeights,
  type CircuitKind,
  type CircuitState,
  circuitKinds,
  type HeadFactors,
} from './attention.ts';
import { productsOfNorms } from './factor-norms.ts';
import { oneAxisOfHeads } from './heads.ts';
import { type Layout, tensorNames } from './layout.ts';
import { anglesOf } from './rotation.ts';
import { type DirectionTokens, type TokensOptions, tokensOf, tokensOptions } from './tokens.ts';

/** Circuits of several layers or heads: a batch of products. */
export type Circuits = FactoredMatrix<FloatArray, Tensor<Float64Array>>;

/** Which layers; a part of them off the event loop. */
export interface CircuitOptions {
  /** From the first of the two up to the other, which is not among them. Default all. */
  readonly layers?: readonly [from: number, to: number] | undefined;
  /**
   * QK as it is between a query and a key `rotaryOffset` positions after it (before it where that is negative), in models that
   * rotate: W_Q·R·W_Kᵀ. Default 0, the same position.
   */
  readonly rotaryOffset?: number | undefined;
  /** Aborting rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Checkpoint.decompose`. */
export interface DecomposeOptions extends CircuitOptions, AsyncOptions {
  /** Only so many leading singular triplets of every head; default all. */
  readonly rank?: number | undefined;
}

/** The circuits of one layer, decomposed. */
export interface LayerSvd {
  /** Its number, from 0. */
  readonly layer: number;
  /** U [heads, rows, p], S [heads, p], Vh [heads, p, cols]. */
  readonly svd: Svd<FloatArray, Tensor<Float64Array>>;
  /** ‖A‖_F·‖B‖_F of the factors of every head: times `randomSpectrum`, what chance gives. */
  readonly factorNorms: Float64Array;
}

const layerRange: Kind<readonly [number, number]> = {
  expected: 'two integers, [from, to]',
  accepts: (x): x is readonly [number, number] =>
    Array.isArray(x) && x.length === 2 && x.every((n) => Number.isSafeInteger(n)),
};
const position: Kind<number> = {
  expected: 'a finite number',
  accepts: (x): x is number => Number.isFinite(x),
};

const circuitOptions: OptionTable<CircuitOptions> = {
  layers: layerRange,
  rotaryOffset: position,
  signal: asyncOptions.signal,
};

/** What was found where a checkpoint was opened. */
export interface Opened {
  readonly weights: Weights;
  readonly folder: string;
  readonly modelType: string;
  readonly layout: Layout;
  readonly state: CircuitState;
  readonly attention: AttentionWeights;
}

/**
 * The attention of an open checkpoint. Row vectors, as in TransformerLens: of every head W_Q, W_K and W_V are
 * [dModel, dHead], W_O is [dHead, dModel]; OV = W_V·W_O and QK = W_Q·W_Kᵀ, not rotated and not scaled.
 */
export class Checkpoint {
  /** The file or folder, as it was named. */
  readonly path: string;
  /** Where config.json and the tokenizer are. */
  readonly folder: string;
  /** `model_type` of config.json; `'transformer_lens'` or `'declared'`. */
  readonly modelType: string;
  /** Layers of its attention. */
  readonly layers: number;
  /** Heads of queries in a layer. */
  readonly heads: number;
  /** Heads of keys and values in a layer. */
  readonly kvHeads: number;
  /** Width of the stream. */
  readonly dModel: number;
  /** Width of what the heads write: dModel in all but unusual models. */
  readonly dOut: number;
  /** Width of a head. */
  readonly dHead: number;
  /** What was done to the weights. */
  readonly state: CircuitState;
  /** The gains of norms of queries and keys stand between W_Q and W_Kᵀ; what these norms divide by does not. */
  readonly qkNormGains: boolean;
  /** Name of the embedding, [vocabulary, dModel], where the file has one. */
  readonly embedding: string | undefined;
  /** Name of the unembedding, which may be the embedding. */
  readonly unembedding: string | undefined;
  /** All its tensors. */
  readonly weights: Weights;
  readonly #layout: Layout;
  readonly #attention: AttentionWeights;
  readonly #circuits = new Map<CircuitKind, Circuits>();

  /** @internal */
  constructor({ weights, folder, modelType, layout, state, attention }: Opened) {
    this.path = weights.path;
    this.folder = folder;
    this.modelType = modelType;
    this.layers = layout.layers;
    this.heads = layout.heads;
    this.kvHeads = layout.kvHeads;
    this.dModel = layout.dModel;
    this.dOut = layout.dOut;
    this.dHead = layout.dHead;
    this.state = state;
    this.qkNormGains = layout.qkNorm !== undefined;
    this.embedding = layout.embedding;
    this.unembedding = layout.unembedding;
    this.weights = weights;
    this.#layout = layout;
    this.#attention = attention;
  }

  /**
   * W_V·W_O of all heads, [layers, heads, dModel, dModel]: what a head writes of what it reads. Read on first use.
   *
   * @throws `ERR_SVD_FILE`, `ERR_SVD_TOO_LARGE`
   */
  get OV(): Circuits {
    return this.#whole('OV');
  }

  /**
   * W_Q·W_Kᵀ of all heads, [layers, heads, dModel, dModel]: which token looks at which. Not rotated, not divided by √dHead. Read on
   * first use.
   *
   * @throws `ERR_SVD_FILE`, `ERR_SVD_TOO_LARGE`
   */
  get QK(): Circuits {
    return this.#whole('QK');
  }

  /**
   * Names of all tensors that circuits come of.
   *
   * @internal
   */
  get tensorNames(): string[] {
    return tensorNames(this.#layout);
  }

  #whole(kind: CircuitKind): Circuits {
    const known = this.#circuits.get(kind);
    if (known) return known;
    const made = withHeads(this.#attention.readSync(kind, [0, this.layers]));
    this.#circuits.set(kind, made);
    return made;
  }

  /**
   * The circuits of some layers, [layers, heads, dModel, dModel], read off the event loop.
   *
   * @throws `ERR_SVD_ARGUMENT` for layers that there are not; `ERR_SVD_FILE`, `ERR_SVD_TOO_LARGE`
   */
  async circuit(kind: CircuitKind, options: CircuitOptions = {}): Promise<Circuits> {
    const layers = this.#range(options.layers);
    this.#checkRotation(mustBeKind(kind), layers, options.rotaryOffset);
    return withHeads(await this.#attention.read(kind, layers, options));
  }

  /**
   * Decomposes the circuits layer by layer, with no more than one layer in memory. `onProgress` counts layers, in fractions.
   *
   * @throws as `circuit` and `FactoredMatrix.svd`; `signal.reason` on abort
   */
  decompose(kind: CircuitKind, options: DecomposeOptions = {}): AsyncGenerator<LayerSvd, void, undefined> {
    const layers = this.#range(options.layers);
    this.#checkRotation(mustBeKind(kind), layers, options.rotaryOffset);
    return this.#decompose(kind, layers, options);
  }

  async *#decompose(
    kind: CircuitKind,
    [from, to]: readonly [number, number],
    { rank, rotaryOffset, signal, onProgress }: DecomposeOptions,
  ): AsyncGenerator<LayerSvd, void, undefined> {
    const total = to - from;
    for (let layer = from; layer < to; layer++) {
      const tell =
        onProgress &&
        (({ done, total: all }: { done: number; total: number }) =>
          onProgress({ done: layer - from + done / all, total }));
      yield await this.#decomposeLayer(kind, layer, { rank, rotaryOffset, signal, onProgress: tell });
    }
  }

  async #decomposeLayer(
    kind: CircuitKind,
    layer: number,
    { rank, rotaryOffset, signal, onProgress }: DecomposeOptions,
  ): Promise<LayerSvd> {
    const { A, B } = await this.#attention.read(kind, [layer, layer + 1], { rotaryOffset, signal });
    const grouped = new FactoredMatrix(dropAxis(A, 0), dropAxis(B, 0));
    try {
      const computing = grouped.svdAsync({ ...(rank !== undefined && { rank }), signal, onProgress });
      const factorNorms = productsOfNorms(dropAxis(A, 0), dropAxis(B, 0)); // while the compute threads are busy
      return { layer, svd: ofHeads(await computing, this.heads), factorNorms };
    } catch (error) {
      if (isOwnError(error) && error.batchIndex) {
        const [group, within] = error.batchIndex;
        const head = group * (this.heads / this.kvHeads) + within;
        throw svdError(
          error.code,
          `${this.path}: ${kind} of layer ${layer}, head ${head}: ${error.message}`,
          {
            ...error,
            batchIndex: [layer, head],
            cause: error,
          },
        );
      }
      throw error;
    }
  }

  #range([from, to]: readonly [number, number] = [0, this.layers]): readonly [number, number] {
    if (from >= 0 && from < to && to <= this.layers) return [from, to];
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `layers: expected [from, to] with 0 ≤ from < to ≤ ${this.layers}, got [${from}, ${to}]`,
    );
  }

  #checkRotation(kind: CircuitKind, [from, to]: readonly [number, number], rotaryOffset = 0): void {
    if (rotaryOffset === 0) return;
    if (kind === 'OV') throw svdError('ERR_SVD_ARGUMENT', 'rotaryOffset: only QK is rotated');
    if (this.#layout.rotary === undefined)
      throw svdError('ERR_SVD_ARGUMENT', `rotaryOffset: ${this.modelType} does not rotate queries and keys`);
    for (let layer = from; layer < to; layer++) anglesOf(this.#layout.rotary, layer);
  }

  /**
   * The tokens at both ends of directions in the stream, `[..., dModel]`, one a row: columns of U and rows of Vh. Those that are
   * written go through the unembedding (`side: 'write'`, the default), those that are read through the embedding (`'read'`). Names
   * come from `tokenizer.json` or `vocab.json` beside the checkpoint.
   *
   * @returns one entry for each direction, in row-major order
   * @throws `ERR_SVD_SHAPE`, `ERR_SVD_NON_FINITE`, `ERR_SVD_ARGUMENT`; `ERR_SVD_FILE` where the checkpoint has no (un)embedding or a
   * vocabulary that cannot be read; `signal.reason` on abort
   */
  async tokens(directions: MatrixLike, options: TokensOptions = {}): Promise<DirectionTokens[]> {
    return tokensOf(this, directions, options);
  }

  /** Closes its files; a second call does nothing. Circuits that were read stay valid. */
  async close(): Promise<void> {
    await this.weights.close();
  }

  /** `close()`, for `await using`. */
  async [asyncDispose](): Promise<void> {
    await this.close();
  }
}

exposeMembers(
  Checkpoint,
  {
    circuit: { takes: ['kind'], options: circuitOptions },
    decompose: { takes: ['kind'], options: { ...circuitOptions, ...asyncOptions, rank: count } },
    tokens: { takes: ['directions'], options: tokensOptions },
    close: {},
  },
  (name) => name !== 'decompose',
);

function mustBeKind(kind: CircuitKind): CircuitKind {
  if (circuitKinds.includes(kind)) return kind;
  throw svdError('ERR_SVD_ARGUMENT', `expected 'OV' or 'QK', got ${shown(kind)}`);
}

const withHeads = ({ A, B }: HeadFactors): Circuits =>
  new FactoredMatrix(oneAxisOfHeads(A), oneAxisOfHeads(B)) as Circuits;

/** A decomposition of groups of heads, as one of heads. */
function ofHeads(svd: Svd, heads: number): LayerSvd['svd'] {
  const perHead = <X extends Tensor>(x: unknown) =>
    tensor((x as X).data, [heads, ...(x as X).shape.slice(2)]) as X;
  const { U, S, Vh, bound, driver, errors, next } = svd;
  const evidence = evidenceOf(svd);
  return new Svd<FloatArray, Tensor<Float64Array>>(
    perHead(U),
    perHead(S),
    perHead(Vh),
    perHead(bound),
    driver as readonly Driver[],
    errors,
    next === undefined ? next : perHead(next),
    evidence && {
      truncationError: perHead(evidence.truncationError),
      residuals: perHead(evidence.residuals),
      certified: evidence.certified as readonly boolean[],
    },
  );
}

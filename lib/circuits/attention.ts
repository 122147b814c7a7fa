import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { type Input, swapLast } from '../array/tensor.ts';
import { fill, fillSync, type Weights } from '../weights/weights.ts';
import {
  addNormBias,
  addToBias,
  afterSteps,
  type Bias,
  centreColumns,
  centreRows,
  rotateColumns,
  type Step,
  scaleColumns,
  scaleRows,
} from './fold.ts';
import { type Plan, planHeads } from './heads.ts';
import { type FoundNorm, type Layout, nameIn, type Part } from './layout.ts';

/** What a head does: OV = W_V·W_O, what it writes; QK = W_Q·W_Kᵀ, where it looks. */
export type CircuitKind = 'OV' | 'QK';
export const circuitKinds = ['OV', 'QK'] as const satisfies readonly CircuitKind[];

/** What was done to the weights of a checkpoint before circuits were made of them; only those of the same state compare. */
export interface CircuitState {
  /** The norm in front of the attention is folded into W_Q, W_K and W_V. */
  readonly foldNorms: boolean;
  /** The mean over the stream is subtracted from W_O. */
  readonly centerWriting: boolean;
  /** The biases are one more row of W_Q, W_K and W_V. */
  readonly biases: boolean;
  /** Of a model that has several: which attention it is. */
  readonly stack?: 'encoder' | 'decoder' | 'cross';
}

/** The factors of the circuits of some layers: [layers, kvHeads, heads / kvHeads, rows, cols]; shared ones have stride 0. */
export interface HeadFactors {
  readonly A: Input;
  readonly B: Input;
}

/** The attention of a checkpoint: reads the projections of layers, and makes factors of them. */
export class AttentionWeights {
  readonly #weights: Weights;
  readonly #layout: Layout;
  readonly #state: CircuitState;
  readonly #vectors: Vectors;

  private constructor(weights: Weights, layout: Layout, state: CircuitState, vectors: Vectors) {
    this.#weights = weights;
    this.#layout = layout;
    this.#state = state;
    this.#vectors = vectors;
  }

  /** Reads the norms and biases that the state needs: a few numbers for each layer. */
  static async open(weights: Weights, layout: Layout, state: CircuitState): Promise<AttentionWeights> {
    const { norm, qkNorm, places } = layout;
    const needed = [
      ...(state.foldNorms ? [norm?.weight, norm?.bias] : []),
      ...[qkNorm?.q, qkNorm?.k].flatMap((x) => [x?.weight, x?.bias]),
      ...(state.biases ? [places.q.bias, places.k.bias, places.v.bias] : []),
    ];
    return new AttentionWeights(weights, layout, state, await readVectors(weights, layout, needed));
  }

  /** The factors of layers `from` … `to − 1`, read off the event loop. */
  async read(kind: CircuitKind, layers: readonly [number, number], options: Rotation): Promise<HeadFactors> {
    const plan = this.#plan(kind, layers);
    for (const { name, into, rows } of plan.wanted) {
      options.signal?.throwIfAborted();
      await fill(this.#weights, name, into, rows);
    }
    return this.#factors(kind, plan, layers[0], options);
  }

  /** The same at once. */
  readSync(kind: CircuitKind, layers: readonly [number, number]): HeadFactors {
    const plan = this.#plan(kind, layers);
    for (const { name, into, rows } of plan.wanted) fillSync(this.#weights, name, into, rows);
    return this.#factors(kind, plan, layers[0], {});
  }

  #plan(kind: CircuitKind, layers: readonly [number, number]): Plan {
    return planHeads(this.#weights, this.#layout, kind === 'OV' ? ['v', 'o'] : ['q', 'k'], layers);
  }

  #factors(
    kind: CircuitKind,
    { views }: Plan,
    firstLayer: number,
    { rotaryOffset = 0 }: Rotation,
  ): HeadFactors {
    const after = (part: Part) =>
      afterSteps(views[part], this.#steps(part, rotaryOffset), { firstLayer, bias: this.#biasOf(part) });
    return kind === 'OV' ? { A: after('v'), B: after('o') } : { A: after('q'), B: swapLast(after('k')) };
  }

  /** What is done to a projection, in order. */
  #steps(part: Part, rotaryOffset: number): Step[] {
    const { norm, cross, qkNorm, rotary, dModel } = this.#layout;
    const { foldNorms, centerWriting } = this.#state;
    if (part === 'o') return centerWriting ? [centreRows] : [];
    const steps: Step[] = [];
    if (foldNorms && norm && !(cross && part !== 'q')) {
      if (norm.bias) steps.push(addNormBias(this.#vector(norm.bias)));
      if (norm.weight) steps.push(scaleRows(this.#gain(norm)));
      if (norm.kind === 'layer') steps.push(centreColumns(dModel));
    }
    if (qkNorm && part !== 'v') {
      const { kind, weight, bias } = qkNorm[part];
      if (kind === 'layer') steps.push(centreRows);
      if (weight) steps.push(scaleColumns(this.#gain(qkNorm[part])));
      if (bias) steps.push(addToBias(this.#vector(bias)));
    }
    if (part === 'q' && rotaryOffset !== 0 && rotary) steps.push(rotateColumns(rotary, rotaryOffset));
    return steps;
  }

  #vector(pattern: string): (layer: number) => Float64Array {
    return (layer) => this.#vectors.get(pattern)![layer];
  }

  #gain({ weight, plusOne }: FoundNorm): (layer: number) => Float64Array {
    const vector = this.#vector(weight!);
    return plusOne ? (layer) => vector(layer).map((w) => 1 + w) : vector;
  }

  /** The bias of a head of Q, K or V; zeros where the model has none. */
  #biasOf(part: Part): Bias | undefined {
    if (!this.#state.biases || part === 'o') return undefined;
    const { bias, first, perGroup, perHead } = this.#layout.places[part];
    const { dHead } = this.#layout;
    if (bias === undefined) return () => new Float64Array(dHead);
    const vector = this.#vector(bias);
    return (layer, group, head) => {
      const begin = (first + group * perGroup + head * perHead) * dHead;
      return vector(layer).subarray(begin, begin + dHead);
    };
  }
}

interface Rotation {
  readonly rotaryOffset?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Vectors of every layer, by the pattern of their names. */
type Vectors = ReadonlyMap<string, readonly Float64Array[]>;

async function readVectors(weights: Weights, { layers }: Layout, patterns: readonly (string | undefined)[]) {
  const vectors = new Map<string, Float64Array[]>();
  for (const pattern of new Set(patterns)) {
    if (pattern === undefined) continue;
    const ofLayers: Float64Array[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const name = nameIn(pattern, layer);
      const { data } = await weights.read(name);
      const bad = data.findIndex((x) => !Number.isFinite(x));
      if (bad >= 0)
        throw svdError(
          'ERR_SVD_NON_FINITE',
          `${weights.path}: tensor ${quote(name)} has ${data[bad]} at [${bad}]`,
          { index: [bad] },
        );
      ofLayers.push(Float64Array.from(data));
    }
    vectors.set(pattern, ofLayers);
  }
  return vectors;
}

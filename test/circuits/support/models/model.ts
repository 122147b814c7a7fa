import type { CheckpointOptions } from '../../../../lib/circuits/index.ts';
import { type CheckpointTensor, numbers, type Tensors } from '../checkpoints.ts';
import { type Affine, type Attention, linear, repeat, split } from '../reference.ts';

// What the models of this folder are made of.

export interface Model {
  readonly title: string;
  readonly config: Record<string, unknown>;
  readonly tensors: Tensors;
  readonly options?: CheckpointOptions;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dModel: number;
  readonly dHead: number;
  /** Norms take the mean away. */
  readonly centred: boolean;
  readonly qkNormGains?: boolean;
  readonly embedding: string | undefined;
  readonly unembedding: string | undefined;
  readonly attention: (layer: number) => Attention;
}

export type Shapes = Record<string, readonly number[]>;

export type Layers = (layer: number) => Shapes;

export const V = 7;

/** Seeded tensors: what stands once, and what every layer has, last layer first. */
export function tensorsOf(layers: number, once: Shapes, perLayer: Layers, decoys: Tensors = {}): Tensors {
  const next = numbers(layers + 41);
  const of = (shapes: Shapes): Tensors =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [
        name,
        { shape, data: next(shape.reduce((n, m) => n * m, 1)) },
      ]),
    );
  const numbered = Array.from({ length: layers }, (_, i) => of(perLayer(layers - 1 - i)));
  return Object.assign(of(once), ...numbered, decoys);
}

/** A tensor that is no weight, in its own dtype. */
export const decoy = (dtype: CheckpointTensor['dtype'], ...shape: number[]): CheckpointTensor => ({
  dtype,
  shape,
  data: Float64Array.from({ length: shape.reduce((n, m) => n * m, 1) }, () => 1),
});

/** The decoys of every layer. */
export const everywhere = (layers: number, of: (layer: number) => Tensors): Tensors =>
  Object.assign({}, ...Array.from({ length: layers }, (_, n) => of(n)));

/** Shapes of a Linear or a norm with its bias. */
export const biased = (name: string, ...weight: number[]): Shapes => ({
  [`${name}.weight`]: weight,
  [`${name}.bias`]: [weight[0]],
});

export const plain = (name: string, ...weight: number[]): Shapes => ({ [`${name}.weight`]: weight });

/** Attention with four Linears and as many keys as heads, or fewer. */
export function separate(
  tensors: Tensors,
  [q, k, v, o]: readonly string[],
  D: number,
  shared = 1,
): Pick<Attention, 'project' | 'output'> {
  const [Q, K, W, O] = [q, k, v, o].map((name) => linear(tensors, name));
  return {
    project: (x) => ({
      q: split(Q(x), D),
      k: repeat(split(K(x), D), shared),
      v: repeat(split(W(x), D), shared),
    }),
    output: (z) => O(z.flat()),
  };
}

export const equal = (heads: number, dHead: number) => ({
  heads,
  kvHeads: heads,
  dHead,
  dModel: heads * dHead,
});

/** Rows of [head, (q, k, v), D], as GPT-NeoX, BLOOM and the oldest Falcon have them. */
export function headByHead(qkv: Affine, D: number): Attention['project'] {
  return (x) => {
    const all = split(qkv(x), D);
    const [q, k, v] = [0, 1, 2].map((i) => all.filter((_, row) => row % 3 === i));
    return { q, k, v };
  };
}

import type { Checkpoint, CircuitKind } from '../../../lib/circuits/index.ts';
import { matrixAt, multiplyRows, type Rows } from '../../support/checks.ts';
import type { CheckpointTensor, Tensors } from './checkpoints.ts';

// Attention as the models' own code computes it of one vector of the stream, with plain loops in float64; nothing here knows how
// the code under test finds a head. Only divisions by a length are left out: what remains is affine, and unit vectors probe it.

export type Vector = readonly number[];
export type Affine = (x: Vector) => Vector;

/** The attention of one layer. */
export interface Attention {
  /** The norm in front, without its division. */
  readonly norm: Affine;
  /** Keys and values are of another stream, which this layer does not normalise. */
  readonly cross?: boolean;
  /** H vectors of D numbers each, of what was normalised; keys and values repeated for the heads that share them. */
  readonly project: (x: Vector) => Readonly<Record<'q' | 'k' | 'v', readonly Vector[]>>;
  /** Norms of a head's query and key, without their divisions. */
  readonly qNorm?: Affine;
  readonly kNorm?: Affine;
  readonly rotate?: (x: Vector, position: number) => Vector;
  /** The output projection, of what all heads found. */
  readonly output: (z: readonly Vector[]) => Vector;
}

/** Which circuits of a layer are asked for. */
export interface Question {
  readonly foldNorms?: boolean;
  readonly centerWriting?: boolean;
  readonly biases?: boolean;
  /** Position of the key minus that of the query. */
  readonly rotaryOffset?: number;
}

// The modules of which the models are built.

const at = (tensors: Tensors, name: string): CheckpointTensor => {
  if (!(name in tensors)) throw new Error(`the reference has no tensor ${name}`);
  return tensors[name];
};
const vector = (tensors: Tensors, name: string): Vector => Array.from(at(tensors, name).data);
/** Indices; unit vectors have one. */
const notZero = (x: Vector): number[] => x.flatMap((value, i) => (value === 0 ? [] : [i]));
const zeros = (n: number): number[] => new Array<number>(n).fill(0);

/** `nn.Linear`: x·Wᵀ + b, W [out, in]; the bias if there is one. */
export function linear(tensors: Tensors, name: string): Affine {
  const { shape, data } = at(tensors, `${name}.weight`);
  const [out, width] = shape;
  const bias = `${name}.bias` in tensors ? vector(tensors, `${name}.bias`) : zeros(out);
  return (x) => {
    const terms = notZero(x);
    return bias.map((b, o) => terms.reduce((sum, i) => sum + x[i] * data[o * width + i], b));
  };
}

/** `Conv1D` of GPT-2: x·W + b, W [in, out]. */
export function conv1d(tensors: Tensors, name: string): Affine {
  const { shape, data } = at(tensors, `${name}.weight`);
  const bias = vector(tensors, `${name}.bias`);
  return (x) => {
    const terms = notZero(x);
    return bias.map((b, o) => terms.reduce((sum, i) => sum + x[i] * data[i * shape[1] + o], b));
  };
}

/** `nn.LayerNorm`, without the division; no tensors with `elementwise_affine: false`. */
export function layerNorm(tensors: Tensors, name: string, [weight, bias] = ['weight', 'bias']): Affine {
  const affine = `${name}.${weight}` in tensors;
  const w = affine && vector(tensors, `${name}.${weight}`);
  const b = affine && vector(tensors, `${name}.${bias}`);
  return (x) => {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    return x.map((value, i) => (value - mean) * (w ? w[i] : 1) + (b ? b[i] : 0));
  };
}

/** RMSNorm, without the division. Gemma's weight is `1 + w`. */
export function rmsNorm(tensors: Tensors, name: string, plus = 0): Affine {
  const w = vector(tensors, `${name}.weight`);
  return (x) => x.map((value, i) => value * (plus + w[i]));
}

export const unchanged: Affine = (x) => x;

/** `view(..., D)`: consecutive vectors of D numbers. */
export const split = (x: Vector, D: number): Vector[] =>
  Array.from({ length: x.length / D }, (_, i) => x.slice(i * D, (i + 1) * D));

/** `repeat_kv`: every head `n` times in a row. */
export const repeat = (heads: readonly Vector[], n: number): Vector[] =>
  heads.flatMap((head) => Array.from({ length: n }, () => head));

/** `apply_rotary_pos_emb` with `rotate_half` of the first numbers, as many as two for each frequency. */
export function rotateHalf(frequencies: Vector): (x: Vector, position: number) => Vector {
  const half = frequencies.length;
  return (x, position) => {
    const turned = x.slice(0, 2 * half).map((value, i) => {
      const angle = frequencies[i % half] * position;
      const other = i < half ? -x[i + half] : x[i - half];
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
    return [...turned, ...x.slice(2 * half)];
  };
}

/** `rotate_every_two` of GPT-J. */
export function rotateEveryTwo(frequencies: Vector): (x: Vector, position: number) => Vector {
  const dims = 2 * frequencies.length;
  return (x, position) => {
    const turned = x.slice(0, dims).map((value, i) => {
      const angle = frequencies[i >> 1] * position;
      const other = i % 2 === 0 ? -x[i + 1] : x[i - 1];
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
    return [...turned, ...x.slice(dims)];
  };
}

/** `inv_freq` of `dims` rotated numbers. */
export const inverseFrequencies = (dims: number, theta = 10_000): number[] =>
  Array.from({ length: dims / 2 }, (_, i) => theta ** ((-2 * i) / dims));

// The circuits: what unit vectors make of them.

/** What unit vectors of d numbers become, and the zero vector, which is the bias. */
function probed<T>(f: (x: Vector) => T, d: number): { units: T[]; zero: T } {
  const unit = (i: number) => Array.from({ length: d }, (_, j) => Number(i === j));
  return { units: Array.from({ length: d }, (_, i) => f(unit(i))), zero: f(zeros(d)) };
}

const minus = (x: Vector, y: Vector): number[] => x.map((value, i) => value - y[i]);
const transposed = (x: Rows): Rows => x[0].map((_, j) => x.map((row) => row[j]));

/** W_V and the map behind it, or W_Q and W_Kᵀ, of all heads; with norms, biases and positions as asked. */
function factors(
  { norm, cross = false, project, qNorm = unchanged, kNorm = unchanged, rotate, output }: Attention,
  kind: CircuitKind,
  [d, H, D]: readonly [number, number, number],
  { foldNorms = false, centerWriting = false, biases = false, rotaryOffset = 0 }: Question,
): { A: Rows; B: Rows }[] {
  const own = foldNorms ? norm : unchanged;
  const other = cross ? unchanged : own;
  const query = 7 + Math.max(-rotaryOffset, 0);
  const turn = (x: Vector, position: number) => (rotate ? rotate(x, position) : x);
  const rows = (f: (x: Vector) => readonly Vector[]): Rows[] => {
    const { units, zero } = probed(f, d);
    return Array.from({ length: H }, (_, h) => [
      ...units.map((heads) => minus(heads[h], zero[h])),
      ...(biases ? [[...zero[h]]] : []),
    ]);
  };
  if (kind === 'QK') {
    const A = rows((x) => project(own(x)).q.map((q) => turn(qNorm(q), query)));
    const K = rows((x) => project(other(x)).k.map((k) => turn(kNorm(k), query + rotaryOffset)));
    return A.map((rowsOfHead, h) => ({ A: rowsOfHead, B: transposed(K[h]) }));
  }
  const A = rows((x) => project(other(x)).v);
  const { units, zero } = probed((z) => output(split(z, D)), H * D);
  const written = units.map((y) => {
    const linear = minus(y, zero);
    const mean = linear.reduce((sum, value) => sum + value, 0) / linear.length;
    return centerWriting ? linear.map((value) => value - mean) : linear;
  });
  return A.map((rowsOfHead, h) => ({ A: rowsOfHead, B: written.slice(h * D, (h + 1) * D) }));
}

/** What a sum of `terms` products of numbers up to `size` may err by, each number rounded a few times in `float32`. */
const rounding = (terms: number, size: number) => 8 * terms * size * 2 ** -24;

const largest = (x: Rows) => Math.max(...x.flat().map(Math.abs));

/** How far circuits of a layer are from the reference: 1 is what rounding to float32 allows. */
export function disagreement(
  { A, B }: Pick<Checkpoint['OV'], 'A' | 'B'>,
  item: readonly number[],
  attention: Attention,
  kind: CircuitKind,
  sizes: readonly [d: number, H: number, D: number],
  question: Question,
): number {
  const [d, , D] = sizes;
  const worst = factors(attention, kind, sizes, question).map((expected, h) => {
    const found = multiplyRows(matrixAt(A, [...item, h]), matrixAt(B, [...item, h]));
    const product = multiplyRows(expected.A, expected.B);
    if (found.length !== product.length || found[0].length !== product[0].length) return Infinity;
    const limit = rounding(d + D, largest(expected.A) * largest(expected.B));
    return largest(found.map((row, i) => row.map((value, j) => value - product[i][j]))) / limit;
  });
  return Math.max(...worst);
}

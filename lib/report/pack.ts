import { escapedJson } from '../array/escape.ts';
import type { CircuitReport, CompositionScores, ReportData, TokenReading } from './data.ts';

/** Numbers as the page holds them: base64 of their bytes, little-endian, in single precision where that loses nothing. */
export interface Packed {
  readonly bits: 32 | 64;
  readonly base64: string;
}

/** The columns of the circuits, a number for each. */
export const circuitColumns = [
  'layer',
  'head',
  'bound',
  'norm',
  'factorNorm',
  'effectiveRank',
  'condition',
  'residual',
  'isolated',
] as const satisfies readonly (keyof CircuitReport)[];

/** What the page holds of `ReportData`. */
export interface Payload
  extends Pick<ReportData, 'title' | 'source' | 'model' | 'state' | 'versions' | 'seconds'> {
  readonly circuits: {
    /** 0 for OV, 1 for QK. */
    readonly kind: Packed;
    /** Numbers of singular values. */
    readonly lengths: Packed;
    readonly S: Packed;
  } & Readonly<Record<(typeof circuitColumns)[number], Packed>>;
  readonly random: readonly { readonly kind: CircuitReport['kind']; readonly S: Packed }[];
  readonly composition: readonly PackedScores[];
  readonly tokens: PackedTokens;
}

export interface PackedScores extends Pick<CompositionScores, 'kind' | 'random'> {
  /** `head`: of every pair of heads in different layers, row by row. `layer`: the largest of every pair of layers. */
  readonly unit: 'head' | 'layer';
  readonly scores: Packed;
}

export interface PackedTokens {
  /** Every token once. */
  readonly names: readonly string[];
  /** Of each reading: kind (0 OV, 1 QK), layer, head, direction, σ, side (0 left, 1 right), numbers of top and bottom tokens. */
  readonly readings: Packed;
  /** Indices into `names`, and scores: for every reading its top, then its bottom. */
  readonly tokens: Packed;
  readonly scores: Packed;
  /** How many readings there were before the ones of the smallest singular values were left out. */
  readonly all: number;
}

/** Bytes of numbers that a page may hold: with base64, and all else, it stays under 20 MB. */
export const capacity = 14e6;

/**
 * What a page holds, as JSON that can stand in a `<script>` element: nothing in it ends the element or begins a comment.
 * Spectra are always complete. Of composition scores and token readings there is what fits beside them.
 */
export function pack(data: ReportData): string {
  const { title, source, model, state, versions, seconds } = data;
  const circuits = packCircuits(data.circuits);
  let room = capacity - sizeOf(Object.values(circuits));
  const composition = packComposition(data.composition ?? [], model, room);
  room -= sizeOf(composition.map(({ scores }) => scores));
  const tokens = packTokens(data.tokens ?? [], room);
  const random = data.random.map(({ kind, S }) => ({ kind, S: numbers(S) }));
  const payload: Payload = {
    ...{ title, source, model, state, versions, seconds },
    ...{ circuits, random, composition, tokens },
  };
  return asScript(payload);
}

/** JSON in a `<script>`: nothing in it ends the element or begins a comment. */
export const asScript = (payload: unknown): string => escapedJson(payload).replace(/</g, '\\u003c');

const sizeOf = (columns: readonly Packed[]): number =>
  columns.reduce((sum, { base64 }) => sum + 0.75 * base64.length, 0);

export function numbers(values: ArrayLike<number>): Packed {
  const single = Float32Array.from(values);
  const exact = single.every((x, i) => Object.is(x, values[i]));
  const { buffer, byteOffset, byteLength } = exact ? single : Float64Array.from(values);
  return { bits: exact ? 32 : 64, base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
}

function packCircuits(circuits: readonly CircuitReport[]): Payload['circuits'] {
  const column = (of: (circuit: CircuitReport) => number) => numbers(circuits.map(of));
  const columns = circuitColumns.map((name) => [name, column((circuit) => circuit[name] ?? Number.NaN)]);
  const S = new Float64Array(circuits.reduce((sum, circuit) => sum + circuit.S.length, 0));
  let at = 0;
  for (const circuit of circuits) {
    S.set(circuit.S, at);
    at += circuit.S.length;
  }
  return {
    ...(Object.fromEntries(columns) as Record<(typeof circuitColumns)[number], Packed>),
    kind: column(({ kind }) => Number(kind === 'QK')),
    lengths: column((circuit) => circuit.S.length),
    S: numbers(S),
  };
}

/** Scores of all pairs of heads where those of every kind fit, or the largest of each pair of layers. */
function packComposition(
  composition: readonly CompositionScores[],
  { layers, heads }: ReportData['model'],
  room: number,
): PackedScores[] {
  const pairs = (heads * heads * layers * (layers - 1)) / 2;
  const unit = 4 * pairs * composition.length <= room ? 'head' : 'layer';
  return composition.map(({ kind, random, scores }) => {
    const kept =
      unit === 'head' ? laterLayers(scores, layers, heads) : largestOfLayers(scores, layers, heads);
    return { kind, random, unit, scores: numbers(kept) };
  });
}

/** Of every row those columns that are heads of later layers. */
function laterLayers(scores: Float32Array, layers: number, heads: number): Float32Array {
  const n = layers * heads;
  const out = new Float32Array((heads * heads * layers * (layers - 1)) / 2);
  let at = 0;
  for (let row = 0; row < n; row++) {
    const later = (Math.floor(row / heads) + 1) * heads;
    out.set(scores.subarray(row * n + later, (row + 1) * n), at);
    at += n - later;
  }
  return out;
}

function largestOfLayers(scores: Float32Array, layers: number, heads: number): Float32Array {
  const n = layers * heads;
  const out = new Float32Array(layers * layers).fill(Number.NaN);
  for (let row = 0; row < n; row++)
    for (let column = (Math.floor(row / heads) + 1) * heads; column < n; column++) {
      const pair = Math.floor(row / heads) * layers + Math.floor(column / heads);
      const score = scores[row * n + column];
      if (score > out[pair] || Number.isNaN(out[pair])) out[pair] = score;
    }
  return out;
}

function packTokens(all: readonly TokenReading[], room: number): PackedTokens {
  const readings = mostImportant(all, room);
  const indices = new Map<string, number>();
  const indexOf = (token: string): number => {
    const index = indices.get(token) ?? indices.size;
    indices.set(token, index);
    return index;
  };
  const tokens = readings.flatMap(({ top, bottom }) => [...top, ...bottom]);
  return {
    tokens: numbers(tokens.map(({ token }) => indexOf(token))),
    scores: numbers(tokens.map(({ score }) => score)),
    names: [...indices.keys()],
    readings: numbers(
      readings.flatMap(({ kind, layer, head, direction, sigma, side, top, bottom }) => [
        ...[Number(kind === 'QK'), layer, head, direction, sigma, Number(side === 'right')],
        ...[top.length, bottom.length],
      ]),
    ),
    all: all.length,
  };
}

/** As many readings as there is room for, of the leading directions first. */
function mostImportant(readings: readonly TokenReading[], room: number): TokenReading[] {
  // An index, a score, and most of a name; that is not numbers, and counts for more or less.
  const bytes = ({ top, bottom }: TokenReading) => 32 + 16 * (top.length + bottom.length);
  const byDirection = readings.toSorted((a, b) => a.direction - b.direction);
  let left = room;
  return byDirection.filter((reading) => {
    left -= bytes(reading);
    return left >= 0;
  });
}

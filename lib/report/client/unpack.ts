import type { CircuitKind, CircuitReport, CompositionScores, RandomSpectrum, TokenReading } from '../data.ts';
import { circuitColumns, type Packed, type PackedTokens, type Payload } from '../pack.ts';

/** A circuit as the page shows it. */
export interface Circuit extends Required<CircuitReport> {
  readonly S: Floats;
  /** `L3H5-OV` */
  readonly id: string;
}

export type Floats = Float32Array | Float64Array;

/** Scores [n, n] of heads, or of layers where there are too many heads: then the largest of their heads. */
export interface Scores extends CompositionScores {
  readonly unit: 'head' | 'layer';
  readonly n: number;
}

export interface Report extends Pick<Payload, 'title' | 'source' | 'model' | 'state' | 'versions'> {
  /** By layer, kind and head. */
  readonly circuits: readonly Circuit[];
  readonly byId: ReadonlyMap<string, Circuit>;
  readonly kinds: readonly CircuitKind[];
  readonly random: ReadonlyMap<CircuitKind, Random>;
  readonly composition: readonly Scores[];
  readonly tokens: readonly TokenReading[];
  /** Readings that were left out. */
  readonly tokensLeftOut: number;
}

export interface Random extends RandomSpectrum {
  readonly S: Floats;
  readonly effectiveRank: number;
}

/** Where a circuit is opened: a fragment of the address that is no place on the page. */
export const route = (id: string): string => `#/${id}`;

export const circuitId = (layer: number, head: number, kind: CircuitKind): string =>
  `L${layer}H${head}-${kind}`;

/** The report that the page holds. */
export function unpack(text: string): Report {
  const payload: Payload = JSON.parse(text);
  const circuits = unpackCircuits(payload.circuits);
  const kinds = (['OV', 'QK'] as const).filter((kind) => circuits.some((circuit) => circuit.kind === kind));
  const random = payload.random.map(({ kind, S }): [CircuitKind, Random] => {
    const values = numbers(S);
    return [kind, { kind, S: values, effectiveRank: effectiveRank(values) }];
  });
  const tokens = unpackTokens(payload.tokens);
  return {
    ...payload,
    circuits,
    byId: new Map(circuits.map((circuit) => [circuit.id, circuit])),
    kinds,
    random: new Map(random),
    composition: payload.composition.map((scores) => unpackScores(scores, payload.model)),
    tokens,
    tokensLeftOut: payload.tokens.all - tokens.length,
  };
}

export function numbers({ bits, base64 }: Packed): Floats {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return bits === 32 ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
}

const kindOf = (index: number): CircuitKind => (index === 0 ? 'OV' : 'QK');

function unpackCircuits(packed: Payload['circuits']): Circuit[] {
  const columns = circuitColumns.map((name) => [name, numbers(packed[name])] as const);
  const [kinds, lengths, S] = [packed.kind, packed.lengths, packed.S].map(numbers);
  let at = 0;
  const circuits = Array.from(lengths, (length, i) => {
    const fields = Object.fromEntries(columns.map(([name, values]) => [name, values[i]]));
    const { layer, head } = fields;
    const kind = kindOf(kinds[i]);
    at += length;
    const values = S.subarray(at - length, at);
    return { ...fields, kind, S: values, id: circuitId(layer, head, kind) } as Circuit;
  });
  return circuits.sort(
    (a, b) => a.layer - b.layer || Number(a.kind > b.kind) - Number(a.kind < b.kind) || a.head - b.head,
  );
}

function unpackScores(
  { kind, random, unit, scores }: Payload['composition'][number],
  { layers, heads }: Payload['model'],
): Scores {
  const packed = numbers(scores);
  if (unit === 'layer') return { kind, random, unit, n: layers, scores: Float32Array.from(packed) };
  const n = layers * heads;
  const all = new Float32Array(n * n).fill(Number.NaN);
  let at = 0;
  for (let row = 0; row < n; row++) {
    const later = (Math.floor(row / heads) + 1) * heads;
    all.set(packed.subarray(at, at + n - later), row * n + later);
    at += n - later;
  }
  return { kind, random, unit, n, scores: all };
}

function unpackTokens({ names, readings, tokens, scores }: PackedTokens): TokenReading[] {
  const [fields, indices, values] = [readings, tokens, scores].map(numbers);
  let at = 0;
  const take = (count: number) =>
    Array.from({ length: count }, () => ({ token: names[indices[at]], score: values[at++] }));
  return Array.from({ length: fields.length / 8 }, (_, i) => {
    const [kind, layer, head, direction, sigma, side, top, bottom] = fields.subarray(8 * i, 8 * i + 8);
    return {
      kind: kindOf(kind),
      ...{ layer, head, direction, sigma },
      side: side === 0 ? 'left' : 'right',
      top: take(top),
      bottom: take(bottom),
    };
  });
}

/** exp of the entropy of σ²/Σσ². */
export function effectiveRank(S: ArrayLike<number>): number {
  const squares = Array.from(S, (sigma) => (sigma / S[0]) ** 2).filter((square) => square > 0);
  const sum = squares.reduce((total, square) => total + square, 0);
  return Math.exp(squares.reduce((entropy, square) => entropy - (square / sum) * Math.log(square / sum), 0));
}

import { versions } from '../../lib/index.ts';
import type { CircuitReport, CompositionScores, ReportData, TokenReading } from '../../lib/report/data.ts';

export interface Size {
  layers?: number;
  heads?: number;
  dHead?: number;
  /** Of token readings, directions of each circuit. */
  directions?: number;
  /** Which tokens there are. */
  words?: readonly string[];
  composition?: boolean;
}

/** Deterministic numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const plain = [
  '▁the',
  '▁head',
  'Ġwrites',
  '##ing',
  ' space',
  '.',
  'naïve',
  '東京',
  'שלום',
  '🙂',
  '="1+1"',
  'Ċ',
];

/** A report of the form that a checkpoint has, of any size, the same on every call. */
export function reportData({
  layers = 4,
  heads = 6,
  dHead = 32,
  directions = 2,
  words = plain,
  composition = true,
}: Size = {}): ReportData {
  const random = generator(7);
  const circuits: CircuitReport[] = [];
  for (let layer = 0; layer < layers; layer++)
    for (const kind of ['OV', 'QK'] as const)
      for (let head = 0; head < heads; head++) circuits.push(circuit(kind, layer, head, dHead, random));
  const chance = Float32Array.from({ length: dHead }, (_, i) => (1.5 - i / dHead) / dHead);
  return {
    title: 'Attention circuits of a generated checkpoint',
    source: 'generated/checkpoint',
    model: { modelType: 'gpt2', layers, heads, kvHeads: heads, dModel: heads * dHead, dHead },
    state: { foldNorms: false, centerWriting: false, biases: false },
    versions: versions(),
    seconds: 12.34,
    circuits,
    random: [
      { kind: 'OV', S: chance },
      { kind: 'QK', S: chance },
    ],
    ...(composition ? { composition: scores(layers, heads, random) } : {}),
    ...(directions > 0 ? { tokens: readings(circuits, directions, words, random) } : {}),
  };
}

function circuit(
  kind: CircuitReport['kind'],
  layer: number,
  head: number,
  n: number,
  random: () => number,
): CircuitReport {
  const [scale, decay] = [1 + 4 * random() + layer / 3, 1 + 4 * random() * (kind === 'QK' ? 1.5 : 1)];
  const S = Float32Array.from(
    { length: n },
    (_, i) => scale * Math.exp((-decay * i) / n) * (1 - 0.3 * (i / n)),
  );
  const squares = Array.from(S, (sigma) => sigma ** 2);
  const sum = squares.reduce((total, square) => total + square, 0);
  const entropy = squares.reduce((total, square) => total - (square / sum) * Math.log(square / sum), 0);
  return {
    ...{ kind, layer, head, S },
    bound: 1e-6 * S[0],
    norm: Math.sqrt(sum),
    factorNorm: Math.sqrt(sum * n) * 1.1,
    effectiveRank: Math.exp(entropy),
    condition: S[0] / S[n - 1],
    residual: 2e-7 * (1 + random()),
    isolated: Math.floor(n * (0.4 + 0.6 * random())),
  };
}

function scores(layers: number, heads: number, random: () => number): CompositionScores[] {
  const n = layers * heads;
  return (['Q', 'K', 'V'] as const).map((kind) => ({
    kind,
    random: 0.05,
    scores: Float32Array.from({ length: n * n }, (_, i) => {
      const [writer, reader] = [Math.floor(i / n), i % n];
      const earlier = Math.floor(writer / heads) < Math.floor(reader / heads);
      return earlier ? 0.04 + 0.02 * random() + (random() < 0.03 ? 0.2 * random() : 0) : Number.NaN;
    }),
  }));
}

function readings(
  circuits: readonly CircuitReport[],
  directions: number,
  words: readonly string[],
  random: () => number,
): TokenReading[] {
  const tokens = () =>
    Array.from({ length: 8 }, (_, i) => ({
      token: words[Math.floor(random() * words.length)],
      score: Math.fround(1 - i / 10),
    }));
  return circuits.flatMap(({ kind, layer, head, S }) =>
    Array.from({ length: directions }, (_, direction) =>
      (['left', 'right'] as const).map((side) => ({
        ...{ kind, layer, head, direction, side },
        sigma: S[direction],
        top: tokens(),
        bottom: tokens(),
      })),
    ).flat(),
  );
}

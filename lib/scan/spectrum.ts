import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { noiseEdge, quantile } from './marchenko-pastur.ts';
import { powerLaw } from './power-law.ts';

/** What singular values say of a matrix; what they do not determine is missing. */
export interface SpectrumNumbers {
  /** The largest singular value. */
  readonly sigma1: number;
  /** Σσ */
  readonly nuclear: number;
  /** ‖W‖_F²/σ₁²; 0 of a zero matrix, as the effective rank. */
  readonly stableRank: number;
  /** exp of the entropy of σ²/Σσ². */
  readonly effectiveRank: number;
  /** σ₁/σ_p; infinite where σ_p is 0. */
  readonly condition: number;
  /** Share of Σσ² in the largest 1 % of the singular values, one at least. */
  readonly top?: number;
  /** Where the law of Marchenko and Pastur ends for noise with the same median singular value. */
  readonly edge?: number;
  /** Singular values beyond what such noise has once in a thousand times. */
  readonly spikes?: number;
  /** Of Spectrum. */
  readonly snr?: number;
  /** Of WeightWatcher, with where its fit begins and how far it is from the law. */
  readonly alpha?: number;
  readonly xmin?: number;
  readonly distance?: number;
}

/** All of them, of the descending singular values of a rows×cols matrix without NaN. */
export function spectrumNumbers(S: ArrayLike<number>, rows: number, cols: number): SpectrumNumbers {
  const [first, last] = [S[0], S[S.length - 1]];
  const values = Array.from(S);
  const energy = (some: readonly number[]) => some.reduce((sum, s) => sum + (s / first) ** 2, 0);
  const total = first > 0 ? energy(values) : 0;
  const leading = values.slice(0, Math.ceil(values.length / 100));
  const noise = noiseEdge(S, rows, cols);
  const law = powerLaw(S);
  const snr = signalToNoise(S, rows, cols);
  return {
    sigma1: first,
    nuclear: values.reduce((sum, s) => sum + s, 0),
    stableRank: total,
    effectiveRank: effectiveRankOf(S),
    condition: last > 0 ? first / last : Number.POSITIVE_INFINITY,
    ...(first > 0 && { top: energy(leading) / total }),
    ...(noise && { edge: noise.edge, spikes: values.filter((s) => s > noise.chance).length }),
    ...(snr !== undefined && { snr }),
    ...law,
  };
}

/**
 * The signal-to-noise ratio of Spectrum (arXiv:2406.06623), as its program computes it: Σσ of those above
 * ε = s·(1 + √β) over Σσ of the others, divided by σ₁, with s the interquartile range of the singular values over 1.349 and
 * β = min(m, n)/max(m, n). Its threshold is no edge of noise: it lacks √max(m, n).
 */
function signalToNoise(S: ArrayLike<number>, rows: number, cols: number): number | undefined {
  if (!(S[0] > 0)) return undefined;
  const s = (quantile(S, 0.75) - quantile(S, 0.25)) / 1.349;
  const threshold = s * (1 + Math.sqrt(Math.min(rows, cols) / Math.max(rows, cols)));
  let [signal, noise, none] = [0, 0, true];
  for (let i = 0; i < S.length; i++)
    if (S[i] > threshold)
      signal += S[i] / S[0]; // sums of the numbers themselves may overflow
    else [noise, none] = [noise + S[i] / S[0], false];
  return none ? signal : signal / noise / S[0];
}

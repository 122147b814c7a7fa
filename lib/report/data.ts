import type { Versions } from '../index.ts';

/** Everything that the page of `factored-svd report` shows: numbers and names, no matrices. */
export interface ReportData {
  /** The heading of the page. */
  readonly title: string;
  /** Name of the checkpoint. */
  readonly source: string;
  readonly model: ModelSize;
  /** The choices that went into the circuits: `foldNorms`, `centerWriting`, `biases`, `rotaryOffset`, `qkNormGains`. */
  readonly state: Readonly<Record<string, string | number | boolean>>;
  readonly versions: Versions;
  /** Time from the weights to these numbers. */
  readonly seconds?: number;
  /** One of each head and kind, in any order. */
  readonly circuits: readonly CircuitReport[];
  /** What chance gives, one of each kind. */
  readonly random: readonly RandomSpectrum[];
  /** Missing where there are too many heads for all pairs. */
  readonly composition?: readonly CompositionScores[];
  /** Missing where the checkpoint has no vocabulary. */
  readonly tokens?: readonly TokenReading[];
}

export interface ModelSize {
  readonly modelType: string;
  readonly layers: number;
  readonly heads: number;
  /** Key and value heads. */
  readonly kvHeads: number;
  readonly dModel: number;
  /** Width of what the heads write, where it is another one. */
  readonly dOut?: number;
  readonly dHead: number;
}

/** The two products of an attention head: what it writes, W_V·W_O, and where it looks, W_Q·W_Kᵀ. */
export type CircuitKind = 'OV' | 'QK';

/** One circuit of one head. */
export interface CircuitReport {
  readonly kind: CircuitKind;
  readonly layer: number;
  readonly head: number;
  /** Singular values, largest first; the leading ones where no more were computed. */
  readonly S: ArrayLike<number>;
  /** Largest error to expect in a singular value. */
  readonly bound: number;
  /** ‖A·B‖_F, of all singular values. */
  readonly norm: number;
  /** ‖A‖_F·‖B‖_F; times the random spectrum of the kind, this is what chance gives. */
  readonly factorNorm: number;
  /** exp of the entropy of σ²/Σσ²; NaN where only the leading singular values are known. */
  readonly effectiveRank: number;
  /** σ₁ over the last of the dHead singular values, which may be infinite; NaN where that is not known. */
  readonly condition: number;
  /** ‖M − U·diag(S)·Vh‖_F / ‖M‖_F, of all singular triplets; it is no larger than this. */
  readonly residual?: number;
  /** How many pairs of singular vectors the bounds determine alone, rather than as a part of a cluster. */
  readonly isolated: number;
}

/** Singular values of A·B, with A and B Gaussian, of the shapes of the kind's factors, and scaled to ‖A‖_F = ‖B‖_F = 1. */
export interface RandomSpectrum {
  readonly kind: CircuitKind;
  readonly S: ArrayLike<number>;
}

/** How much of what a head writes a later head reads, for its queries, keys or values. */
export interface CompositionScores {
  readonly kind: 'Q' | 'K' | 'V';
  /** [n, n], n = layers·heads: the row is the earlier head, which writes, the column the later one; NaN where there is none. */
  readonly scores: Float32Array;
  /** The score that random matrices of these shapes have. */
  readonly random: number;
}

/** The tokens at both ends of one singular direction. */
export interface TokenReading {
  readonly kind: CircuitKind;
  readonly layer: number;
  readonly head: number;
  /** Index of the singular value, from 0. */
  readonly direction: number;
  readonly sigma: number;
  /** `left`: a column of U, what is read; `right`: a row of Vh, what is written (OV) or looked for (QK). */
  readonly side: 'left' | 'right';
  readonly top: readonly TokenScore[];
  readonly bottom: readonly TokenScore[];
}

export interface TokenScore {
  /** As the tokenizer names it, whatever characters that has. */
  readonly token: string;
  readonly score: number;
}

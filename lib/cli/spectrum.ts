/** What the singular values of one matrix say about it. */
export interface SpectrumSummary {
  /** ‖M‖_F, the root of Σσ². */
  norm: number;
  /** exp of the entropy of σ²/Σσ² (Roy and Vetterli, 2007, of the energies): between 1 and the rank; 0 for a zero matrix. */
  effectiveRank: number;
  /** σ₁/σ_p; infinite when the last singular value is 0, 1 for a matrix without any. */
  condition: number;
}

/** Summarizes singular values in descending order. They are divided by σ₁ before squaring, which cannot overflow. */
export function summarizeSpectrum(S: ArrayLike<number>): SpectrumSummary {
  const largest = S.length > 0 ? S[0] : 0;
  if (largest === 0) return { norm: 0, effectiveRank: 0, condition: S.length > 0 ? Infinity : 1 };
  const energies = Array.from(S, (sigma) => (sigma / largest) ** 2);
  const total = energies.reduce((sum, e) => sum + e, 0);
  const entropy = energies.reduce((sum, e) => (e > 0 ? sum - (e / total) * Math.log(e / total) : sum), 0);
  return {
    norm: largest * Math.sqrt(total),
    effectiveRank: Math.exp(entropy),
    condition: largest / S[S.length - 1],
  };
}

// The singular values of noise. Those of an m×n matrix of independent elements of variance s² fill the law of Marchenko and
// Pastur: their squares over s²·max(m, n) lie between (1 − √β)² and (1 + √β)², β = min(m, n)/max(m, n).

/** Below so many singular values no law of large matrices says anything. */
export const fewest = 10;

/** What of the singular values of a matrix could be noise. */
export interface NoiseEdge {
  /** Standard deviation of the elements, by the median singular value, which few spikes do not move. */
  readonly noise: number;
  /** s·(√m + √n): where the singular values of such noise end. */
  readonly edge: number;
  /** Largest one that such noise has, but for once in a thousand. */
  readonly chance: number;
}

/**
 * The edge of noise that has the median singular value of the rows×cols matrix with singular values S, descending: the estimate
 * of Gavish and Donoho (2014). `undefined` for fewer than `fewest` singular values.
 */
export function noiseEdge(S: ArrayLike<number>, rows: number, cols: number): NoiseEdge | undefined {
  if (S.length < fewest) return undefined;
  const [m, n] = [Math.min(rows, cols), Math.max(rows, cols)];
  const noise = quantile(S, 0.5) / Math.sqrt(n * medianEnergy(m / n));
  return { noise, edge: noise * (Math.sqrt(m) + Math.sqrt(n)), chance: noise * largestByChance(m, n) };
}

/** The q-quantile of descending values, linear between two of them. */
export function quantile(S: ArrayLike<number>, q: number): number {
  const at = (1 - q) * (S.length - 1);
  const i = Math.min(Math.floor(at), S.length - 2);
  return S.length === 1 ? S[0] : S[i] + (at - i) * (S[i + 1] - S[i]);
}

/**
 * σ₁ of an m×n matrix of unit variance, to be exceeded once in a thousand: centre and width of Johnstone (2001), with the halves
 * of Ma (2012), and that quantile of Tracy and Widom's law.
 */
function largestByChance(m: number, n: number): number {
  const [a, b] = [Math.sqrt(m - 0.5), Math.sqrt(n - 0.5)];
  return Math.sqrt((a + b) ** 2 + 3.2724 * (a + b) * Math.cbrt(1 / a + 1 / b));
}

/** The median of the law for unit variance. */
function medianEnergy(beta: number): number {
  const root = Math.sqrt(beta);
  const rho = (1 - root) / (1 + root);
  // Share of the law above 1 + β + 2√β·cos θ: the integral of 2·sin²θ/(π·(1 + β + 2√β·cos θ)).
  const above = (t: number) =>
    (2 / Math.PI) *
    (-Math.sin(t) / (2 * root) +
      ((1 + beta) * t) / (4 * beta) -
      ((1 - beta) / (2 * beta)) * Math.atan(rho * Math.tan(t / 2)));
  let [low, high] = [0, Math.PI];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (above(middle) < 0.5) low = middle;
    else high = middle;
  }
  return 1 + beta + 2 * root * Math.cos(low);
}

import { fewest } from './marchenko-pastur.ts';

/** A power law λ^−alpha of the tail λ ≥ xmin. */
export interface PowerLaw {
  readonly alpha: number;
  /** Where the tail begins. */
  readonly xmin: number;
  /** Kolmogorov and Smirnov's distance of the tail from the law. */
  readonly distance: number;
}

/** Eigenvalues below are left out, whatever the scale of the matrix: so WeightWatcher has it. */
const smallest = 1e-5;

/**
 * The power law of the eigenvalues σ², as WeightWatcher 0.7 fits it (`WWFit`): of every eigenvalue but the last as xmin the alpha
 * of largest likelihood, 1 + n/Σlog(λ/xmin) (Clauset, Shalizi and Newman, 2009), and of these the one whose law is nearest to the
 * empirical one. `undefined` where fewer than ten eigenvalues are at least 10⁻⁵, or all are the same.
 * @param S singular values, descending
 */
export function powerLaw(S: ArrayLike<number>): PowerLaw | undefined {
  const eigenvalues = Array.from(S, (sigma) => sigma * sigma)
    .filter((x) => x > smallest)
    .reverse();
  const count = eigenvalues.length;
  if (count < fewest) return undefined;
  const logs = Float64Array.from(eigenvalues, Math.log);
  const [alphas, sums] = [new Float64Array(count), new Float64Array(count + 1)];
  for (let i = count - 1; i >= 0; i--) sums[i] = sums[i + 1] + logs[i];
  let [best, distance] = [-1, Number.POSITIVE_INFINITY];
  for (let i = 0; i < count - 1; i++) {
    const n = count - i;
    const excess = sums[i] - n * logs[i];
    if (!(excess > 0)) continue;
    alphas[i] = 1 + n / excess;
    const far = distanceOf(logs, i, alphas[i], distance);
    if (far < distance) [best, distance] = [i, far];
  }
  return best < 0 ? undefined : { alpha: alphas[best], xmin: eigenvalues[best], distance };
}

/** The distance from the law that begins at element `from`; where it is not below `limit`, any number that is not. */
function distanceOf(logs: Float64Array, from: number, alpha: number, limit: number): number {
  const n = logs.length - from;
  let most = 0;
  for (let j = 0; j < n && most < limit; j++) {
    const law = 1 - Math.exp((1 - alpha) * (logs[from + j] - logs[from]));
    most = Math.max(most, Math.abs(law - j / n));
  }
  return most;
}

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
 * The power law of the eigenvalues σ², as WeightWatcher fits it by default (`WWFit`): of every eigenvalue but the last as xmin the alpha
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
  let [best, distance, far] = [-1, Number.POSITIVE_INFINITY, 0];
  for (const i of coarseFirst(count - 1)) {
    const n = count - i;
    const excess = sums[i] - n * logs[i];
    if (!(excess > 0)) continue;
    alphas[i] = 1 + n / excess;
    // Where the last one was far from its law this one most often is, too: then it need not be looked at in full.
    if (far > i && gap(logs, i, alphas[i], far) > distance) continue;
    let most = 0;
    for (let j = i; j < count && most <= distance; j++) {
      const here = gap(logs, i, alphas[i], j);
      if (here <= most) continue;
      most = here;
      far = j;
    }
    if (most > distance || (most === distance && i > best)) continue;
    distance = most;
    best = i;
  }
  return best < 0 ? undefined : { alpha: alphas[best], xmin: eigenvalues[best], distance };
}

/** 0 … n − 1, some from all over first: what is far from the best of these is soon seen to be. */
function* coarseFirst(n: number): Generator<number> {
  const step = 32;
  for (let i = 0; i < n; i += step) yield i;
  for (let i = 0; i < n; i++) if (i % step > 0) yield i;
}

/** How far the law that begins at eigenvalue i is from the empirical one at j. */
const gap = (logs: Float64Array, i: number, alpha: number, j: number): number =>
  Math.abs(1 - Math.exp((1 - alpha) * (logs[j] - logs[i])) - (j - i) / (logs.length - i));

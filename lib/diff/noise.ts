import type { FloatArray } from '../array/elements.ts';
import { allocate } from '../array/memory.ts';
import { type Tensor, tensor } from '../array/tensor.ts';
import { type AsyncOptions, FactoredMatrix, svdAsync, svdvalsAsync } from '../index.ts';
import { largestOf } from './formats.ts';

// What stands out of noise. The noise of rounding is independent from element to element, and its variances v_ij are known: a
// twelfth of a squared step. Rows and columns are scaled so that in each the mean of v_ij/(r_i·c_j) is 1 (Sinkhorn); then
// the singular values of m×n noise follow the law of Marchenko and Pastur and end at √m + √n, whatever the profile was
// (Landa, Zhang and Kluger, Biwhitening reveals the rank of a count matrix, 2022). A matrix of low rank keeps its rank.

/** What stands out of the noise of a change. */
export interface Spikes {
  /** How many singular values do. */
  readonly count: number;
  /** Root mean square of the rest, as a multiple of what was expected. */
  readonly level: number;
  /** Largest singular value of the scaled change, as a multiple of the edge. */
  readonly ratio: number;
  /** The singular values of the change that they are. */
  readonly S?: readonly number[];
  /** With their vectors, U·diag(S)·Vh: the directions and sizes of a change of low rank. */
  readonly part?: Factors;
}

export interface SharedSpikes extends Spikes {
  /** Their share of ‖E‖_F². */
  readonly energy: number;
}

interface Factors {
  readonly U: Tensor;
  readonly S: Tensor;
  readonly Vh: Tensor;
}

/** Standard deviations of the largest value of noise by which it may exceed the edge: once in 10⁶. */
const beyond = 7.5;

/** The largest singular value of m×n noise of variance 1, all but once in 10⁶ (Johnstone 2001). */
function noiseEdge(m: number, n: number): number {
  const [a, b] = [Math.sqrt(m), Math.sqrt(n)];
  const spread = (a + b) * (1 / a + 1 / b) ** (1 / 3);
  return Math.sqrt((a + b) ** 2 + beyond * spread);
}

/** The level that is taken for that of the rounding may be this part of what was expected: of two roundings one. */
const leastLevel = 0.7;

/** The rest is raised above rounding where it is so many times what rounding makes. */
export const raised = 1.3;

/** Sweeps of the scaling. */
const sweeps = 3;

/** An element whose deviation is more than so many times that of its row and column can be a spike by itself. */
const heavy = 3;

/** Up to this order all singular values are computed; of larger matrices the leading ones. */
const wholeOrder = 640;

/** Leading singular values that are looked at first, and where all of them stand out next; then all are. */
const firstRanks = [24, 96];

/** Single precision is enough while nothing is larger than this many edges. */
const singleReach = 2 ** 16;

/**
 * What stands out of noise in the m×n change `E`.
 * @param deviations of the noise, element by element; zeros are taken for something very small
 */
export async function spikesOf(
  E: FloatArray,
  deviations: FloatArray,
  m: number,
  n: number,
  options: AsyncOptions = {},
): Promise<SharedSpikes> {
  const scales = scaling(deviations, m, n);
  const { scaled, squares, outliers } = scaledBy(scales, E, deviations, m, n);
  const Z = tensor(scaled, [m, n]);
  const { S, count, level, noise } = await spectrumOf(Z, squares, options);
  const edge = noise * noiseEdge(m, n);
  const of = { level, ratio: squares === 0 ? 0 : S[0] / edge };
  if (count === 0) return { ...of, count, energy: 0 };
  const change = tensor(E, [m, n]);
  if (count > Math.min(m, n) / 2)
    return { ...of, count, energy: share((await svdvalsAsync(change, options)).data.subarray(0, count), E) };
  const how = Math.min(m, n) > wholeOrder && count <= firstRanks[0] ? leading : {};
  const found: Factors = await svdAsync(Z, { ...how, rank: count, ...options });
  const counted = [...found.S.data.keys()].filter((k) => {
    let sum = 0;
    for (const e of outliers) sum += found.U.get(Math.floor(e / n), k) * scaled[e] * found.Vh.get(k, e % n);
    return found.S.data[k] - sum > edge;
  });
  if (counted.length === 0) return { ...of, count: 0, energy: 0 };
  const part = await refined(change, unscaled(found, counted, scales), options);
  return { ...of, count: counted.length, energy: share(part.S.data, E), S: Array.from(part.S.data), part };
}

/** The share of ‖E‖_F² that the singular values hold. */
function share(S: FloatArray, E: FloatArray): number {
  const largest = largestOf(E);
  const [part, whole] = [S, E].map((x) => {
    let sum = 0;
    for (let e = 0; e < x.length; e++) sum += (x[e] / largest) ** 2;
    return sum;
  });
  return Math.min(1, part / whole);
}

/** The leading singular triplets of the change itself where they are those that stand out; these else. */
async function refined(change: Tensor, part: Factors, options: AsyncOptions): Promise<Factors> {
  const rank = part.S.data.length;
  const found: Factors = await svdAsync(change, { rank, ...options });
  const [m] = change.shape;
  let aligned = 0;
  for (let p = 0; p < rank; p++)
    for (let q = 0; q < rank; q++) {
      let dot = 0;
      for (let i = 0; i < m; i++) dot += part.U.get(i, p) * found.U.get(i, q);
      aligned += dot ** 2;
    }
  return aligned >= mostlyAligned * rank ? { U: found.U, S: found.S, Vh: found.Vh } : part;
}

/** The same directions but for what noise has turned them: mean squared cosine. */
const mostlyAligned = 0.5;

/** The values that are needed to tell how many stand out: the leading ones of a large matrix, or all. */
async function spectrumOf(Z: Tensor, squares: number, options: AsyncOptions) {
  const [m, n] = Z.shape;
  const p = Math.min(m, n);
  for (const rank of p <= wholeOrder ? [] : firstRanks) {
    const { S } = await svdAsync(Z, { ...leading, rank, ...options });
    const found = standingOut(S.data, squares, m, n);
    if (found.count < rank) return { S: S.data, ...found };
  }
  const S = (await svdvalsAsync(Z, options)).data;
  return { S, ...standingOut(S, squares, m, n) };
}

interface Scales {
  readonly rows: Float64Array;
  readonly cols: Float64Array;
}

/** E_ij/(r_i·c_j), the sum of their squares, and the elements that may be so large by their own rounding alone. */
function scaledBy({ rows, cols }: Scales, E: FloatArray, deviations: FloatArray, m: number, n: number) {
  let squares = 0;
  const outliers: number[] = [];
  for (let i = 0, e = 0; i < m; i++)
    for (let j = 0; j < n; j++, e++) {
      const scale = rows[i] * cols[j];
      squares += (E[e] / scale) ** 2;
      if (deviations[e] > heavy * scale && E[e] !== 0 && Math.abs(E[e]) <= 2 * deviations[e])
        outliers.push(e);
    }
  const dtype = Math.sqrt(squares) < singleReach * noiseEdge(m, n) ? 'float32' : 'float64';
  const scaled = allocate(dtype, [m, n], 'the scaled change');
  for (let i = 0, e = 0; i < m; i++) for (let j = 0; j < n; j++, e++) scaled[e] = E[e] / (rows[i] * cols[j]);
  return { scaled, squares, outliers };
}

/** Some triplets of the scaled change as they are in the change. */
function unscaled({ U, S, Vh }: Factors, counted: readonly number[], { rows, cols }: Scales): Factors {
  const [m, n, r] = [rows.length, cols.length, counted.length];
  const [A, B] = [new Float64Array(m * r), new Float64Array(r * n)];
  counted.forEach((k, q) => {
    for (let i = 0; i < m; i++) A[i * r + q] = rows[i] * U.get(i, k) * S.get(k);
    for (let j = 0; j < n; j++) B[q * n + j] = cols[j] * Vh.get(k, j);
  });
  const svd = new FactoredMatrix(tensor(A, [m, r]), tensor(B, [r, n])).svd();
  return { U: svd.U, S: svd.S, Vh: svd.Vh };
}

/** How the leading values of large matrices are computed: they are compared with an edge, to less than a percent. */
const leading = { method: 'krylov', certify: false, accuracy: 1e-3 } as const;

/** How many of the leading values stand out of the rest, and the level of that. */
function standingOut(
  S: ArrayLike<number>,
  squares: number,
  m: number,
  n: number,
): { count: number; level: number; noise: number } {
  const exact = S.length === Math.min(m, n) ? lowRankOf(S, m, n) : undefined;
  if (exact !== undefined) return exact;
  let [count, rest] = [0, squares];
  for (;;) {
    const level = Math.sqrt(Math.max(0, rest) / (Math.max(1, m - count) * Math.max(1, n - count)));
    const noise = Math.max(level, leastLevel);
    if (count === S.length || S[count] <= noise * noiseEdge(m - count, n - count))
      return { count, level, noise };
    rest -= S[count++] ** 2;
  }
}

/** What stands out where the rest is rounding and no more: of a few rows or columns nothing exceeds its own level by much. */
function lowRankOf(S: ArrayLike<number>, m: number, n: number) {
  let [count, rest] = [0, 0];
  while (count < S.length && S[count] > raised * noiseEdge(m - count, n - count)) count++;
  if (count === 0 || count > S.length / 2) return undefined;
  for (let k = count; k < S.length; k++) rest += S[k] ** 2;
  const level = Math.sqrt(rest / ((m - count) * (n - count)));
  return level <= raised ? { count, level, noise: Math.max(level, leastLevel) } : undefined;
}

/** r and c with v_ij/(r_i·c_j)² of mean 1 in every row and column. */
function scaling(deviations: FloatArray, m: number, n: number): Scales {
  const [rows, cols] = [new Float64Array(m).fill(1), new Float64Array(n).fill(1)];
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let i = 0, e = 0; i < m; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++, e++) sum += (deviations[e] / cols[j]) ** 2;
      rows[i] = Math.sqrt(sum / n);
    }
    lift(rows);
    const sums = new Float64Array(n);
    for (let i = 0, e = 0; i < m; i++)
      for (let j = 0; j < n; j++, e++) sums[j] += (deviations[e] / rows[i]) ** 2;
    for (let j = 0; j < n; j++) cols[j] = Math.sqrt(sums[j] / m);
    lift(cols);
  }
  return { rows, cols };
}

/** Rows and columns of zeros have no noise: taken for the least there could be. */
function lift(scales: Float64Array): void {
  const largest = scales.reduce((max, x) => Math.max(max, x), 0) || 1;
  for (let i = 0; i < scales.length; i++) scales[i] = Math.max(scales[i], 1e-9 * largest);
}

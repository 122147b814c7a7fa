import { epsilon, type FloatArray, product, type Tensor } from '../array/tensor.ts';
import type { Steps } from '../native/steps.ts';

/** Which triplets: one of the three. */
export interface Truncation {
  /** So many. */
  readonly rank?: number | undefined;
  /** As few as leave ‖a − U·diag(S)·Vh‖_F ≤ tol; all of them where rounding leaves more. */
  readonly tol?: number | undefined;
  /** As few as hold this share of ‖a‖_F². */
  readonly energy?: number | undefined;
}

/** Whether leading triplets are asked for, or all. */
export const isTruncation = ({ rank, tol, energy }: Truncation): boolean =>
  [rank, tol, energy].some((x) => x !== undefined);

// From what remains of a matrix after its leading triplets.

/** What remains of ‖A‖_F² after each number of triplets, as a share of the square of some unit. */
export type Tails = Float64Array;

/** From the squares of the leading singular values, descending; `rest` is the sum of those of the others. */
export function tailsOf(squares: Float64Array, rest = 0): Tails {
  const tails = new Float64Array(squares.length + 1).fill(rest);
  for (let r = squares.length - 1; r >= 0; r--) tails[r] = tails[r + 1] + squares[r];
  return tails;
}

/** The least number of triplets that are enough, where what is computed lacks `floor` besides; undefined where none is. */
export function rankFor(
  tails: Tails,
  { rank, tol, energy = 1 }: Truncation,
  unit: number,
  floor = 0,
): number | undefined {
  if (rank !== undefined) return rank;
  const most =
    tol === undefined ? (1 - energy + 4 * epsilon('float64')) * tails[0] : (tol / unit) ** 2 - floor;
  const least = tol === undefined && energy > 0 && tails[0] > 0 ? 1 : 0; // none hold no share, however small
  const r = tails.findIndex((tail, k) => k >= least && tail <= most);
  return r < 0 ? undefined : r;
}

/** The same once the error of r triplets as they were computed is known, which rounding can make larger than `tol`. */
function rankOnceMore(tails: Tails, truncation: Truncation, unit: number, r: number, error: number): number {
  if (truncation.tol === undefined || error <= truncation.tol) return r;
  const floor = Math.max(0, (error / unit) ** 2 - tails[r]);
  return rankFor(tails, truncation, unit, floor) ?? tails.length - 1;
}

/** Singular values, descending, of each matrix of a batch that could be decomposed, by its position. */
export type Spectra = ReadonlyMap<number, FloatArray>;

export function spectraOf(S: Tensor): Spectra {
  const p = S.shape[S.shape.length - 1];
  const count = product(S.shape.slice(0, -1));
  return new Map(Array.from({ length: count }, (_, i) => [i, S.data.subarray(i * p, (i + 1) * p)]));
}

const allTails = (values: Spectra) =>
  Array.from(values, ([i, sigma]) => {
    const unit = sigma[0] || 1;
    return { i, unit, tails: tailsOf(Float64Array.from(sigma, (s) => (s / unit) ** 2)) };
  });

/** The least number of triplets that is enough for every matrix, as far as its singular values tell. */
export const leastRank = (values: Spectra, { rank, ...share }: Truncation): number =>
  rank === undefined
    ? largest(allTails(values).map(({ tails, unit }) => rankFor(tails, share, unit)))
    : rank + 0; // −0 is 0

/**
 * How many triplets are enough for every matrix of a batch, and their evidence.
 *
 * @param evidenceOf of so many triplets; the error of the matrix at position i at `error[i]`
 */
export function* enoughTriplets<E extends { readonly error: Float64Array }>(
  values: Spectra,
  truncation: Truncation,
  evidenceOf: (rank: number) => Steps<E>,
): Steps<{ rank: number; evidence: E }> {
  const all = allTails(values);
  let rank = leastRank(values, truncation);
  for (;;) {
    const evidence = yield* evidenceOf(rank);
    const again = all.map(({ i, tails, unit }) =>
      rankOnceMore(tails, truncation, unit, rank, evidence.error[i]),
    );
    const enough = largest([rank, ...again]);
    if (enough === rank) return { rank, evidence };
    rank = enough;
  }
}

export const largest = (ranks: readonly (number | undefined)[]): number =>
  ranks.reduce<number>((most, r) => Math.max(most, r ?? 0), 0);

import { dtypeOfStored, type FloatArray } from '../array/elements.ts';
import {
  cols,
  epsilon,
  leadingDims,
  product,
  rows,
  sliceAxis,
  swapLast,
  type Tensor,
  tensor,
} from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import type { MatrixOf, VectorOf } from '../array/types.ts';
import type { Steps } from '../native/steps.ts';
import { contiguousCopy, mapElements, scaleColumns, scaleRows } from './arithmetic.ts';
import { evidenceOf, LegacySvd, type PerMatrix, Svd } from './result.ts';
import type { Spectrum } from './spectrum.ts';

// What is made from a decomposition.

/** The same decomposition in arrays of its own. */
export function* copyOfSvd<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<Svd<D, N>> {
  const [U, Vh] = [yield* contiguousCopy(svd.U), yield* contiguousCopy(svd.Vh)];
  const { S, bound } = copyOfSpectrum<D, N>(svd);
  return new Svd<D, N>(
    U,
    S,
    Vh,
    bound,
    svd.driver,
    svd.errors,
    svd.next && copyPerMatrix(svd.next),
    evidenceOf(svd),
  );
}

/** The same singular values and bounds in arrays of their own. */
export const copyOfSpectrum = <D extends FloatArray, N extends PerMatrix>({
  S,
  bound,
}: Spectrum<D, N>): Spectrum<D, N> => ({ S: copy(S), bound: copyPerMatrix(bound) });

const copy = <T extends Tensor>(x: T): T => tensor(x.data.slice(), x.shape) as T;

const copyPerMatrix = <N extends PerMatrix>(x: N): N => (typeof x === 'number' ? x : copy(x as N & Tensor));

/** V, `[..., n, p]`, contiguous. */
export const transposedVh = <D extends FloatArray, N extends PerMatrix>({
  Vh,
}: Svd<D, N>): Steps<MatrixOf<D, N>> => contiguousCopy(swapLast(Vh) as MatrixOf<D, N>);

/** The same decomposition with V instead of Vh. */
export function* legacy<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<LegacySvd<D, N>> {
  return new LegacySvd<D, N>(svd.U, svd.S, yield* transposedVh(svd));
}

/** `diag(S) · Vh` */
export const withoutU = <D extends FloatArray, N extends PerMatrix>({ S, Vh }: Svd<D, N>) =>
  scaleRows(S, Vh) as Steps<MatrixOf<D, N>>;

/** `U · diag(S)` */
export const withoutVh = <D extends FloatArray, N extends PerMatrix>({ U, S }: Svd<D, N>) =>
  scaleColumns(U, S) as Steps<MatrixOf<D, N>>;

/** U, S and Vh of one decomposition. */
interface Factors<D extends FloatArray, N extends PerMatrix> {
  readonly U: MatrixOf<D, N>;
  readonly S: VectorOf<D, N>;
  readonly Vh: MatrixOf<D, N>;
}

/** The first `rank` triplets; the arrays themselves where that is all. */
export function* firstTriplets<D extends FloatArray, N extends PerMatrix>(
  { U, S, Vh }: Factors<D, N>,
  rank: number,
): Steps<Factors<D, N>> {
  const axis = S.shape.length - 1;
  const p = S.shape[axis];
  if (rank === p) return { U, S, Vh };
  const cut = <T extends Tensor>(x: T, axis: number) => contiguousCopy(sliceAxis(x, axis, 0, rank) as T);
  const values = S.data.filter((_, i) => i % p < rank) as D;
  return {
    U: yield* cut(U, axis + 1),
    S: tensor(values, S.shape.with(axis, rank)) as VectorOf<D, N>,
    Vh: yield* cut(Vh, axis),
  };
}

/** Factors `U·√S` and `√S·Vh`. */
export function* even({ U, S, Vh }: Factors<FloatArray, PerMatrix>): Steps<[left: Tensor, right: Tensor]> {
  const root = mapElements(S, Math.sqrt);
  return [yield* scaleColumns(U, root), yield* scaleRows(root, Vh)];
}

/**
 * The same decomposition with fixed signs, for people who look or plot: in every column of U the largest |u| is positive,
 * or the first of several within 8ε of the largest; the row of Vh is flipped with its column. What a square U or Vh holds
 * beyond the p singular triplets goes by its own largest element. Not a basis for comparison: rounding can decide a tie,
 * and within a cluster of singular values the vectors themselves are arbitrary.
 *
 * @param svd as `svd` returns it; not modified
 * @returns with new U and Vh; S, bound, driver and errors are those of `svd`
 */
export function* canonicalSigns<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<Svd<D, N>> {
  const [U, Vh] = [yield* contiguousCopy(svd.U), yield* contiguousCopy(svd.Vh)];
  const p = svd.S.shape[svd.S.shape.length - 1];
  const [m, n, triplets] = [rows(U), cols(Vh), Math.max(cols(U), rows(Vh))];
  let looked = 0;
  for (let item = 0; item < product(leadingDims(U)); item++) {
    for (let j = 0; j < triplets; j++) {
      const u: Line = {
        data: U.data,
        from: item * m * cols(U) + j,
        step: cols(U),
        length: j < cols(U) ? m : 0,
      };
      const v: Line = {
        data: Vh.data,
        from: (item * rows(Vh) + j) * n,
        step: 1,
        length: j < rows(Vh) ? n : 0,
      };
      const [down, own] = [pointsDown(u), j >= p && pointsDown(v)];
      if (down) flip(u);
      if (j < p ? down : own) flip(v);
      looked += m + n + lineCost;
      if (looked > elementsPerTurn) {
        looked = 0;
        yield turn;
      }
    }
  }
  return new Svd<D, N>(U, svd.S, Vh, svd.bound, svd.driver, svd.errors, svd.next, evidenceOf(svd));
}

const elementsPerTurn = 2 ** 17; // about a millisecond
const lineCost = 32; // elements that could be looked at while a line is found
const tie = 8;

/** A column of U or a row of Vh. */
interface Line {
  readonly data: FloatArray;
  readonly from: number;
  readonly step: number;
  readonly length: number;
}

/** The first of the elements that are largest, up to ties, is negative. */
function pointsDown({ data, from, step, length }: Line): boolean {
  const end = from + length * step;
  let largest = 0;
  for (let i = from; i < end; i += step) largest = Math.max(largest, Math.abs(data[i]));
  const enough = largest * (1 - tie * epsilon(dtypeOfStored(data)));
  for (let i = from; i < end; i += step) if (Math.abs(data[i]) >= enough) return data[i] < 0;
  return false;
}

function flip({ data, from, step, length }: Line): void {
  for (let i = from; i < from + length * step; i += step) data[i] = 0 - data[i]; // 0 stays +0
}

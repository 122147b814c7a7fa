import { itemOffsets } from './item-offsets.ts';
import { contiguousCopy } from './matrix-product.ts';
import { ndarray } from './ndarray.ts';
import { type Steps, turn } from './steps.ts';
import { type PerMatrix, Svd } from './svd-result.ts';
import { cols, dtypeOf, epsilon, type FloatArray, rows, type Tensor } from './views.ts';

/**
 * The same decomposition with fixed signs, for people who look or plot: in every column of U the largest |u| is positive,
 * of several within 8ε of the largest the first; the row of Vh is flipped with its column. What a square U or Vh holds
 * beyond the p singular triplets goes by its own largest element. Not a basis for comparison: rounding can decide a tie,
 * and within a cluster of singular values the vectors themselves are arbitrary.
 *
 * @param svd as `svd` returns it; not modified
 * @returns with new U and Vh; S, bound, driver and errors are those of `svd`
 */
export function* canonicalSigns<D extends FloatArray, N extends PerMatrix>(svd: Svd<D, N>): Steps<Svd<D, N>> {
  const [U, Vh] = [yield* contiguousCopy(svd.U), yield* contiguousCopy(svd.Vh)];
  const p = svd.S.shape[svd.S.shape.length - 1];
  const vOffsets = itemOffsets(Vh);
  let looked = 0;
  for (const [i, offset] of itemOffsets(U).entries()) {
    const u = (j: number): Tensor => ndarray(U.data, [rows(U)], [cols(U)], offset + j);
    const v = (j: number): Tensor => ndarray(Vh.data, [cols(Vh)], [1], vOffsets[i] + j * cols(Vh));
    for (let j = 0; j < Math.max(cols(U), rows(Vh)); j++) {
      if (j < p && pointsDown(u(j))) [u(j), v(j)].forEach(flip);
      if (j >= p && j < cols(U) && pointsDown(u(j))) flip(u(j));
      if (j >= p && j < rows(Vh) && pointsDown(v(j))) flip(v(j));
      looked += rows(U) + cols(Vh);
      if (looked > elementsPerTurn) {
        looked = 0;
        yield turn;
      }
    }
  }
  return new Svd<D, N>(U, svd.S, Vh, svd.bound, svd.driver, svd.errors, svd.next);
}

const elementsPerTurn = 2 ** 16; // about a millisecond
const tie = 8;

/** The first of the elements that are largest, up to ties, is negative. */
function pointsDown(x: Tensor): boolean {
  const n = x.shape[0];
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(x.get(i)));
  const enough = largest * (1 - tie * epsilon(dtypeOf(x)));
  for (let i = 0; i < n; i++) if (Math.abs(x.get(i)) >= enough) return x.get(i) < 0;
  return false;
}

function flip(x: Tensor): void {
  for (let i = 0; i < x.shape[0]; i++) x.set(i, 0 - x.get(i)); // 0 stays +0
}

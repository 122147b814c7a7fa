import type { Gauge } from './balance.ts';
import { applyQ, type Batch, count, packed, packInto, qr } from './kernels.ts';
import { type Origin, placeOf } from './status.ts';
import type { Steps } from './steps.ts';
import { scratch } from './workspace.ts';

// Householder QR of tall matrices in blocks of rows that the compute threads share: TSQR. Everything is in float64.
// (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations",
// SIAM J. Sci. Comput. 34 (2012).)

/** `Q·R` of every item; Q is a tree of Householder reflections. */
export interface BlockQr {
  /** Upper triangular (trapezoidal where rows < cols), min(rows, cols) × cols. */
  readonly R: Batch;
  /** `Q·c` of every item, rows × p; c has as many rows as R. */
  apply(c: Batch): Steps<Batch>;
}

// Blocks are so tall that the tree costs little beside them, and so many that they keep the threads busy and each stays
// in a cache: they depend on the shape only.
const leastRatio = 8;
const leastRows = 512;

/** How often TSQR halves the rows of a matrix of this shape: 0 where it is not that tall. */
export const tsqrLevels = (rows: number, cols: number): number =>
  cols === 0 ? 0 : mostLevels(rows, Math.max(leastRows, leastRatio * cols));

/** The most halvings that leave blocks of at least `least` rows. */
export const mostLevels = (rows: number, least: number): number =>
  Math.max(0, Math.floor(Math.log2(rows / Math.max(1, least))));

/**
 * QR decomposition of every item with its gauge applied. The rows are halved `levels` times; each of the 2^levels blocks
 * has a QR decomposition of its own, and so has each pair of R's on the way up. The blocks must not be wider than tall.
 */
export function* tsqr(a: Batch, gauge: Gauge, levels: number, origin: Origin): Steps<BlockQr> {
  const [n, k] = [count(a), a.cols];
  // Zero rows make the blocks equally tall: reflections leave them as they are, and `apply` drops them.
  const rows = 2 ** levels * Math.ceil(a.rows / 2 ** levels);
  const blocks = scratch('float64', [n, rows, k]);
  if (rows > a.rows)
    for (let i = 1; i <= n; i++) blocks.fill(0, (i * rows - (rows - a.rows)) * k, i * rows * k);
  yield* packInto(a, blocks, { gauge, stride: rows * k });
  const { R, apply } = yield* halved(packed(blocks, n, rows, k), levels, origin);
  return {
    R,
    *apply(c) {
      return { ...(yield* apply(c)), rows: a.rows };
    },
  };
}

/** TSQR of contiguous items. The halves of an item lie one behind the other, and so do their R's and their Q·c. */
function* halved(a: Batch, levels: number, origin: Origin): Steps<BlockQr> {
  if (levels === 0) return yield* single(a, origin);
  const [n, k] = [count(a), a.cols];
  const both = Int32Array.from({ length: 2 * n }, (_, half) => half >> 1);
  const halves = yield* halved(packed(a.data, 2 * n, a.rows / 2, k), levels - 1, placeOf(origin, both));
  const top = yield* single(packed(halves.R.data, n, 2 * k, k), origin);
  return {
    R: top.R,
    *apply(c) {
      const parts = yield* top.apply(c);
      const whole = yield* halves.apply(packed(parts.data, 2 * n, k, c.cols));
      return packed(whole.data, n, a.rows, c.cols);
    },
  };
}

function* single(a: Batch, origin: Origin): Steps<BlockQr> {
  const factors = yield* qr(a, origin);
  return { R: factors.R, apply: (c) => applyQ(factors, c, origin) };
}

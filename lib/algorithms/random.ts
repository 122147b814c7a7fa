import { turn } from '../array/turns.ts';
import { type Batch, packed } from '../native/batch.ts';
import type { Steps } from '../native/steps.ts';
import { scratch } from '../native/workspace.ts';

/**
 * A matrix of numbers that look random, even in (−1, 1). Each depends on the seed and its place alone: the same on every run, in
 * whatever order they are made.
 */
export function* randomMatrix(rows: number, cols: number, seed: number): Steps<Batch> {
  const data = scratch('float64', [rows, cols]);
  for (let from = 0; from < data.length; from += perTurn) {
    if (from > 0) yield turn;
    const to = Math.min(data.length, from + perTurn);
    for (let i = from; i < to; i++) data[i] = (mixed(i, seed) + 0.5) / 2 ** 31 - 1;
  }
  return packed(data, 1, rows, cols);
}

/** The same of numbers as those of a normal distribution, of mean 0 and variance 1. (Box and Muller 1958) */
export function* gaussianMatrix(rows: number, cols: number, seed: number): Steps<Batch> {
  const { data } = yield* randomMatrix(2 * rows, cols, seed);
  const half = rows * cols;
  for (let from = 0; from < half; from += perTurn) {
    if (from > 0) yield turn;
    const to = Math.min(half, from + perTurn);
    for (let i = from; i < to; i++) {
      const length = Math.sqrt(-2 * Math.log((1 + data[i]) / 2));
      data[i] = length * Math.cos(Math.PI * data[half + i]);
    }
  }
  return packed(data.subarray(0, half), 1, rows, cols);
}

const perTurn = 2 ** 16; // a millisecond

/** 32 bits of counter and seed, mixed: twice the finalizer of MurmurHash3, whose every bit of input moves every bit of output. */
const mixed = (counter: number, seed: number): number => finalized(finalized(counter ^ seed) + seed) >>> 0;

function finalized(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

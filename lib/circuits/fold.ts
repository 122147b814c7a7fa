import type { Dtype, FloatArray } from '../array/elements.ts';
import { itemOffsets } from '../array/indexing.ts';
import { allocate } from '../array/memory.ts';
import {
  cols,
  dtypeOf,
  type Input,
  repeat,
  rows,
  type Tensor,
  tensor,
  withoutRepeats,
} from '../array/tensor.ts';
import { floats } from '../native/owned.ts';
import { runSync } from '../native/steps.ts';
import type { Rotary } from './families.ts';
import { anglesOf } from './rotation.ts';

// What is done to the projections of a head besides reading them: each step is a function of one matrix, in float64.

/** One head's projection, row-major: rows for the stream, and one more for the bias where it is wanted. */
export interface Block {
  readonly data: Float64Array;
  readonly rows: number;
  readonly cols: number;
  /** The row of the bias; −1 where there is none. */
  readonly biasRow: number;
}

/** A step, for a head of layer `layer`. */
export type Step = (block: Block, layer: number) => void;

const line = ({ data, cols }: Block, row: number): Float64Array =>
  data.subarray(row * cols, (row + 1) * cols);

/** The bias becomes b + Wᵀ·b_norm, what it is after a norm with that bias. */
export const addNormBias =
  (bias: (layer: number) => Float64Array): Step =>
  (block, layer) => {
    if (block.biasRow < 0) return;
    const sums = line(block, block.biasRow);
    bias(layer).forEach((b, row) => {
      const w = line(block, row);
      for (let col = 0; col < w.length; col++) sums[col] += b * w[col];
    });
  };

/** diag(w)·W: the weight of the norm; the row of the bias stays. */
export const scaleRows =
  (weight: (layer: number) => Float64Array): Step =>
  (block, layer) => {
    weight(layer).forEach((factor, row) => {
      const w = line(block, row);
      for (let col = 0; col < w.length; col++) w[col] *= factor;
    });
  };

/** Every column without its mean over the stream, which LayerNorm takes away. */
export const centreColumns =
  (width: number): Step =>
  ({ data, cols }) => {
    const mean = new Float64Array(cols);
    for (let row = 0, at = 0; row < width; row++)
      for (let col = 0; col < cols; col++, at++) mean[col] += data[at];
    for (let row = 0, at = 0; row < width; row++)
      for (let col = 0; col < cols; col++, at++) data[at] -= mean[col] / width;
  };

/** Every row without its mean: of what is written, or within a head before a LayerNorm of its own. */
export const centreRows: Step = (block) => {
  for (let row = 0; row < block.rows; row++) {
    const w = line(block, row);
    let sum = 0;
    for (let col = 0; col < w.length; col++) sum += w[col];
    const mean = sum / w.length;
    for (let col = 0; col < w.length; col++) w[col] -= mean;
  }
};

/** W·diag(g): the gains of a norm within the head. */
export const scaleColumns =
  (gains: (layer: number) => Float64Array): Step =>
  (block, layer) => {
    const g = gains(layer);
    for (let row = 0; row < block.rows; row++) {
      const w = line(block, row);
      for (let col = 0; col < w.length; col++) w[col] *= g[col];
    }
  };

/** The bias of a norm within the head, which comes after its gains. */
export const addToBias =
  (bias: (layer: number) => Float64Array): Step =>
  ({ data, cols, biasRow }, layer) => {
    if (biasRow < 0) return;
    bias(layer).forEach((b, col) => {
      data[biasRow * cols + col] += b;
    });
  };

/** W_Q·R(offset), R the rotation between a query and a key `offset` positions after it. */
export const rotateColumns = (rotary: Rotary, offset: number): Step => {
  const turns = new Map<number, { cos: Float64Array; sin: Float64Array }>();
  const turnsOf = (layer: number) => {
    const known = turns.get(layer);
    if (known) return known;
    const angles = anglesOf(rotary, layer).map((angle) => angle * offset);
    const made = { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
    turns.set(layer, made);
    return made;
  };
  const half = rotary.dims / 2;
  const pair = (k: number) => (rotary.pairs === 'halves' ? [k, k + half] : [2 * k, 2 * k + 1]);
  return ({ data, rows, cols }, layer) => {
    const { cos, sin } = turnsOf(layer);
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < half; k++) {
        const [i, j] = pair(k).map((col) => row * cols + col);
        const [x, y] = [data[i], data[j]];
        data[i] = x * cos[k] + y * sin[k];
        data[j] = y * cos[k] - x * sin[k];
      }
  };
};

/**
 * The matrices of `x` after the steps, rounded once to its dtype; what repeats stays repeated.
 *
 * @param x [layers, groups, heads of a group, rows, cols]
 * @param firstLayer the number of its first layer
 * @param bias one row more: that of each head, before the steps
 */
export function afterSteps(
  x: Input,
  steps: readonly Step[],
  { firstLayer, bias }: { firstLayer: number; bias?: Bias | undefined },
): Input {
  if (steps.length === 0 && bias === undefined) return x;
  const once = withoutRepeats(x);
  const wide = runSync(floats(once)) as Tensor;
  const [layers, groups, shared] = once.shape;
  const [m, n] = [rows(once), cols(once)];
  const height = bias ? m + 1 : m;
  const out: FloatArray = allocate(dtypeOf(wide) as Dtype, [layers, groups, shared, height, n], 'heads');
  const block = { data: new Float64Array(height * n), rows: height, cols: n, biasRow: bias ? m : -1 };
  const [rowStride, colStride] = wide.stride.slice(-2);
  itemOffsets(wide).forEach((offset, item) => {
    const layer = firstLayer + Math.floor(item / (groups * shared));
    const group = Math.floor(item / shared) % groups;
    const head = item % shared;
    for (let row = 0, at = 0; row < m; row++)
      for (let col = 0; col < n; col++, at++)
        block.data[at] = wide.data[offset + row * rowStride + col * colStride];
    if (bias) block.data.set(bias(layer, group, head), m * n);
    for (const step of steps) step(block, layer);
    out.set(block.data, item * height * n);
  });
  const shape = [layers, groups, shared, height, n];
  return repeat(tensor(out, shape), [...x.shape.slice(0, 3), height, n]);
}

/** The bias of one head. */
export type Bias = (layer: number, group: number, head: number) => Float64Array;

import { allocate, perItem } from '../array/memory.ts';
import { type Dtype, product, tensor } from '../array/tensor.ts';
import { type Batch, itemsAt, packed, range } from '../native/batch.ts';
import { ofFactors, type SvdFactors } from '../native/kernels.ts';
import { type Failure, failuresBehind } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { type Driver, perMatrix, perMatrixNames, Svd } from './result.ts';

/** What becomes of a batch when matrices of it cannot be decomposed. */
export interface ErrorOptions {
  /**
   * `'throw'` (default): the error of the first one that is come across: values that are not finite are found before
   * any computing, so that they come first. `'collect'`: the others are decomposed all the same; `errors` of
   * the result has an error with `batchIndex` for each that failed, whose U, S, Vh and bound are NaN.
   */
  readonly onError?: 'throw' | 'collect' | undefined;
}

interface Batched extends ErrorOptions {
  readonly leading: readonly number[];
  /** Of the factors of one matrix; empty ones are not computed. */
  readonly shapes: Shapes;
  readonly dtype: Dtype;
  /** Matrices that are decomposed together; between such blocks progress is told. */
  readonly blockSize: number;
  /** A singular value follows those that are kept. */
  readonly truncated?: boolean;
}

type Shapes = { readonly [F in keyof SvdFactors]: readonly [rows: number, cols: number] };

/**
 * Decomposes the items at `positions` into `out`, and says how exact the singular values are; where they are fewer than
 * min(m, n), also which one follows the last.
 */
type Decompose = (
  positions: Int32Array,
  out: SvdFactors,
) => Steps<{ bound: ArrayLike<number>; driver: Driver[]; next?: ArrayLike<number> }>;

/** The decomposition of a whole batch, block by block. */
export function* batchedSvd(
  { leading, shapes, dtype, blockSize, truncated = false, onError }: Batched,
  decompose: Decompose,
): Steps<Svd> {
  const total = product(leading);
  const room = (name: keyof SvdFactors) => {
    const [rows, cols] = shapes[name];
    return packed(allocate(dtype, [...leading, rows, cols], name), total, rows, cols);
  };
  const out = { U: room('U'), S: room('S'), Vh: room('Vh') };
  // Not filled in advance, which would take some 10 ms for a million items.
  const bound = perItem(leading, 'bound');
  const driver = new Array<Driver>(total);
  const next = truncated ? perItem(leading, 'next') : undefined;
  const failed: Failure[] = [];
  const workspace = takeWorkspace();
  for (let from = 0; from < total; from += blockSize) {
    const to = Math.min(total, from + blockSize);
    let positions = range(from, to);
    while (positions.length > 0) {
      try {
        const part = ofFactors(out, (x) => itemsAt(x, positions));
        const steps = inWorkspace(workspace, decompose(positions, part));
        const done = yield* inBlock(from, to, total, steps);
        positions.forEach((position, i) => {
          bound[position] = done.bound[i];
          driver[position] = done.driver[i];
          if (next && done.next) next[position] = done.next[i];
        });
        break;
      } catch (error) {
        const behind = failuresBehind(error);
        if (onError !== 'collect' || behind.length === 0) throw error;
        failed.push(...behind);
        const bad = new Set(behind.map((f) => f.position));
        positions = positions.filter((position) => !bad.has(position));
      }
    }
    yield { done: to, total };
  }
  returnWorkspace(workspace);
  for (const { position } of failed) {
    bound[position] = Number.NaN;
    driver[position] = 'failed';
    if (next) next[position] = Number.NaN;
  }
  for (const { position } of failed) ofFactors(out, (x) => fill(x, position, Number.NaN));
  const array = ({ data }: Batch, shape: readonly number[]) => tensor(data, [...leading, ...shape]);
  return new Svd(
    array(out.U, shapes.U),
    array(out.S, shapes.S.slice(1)),
    array(out.Vh, shapes.Vh),
    perMatrix(bound, leading),
    perMatrixNames(driver, leading),
    failed.sort((a, b) => a.position - b.position).map((f) => f.error),
    next && perMatrix(next, leading),
  );
}

/** The steps of a block of the batch, which tell of shares of it. */
export function* inBlock<R>(from: number, to: number, total: number, steps: Steps<R>): Steps<R> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('within' in step.value) {
      const [first, last] = step.value.within.map((share) => from + share * (to - from));
      yield { from: first, to: last, total };
    } else yield step.value;
  }
}

/** Every element of item i of `x`, which are packed. */
function fill(x: Batch, i: number, value: number): Batch {
  const size = x.rows * x.cols;
  x.data.fill(value, i * size, (i + 1) * size);
  return x;
}

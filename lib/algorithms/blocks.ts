import { allocate } from '../array/memory.ts';
import { type Dtype, type FloatArray, product, tensor } from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import { range, type SvdFactors, svdItems } from '../native/kernels.ts';
import { type Failure, failuresBehind, type Place } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { type Driver, perMatrix, perMatrixNames, Svd } from './result.ts';

/** What becomes of a batch when matrices of it cannot be decomposed. */
export interface ErrorOptions {
  /**
   * `'throw'` (default): the error of the first one. `'collect'`: the others are decomposed all the same; `errors` of
   * the result has an error with `batchIndex` for each that failed, whose U, S, Vh and bound are NaN.
   */
  readonly onError?: 'throw' | 'collect' | undefined;
}

/** Shapes of the factors of one matrix; empty ones are not computed. */
export interface FactorShapes {
  readonly U: readonly number[];
  readonly S: readonly [p: number];
  readonly Vh: readonly number[];
}

interface Batched extends ErrorOptions {
  readonly leading: readonly number[];
  readonly shapes: FactorShapes;
  readonly dtype: Dtype;
  /** Matrices that are decomposed together; between such blocks progress is told. */
  readonly blockSize: number;
}

/**
 * Decomposes the items at `place.positions` into `out`, and says how exact the singular values are; and which one follows
 * the last of them, where they are not min(m, n).
 */
type Decompose = (
  place: Required<Place>,
  out: SvdFactors,
) => Steps<{ bound: ArrayLike<number>; driver: Driver[]; next?: ArrayLike<number> }>;

/** The decomposition of a whole batch, block by block. */
export function* batchedSvd(
  { leading, shapes, dtype, blockSize, onError }: Batched,
  decompose: Decompose,
): Steps<Svd> {
  const total = product(leading);
  const storage = (n: readonly number[]): SvdFactors => ({
    U: allocate(dtype, [...n, ...shapes.U], 'U'),
    S: allocate(dtype, [...n, ...shapes.S], 'S'),
    Vh: allocate(dtype, [...n, ...shapes.Vh], 'Vh'),
  });
  const out = storage(leading);
  const bound = new Float64Array(total).fill(Number.NaN);
  const driver = new Array<Driver>(total).fill('failed');
  const next = new Float64Array(total).fill(Number.NaN);
  if (total > blockSize) yield turn; // one entry for each took its time
  let truncated = false;
  const failed: Failure[] = [];
  const workspace = takeWorkspace();
  for (let from = 0; from < total; from += blockSize) {
    const to = Math.min(total, from + blockSize);
    let positions = range(from, to);
    let part = svdItems(out, from, to, total);
    while (positions.length > 0) {
      try {
        const done = yield* inBlock(
          from,
          to,
          total,
          inWorkspace(workspace, decompose({ leading, positions }, part)),
        );
        positions.forEach((position, i) => {
          bound[position] = done.bound[i];
          driver[position] = done.driver[i];
          if (done.next) next[position] = done.next[i];
        });
        truncated ||= done.next !== undefined;
        if (positions.length < to - from) scatter(part, positions, out, total);
        break;
      } catch (error) {
        const behind = failuresBehind(error);
        if (onError !== 'collect' || behind.length === 0) throw error;
        failed.push(...behind);
        for (const { position } of behind) fillItem(out, position, total);
        positions = positions.filter((position) => !behind.some((f) => f.position === position));
        part = storage([positions.length]);
      }
    }
    yield { done: to, total };
  }
  returnWorkspace(workspace);
  if (total > blockSize) yield turn;
  return new Svd(
    tensor(out.U, [...leading, ...shapes.U]),
    tensor(out.S, [...leading, ...shapes.S]),
    tensor(out.Vh, [...leading, ...shapes.Vh]),
    perMatrix(bound, leading),
    perMatrixNames(driver, leading),
    failed.sort((a, b) => a.position - b.position).map((f) => f.error),
    truncated ? perMatrix(next, leading) : undefined,
  );
}

/** The steps of a block of the batch, which tell of shares of it. */
function* inBlock<R>(from: number, to: number, total: number, steps: Steps<R>): Steps<R> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('within' in step.value) {
      const [first, last] = step.value.within.map((share) => from + share * (to - from));
      yield { from: first, to: last, total };
    } else yield step.value;
  }
}

const names = ['U', 'S', 'Vh'] as const;

/** Storage for `n` of the `total` items of `out`. */
export function likeItems(out: SvdFactors, n: number, total: number): SvdFactors {
  const like = (x: FloatArray) =>
    new (x.constructor as new (n: number) => FloatArray)((x.length / total) * n);
  return { U: like(out.U), S: like(out.S), Vh: like(out.Vh) };
}

/** Items of `from`, in order, to their positions in `to`, which has `total`. */
export function scatter(from: SvdFactors, positions: Int32Array, to: SvdFactors, total: number): void {
  for (const name of names) {
    const size = to[name].length / total;
    positions.forEach((position, i) => {
      to[name].set(from[name].subarray(i * size, (i + 1) * size), position * size);
    });
  }
}

function fillItem(out: SvdFactors, position: number, total: number): void {
  for (const name of names) {
    const size = out[name].length / total;
    out[name].fill(Number.NaN, position * size, (position + 1) * size);
  }
}

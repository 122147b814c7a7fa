import { distance } from './algorithms/distance.ts';
import { asOperand, type DistOperand, operandShape, type Parts, readParts } from './algorithms/operands.ts';
import type { PerMatrix } from './algorithms/result.ts';
import { exposed, exposedAsync } from './arguments/boundary.ts';
import { asyncOptions } from './arguments/options.ts';
import type { FloatArray } from './array/elements.ts';
import { svdError } from './array/errors.ts';
import { type Input, showShape, type Tensor } from './array/tensor.ts';
import type { LargerRank, NumberPer, RankOf } from './array/types.ts';
import { floats, ownedTensors } from './native/owned.ts';
import { type AsyncOptions, runAsync, runSync, type Steps } from './native/steps.ts';

/**
 * Frobenius distance `‖a − b‖_F` per matrix, leading dimensions broadcast. Either side may be a plain matrix, a
 * `FactoredMatrix` or a decomposition (`{ U, S, Vh }`, `{ U, S, V }`); those are not formed. Computed in float64 through
 * QR decompositions, so that it sees relative differences down to the accuracy of the operands.
 *
 * @param a `[..., m, n]`
 * @param b `[..., m, n]`
 * @returns a number, or an ndarray of the leading dimensions where there are any
 * @throws `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_ARGUMENT`, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`
 * @example dist(model.OV, model.OV.svd())
 * @function
 */
export const dist = exposed({ takes: ['a', 'b'] }, function dist<
  A extends DistOperand,
  B extends DistOperand,
>(a: A, b: B): Distance<A, B> {
  return runSync(between(a, b, eachAsFloats)) as Distance<A, B>;
});

type Distance<A, B> = NumberPer<LargerRank<RankOf<A>, RankOf<B>>>;

/**
 * `dist` off the event loop; it reads its arrays as `svdAsync` does, copying all of them in slices first.
 *
 * @throws as `dist`, and `signal.reason` on abort
 * @function
 */
export const distAsync = exposedAsync({ takes: ['a', 'b'], options: asyncOptions }, async function distAsync<
  A extends DistOperand,
  B extends DistOperand,
>(a: A, b: B, options: AsyncOptions = {}): Promise<Distance<A, B>> {
  return (await runAsync(between(a, b, ownedTensors), options)) as Distance<A, B>;
});

/** `read` gives the arrays that are computed with for those that were given. */
function* between(
  a: DistOperand,
  b: DistOperand,
  read: (inputs: readonly Input[]) => Steps<Tensor[]>,
): Steps<PerMatrix> {
  const [x, y] = [yield* readParts(a, 'a'), yield* readParts(b, 'b')];
  const [p, q] = [operandShape(x), operandShape(y)];
  if (p.join() !== q.join()) {
    throw svdError(
      'ERR_SVD_SHAPE',
      `dist: matrices of shapes ${showShape(p)} and ${showShape(q)} cannot be compared`,
    );
  }
  const parts = [x, y].flatMap((z): [string, Input][] => Object.entries(z));
  const arrays = yield* read(parts.map(([, part]) => part));
  const again = (z: Parts, from: number) =>
    Object.fromEntries(
      Object.keys(z).map((name, i) => [name, arrays[from + i]]),
    ) as unknown as Parts<FloatArray>;
  const [left, right] = [again(x, 0), again(y, Object.keys(x).length)];
  return yield* distance(yield* asOperand(left), yield* asOperand(right));
}

function* eachAsFloats(inputs: readonly Input[]): Steps<Tensor[]> {
  const out: Tensor[] = [];
  for (const x of inputs) out.push(yield* floats(x));
  return out;
}

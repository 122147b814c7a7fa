import type { LargerRank, NumberPer, RankOf } from './array-types.ts';
import { exposed, exposedAsync } from './boundary.ts';
import { distance } from './distance.ts';
import { svdError } from './errors.ts';
import { asOperand, type DistOperand, operandShape, type Parts, partsOf } from './operands.ts';
import { asyncOptions } from './option-tables.ts';
import { ownedTensors } from './owned.ts';
import { type AsyncOptions, runAsync, runSync, type Steps } from './steps.ts';
import type { PerMatrix } from './svd-result.ts';
import { showShape, type Tensor } from './views.ts';

/**
 * Frobenius distance `‖a − b‖_F` per matrix, leading dimensions broadcast. Either side may be a plain matrix, a
 * `FactoredMatrix` or a decomposition (`{ U, S, Vh }`, `{ U, S, V }`); those are not formed. Computed in float64 through
 * QR decompositions, so that it sees relative differences down to the accuracy of the operands.
 *
 * @throws `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_ARGUMENT`, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`
 * @example dist(model.OV, model.OV.svd())
 */
export const dist = exposed({ takes: ['a', 'b'] }, function dist<
  A extends DistOperand,
  B extends DistOperand,
>(a: A, b: B): Distance<A, B> {
  return runSync(between(...checked(a, b))) as Distance<A, B>;
});

type Distance<A, B> = NumberPer<LargerRank<RankOf<A>, RankOf<B>>>;

/** `dist` off the event loop; it reads its arrays as `svdAsync` does, copying all of them in slices first. */
export const distAsync = exposedAsync({ takes: ['a', 'b'], options: asyncOptions }, async function distAsync<
  A extends DistOperand,
  B extends DistOperand,
>(a: A, b: B, options: AsyncOptions = {}): Promise<Distance<A, B>> {
  return (await runAsync(betweenOwned(...checked(a, b)), options)) as Distance<A, B>;
});

function* between(a: Parts, b: Parts): Steps<PerMatrix> {
  return yield* distance(yield* asOperand(a), yield* asOperand(b));
}

function* betweenOwned(a: Parts, b: Parts): Steps<PerMatrix> {
  const [x, y] = [Object.entries(a), Object.entries(b)];
  const copies = yield* ownedTensors([...x, ...y].map(([, part]) => part));
  const again = (parts: [string, Tensor][], from: number) =>
    Object.fromEntries(parts.map(([name], i) => [name, copies[from + i]])) as unknown as Parts;
  return yield* between(again(x, 0), again(y, x.length));
}

function checked(a: DistOperand, b: DistOperand): [Parts, Parts] {
  const [x, y] = [partsOf(a, 'a'), partsOf(b, 'b')];
  const [p, q] = [operandShape(x), operandShape(y)];
  if (p.join() === q.join()) return [x, y];
  throw svdError(
    'ERR_SVD_SHAPE',
    `dist: matrices of shapes ${showShape(p)} and ${showShape(q)} cannot be compared`,
  );
}

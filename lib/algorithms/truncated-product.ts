import { cols, type Input, product, tensor } from '../array/tensor.ts';
import { batchOf, colRange, itemsAt, packed, range, rowRange, transposed } from '../native/batch.ts';
import { ofFactors, type SvdFactors } from '../native/kernels.ts';
import { type InputOptions, owned } from '../native/owned.ts';
import { asPart, type Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import type { ErrorOptions } from './blocks.ts';
import { firstTriplets } from './derived.ts';
import type { Residuals } from './evidence.ts';
import { operands, productSvd } from './product.ts';
import { productResiduals } from './product-evidence.ts';
import { perMatrix, perMatrixNames, Svd, type TruncatedSvd } from './result.ts';
import { enoughTriplets, type Truncation } from './truncation.ts';

/**
 * The leading triplets of products A·B with the evidence for them: `rank` of them, or as many as that matrix of the batch
 * needs that needs most. All singular values are computed, so that none is missed.
 *
 * @param A `[..., l, k]`
 * @param B `[..., k, r]`
 * @throws as `productSvd`
 */
export function* truncatedProduct(
  A: Input,
  B: Input,
  { onError, foreign, ...truncation }: Truncation & ErrorOptions & InputOptions,
): Steps<TruncatedSvd> {
  const all = yield* productSvd(A, B, { rank: truncation.rank, onError, foreign });
  const leading = all.S.shape.slice(0, -1);
  const [count, p] = [product(leading), cols(all.S)];
  const S = packed(all.S.data, count, 1, p);
  const whole: SvdFactors = { U: batchOf(all.U, leading), S, Vh: batchOf(all.Vh, leading) };
  const drivers = [all.driver].flat();
  const good = range(0, count).filter((i) => drivers[i] !== 'failed');
  const values = new Map(Array.from(good, (i) => [i, S.data.subarray(i * p, (i + 1) * p)]));
  const { rank, evidence } = yield* enoughTriplets(values, truncation, (r) =>
    asPart(evidenceOf(A, B, first(whole, r), good, foreign)),
  );
  const { U, S: kept, Vh } = yield* firstTriplets(all, rank);
  const following = Float64Array.from({ length: count }, (_, i) => S.data[i * p + rank]);
  return new Svd(
    U,
    kept,
    Vh,
    all.bound,
    all.driver,
    all.errors,
    rank < p ? perMatrix(following, leading) : all.next,
    {
      truncationError: perMatrix(evidence.error, leading),
      residuals: tensor(evidence.residuals, [...leading, rank]),
      certified: perMatrixNames(
        drivers.map((driver) => driver !== 'failed'),
        leading,
      ),
    },
  ) as TruncatedSvd;
}

const first = ({ U, S, Vh }: SvdFactors, r: number): SvdFactors => ({
  U: colRange(U, 0, r),
  S: colRange(S, 0, r),
  Vh: rowRange(Vh, 0, r),
});

const blockElements = 2 ** 20; // that a cache holds

/** Of the items at `positions`; NaN for the others. */
function* evidenceOf(
  A: Input,
  B: Input,
  factors: SvdFactors,
  positions: Int32Array,
  foreign: boolean | undefined,
): Steps<Residuals> {
  const { inputs, dtype } = operands(A, B, foreign);
  const [a, b] = inputs;
  const [count, r] = [a.count, factors.S.cols];
  const residuals = new Float64Array(count * r).fill(Number.NaN);
  const error = new Float64Array(count).fill(Number.NaN);
  const size = (a.rows + b.rows) * (a.cols + 2 * r);
  const together = Math.max(1, Math.floor(blockElements / Math.max(1, size)));
  const workspace = takeWorkspace();
  for (let from = 0; from < positions.length; from += together) {
    const some = positions.subarray(from, from + together);
    const steps = function* () {
      const left = yield* owned(itemsAt(a, some), dtype);
      const right = transposed(yield* owned(itemsAt(b, some), dtype));
      return yield* productResiduals(
        left,
        right,
        ofFactors(factors, (x) => itemsAt(x, some)),
      );
    };
    const found = yield* inWorkspace(workspace, steps());
    some.forEach((position, i) => {
      residuals.set(found.residuals.subarray(i * r, (i + 1) * r), position * r);
      error[position] = found.error[i];
    });
  }
  returnWorkspace(workspace);
  return { residuals, error };
}

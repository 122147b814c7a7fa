import { cols, type Input, product, tensor } from '../array/tensor.ts';
import { batchOf, itemsAt, packed, range, transposed } from '../native/batch.ts';
import { leadingFactors, ofFactors, type SvdFactors } from '../native/kernels.ts';
import { type InputOptions, owned } from '../native/owned.ts';
import { asPart, type Steps } from '../native/steps.ts';
import type { ErrorOptions } from './blocks.ts';
import { firstTriplets } from './derived.ts';
import { type Residuals, residualsAt } from './evidence.ts';
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
    asPart(evidenceOf(A, B, leadingFactors(whole, r), good, foreign)),
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

const blockElements = 2 ** 20; // that a cache holds

function evidenceOf(
  A: Input,
  B: Input,
  factors: SvdFactors,
  positions: Int32Array,
  foreign: boolean | undefined,
): Steps<Residuals> {
  const { inputs, dtype } = operands(A, B, foreign);
  const [a, b] = inputs;
  const size = (a.rows + b.rows) * (a.cols + 2 * factors.S.cols);
  const together = Math.max(1, Math.floor(blockElements / Math.max(1, size)));
  return residualsAt(positions, factors.S, together, function* (some) {
    const left = yield* owned(itemsAt(a, some), dtype);
    const right = transposed(yield* owned(itemsAt(b, some), dtype));
    const part = ofFactors(factors, (x) => itemsAt(x, some));
    return yield* productResiduals(left, right, part);
  });
}

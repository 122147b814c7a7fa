import { type Gauge, selectGauge } from './balance.ts';
import {
  type Batch,
  count,
  gemm,
  type InputBatch,
  itemsAt,
  packAsItLies,
  packed,
  range,
  rowRange,
  transposed,
} from './kernels.ts';
import { type Origin, placeOf } from './status.ts';
import type { Steps } from './steps.ts';
import type { Dtype } from './views.ts';
import { scratch } from './workspace.ts';

// The product itself, where it is so small that forming it is the cheapest step of its decomposition.

/**
 * Whether one factor is tall, t×k, and the other so flat, s×k, that their product, t×s, has a QR decomposition in place of
 * the tall factor. In flops, of what grows with t: t·k² for the Gram matrix of the factor and 2·t·k·s to apply its Q,
 * against 2·t·k·s for the product, t·s² for its Gram matrix and 2·t·s² to apply its Q. These are equal at k = √3·s, and
 * at about 2·s where float32 factors are multiplied in float64.
 */
export function formsProduct(a: InputBatch, b: InputBatch): boolean {
  const [s, t] = a.rows < b.rows ? [a.rows, b.rows] : [b.rows, a.rows];
  return 3 * s <= a.cols && a.cols < t;
}

const copiedElements = 2 ** 21;

/** X·Yᵀ in `dtype`, both with their gauges applied; no more than a few rows of a large X are copied at a time. */
export function* gaugedProduct(
  x: { readonly factor: Batch; readonly gauge: Gauge },
  y: { readonly factor: Batch; readonly gauge: Gauge },
  dtype: Dtype,
  origin: Origin,
): Steps<Batch> {
  const [n, k, rows, cols] = [count(x.factor), x.factor.cols, x.factor.rows, y.factor.rows];
  const right = transposed(yield* packAsItLies(y.factor, { gauge: y.gauge, dtype }));
  const out = scratch(dtype, [n, rows, cols]);
  const step = Math.min(rows, Math.ceil(copiedElements / k));
  const together = step < rows ? 1 : n;
  const copy = scratch(dtype, [together, step, k]);
  for (let item = 0; item < n; item += together) {
    const some = range(item, item + together);
    const gauge = selectGauge(x.gauge, some, k);
    for (let from = 0; from < rows; from += step) {
      const block = rowRange(itemsAt(x.factor, some), from, Math.min(rows, from + step));
      const left = yield* packAsItLies(block, { gauge, dtype, out: copy });
      const onto = out.subarray(
        (item * rows + from) * cols,
        ((item + together - 1) * rows + from + block.rows) * cols,
      );
      yield* gemm(left, itemsAt(right, some), placeOf(origin, some), { out: onto });
    }
  }
  return packed(out, n, rows, cols);
}

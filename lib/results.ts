import { contiguousCopy } from './matrix-product.ts';
import { inherit } from './prepared.ts';
import { runSync } from './steps.ts';
import { LegacySvd, type Svd } from './svd-result.ts';
import { repeat, swapLast, type Tensor, withoutRepeats } from './views.ts';

/** The same decomposition with V instead of Vh, contiguous. */
export const legacy = ({ U, S, Vh }: Svd): LegacySvd => new LegacySvd(U, S, contiguous(swapLast(Vh)));

export const contiguous = (x: Tensor): Tensor => runSync(contiguousCopy(x));

/**
 * The elements of `x` as they are now, in memory that only this package holds: whatever the caller does with its array
 * during an asynchronous computation (write to it, transfer it to a worker) cannot reach the compute threads.
 */
export const snapshot = (x: Tensor): Tensor => inherit(repeat(contiguous(withoutRepeats(x)), x.shape), x);

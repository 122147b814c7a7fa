import { perItem } from '../array/memory.ts';
import { ldexp } from '../array/power-of-two.ts';
import { cols, dtypeOf, type Input, leadingDims, rows } from '../array/tensor.ts';
import { type Batch, batchOf, colRange, dtypeOfBatch, items, rowRange, transposed } from '../native/batch.ts';
import { gemm, pack, svdLadder } from '../native/kernels.ts';
import { type InputOptions, owned } from '../native/owned.ts';
import { checkOverflow } from '../native/status.ts';
import type { Steps } from '../native/steps.ts';
import { inWorkspace, returnWorkspace, takeWorkspace } from '../native/workspace.ts';
import { inBlock } from './blocks.ts';
import { denseBound } from './bounds.ts';
import { denseSvd } from './dense.ts';
import { throughBoth } from './leading.ts';
import { frobenius, infinite, inRange } from './norm.ts';
import { type Estimates, leadingSubspace } from './subspace.ts';

// The largest singular value alone.

/** ‖a‖₂ of plain matrices `[..., m, n]`, within the bound of their singular values. */
export function* denseSpectralNorm(A: Input, { foreign }: InputOptions = {}): Steps<Float64Array> {
  const [p, leading] = [Math.min(rows(A), cols(A)), leadingDims(A)];
  const norms = perItem(leading, 'norms');
  if (p < leastOrder) {
    const { S } = yield* denseSvd(A, 'none', { foreign });
    return p === 0 ? norms : norms.map((_, i) => S.data[i * p]);
  }
  const all = batchOf(A, leading, 'norm', foreign);
  const workspace = takeWorkspace();
  for (let i = 0; i < norms.length; i++) {
    const matrix = yield* owned(items(all, i, i + 1), dtypeOf(A));
    const steps = inWorkspace(workspace, normOf(matrix));
    norms[i] = yield* inBlock(i, i + 1, norms.length, steps);
    yield { done: i + 1, total: norms.length };
  }
  returnWorkspace(workspace);
  checkOverflow(infinite(norms), all.origin);
  return norms;
}

/** From what order on a few products are cheaper than all singular values. */
const leastOrder = 256;

function* normOf(given: Batch): Steps<number> {
  const { a, exponent, norm } = yield* inRange(given);
  if (norm === 0) return 0;
  const wide = a.rows <= a.cols ? a : transposed(a);
  const dtype = dtypeOfBatch(a);
  const enough = isLargestKnown(denseBound(dtype, a.rows, a.cols, 1, 'gesdd-blocked') / 4);
  const search = { order: wide.rows, block, seed: 0, enough, most: mostProducts };
  const found = yield* leadingSubspace(throughBoth(wide), search);
  if (!enough(found)) return ldexp((yield* svdLadder(a, 'none')).S.data[0], exponent);
  const u = yield* pack(colRange(found.X, 0, 1), { dtype });
  const [length] = yield* frobenius(u, new Int32Array(1));
  let image: Batch | undefined;
  for (let from = 0; from < wide.rows; from += terms) {
    const rows = (x: Batch) => rowRange(x, from, Math.min(wide.rows, from + terms));
    image = yield* gemm(transposed(rows(wide)), rows(u), 'Aᵀ·u', { accumulate: from > 0, out: image });
  }
  const [sigma] = yield* frobenius(image as Batch, new Int32Array(1));
  return ldexp(sigma / length, exponent);
}

/** Wider ones would take longer to multiply with: up to here it is the matrix that has to pass through the memory. */
const block = 8;
const mostProducts = 200;
/** That are added up at once in the end: many equal ones would add up equal errors. */
const terms = 128;

/**
 * Whether σ₁ is known to `accuracy`·σ₁. The eigenvalues that belong to the first j vectors lie above their estimates by
 * ‖R‖²/gap at most, with R their residuals and the gap between them and the others. (Parlett, "The symmetric eigenvalue
 * problem", theorem 11.7.1 and its corollaries.)
 */
const isLargestKnown =
  (accuracy: number) =>
  ({ values, residuals }: Estimates): boolean => {
    const most = 2 * accuracy * values[0]; // of σ₁²
    if (residuals[0] <= most) return true;
    let squares = 0;
    for (let j = 1; j < values.length; j++) {
      squares += residuals[j - 1] ** 2;
      const gap = values[j - 1] - values[j] - residuals[j];
      if (gap > 0 && squares <= most * gap) return true;
    }
    return false;
  };

import { shown, svdError } from '../array/errors.ts';
import { type Index, select, selectLeading } from '../array/indexing.ts';
import type { MatrixLike } from '../array/input.ts';
import {
  cols,
  dropAxis,
  type Input,
  insertAxis,
  leadingDims,
  rows,
  showShape,
  sliceAxis,
  type Tensor,
} from '../array/tensor.ts';
import { asTensor } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { matrixProduct } from './arithmetic.ts';
import type { StoredFactors } from './operands.ts';

// What is made of the factors of a product without decomposing it.

/** The part of A·B that `index` selects: leading dimensions first, then row, then column. */
export function partOf({ A, B }: StoredFactors, index: readonly Index[]): StoredFactors {
  const leading = A.shape.length - 2;
  let used = 0;
  let split = 0; // entries of `index` for the leading dimensions
  for (const entry of index) {
    if (entry !== null && ++used > leading) break;
    split++;
  }
  const [row, column, ...rest] = index.slice(split);
  const given = index.length - split;
  if (rest.length > 0) {
    const shape = showShape([...leadingDims(A), rows(A), cols(B)]);
    throw svdError('ERR_SVD_ARGUMENT', `at: ${used + rest.length + 1} indices for shape ${shape}`);
  }
  if (row === null || column === null) {
    throw svdError('ERR_SVD_ARGUMENT', 'at: a new axis must stand before the index of the row');
  }
  const [a, b] = [A, B].map((x) => selectLeading(x, index.slice(0, split)));
  return {
    A: given < 1 ? a : select(a, a.shape.length - 2, row, 'row index'),
    B: given < 2 ? b : select(b, b.shape.length - 1, column, 'column index'),
  };
}

/** The upper left k×k corner of A·B. */
export const cornerOf = ({ A, B }: StoredFactors, k: number): StoredFactors => ({
  A: sliceAxis(A, A.shape.length - 2, 0, Math.min(k, rows(A))),
  B: sliceAxis(B, B.shape.length - 1, 0, Math.min(k, cols(B))),
});

/** A·(B·x), `[..., l]`, of a vector. */
export function* timesVector(A: Tensor, B: Tensor, x: Input): Steps<Tensor> {
  const inner = yield* matrixProduct(B, insertAxis(x, 1), [B, x]);
  const column = yield* matrixProduct(A, inner);
  return dropAxis(column, column.shape.length - 1);
}

/** The number that a product is multiplied by. */
export function asScalar(x: number | MatrixLike): number {
  const value = typeof x === 'number' ? x : onlyElement(asTensor(x, 'mul', 0));
  if (Number.isFinite(value)) return value;
  throw svdError('ERR_SVD_ARGUMENT', `mul: expected a finite number, got ${shown(value)}`);
}

function onlyElement(x: Tensor): number {
  if (x.size === 1) return x.data[x.offset];
  throw svdError(
    'ERR_SVD_SHAPE',
    `mul: expected one element, got shape ${showShape(x.shape)}; for a matrix use matmul`,
  );
}

import type { SvdError } from '../errors.ts';
import { itemOffsets } from '../item-offsets.ts';
import { showShape, type Tensor, tensor, unravel } from '../views.ts';
import type { Triplets } from './decomposition.ts';
import { type Check, exact } from './report.ts';

/** That every element of an array is finite. */
export function finite(name: string, x: Tensor, batchIndex?: readonly number[]): Check {
  const offsets = itemOffsets(x, x.shape.length);
  let count = 0;
  let first = 0;
  for (let i = offsets.length - 1; i >= 0; i--) {
    if (Number.isFinite(x.data[offsets[i]])) continue;
    first = i;
    count++;
  }
  if (count === 0) return exact(`${name} finite`, 0, { batchIndex });
  const detail = `element ${showShape(unravel(first, x.shape))} is ${x.data[offsets[first]]}`;
  return exact(`${name} finite`, count, { batchIndex, detail });
}

/** That every element of U, S and Vh is finite. `of` says which decomposition is meant. */
export const finiteFactors = ({ U, S, Vh, batchIndex }: FiniteSubject, of = ''): Check[] => [
  finite(`U${of}`, U, batchIndex),
  finite(`S${of}`, tensor(S, [S.length]), batchIndex),
  finite(`Vh${of}`, Vh, batchIndex),
];

type FiniteSubject = Pick<Triplets, 'U' | 'S' | 'Vh' | 'batchIndex'>;

/** What `f` computes, or infinity when it does not fit a double: then it is beyond every bound. */
export function orInfinity(f: () => number): number {
  try {
    return f();
  } catch (error) {
    if ((error as SvdError).code === 'ERR_SVD_OVERFLOW') return Number.POSITIVE_INFINITY;
    throw error;
  }
}

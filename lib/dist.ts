import { distance, type Operand } from './distance.ts';
import { svdError } from './errors.ts';
import { asOperand, type DistOperand, operandShape } from './operands.ts';
import { snapshot } from './results.ts';
import { type AsyncOptions, runAsync, runSync } from './steps.ts';
import type { PerMatrix } from './svd-result.ts';
import { showShape } from './views.ts';

/**
 * Frobenius distance `‖a − b‖_F` per matrix, leading dimensions broadcast. Either side may be a plain matrix, a
 * `FactoredMatrix` or a decomposition (`{ U, S, Vh }`, `{ U, S, V }`); those are not formed. Computed in float64 through
 * QR decompositions, so that it sees relative differences down to the accuracy of the operands.
 *
 * @throws `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_ARGUMENT`, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`
 * @example dist(model.OV, model.OV.svd())
 */
export function dist(a: DistOperand, b: DistOperand): PerMatrix {
  return runSync(distance(...operands(a, b)));
}

/** `dist` off the event loop. The operands are copied before it returns. */
export async function distAsync(
  a: DistOperand,
  b: DistOperand,
  options: AsyncOptions = {},
): Promise<PerMatrix> {
  const [x, y] = operands(a, b);
  return runAsync(distance(own(x), own(y)), options);
}

const own = (x: Operand): Operand =>
  'M' in x ? { M: snapshot(x.M) } : { A: snapshot(x.A), B: snapshot(x.B) };

function operands(a: DistOperand, b: DistOperand): [Operand, Operand] {
  const [x, y] = [runSync(asOperand(a, 'a')), runSync(asOperand(b, 'b'))];
  const [p, q] = [operandShape(x), operandShape(y)];
  if (p.join() === q.join()) return [x, y];
  throw svdError(
    'ERR_SVD_SHAPE',
    `dist: matrices of shapes ${showShape(p)} and ${showShape(q)} cannot be compared`,
  );
}

import { exposed } from '../boundary.ts';
import { dist } from '../dist.ts';
import { cols, rows, tensor } from '../views.ts';
import * as bounds from './bounds.ts';
import { asDecomposition, type SvdOperand, type Triplets, tripletItems } from './decomposition.ts';
import { finiteFactors, orInfinity } from './finite.ts';
import { allPass, type Check, measured, type Report, report } from './report.ts';
import { shapes } from './soundness.ts';
import { asSubject, type SubjectItem, type SubjectOperand } from './subject.ts';

/**
 * Whether `U · diag(S) · Vh` of `result` is `M`, a matrix or a `FactoredMatrix` (which is not formed):
 * ‖M − U·diag(S)·Vh‖_F ≤ 50·ε·max(‖M‖_F, β) + l·r·η, ε that of the result, and β that of its `bound` or of `M`.
 *
 * @throws as `validSvd`
 * @function
 */
export const reconstructs = exposed(
  { takes: ['result', 'M'] },
  function reconstructs(result: SvdOperand, M: SubjectOperand): Report {
    const x = asDecomposition(result, 'result');
    const subject = asSubject(M);
    const fit = shapes('shapes', x, subject.shape);
    if (!fit.pass) return report([fit]);
    const checks = tripletItems(x).flatMap((item, i) => {
      const finite = finiteFactors(item);
      return allPass(finite) ? [...finite, reconstruction(item, subject.items[i])] : finite;
    });
    return report([fit, ...checks]);
  },
);

/** The check of one matrix; all elements must be finite. */
export function reconstruction({ U, S, Vh, bound, dtype, batchIndex }: Triplets, M: SubjectItem): Check {
  const factors = { U, S: tensor(S, [S.length]), Vh };
  const value = orInfinity(() => dist(M.matrix, factors) as number);
  const beta = Math.max(bounds.beta(dtype, bound), M.beta());
  const limit = bounds.reconstruction(dtype, M.norm(), rows(U), cols(Vh), beta);
  return measured('reconstruction ‖M − U·diag(S)·Vh‖', value, limit, { batchIndex });
}

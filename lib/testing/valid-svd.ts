import { exposed } from '../boundary.ts';
import { asDecomposition, matrixItems, type SvdOperand, tripletItems } from './decomposition.ts';
import { finiteFactors } from './finite.ts';
import { reconstruction } from './reconstructs.ts';
import { allPass, type Report, report } from './report.ts';
import { shapes, soundness } from './soundness.ts';
import { asSubject, type SubjectOperand } from './subject.ts';

/**
 * Whether `result` is a singular value decomposition, and where `M` is given one of `M`: shapes that fit, S ≥ 0 and
 * descending, orthonormal U and Vh (‖UᵀU − I‖_F ≤ 40·ε·√p; square ones whole), and `reconstructs`.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is no decomposition or no matrix; `ERR_SVD_NON_FINITE`
 *   when an element of `M` is not finite
 * @function
 */
export const validSvd = exposed(
  { takes: ['result', 'M'] },
  function validSvd(result: SvdOperand, M?: SubjectOperand): Report {
    const x = asDecomposition(result, 'result');
    const subject = M === undefined ? undefined : asSubject(M);
    const fit = shapes('shapes', x, subject?.shape);
    if (!fit.pass) return report([fit]);
    const [us, vs] = [matrixItems(x.U), matrixItems(x.Vh)];
    const checks = tripletItems(x).flatMap((item, i) => {
      const whole = { U: us[i], Vh: vs[i] };
      const finite = finiteFactors({ ...item, ...whole });
      if (!allPass(finite)) return finite;
      const sound = [...finite, ...soundness(item, '', whole)];
      return subject ? [...sound, reconstruction(item, subject.items[i])] : sound;
    });
    return report([fit, ...checks]);
  },
);

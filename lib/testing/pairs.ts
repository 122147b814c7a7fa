import { asDecomposition, type SvdOperand, type Triplets, tripletItems } from './decomposition.ts';
import { finiteFactors } from './finite.ts';
import { allPass, type Check } from './report.ts';
import { sameShapes, soundness } from './soundness.ts';

/**
 * Compares two decompositions matrix by matrix. `compare` is called for those that are sound on both sides: its formulas
 * hold for sorted spectra and orthonormal vectors only.
 */
export function eachSoundPair(
  received: SvdOperand,
  expected: SvdOperand,
  compare: (received: Triplets, expected: Triplets) => Check[],
): Check[] {
  const [a, b] = [asDecomposition(received, 'received'), asDecomposition(expected, 'expected')];
  const fit = sameShapes(a, b);
  if (!allPass(fit)) return fit;
  const others = tripletItems(b);
  const checks = tripletItems(a).flatMap((item, i) => {
    const finite = [...finiteFactors(item, ' (received)'), ...finiteFactors(others[i], ' (expected)')];
    if (!allPass(finite)) return finite;
    const sound = [...finite, ...soundness(item, ' (received)'), ...soundness(others[i], ' (expected)')];
    return allPass(sound) ? [...sound, ...compare(item, others[i])] : sound;
  });
  return [...fit, ...checks];
}

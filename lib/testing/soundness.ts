import { showShape, swapLast, type Tensor } from '../views.ts';
import { type Decomposition, misfit, shapeOf, type Triplets } from './decomposition.ts';
import { orthonormality } from './orthonormal.ts';
import { allPass, type Check, exact } from './report.ts';

// What must hold of a decomposition by itself, whatever it is of.

/** That U, S and Vh fit each other, and are of a matrix of `shape` where one is given. */
export function shapes(name: string, x: Decomposition, shape?: readonly number[]): Check {
  const own = shapeOf(x);
  const other = shape !== undefined && shape.join() !== own.join();
  const detail =
    misfit(x) ?? (other ? `of a matrix ${showShape(own)}, expected ${showShape(shape)}` : undefined);
  return exact(name, detail === undefined ? 0 : 1, { detail });
}

/** That two decompositions fit, and have the same shapes. */
export function sameShapes(received: Decomposition, expected: Decomposition): Check[] {
  const checks = [shapes('shapes (received)', received), shapes('shapes (expected)', expected)];
  if (!allPass(checks)) return checks;
  const outline = (x: Decomposition) => `${x.S.shape.at(-1)} singular values of ${showShape(shapeOf(x))}`;
  const [own, other] = [outline(received), outline(expected)];
  const detail = own === other ? undefined : `received ${own}, expected ${other}`;
  return [...checks, exact('same shapes', own === other ? 0 : 1, { detail })];
}

/**
 * That S is ≥ 0 and descending, and the singular vectors orthonormal. All elements must be finite.
 *
 * @param of which decomposition is meant, where there are two
 * @param whole U and Vh with what they hold beyond the p singular triplets
 */
export function soundness(
  { S, batchIndex, ...thin }: Triplets,
  of = '',
  whole: { U: Tensor; Vh: Tensor } = thin,
): Check[] {
  return [
    spectrum(`S${of}`, S, batchIndex),
    orthonormality(`columns of U${of} orthonormal`, whole.U, batchIndex),
    orthonormality(`rows of Vh${of} orthonormal`, swapLast(whole.Vh), batchIndex),
  ];
}

function spectrum(name: string, S: Float64Array, batchIndex: Triplets['batchIndex']): Check {
  const problems = Array.from(S, (s, j) => {
    if (s < 0) return `S[${j}] = ${s} is negative`;
    return j > 0 && s > S[j - 1] ? `S[${j}] = ${s} exceeds S[${j - 1}] = ${S[j - 1]}` : undefined;
  }).filter((problem) => problem !== undefined);
  return exact(`${name} ≥ 0 and descending`, problems.length, { batchIndex, detail: problems[0] });
}

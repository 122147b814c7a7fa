import { exposed } from '../arguments/boundary.ts';
import type { SvdError } from '../array/errors.ts';
import { itemOffsets } from '../array/indexing.ts';
import type { MatrixLike } from '../array/input.ts';
import {
  cols,
  dtypeOf,
  leadingDims,
  rows,
  showShape,
  swapLast,
  type Tensor,
  tensor,
  unravel,
} from '../array/tensor.ts';
import { dist } from '../dist.ts';
import { matmul } from '../matmul.ts';
import { asTensor } from '../native/owned.ts';
import * as bounds from './bounds.ts';
import {
  asDecomposition,
  batchIndex,
  type Decomposition,
  isSvdOperand,
  matrixItems,
  misfit,
  type SvdOperand,
  shapeOf,
  type Triplets,
  tripletItems,
  widened,
} from './decomposition.ts';
import { allPass, type Check, exact, measured, type Report, report } from './report.ts';
import { asSubject, type SubjectItem, type SubjectOperand } from './subject.ts';

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

/**
 * Whether the columns of `Q` `[..., m, n]` are orthonormal, or its rows where it is wide: ‖QᵀQ − I‖_F ≤ 40·ε·√n.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when `Q` is no matrix
 * @function
 */
export const orthonormal = exposed({ takes: ['Q'] }, function orthonormal(Q: MatrixLike): Report {
  const all = asTensor(Q, 'orthonormal');
  const wide = rows(all) < cols(all);
  const name = wide ? 'rows orthonormal' : 'columns orthonormal';
  return report(
    matrixItems(all).flatMap((q, i) => {
      const at = batchIndex(leadingDims(all), i);
      const elements = finite('elements', q, at);
      return elements.pass ? [elements, orthonormality(name, wide ? swapLast(q) : q, at)] : [elements];
    }),
  );
});

/** That the columns of one matrix are orthonormal; its elements must be finite. */
export function orthonormality(name: string, Q: Tensor, batchIndex?: readonly number[]): Check {
  const value = orInfinity(() => deviation(widened(Q)));
  return measured(name, value, bounds.orthonormality(dtypeOf(Q), cols(Q)), { batchIndex });
}

/** ‖QᵀQ − I‖_F */
function deviation(Q: Tensor): number {
  const gram = gramOf(Q);
  for (let j = 0; j < cols(Q); j++) gram.set(j, j, gram.get(j, j) - 1);
  return Math.sqrt(gram.data.reduce((sum, x) => sum + x * x, 0));
}

/** QᵀQ by halves of the rows: added up one after the other, the rounding errors of many equal terms would grow. */
function gramOf(Q: Tensor): Tensor<Float64Array> {
  if (rows(Q) <= Math.max(64, cols(Q))) return matmul(swapLast(Q), Q) as Tensor<Float64Array>;
  const half = rows(Q) >> 1;
  const [upper, lower] = [gramOf(Q.hi(half, cols(Q))), gramOf(Q.lo(half, 0))];
  for (let i = 0; i < upper.data.length; i++) upper.data[i] += lower.data[i];
  return upper;
}

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

/**
 * Whether two decompositions (U, S and Vh), or two arrays of any shape, have the same shapes, dtypes and bits; −0 is not 0.
 * Between machines that is not to be expected: the bits of a result depend on the processor kernel OpenBLAS picks.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is neither
 * @function
 */
export const bitIdentical = exposed(
  { takes: ['received', 'expected'] },
  function bitIdentical(received: SvdOperand | MatrixLike, expected: SvdOperand | MatrixLike): Report {
    if (!isSvdOperand(received) && !isSvdOperand(expected))
      return report([
        sameBits('array', asTensor(received, 'received', 0), asTensor(expected, 'expected', 0)),
      ]);
    const a = asDecomposition(received as SvdOperand, 'received');
    const b = asDecomposition(expected as SvdOperand, 'expected');
    return report((['U', 'S', 'Vh'] as const).map((name) => sameBits(name, a[name], b[name])));
  },
);

function sameBits(name: string, a: Tensor, b: Tensor): Check {
  const kind = (x: Tensor) => `${dtypeOf(x)} ${showShape(x.shape)}`;
  if (kind(a) !== kind(b))
    return exact(`${name} bit-identical`, 1, { detail: `received ${kind(a)}, expected ${kind(b)}` });
  const [as, bs] = [a, b].map((x) => itemOffsets(x, x.shape.length));
  const [ws, vs] = [bits(a), bits(b)];
  const different = Array.from(as.keys()).filter((i) => ws[as[i]] !== vs[bs[i]]);
  if (different.length === 0) return exact(`${name} bit-identical`, 0);
  const [first] = different;
  const [s, t] = [a.data[as[first]], b.data[bs[first]]];
  const element = `element ${showShape(unravel(first, a.shape))}`;
  const values = `received ${show(s)}, expected ${show(t)}`;
  const detail = `${different.length} of ${as.length} elements differ, first ${element}: ${values}`;
  return exact(`${name} bit-identical`, different.length, { detail });
}

/** The elements of `x` as unsigned integers. */
const bits = ({ data }: Tensor): Uint32Array | BigUint64Array =>
  data instanceof Float32Array
    ? new Uint32Array(data.buffer, data.byteOffset, data.length)
    : new BigUint64Array(data.buffer, data.byteOffset, data.length);

const show = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));

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

import { asTensor, type MatrixLike } from '../arrays.ts';
import { exposed } from '../boundary.ts';
import { type OptionTable, oneOf } from '../options.ts';
import { type Dtype, dtypeOf, showShape, type Tensor } from '../views.ts';
import * as bounds from './bounds.ts';
import {
  asDecomposition,
  batchIndex,
  boundsOf,
  isSvdOperand,
  type SvdFactors,
  type SvdOperand,
  vectorItems,
} from './decomposition.ts';
import { type Check, exact, measured, type Report, report } from './report.ts';

/** Singular values: a decomposition, `{ S }` with or without its `bound`, or the array `[..., p]` itself. */
export type SpectrumOperand = SvdOperand | Pick<SvdFactors, 'S' | 'bound'> | MatrixLike;

/** Options of `matchSingularValues`. */
export interface SingularValuesOptions {
  /**
   * `'absolute'` (default): |s − t| ≤ τ = bound_s + bound_t + η, which holds for every matrix; 4ε·√p·σ₁ stands for a bound
   * that is not given, and 0 is that of an exact reference.
   * `'relative'`: |s − t| ≤ (1e-13 + 1e-13)·max(s, t) + η, 1e-5 for a float32 side. Holds for products whose bad scaling
   * is diagonal, down to the smallest singular value, which τ may not even see; not for matrices in general.
   */
  readonly mode?: 'absolute' | 'relative' | undefined;
}

const singularValuesOptions: OptionTable<SingularValuesOptions> = { mode: oneOf('absolute', 'relative') };

/**
 * Whether the singular values of `received` are those of `expected`: of the same matrix, computed twice.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument has no singular values, or for another mode
 * @function
 */
export const matchSingularValues = exposed(
  { takes: ['received', 'expected'], options: singularValuesOptions },
  function matchSingularValues(
    received: SpectrumOperand,
    expected: SpectrumOperand,
    { mode = 'absolute' }: SingularValuesOptions = {},
  ): Report {
    const [a, b] = [asSpectrum(received, 'received'), asSpectrum(expected, 'expected')];
    const same = a.S.shape.join() === b.S.shape.join();
    const detail = same ? undefined : `S ${showShape(a.S.shape)}, expected S ${showShape(b.S.shape)}`;
    const fit = exact('same shapes', same ? 0 : 1, { detail });
    if (!same) return report([fit]);
    const [as, bs] = [itemsOf(a), itemsOf(b)];
    const agree = mode === 'absolute' ? absolute : relative;
    return report([fit, ...as.map((s, i) => agree(s, bs[i]))]);
  },
);

interface Spectrum {
  readonly S: Tensor;
  readonly bound: Float64Array;
}

/** One matrix of it. */
interface SpectrumItem {
  readonly S: Float64Array;
  readonly bound: number;
  readonly dtype: Dtype;
  readonly batchIndex: readonly number[] | undefined;
}

function asSpectrum(x: SpectrumOperand, name: string): Spectrum {
  if (isSvdOperand(x)) return asDecomposition(x, name);
  const { S: own, bound } = x !== null && typeof x === 'object' && 'S' in x ? x : { S: x as MatrixLike };
  const S = asTensor(own, `${name}.S`, 1);
  return { S, bound: boundsOf(S, bound, name) };
}

const itemsOf = ({ S, bound }: Spectrum): SpectrumItem[] =>
  vectorItems(S).map((s, i) => ({
    S: s,
    bound: bound[i],
    dtype: dtypeOf(S),
    batchIndex: batchIndex(S.shape.slice(0, -1), i),
  }));

/** |s − t| ≤ τ for all singular values of one matrix. */
export function absolute(a: SpectrumItem, b: SpectrumItem): Check {
  const limit = tau(a, b);
  return worst('singular values', a, b, () => limit);
}

/** τ of two computations of one matrix. */
export const tau = (a: Omit<SpectrumItem, 'S'>, b: Omit<SpectrumItem, 'S'>): number =>
  bounds.singularValues(bounds.coarser(a.dtype, b.dtype), a.bound, b.bound);

function relative(a: SpectrumItem, b: SpectrumItem): Check {
  const accuracy = bounds.relativeSingularValues(a.dtype, b.dtype);
  const floor = bounds.eta(bounds.coarser(a.dtype, b.dtype));
  return worst('singular values (relative)', a, b, (s, t) => accuracy * Math.max(s, t) + floor);
}

/** The singular value that is furthest beyond its limit, or nearest to it. */
function worst(
  name: string,
  { S, batchIndex }: SpectrumItem,
  { S: T }: SpectrumItem,
  limit: (s: number, t: number) => number,
): Check {
  let at = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < S.length; j++) {
    const ratio = Math.abs(S[j] - T[j]) / limit(S[j], T[j]);
    if (ratio <= most) continue;
    at = j; // also where the ratio is NaN
    most = Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
  }
  if (at < 0) return measured(name, 0, limit(0, 0), { batchIndex });
  const detail = `received ${S[at]}, expected ${T[at]}`;
  const where = { batchIndex, cluster: [at, at] as const, detail };
  return measured(name, Math.abs(S[at] - T[at]), limit(S[at], T[at]), where);
}

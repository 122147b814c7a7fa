import { has } from '../array/describe.ts';
import type { FloatArray, Stored } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { asInput, type MatrixLike, readInput } from '../array/input.ts';
import {
  broadcastLeading,
  broadcastShapes,
  cols,
  dtypeOf,
  type Input,
  insertAxis,
  leadingDims,
  promote,
  rows,
  showShape,
  sliceAxis,
  swapLast,
  type Tensor,
} from '../array/tensor.ts';
import type { Steps } from '../native/steps.ts';
import { scaleColumns, wideCopy } from './arithmetic.ts';

/** A matrix kept as the product `A·B`. */
export interface Factored {
  /** `[..., l, k]` */
  readonly A: Tensor;
  /** `[..., k, r]` */
  readonly B: Tensor;
}

/** The factors of a decomposition, as `svd` or as `svdLegacy` returns them. */
export type SvdLike =
  | (LeftFactors & {
      /** Right singular vectors as rows, `[..., p, n]`. */
      readonly Vh: MatrixLike;
    })
  | (LeftFactors & {
      /** Right singular vectors as columns, `[..., n, p]`. */
      readonly V: MatrixLike;
    });

/** @inline */
interface LeftFactors {
  /** Left singular vectors, `[..., m, p]`. */
  readonly U: MatrixLike;
  /** Singular values, `[..., p]`. */
  readonly S: MatrixLike;
}

/** What `dist` compares. */
export type DistOperand = MatrixLike | Factored | SvdLike;

/** Factors as they are stored. */
export interface StoredFactors {
  readonly A: Input;
  readonly B: Input;
}

const factors = new WeakMap<object, StoredFactors>();

/** Remembers the factors of `x` as they are stored; its A and B are widened only when asked for. */
export const keepFactors = (x: Factored, stored: StoredFactors): void => void factors.set(x, stored);

/** A `FactoredMatrix`, of this or of another copy of this package. */
export const isFactored = (x: unknown): x is Factored => has(x, 'A', 'B', 'mdim');

const isSvd = (x: unknown): x is SvdLike => has(x, 'U', 'S') && (has(x, 'Vh') || has(x, 'V'));

/** An operand as views of arrays; the singular values as a matrix of one row. */
export type Parts<D extends Stored = Stored> =
  | { readonly M: Input<D> }
  | { readonly A: Input<D>; readonly B: Input<D> }
  | { readonly U: Input<D>; readonly S: Input<D>; readonly Vh: Input<D> };

/** The parts of an operand, after they have been checked against each other. */
export function* readParts(x: DistOperand, name: string): Steps<Parts> {
  if (isFactored(x)) return yield* readFactors(x, name);
  if (!isSvd(x)) return { M: yield* readInput(x as MatrixLike, name) };
  const U = yield* readInput(x.U, `${name}.U`);
  const S = yield* readInput(x.S, `${name}.S`, 1);
  const Vh = 'Vh' in x ? yield* readInput(x.Vh, `${name}.Vh`) : swapLast(yield* readInput(x.V, `${name}.V`));
  const p = S.shape[S.shape.length - 1];
  const sameLeading = [U, Vh].every((f) => f.shape.slice(0, -2).join() === S.shape.slice(0, -1).join());
  if (cols(U) < p || rows(Vh) < p || !sameLeading) {
    const shapes = [U, S, Vh].map((f) => showShape(f.shape)).join(', ');
    throw svdError(
      'ERR_SVD_SHAPE',
      `${name}: U, S, Vh of shapes ${shapes} are not the factors of one decomposition`,
    );
  }
  const thin = (f: Input, axis: number) => sliceAxis(f, axis, 0, p); // square factors have more than U·diag(S)·Vh uses
  return { U: thin(U, U.shape.length - 1), S: asMatrix(S), Vh: thin(Vh, Vh.shape.length - 2) };
}

/** A matrix kept as a product, or one that is there as it is. Shapes have been checked. */
export type Operand = { readonly A: Tensor; readonly B: Tensor } | { readonly M: Tensor };

/** The operand that its parts stand for: `U·diag(S)` and Vh of a decomposition. */
export function* asOperand(parts: Parts<FloatArray>): Steps<Operand> {
  if (!('U' in parts)) return parts;
  const left = yield* wideCopy(parts.U);
  const sigma = yield* wideCopy(parts.S);
  return { A: yield* scaleColumns(left, sigma), B: parts.Vh };
}

/** The factors of a `FactoredMatrix`, or of what only looks like one. */
export function* readFactors(x: Factored, name: string): Steps<StoredFactors> {
  const own = factors.get(x);
  if (own) return own;
  const A = yield* readInput(x.A, `${name}.A`);
  const B = yield* readInput(x.B, `${name}.B`);
  if (cols(A) === rows(B)) return { A, B };
  const shapes = `A ${showShape(A.shape)} and B ${showShape(B.shape)}`;
  throw svdError('ERR_SVD_SHAPE', `${name}: inner dimensions of ${shapes} differ`);
}

/** A vector as the one row of a matrix, so that kernels over matrices can take it. */
const asMatrix = (s: Input): Input => insertAxis(s, s.shape.length - 1);

/** The last two dimensions `[l, r]` of the matrices that an operand stands for. */
export function operandShape(x: Parts): number[] {
  if ('M' in x) return x.M.shape.slice(-2);
  return 'A' in x ? [rows(x.A), cols(x.B)] : [rows(x.U), cols(x.Vh)];
}

/** The factors with their leading dimensions broadcast, and dtype and shape of the product. */
export function broadcastFactors(A: MatrixLike, B: MatrixLike) {
  const [a, b] = [asInput(A, 'A'), asInput(B, 'B')];
  if (cols(a) !== rows(b)) {
    const shapes = `A ${showShape(a.shape)} and B ${showShape(b.shape)}`;
    throw svdError('ERR_SVD_SHAPE', `FactoredMatrix: inner dimensions of ${shapes} differ`);
  }
  const leading = broadcastShapes(leadingDims(a), leadingDims(b), 'FactoredMatrix');
  return {
    A: broadcastLeading(a, leading),
    B: broadcastLeading(b, leading),
    dtype: promote(dtypeOf(a), dtypeOf(b)),
    shape: Object.freeze([...leading, rows(a), cols(b)]),
  };
}

/**
 * `factored-svd/vitest`: importing it (or naming it in `setupFiles`) adds the matchers below to vitest's `expect`. They are
 * the functions of `factored-svd/testing`; a failure says which check failed, by how much over which bound, and where.
 */
import { expect, type MatcherState } from 'vitest';
import { exposedMethods } from '../arguments/boundary.ts';
import type { MatrixLike } from '../array/input.ts';
import { bitIdentical, orthonormal, reconstructs, validSvd } from './checks.ts';
import type { SvdOperand } from './decomposition.ts';
import {
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  type SingularValuesOptions,
  type SpectrumOperand,
} from './match.ts';
import type { Report, UndeterminedOptions } from './report.ts';
import type { SubjectOperand } from './subject.ts';

/** What `factored-svd/vitest` adds to `expect`. */
export interface SvdMatchers<R = unknown> {
  /** A singular value decomposition (of `M`): shapes, S ≥ 0 and descending, orthonormal vectors, reconstruction. */
  toBeValidSvd(M?: SubjectOperand): R;
  /** A matrix with orthonormal columns, or rows where it is wide. */
  toBeOrthonormal(): R;
  /** A decomposition whose `U · diag(S) · Vh` is `M`. */
  toReconstruct(M: SubjectOperand): R;
  /** Singular values of the same matrix. */
  toMatchSingularValues(other: SpectrumOperand, options?: SingularValuesOptions): R;
  /** A decomposition with the same singular subspaces, left and right each for itself. Fails when undetermined. */
  toMatchSubspaces(other: SvdOperand, options?: UndeterminedOptions): R;
  /** The same decomposition up to one sign or rotation per cluster, the same for U and V. Fails when undetermined. */
  toMatchSvd(other: SvdOperand, options?: UndeterminedOptions): R;
  /** The same bits. */
  toBeBitIdenticalTo(other: SvdOperand | MatrixLike): R;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations that merge must agree
  interface Matchers<T = any> extends SvdMatchers<T> {}
  // biome-ignore lint/suspicious/noExplicitAny: as above; for expect.not
  interface AsymmetricMatchersContaining extends SvdMatchers<any> {}
}

const signatures = {
  toBeValidSvd: { takes: ['received', 'M'] },
  toBeOrthonormal: { takes: ['received'] },
  toReconstruct: { takes: ['received', 'M'] },
  toMatchSingularValues: { takes: ['received', 'other', 'options'] },
  toMatchSubspaces: { takes: ['received', 'other', 'options'] },
  toMatchSvd: { takes: ['received', 'other', 'options'] },
  toBeBitIdenticalTo: { takes: ['received', 'other'] },
};

const matchers = {
  toBeValidSvd(this: MatcherState, received: SvdOperand, M?: SubjectOperand) {
    return verdict(this, 'toBeValidSvd', validSvd(received, M), M === undefined ? '' : 'M');
  },
  toBeOrthonormal(this: MatcherState, received: MatrixLike) {
    return verdict(this, 'toBeOrthonormal', orthonormal(received), '');
  },
  toReconstruct(this: MatcherState, received: SvdOperand, M: SubjectOperand) {
    return verdict(this, 'toReconstruct', reconstructs(received, M), 'M');
  },
  toMatchSingularValues(
    this: MatcherState,
    received: SpectrumOperand,
    other: SpectrumOperand,
    options?: SingularValuesOptions,
  ) {
    return verdict(this, 'toMatchSingularValues', matchSingularValues(received, other, options));
  },
  toMatchSubspaces(
    this: MatcherState,
    received: SvdOperand,
    other: SvdOperand,
    options?: UndeterminedOptions,
  ) {
    return verdict(this, 'toMatchSubspaces', matchSubspaces(received, other, options));
  },
  toMatchSvd(this: MatcherState, received: SvdOperand, other: SvdOperand, options?: UndeterminedOptions) {
    return verdict(this, 'toMatchSvd', matchSvd(received, other, options));
  },
  toBeBitIdenticalTo(this: MatcherState, received: SvdOperand | MatrixLike, other: SvdOperand | MatrixLike) {
    return verdict(this, 'toBeBitIdenticalTo', bitIdentical(received, other));
  },
};

expect.extend(exposedMethods(signatures, matchers));

/** What is undetermined fails, with `.not` and without. */
function verdict({ isNot, utils }: MatcherState, matcher: string, report: Report, other = 'expected') {
  const pass = report.undetermined ? isNot : report.pass;
  const advice =
    '\nIf the singular vectors need not be determined here, pass { acceptUndetermined: true }; ' +
    'with .not, test what is determined.';
  return {
    pass,
    message: () =>
      `${utils.matcherHint(matcher, 'received', other, { isNot })}\n\n` +
      `${report.message}${report.undetermined ? advice : ''}`,
  };
}

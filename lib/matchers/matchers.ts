import { exposedAsync, exposedMethods } from '../arguments/boundary.ts';
import type { MatrixLike } from '../array/input.ts';
import type { GoldenSource } from '../golden/index.ts';
import { bitIdentical, orthonormal, reconstructs, validSvd } from '../testing/checks.ts';
import type { SvdOperand } from '../testing/decomposition.ts';
import {
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  type SingularValuesOptions,
  type SpectrumOperand,
} from '../testing/match.ts';
import type { Report, UndeterminedOptions } from '../testing/report.ts';
import type { SubjectOperand } from '../testing/subject.ts';
import { type MatchGoldenOptions, matchGolden, matchGoldenOptions, type TestState } from './golden.ts';

/** What `factored-svd/vitest` and `factored-svd/jest` add to `expect`. */
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
  /**
   * A checkpoint (a path, open weights, or a `Checkpoint`) or a decomposition that is what a golden file recorded, whose path is
   * relative to the test. The file is written where it is missing, but not in CI; `-u` writes one anew that does not hold.
   */
  toMatchGolden(file: string | URL, options?: MatchGoldenOptions): Promise<void>;
}

/** What vitest and Jest tell a matcher of the assertion. */
interface Assertion extends TestState {
  readonly utils: {
    matcherHint(name: string, received?: string, expected?: string, options?: { isNot?: boolean }): string;
  };
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

const methods = {
  toBeValidSvd(this: Assertion, received: SvdOperand, M?: SubjectOperand) {
    return verdict(this, 'toBeValidSvd', validSvd(received, M), M === undefined ? '' : 'M');
  },
  toBeOrthonormal(this: Assertion, received: MatrixLike) {
    return verdict(this, 'toBeOrthonormal', orthonormal(received), '');
  },
  toReconstruct(this: Assertion, received: SvdOperand, M: SubjectOperand) {
    return verdict(this, 'toReconstruct', reconstructs(received, M), 'M');
  },
  toMatchSingularValues(
    this: Assertion,
    received: SpectrumOperand,
    other: SpectrumOperand,
    options?: SingularValuesOptions,
  ) {
    return verdict(this, 'toMatchSingularValues', matchSingularValues(received, other, options));
  },
  toMatchSubspaces(this: Assertion, received: SvdOperand, other: SvdOperand, options?: UndeterminedOptions) {
    return verdict(this, 'toMatchSubspaces', matchSubspaces(received, other, options));
  },
  toMatchSvd(this: Assertion, received: SvdOperand, other: SvdOperand, options?: UndeterminedOptions) {
    return verdict(this, 'toMatchSvd', matchSvd(received, other, options));
  },
  toBeBitIdenticalTo(this: Assertion, received: SvdOperand | MatrixLike, other: SvdOperand | MatrixLike) {
    return verdict(this, 'toBeBitIdenticalTo', bitIdentical(received, other));
  },
};

/** What a matcher answers. */
export interface Verdict {
  /** The assertion holds; with `.not`, where it does not. */
  readonly pass: boolean;
  /** Why not. */
  message(): string;
}

/** A matcher as a function; arguments are checked when it is called. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Matcher<V> = (this: any, ...args: any[]) => V;

/** Every matcher as a function, as `expect.extend` takes them. */
export type MatcherFunctions = Record<Exclude<keyof SvdMatchers, 'toMatchGolden'>, Matcher<Verdict>> & {
  /** As it stands in `SvdMatchers`. */
  toMatchGolden: Matcher<Promise<Verdict>>;
};

/** For `expect.extend`. */
export const matchers: MatcherFunctions = {
  ...exposedMethods<Omit<MatcherFunctions, 'toMatchGolden'>>(signatures, methods),
  toMatchGolden: exposedAsync({ takes: ['received', 'file'], options: matchGoldenOptions }, toMatchGolden),
};

async function toMatchGolden(
  this: Assertion,
  received: GoldenSource,
  file: string | URL,
  options: MatchGoldenOptions = {},
): Promise<Verdict> {
  const { isNot = false, utils } = this;
  const outcome = await matchGolden(this, received, file, options);
  if (outcome === 'written') return { pass: true, message: () => 'it was written' };
  const hint = `${utils.matcherHint('toMatchGolden', 'received', 'file', { isNot })}\n\n`;
  if ('missing' in outcome) return { pass: isNot, message: () => hint + outcome.missing };
  const advice = isNot ? '' : '\nIf the change is meant, run the tests with -u.';
  return {
    pass: outcome.undetermined ? isNot : outcome.pass,
    message: () => hint + outcome.message + advice,
  };
}

/** What is undetermined fails, with `.not` and without. */
function verdict(
  { isNot = false, utils }: Assertion,
  matcher: string,
  report: Report,
  other = 'expected',
): Verdict {
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

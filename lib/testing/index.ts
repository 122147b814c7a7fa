/** The checks of decompositions. */
export { bitIdentical, orthonormal, reconstructs, validSvd } from './checks.ts';
export type { SvdFactors, SvdOperand } from './decomposition.ts';
export {
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  type SingularValuesOptions,
  type SpectrumOperand,
} from './match.ts';
export type { Check, Report, UndeterminedOptions } from './report.ts';
export type { SubjectOperand } from './subject.ts';

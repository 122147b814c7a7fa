/** `factored-svd/testing`: checks for numeric regression tests, as plain functions that return a report. */
export { bitIdentical } from './bit-identical.ts';
export type { SvdFactors, SvdOperand } from './decomposition.ts';
export { matchSvd } from './match-svd.ts';
export { orthonormal } from './orthonormal.ts';
export { reconstructs } from './reconstructs.ts';
export type { Check, Report, UndeterminedOptions } from './report.ts';
export { matchSingularValues, type SingularValuesOptions, type SpectrumOperand } from './singular-values.ts';
export type { SubjectOperand } from './subject.ts';
export { matchSubspaces } from './subspaces.ts';
export { validSvd } from './valid-svd.ts';

export type { Matrix, MatrixBatch, PerMatrix, Vector } from './array-types.ts';
export type { MatrixData, MatrixLike, NestedNumbers, StridedArray } from './arrays.ts';
export { diagEmbed, transpose } from './basic.ts';
export type { ErrorOptions } from './batched-svd.ts';
export { dist, distAsync } from './dist.ts';
export type { Eigenvalues } from './eigenvalues.ts';
export type { SvdError, SvdErrorCode } from './errors.ts';
export {
  FactoredMatrix,
  type FactoredMatrixConstructor,
  type ProductSvdOptions,
  type ToleranceOptions,
} from './factored-matrix.ts';
export { type Index, type Slice, slice } from './indexing.ts';
export { matmul } from './matmul.ts';
export type { DistOperand, Factored, SvdLike } from './operands.ts';
export { prepare, prepareAsync } from './prepare.ts';
export { setThreads, threads, type Versions, versions } from './runtime.ts';
export type { ArrayJson, ErrorJson } from './shown-results.ts';
export type { Norm } from './spectrum.ts';
export type { AsyncOptions, Progress } from './steps.ts';
export { type SvdOptions, svd, svdAsync, svdLegacy, svdLegacyAsync, svdvals, svdvalsAsync } from './svd.ts';
export type { Driver, LegacySvd, Svd, SvdJson } from './svd-result.ts';
export type { FloatArray, Tensor } from './views.ts';

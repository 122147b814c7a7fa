export type { ErrorOptions } from './algorithms/blocks.ts';
export type { Eigenvalues } from './algorithms/eigenvalues.ts';
export type { DistOperand, Factored, SvdLike } from './algorithms/operands.ts';
export type {
  ArrayJson,
  Driver,
  ErrorJson,
  Evidence,
  LegacySvd,
  Svd,
  SvdJson,
  TruncatedSvd,
} from './algorithms/result.ts';
export type { Norm } from './algorithms/spectrum.ts';
export type { Method } from './algorithms/truncated.ts';
export type { Truncation } from './algorithms/truncation.ts';
export type { LowRankOptions, ProductSvdOptions, SvdOptions, ToleranceOptions } from './arguments/options.ts';
export type { SvdError, SvdErrorCode } from './array/errors.ts';
export type { Index, Slice } from './array/indexing.ts';
export type { MatrixData, MatrixLike, NestedNumbers, StridedArray } from './array/input.ts';
export type { FloatArray, Tensor } from './array/tensor.ts';
export type { Matrix, MatrixBatch, PerMatrix, Vector } from './array/types.ts';
export { diagEmbed, slice, transpose } from './arrays.ts';
export { dist, distAsync } from './dist.ts';
export { FactoredMatrix, type FactoredMatrixConstructor } from './factored-matrix.ts';
export { type LowRank, lowRank, lowRankAsync } from './low-rank.ts';
export { matmul } from './matmul.ts';
export type { AsyncOptions, Progress } from './native/steps.ts';
export {
  cond,
  condAsync,
  effectiveRank,
  effectiveRankAsync,
  matrixRank,
  matrixRankAsync,
  norm,
  normAsync,
  stableRank,
  stableRankAsync,
} from './numbers.ts';
export { prepare, prepareAsync } from './prepare.ts';
export { setThreads, threads, type Versions, versions } from './runtime.ts';
export { type LeastSquares, lstsq, lstsqAsync, pinv, pinvAsync } from './solve.ts';
export { svd, svdAsync, svdLegacy, svdLegacyAsync, svdvals, svdvalsAsync } from './svd.ts';

import { inspect } from 'node:util';
import { escapedLines } from './escape.ts';

/** The stable codes an error of this package can carry. Test `error.code`, never `instanceof`. */
export type SvdErrorCode =
  | 'ERR_SVD_ARGUMENT'
  | 'ERR_SVD_SHAPE'
  | 'ERR_SVD_NON_FINITE'
  | 'ERR_SVD_NO_CONVERGENCE'
  | 'ERR_SVD_OVERFLOW'
  | 'ERR_SVD_TOO_LARGE'
  | 'ERR_SVD_FILE'
  | 'ERR_SVD_BINARY';

/** An error of this package: `code` is stable, the other fields depend on the code. */
export interface SvdError extends Error {
  /** What went wrong; see `SvdErrorCode`. */
  code: SvdErrorCode;
  /** `ERR_SVD_NON_FINITE`: indices of the first NaN or infinity inside its matrix. */
  index?: number[];
  /** Indices of the failing item in the leading dimensions, where there are any. */
  batchIndex?: number[];
  /** `ERR_SVD_NO_CONVERGENCE`: the `info` that LAPACK returned. */
  info?: number;
  /** `ERR_SVD_TOO_LARGE`: bytes that would have been needed; 0 where a library asked for a few and did not say how many. */
  bytes?: number;
  /** `ERR_SVD_FILE`: the file. */
  path?: string;
}

type Details = Omit<Partial<SvdError>, 'code' | 'message' | 'name'>;

const constructors: Record<SvdErrorCode, ErrorConstructor> = {
  ERR_SVD_ARGUMENT: TypeError,
  ERR_SVD_SHAPE: RangeError,
  ERR_SVD_NON_FINITE: RangeError,
  ERR_SVD_NO_CONVERGENCE: Error,
  ERR_SVD_OVERFLOW: RangeError,
  ERR_SVD_TOO_LARGE: RangeError,
  ERR_SVD_FILE: Error,
  ERR_SVD_BINARY: Error,
};

/** A value of any type as it may stand in a message. */
export const shown = (x: unknown): string =>
  inspect(x, { depth: 0, customInspect: false, maxStringLength: 100, breakLength: Number.POSITIVE_INFINITY });

/**
 * Makes the error for `code`: a `TypeError`, `RangeError` or `Error` with `code` and `details` as own properties. The message
 * may repeat what the caller gave.
 */
export function svdError(code: SvdErrorCode, message: string, details: Details = {}): SvdError {
  const { cause, ...fields } = details;
  const error = new constructors[code](
    escapedLines(message),
    cause === undefined ? undefined : { cause },
  ) as SvdError;
  error.code = code;
  own.add(error);
  return Object.assign(error, fields);
}

const own = new WeakSet<object>();

/** Whether `svdError` made it. */
export const isOwnError = (error: unknown): error is SvdError => own.has(error as object);

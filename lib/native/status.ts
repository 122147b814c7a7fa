import { type SvdError, svdError } from '../array/errors.ts';
import { descriptor } from '../array/memory.ts';
import { showShape, unravel } from '../array/tensor.ts';

// What a kernel reports of each item (native/core/base/batch.h), as errors of this package.

/** Where the items of a kernel call stand in the user's batch. */
export interface Place {
  /** Leading dimensions of the whole computation. */
  readonly leading: readonly number[];
  /** Row-major position in them of every item; all in order where missing. */
  readonly positions?: Int32Array;
}

/** Which matrices a kernel call is about, for error messages. */
export interface Origin extends Place {
  readonly name: string;
  /** The user's array is the transpose of what the kernel is given; `scan` looks at it the right way round. */
  readonly transposed?: boolean;
  /** The one routine of LAPACK that was to be called. */
  readonly routine?: string;
}

const positionOf = ({ positions }: Place, i: number): number => (positions ? positions[i] : i);

/** The place of some of the items. */
export function placeOf<P extends Place>(place: P, items: Int32Array): P {
  return { ...place, positions: items.map((i) => positionOf(place, i)) };
}

/** Mirrors `Status::Code` in native/core/base/batch.h. */
const codes = { ok: 0, nonFinite: 1, noConvergence: 2, overflow: 3, tooLarge: 4 } as const;

/** Status words of a batch: code, detail and driver of every item. */
export const statusOf = (count: number): Float64Array => descriptor(3 * count);

export const driverOf = (status: Float64Array, i: number): number => status[3 * i + 2];

export const hasFailures = (status: Float64Array): boolean =>
  status.some((word, i) => i % 3 === 0 && word !== codes.ok);

/** An item that failed, by its position in the user's batch. */
export interface Failure {
  readonly position: number;
  readonly error: SvdError;
}

const failures = new WeakMap<object, readonly Failure[]>();

/** All items that failed in the kernel call that threw `error`; none for errors of another kind. */
export const failuresBehind = (error: unknown): readonly Failure[] => failures.get(error as object) ?? [];

/** Throws the error of the first matrix of a batch that failed. */
export function checkStatus(
  status: Float64Array,
  { rows, cols, origin }: { readonly rows: number; readonly cols: number; readonly origin: Origin },
): void {
  const failed: Failure[] = [];
  for (let i = 0; 3 * i < status.length; i++) {
    if (status[3 * i] === codes.ok) continue;
    const position = positionOf(origin, i);
    failed.push({
      position,
      error: itemError(status[3 * i], status[3 * i + 1], rows, cols, origin, position),
    });
  }
  throwFirst(failed);
}

/** Throws `ERR_SVD_OVERFLOW` for the items whose results their element type cannot hold. */
export function checkOverflow(items: readonly number[], origin: Origin): void {
  throwFirst(
    items.map((i) => {
      const position = positionOf(origin, i);
      return { position, error: itemError(codes.overflow, 0, 0, 0, origin, position) };
    }),
  );
}

function throwFirst(failed: readonly Failure[]): void {
  if (failed.length === 0) return;
  failures.set(failed[0].error, failed);
  throw failed[0].error;
}

function itemError(
  code: number,
  detail: number,
  rows: number,
  cols: number,
  { name, leading, routine }: Origin,
  position: number,
): SvdError {
  const batchIndex = leading.length > 0 ? unravel(position, leading) : undefined;
  const where = batchIndex ? `${name}, batch item ${showShape(batchIndex)}` : name;
  const shape = showShape([rows, cols]);
  switch (code) {
    case codes.nonFinite: {
      const index = [Math.floor(detail / cols), detail % cols];
      const message = `${where}: element ${showShape(index)} is NaN or infinite; every element must be finite`;
      return svdError('ERR_SVD_NON_FINITE', message, { index, batchIndex });
    }
    case codes.noConvergence: {
      const message = routine
        ? `${where}: ?${routine} did not converge (info ${detail}); with driver: 'auto' other routines follow`
        : `${where}: LAPACK did not converge (info ${detail}), nor did any fallback`;
      return svdError('ERR_SVD_NO_CONVERGENCE', message, { info: detail, batchIndex });
    }
    case codes.overflow: {
      const message = `${where}: a result is too large for its element type`;
      return svdError('ERR_SVD_OVERFLOW', message, { batchIndex });
    }
    case codes.tooLarge: {
      const message = `${where}: shape ${shape} is too large for LAPACK with 32-bit integers (needs ${detail} bytes)`;
      return svdError('ERR_SVD_TOO_LARGE', message, { bytes: detail, batchIndex });
    }
    default:
      throw new Error(
        `${where}: LAPACK refused its arguments (info ${detail}) for shape ${shape}: a bug of factored-svd`,
      );
  }
}

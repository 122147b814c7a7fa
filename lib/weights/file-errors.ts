import { type SvdError, svdError } from '../errors.ts';

/** The error for something wrong in or with a weight file; its message starts with the path. */
export function fileError(path: string, problem: string, cause?: unknown): SvdError {
  return svdError('ERR_SVD_FILE', `${path}: ${problem}`, { path, ...(cause === undefined ? {} : { cause }) });
}

/** Runs one call of the file system; its refusal becomes `ERR_SVD_FILE` with the `cause`. */
export async function fileStep<T>(path: string, action: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw fileError(path, `cannot ${action}: ${(error as Error).message}`, error);
  }
}

/** A name as it may stand in a message or on a terminal: quoted, control characters escaped, at most 200 characters. */
export function quote(name: string): string {
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A shape as it may stand in a message: `[2, 3]`, at most ten dimensions. */
export const shapeText = (shape: readonly number[]): string =>
  `[${shape.slice(0, 10).join(', ')}${shape.length > 10 ? ', …' : ''}]`;

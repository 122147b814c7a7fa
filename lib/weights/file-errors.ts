import { fileURLToPath } from 'node:url';
import { type SvdError, svdError } from '../array/errors.ts';
import { escaped } from '../array/escape.ts';

/** The error for something wrong in or with a file; its message, one line, starts with the path. */
export function fileError(path: string, problem: string, cause?: unknown): SvdError {
  return svdError('ERR_SVD_FILE', `${shownPath(path)}: ${escaped(problem)}`, {
    path,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Runs one call of the file system; its refusal becomes `ERR_SVD_FILE` with the `cause`. */
export async function fileStep<T>(path: string, action: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw fileError(path, `cannot ${action}: ${(error as Error).message}`, error);
  }
}

/** The same for a call that does not return a promise. */
export function fileStepSync<T>(path: string, action: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw fileError(path, `cannot ${action}: ${(error as Error).message}`, error);
  }
}

/** The path of a file that was given as a path or URL. `ERR_SVD_ARGUMENT` for anything else. */
export function filePath(file: string | URL): string {
  if (typeof file === 'string') return file;
  if (!(file instanceof URL))
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `expected the path of a file, got ${file === null ? 'null' : typeof file}`,
    );
  try {
    return fileURLToPath(file);
  } catch (cause) {
    throw svdError('ERR_SVD_ARGUMENT', `${escaped(file.href)} is not the URL of a file`, { cause });
  }
}

/** A path as it stands in a message. */
export const shownPath = (path: string): string => (path === '' ? "''" : escaped(path));

/** A shape as it may stand in a message: `[2, 3]`, at most ten dimensions. */
export const shapeText = (shape: readonly number[]): string =>
  `[${shape.slice(0, 10).join(', ')}${shape.length > 10 ? ', …' : ''}]`;

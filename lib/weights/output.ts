import { constants } from 'node:fs';
import { access, lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileError, fileStep } from './file-errors.ts';

/** Where a file will be written. */
export interface Output {
  /** Without symbolic links: they are followed. */
  readonly target: string;
  /** Permissions of the file that stands there. */
  readonly mode: number | undefined;
}

/**
 * Finds out what `path` names, before anything is written.
 * @throws `ERR_SVD_FILE` for a link to nothing, for what is no regular file, for a folder that is missing, and where
 * permissions do not allow to write
 */
export async function resolveOutput(path: string): Promise<Output> {
  const step = <T>(call: () => Promise<T>): Promise<T> => fileStep(path, 'write', call);
  const target = await step(() => orUndefinedIfMissing(realpath(path)));
  if (target === undefined) {
    const link = await step(() => orUndefinedIfMissing(lstat(path)));
    if (link !== undefined) throw fileError(path, 'cannot write: is a symbolic link that leads to no file');
    if (path === '' || /[\\/]$/.test(path)) throw fileError(path, 'cannot write: names no file');
    const folder = await step(() => realpath(dirname(path)));
    await step(() => access(folder, constants.W_OK));
    return { target: join(folder, basename(path)), mode: undefined };
  }
  const stats = await step(() => stat(target));
  if (!stats.isFile()) throw fileError(path, 'cannot write: exists and is not a regular file');
  await step(() => access(target, constants.W_OK));
  await step(() => access(dirname(target), constants.W_OK));
  return { target, mode: stats.mode & 0o777 };
}

/** Which of the files `path` is, under whatever name, if any. */
export async function sameFile(path: string, files: readonly string[]): Promise<string | undefined> {
  const own = await identity(path);
  if (own === undefined) return undefined;
  for (const file of files) if ((await identity(file)) === own) return file;
  return undefined;
}

/** Device and inode; `undefined` for what is not there. */
const identity = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ dev, ino }) => `${dev} ${ino}`,
    () => undefined,
  );

const orUndefinedIfMissing = <T>(result: Promise<T>): Promise<T | undefined> =>
  result.catch((error) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)));

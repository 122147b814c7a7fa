import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { fileError, fileStep } from './file-errors.ts';

/** Appends all the bytes. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a file that is either complete or not there: `write` fills a temporary file beside it, which is synced and
 * then renamed to `path`. If anything fails the temporary file is removed, and what stood at `path` stays.
 * A symbolic link is followed; a target that is not a regular file is `ERR_SVD_FILE`.
 */
export async function writeAtomically(path: string, write: (append: Append) => Promise<void>): Promise<void> {
  const target = await resolveTarget(path);
  const temporary = `${target}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  const handle = await fileStep(path, 'write', () => open(temporary, 'wx'));
  try {
    try {
      await write((bytes) => appendAll(path, handle, bytes));
      await fileStep(path, 'write', () => handle.sync());
    } finally {
      await fileStep(path, 'write', () => handle.close());
    }
    await fileStep(path, 'write', () => rename(temporary, target));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The file to replace: where `path` is a link, what it points to. */
async function resolveTarget(path: string): Promise<string> {
  const target = await fileStep(path, 'write', () => orUndefinedIfMissing(realpath(path)));
  if (target === undefined) return path;
  const stats = await fileStep(path, 'write', () => stat(target));
  if (!stats.isFile()) throw fileError(path, 'cannot write: exists and is not a regular file');
  return target;
}

const orUndefinedIfMissing = <T>(result: Promise<T>): Promise<T | undefined> =>
  result.catch((error) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)));

async function appendAll(path: string, handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await fileStep(path, 'write', () => handle.write(bytes, done))).bytesWritten;
}

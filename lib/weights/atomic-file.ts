import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileStep } from './file-errors.ts';
import { resolveOutput } from './output.ts';
import { forget, removeAbandoned, temporaryIn } from './temporary.ts';

/** Appends all the bytes. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a file that is either complete or not there: `write` fills a temporary file in the same folder, which is synced
 * and then renamed to `path`; the folder is synced, too. If anything fails or the process exits, the temporary file is
 * removed and what stood at `path` stays; what a killed process left is removed by the next write into the folder.
 * A symbolic link is followed, permissions are kept.
 * @throws `ERR_SVD_FILE`; `signal.reason` on abort
 */
export async function writeAtomically(
  path: string,
  write: (append: Append) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const { target, mode } = await resolveOutput(path);
  const folder = dirname(target);
  await removeAbandoned(folder);
  const temporary = temporaryIn(folder);
  try {
    const handle = await fileStep(path, 'write', () => open(temporary, 'wx', mode));
    try {
      if (mode !== undefined) await fileStep(path, 'write', () => handle.chmod(mode)); // whatever the umask
      await write(async (bytes) => {
        signal?.throwIfAborted();
        await appendAll(path, handle, bytes);
      });
      await fileStep(path, 'write', () => handle.sync());
    } finally {
      await fileStep(path, 'write', () => handle.close());
    }
    signal?.throwIfAborted();
    await fileStep(path, 'write', () => rename(temporary, target));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    forget(temporary);
  }
  await fileStep(path, 'sync the folder of', () => syncFolder(folder));
}

async function appendAll(path: string, handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await fileStep(path, 'write', () => handle.write(bytes, done))).bytesWritten;
}

/** Makes a new name in `folder` last. Where folders cannot be opened or synced, the system does it in its own time. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!noSync.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const noSync = new Set(['EACCES', 'EPERM', 'EISDIR', 'EINVAL', 'ENOTSUP', 'ENOSYS']);

import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileError, fileStep } from './file-errors.ts';

/** Opens a file for reading: at once, and only a regular one, which ends. `ERR_SVD_FILE` */
export async function openRegular(path: string): Promise<{ handle: FileHandle; stats: Stats }> {
  // A FIFO would hold a blocking open for ever.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  const handle = await fileStep(path, 'open', () => open(path, flags));
  try {
    const stats = await fileStep(path, 'stat', () => handle.stat());
    if (stats.isFile()) return { handle, stats };
    throw fileError(path, stats.isDirectory() ? 'is a directory' : 'is not a regular file');
  } catch (error) {
    await handle.close();
    throw error;
  }
}

import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readlinkSync, rmSync } from 'node:fs';
import {
  access,
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileError, fileStep } from './file-errors.ts';

/** Milliseconds after which a temporary file that is still there belongs to nobody. */
const abandonedAfter = 24 * 3600 * 1000;

const namePattern = /^\.factored-svd-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;

/** The machine, or container, within which a process number names one process. */
export const place = createHash('sha256')
  .update(`${hostname()} ${processNamespace()}`)
  .digest('hex')
  .slice(0, 8);

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return ''; // only Linux has them
  }
}

/** Those of this thread. */
const existing = new Set<string>();

/**
 * A name for a temporary file in `folder`, short enough wherever the file that it becomes has a legal name. The file is
 * removed when the process exits before `forget`; one that is killed leaves it to `removeAbandoned`.
 */
export function temporaryIn(folder: string): string {
  const path = join(folder, `.factored-svd-${place}-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  if (existing.size === 0) process.on('exit', removeExisting);
  existing.add(path);
  return path;
}

/** After it was renamed or removed. */
export function forget(path: string): void {
  existing.delete(path);
  if (existing.size === 0) process.off('exit', removeExisting);
}

function removeExisting(): void {
  for (const path of existing) rmSync(path, { force: true });
}

/** Removes the temporary files in `folder` whose processes are dead. What cannot be listed or removed stays. */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    if (await isAbandoned(path, namePattern.exec(name))) await rm(path, { force: true }).catch(() => {});
  }
}

async function isAbandoned(path: string, match: RegExpExecArray | null): Promise<boolean> {
  if (match === null) return false;
  if (match[1] === place && !isAlive(Number(match[2]))) return true;
  const age = await lstat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  return age > abandonedAfter;
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: another user's
  }
}

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
  await writeWhole(path, write, rename, signal);
}

/** The same where nothing stands at `path`: false where something does, however little earlier. */
export async function createAtomically(
  path: string,
  write: (append: Append) => Promise<void>,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await writeWhole(path, write, linkOrRename, signal);
    return true;
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EEXIST') return false;
    throw error;
  }
}

/** Gives a file a name that nothing has. Where files cannot have two names, whatever has it is replaced. */
async function linkOrRename(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    if (!noLinks.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return rename(temporary, target);
  }
  await rm(temporary, { force: true });
}

const noLinks = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK']);

async function writeWhole(
  path: string,
  write: (append: Append) => Promise<void>,
  place: (temporary: string, target: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const { target, mode } = await resolveOutput(path);
  const folder = dirname(target);
  await removeAbandoned(folder);
  const temporary = temporaryIn(folder);
  try {
    const handle = await fileStep(path, 'write', () =>
      openNew(temporary, mode === undefined ? 0o666 : 0o600),
    );
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
    await fileStep(path, 'write', () => place(temporary, target));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    forget(temporary);
  }
  await fileStep(path, 'sync the folder of', () => syncFolder(folder));
}

/**
 * Makes a file and opens it. It is made at once: what another thread makes for the event loop may come into being after the process has
 * removed what it leaves.
 */
function openNew(path: string, mode: number): Promise<FileHandle> {
  closeSync(openSync(path, 'wx', mode));
  return open(path, 'r+');
}

async function appendAll(path: string, handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await fileStep(path, 'write', () => handle.write(bytes, done))).bytesWritten;
}

/** Makes a new name in `folder` survive a crash. Where folders cannot be synced, the system does it in its own time. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!noSync.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const noSync = new Set(['EACCES', 'EPERM', 'EISDIR', 'EINVAL', 'ENOTSUP', 'ENOSYS']);

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

/**
 * Whether the folder is there; where it is not, it could be made.
 * @throws `ERR_SVD_FILE` where it could not, and where permissions do not allow to write
 */
export async function resolveFolder(path: string): Promise<boolean> {
  let there = resolve(path);
  const step = <T>(call: () => Promise<T>): Promise<T> => fileStep(path, 'write', call);
  for (;;) {
    const stats = await step(() => orUndefinedIfMissing(stat(there)));
    if (stats && !stats.isDirectory()) throw fileError(path, 'cannot write: what is there is no folder');
    if (stats) break;
    there = dirname(there);
  }
  await step(() => access(there, constants.W_OK));
  return there === resolve(path);
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

import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync, rmSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A temporary file that its process did not remove for so long is nobody's. In milliseconds. */
const abandonedAfter = 24 * 3600 * 1000;

const namePattern = /^\.factored-svd-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;

/** Where the number of a process means a process: this machine, or this container of it. */
const place = createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 8);

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

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: another user's
  }
}

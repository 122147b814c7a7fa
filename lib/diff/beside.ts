import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileStep } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import { bytesAt, openRegular, readAsync } from '../weights/storage.ts';

/** A file of weights that one of two folders has, or both with other bytes, and that is no part of what is compared. */
export interface FileDiff {
  readonly name: string;
  readonly kind: 'missing' | 'added' | 'bytes';
}

/** A folder of weights, say, and the files of it that are compared by their tensors. */
export interface Opened extends Pick<Weights, 'path'> {
  readonly files: readonly string[];
}

/** The other safetensors files of two folders: their names, and how they differ. */
export interface Beside {
  readonly names: readonly string[];
  readonly files: readonly FileDiff[];
}

/**
 * The other safetensors files of two folders, compared by their bytes unless that `isAsked` is false: a loader might take those. Of
 * what are not two folders none.
 * @throws `ERR_SVD_FILE`; `signal.reason` on abort
 */
export async function diffBeside(
  [a, b]: readonly [Opened, Opened],
  isAsked: boolean,
  signal: AbortSignal | undefined,
): Promise<Beside> {
  const [left, right] = await Promise.all([a, b].map(weightFiles));
  if (left === undefined || right === undefined) return { names: [], files: [] };
  const names = [...new Set([...left.others, ...right.others])].sort();
  const found: FileDiff[] = [];
  for (const name of isAsked ? names : []) {
    signal?.throwIfAborted();
    if (!right.all.has(name)) found.push({ name, kind: 'missing' });
    else if (!left.all.has(name)) found.push({ name, kind: 'added' });
    else if (!(await sameFiles(join(a.path, name), join(b.path, name), signal)))
      found.push({ name, kind: 'bytes' });
  }
  return { names, files: found };
}

/** The safetensors files of a folder: all, and those that are not compared. */
async function weightFiles({ path, files }: Opened) {
  if (!(await fileStep(path, 'open', () => stat(path))).isDirectory()) return undefined;
  const used = new Set(files.map((file) => relative(path, file)));
  const names = (await fileStep(path, 'read', () => readdir(path))).filter((name) =>
    name.endsWith('.safetensors'),
  );
  return { all: new Set(names), others: names.filter((name) => !used.has(name)) };
}

/** Bytes read at a time. */
const piece = 2 ** 22;

async function sameFiles(a: string, b: string, signal: AbortSignal | undefined): Promise<boolean> {
  const left = await openRegular(a);
  try {
    const right = await openRegular(b);
    try {
      const [x, y] = await Promise.all([left, right].map(({ handle }) => handle.stat({ bigint: true })));
      if (x.dev === y.dev && x.ino === y.ino) return true;
      if (left.size !== right.size) return false;
      for (let at = 0; at < left.size; at += piece) {
        signal?.throwIfAborted();
        const length = Math.min(piece, left.size - at);
        const [p, q] = await Promise.all([left, right].map((file) => readAsync(bytesAt(file, at, length))));
        if (Buffer.compare(p, q) !== 0) return false;
      }
      return true;
    } finally {
      await right.handle.close();
    }
  } finally {
    await left.handle.close();
  }
}

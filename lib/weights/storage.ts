import { constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dispose } from '../array/disposal.ts';
import { fileError, fileStep, fileStepSync } from './file-errors.ts';

/** A regular file that is open for reading. */
export interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes it had when it was opened. */
  readonly size: number;
}

/** Opens a file for reading without ever blocking; only a regular one, which has an end. `ERR_SVD_FILE` */
export async function openRegular(path: string): Promise<OpenFile> {
  // A FIFO would hold a blocking open for ever.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  const handle = await fileStep(path, 'open', () => open(path, flags));
  try {
    const stats = await fileStep(path, 'stat', () => handle.stat());
    if (stats.isFile()) return { path, handle, size: stats.size };
    throw fileError(path, stats.isDirectory() ? 'is a directory' : 'is not a regular file');
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** What `use` makes of an open file; it is closed again if that fails. */
export async function opened<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await openRegular(path);
  try {
    return await use(file);
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

/** What a file of at most `most` bytes holds as JSON; with `unique` no object may have a member twice. `ERR_SVD_FILE` */
export async function readJson(path: string, most: number, { unique = false } = {}): Promise<unknown> {
  const { handle, size } = await openRegular(path);
  try {
    if (size > most) throw fileError(path, `has ${size} bytes; at most ${most} are read`);
    const text = await fileStep(path, 'read', () => handle.readFile('utf8'));
    const value = JSON.parse(text);
    if (unique && membersIn(value) < namesIn(text))
      throw fileError(path, 'has an object with a member twice');
    return value;
  } catch (error) {
    throw error instanceof SyntaxError ? fileError(path, `is not JSON: ${error.message}`, error) : error;
  } finally {
    await handle.close();
  }
}

/** Of valid JSON the strings with a colon behind them. */
const namesIn = (text: string): number =>
  [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined).length;

const membersIn = (value: unknown): number =>
  value === null || typeof value !== 'object'
    ? 0
    : Object.values(value).reduce(
        (sum, member) => sum + membersIn(member),
        Array.isArray(value) ? 0 : Object.keys(value).length,
      );

/** Bytes that are wanted, and the two ways to get them. */
export interface Wanted {
  atOnce(): void;
  later(): Promise<void>;
}

/** Reads files by yielding what it wants of them: one description for synchronous and asynchronous readers. */
export type Reading<T = void> = Generator<Wanted, T, void>;

/** Bytes of a tensor one behind the other, from where it was begun. */
export interface ByteStream extends Disposable {
  /** Fills `bytes` with those that come next. */
  read(bytes: Uint8Array): Reading;
  skip(count: number): Reading;
}

/** Where the bytes of a tensor are: begins to read them at `position`. */
export type Storage = (position: number) => ByteStream;

/** Bytes that stand in a file as they are, from byte `start` on. */
export const regionOf =
  (file: OpenFile, start: number): Storage =>
  (from) => {
    let position = start + from;
    return {
      *read(bytes) {
        yield wanted(file, position, bytes);
        position += bytes.length;
      },
      // biome-ignore lint/correctness/useYield: other storages have to read what they skip
      *skip(count) {
        position += count;
      },
      [dispose]() {},
    };
  };

/** The bytes of a file from `position` on. */
export function* bytesAt(
  file: OpenFile,
  position: number,
  length: number,
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(length),
): Reading<Uint8Array<ArrayBuffer>> {
  yield wanted(file, position, bytes);
  return bytes;
}

/** Bytes asked of the operating system at a time; one call cannot return 2 GiB. */
const chunk = 2 ** 30;

/** As many bytes of a file as `bytes` has, from `position` on. */
function wanted({ path, handle }: OpenFile, position: number, bytes: Uint8Array): Wanted {
  let filled = 0;
  const place = (): [filled: number, length: number, at: number] => [
    filled,
    Math.min(chunk, bytes.length - filled),
    position + filled,
  ];
  const take = (count: number) => {
    if (count > 0) filled += count;
    else
      throw fileError(
        path,
        `ends at byte ${position + filled}, expected ${bytes.length - filled} more bytes (truncated while open?)`,
      );
  };
  const action = () => `read at byte ${position + filled}`;
  return {
    atOnce() {
      while (filled < bytes.length)
        take(fileStepSync(path, action(), () => readSync(handle.fd, bytes, ...place())));
    },
    async later() {
      while (filled < bytes.length)
        take((await fileStep(path, action(), () => handle.read(bytes, ...place()))).bytesRead);
    },
  };
}

/** Runs a reading off the event loop. `ERR_SVD_FILE` */
export async function readAsync<T>(reading: Reading<T>): Promise<T> {
  let step = reading.next();
  while (!step.done) {
    try {
      await step.value.later();
    } catch (error) {
      step = reading.throw(error); // which leaves it, and what it has in use
      continue;
    }
    step = reading.next();
  }
  return step.value;
}

/** Runs a reading at once. `ERR_SVD_FILE` */
export function readAtOnce<T>(reading: Reading<T>): T {
  let step = reading.next();
  while (!step.done) {
    try {
      step.value.atOnce();
    } catch (error) {
      step = reading.throw(error);
      continue;
    }
    step = reading.next();
  }
  return step.value;
}

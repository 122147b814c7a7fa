import { constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
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

/** Bytes that are wanted of a file: as many as `bytes` has, from `position` on. */
export interface Wanted {
  readonly file: OpenFile;
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** Reads files by yielding what it wants of them: one description for synchronous and asynchronous readers. */
export type Reading<T = void> = Generator<Wanted, T, void>;

/** Bytes of a tensor one behind the other, from where it was begun. */
export interface ByteStream {
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
        yield { file, bytes, position };
        position += bytes.length;
      },
      // biome-ignore lint/correctness/useYield: other storages have to read what they skip
      *skip(count) {
        position += count;
      },
    };
  };

/** Bytes asked of the operating system at a time; one call cannot return 2 GiB. */
const chunk = 2 ** 30;

/** Runs a reading off the event loop. `ERR_SVD_FILE` */
export async function readAsync<T>(reading: Reading<T>): Promise<T> {
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
    const { file, bytes, position } = value;
    for (let filled = 0; filled < bytes.length; ) {
      const [at, length] = [position + filled, Math.min(chunk, bytes.length - filled)];
      const { bytesRead } = await fileStep(file.path, `read at byte ${at}`, () =>
        file.handle.read(bytes, filled, length, at),
      );
      if (bytesRead === 0) throw endsEarly(file.path, at, bytes.length - filled);
      filled += bytesRead;
    }
  }
}

/** Runs a reading at once. `ERR_SVD_FILE` */
export function readAtOnce<T>(reading: Reading<T>): T {
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
    const { file, bytes, position } = value;
    for (let filled = 0; filled < bytes.length; ) {
      const [at, length] = [position + filled, Math.min(chunk, bytes.length - filled)];
      const bytesRead = fileStepSync(file.path, `read at byte ${at}`, () =>
        readSync(file.handle.fd, bytes, filled, length, at),
      );
      if (bytesRead === 0) throw endsEarly(file.path, at, bytes.length - filled);
      filled += bytesRead;
    }
  }
}

const endsEarly = (path: string, at: number, missing: number) =>
  fileError(path, `ends at byte ${at}, expected ${missing} more bytes (truncated while open?)`);

/** The bytes of a file from `position` on. */
export function* bytesAt(file: OpenFile, position: number, length: number): Reading<Uint8Array> {
  const bytes = new Uint8Array(length);
  yield { file, bytes, position };
  return bytes;
}

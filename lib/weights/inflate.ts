import { pipeline, Readable } from 'node:stream';
import { createInflateRaw, type InflateRaw, inflateRawSync } from 'node:zlib';
import { dispose } from '../array/disposal.ts';
import { isOwnError } from '../array/errors.ts';
import { zeros } from '../array/memory.ts';
import { bytesAt, type OpenFile, readAsync, readAtOnce, type Storage } from './storage.ts';

/** Bytes taken from the file, and handed on, at a time. */
const pieceLength = 2 ** 16;

/** The most bytes that DEFLATE makes of one. */
export const mostExpansion = 1032;

/**
 * Bytes that a file holds compressed by DEFLATE. They can only be read from the beginning: what stands before the wanted
 * ones is inflated and dropped; who reads at once has all of them in memory for that time.
 *
 * @param length bytes of the compressed data, from `start` on
 * @param size bytes they become
 * @param fail makes the error for data that are damaged
 */
export function inflated(
  file: OpenFile,
  start: number,
  { length, size }: { length: number; size: number },
  fail: (problem: string) => Error,
): Storage {
  const damaged = (error: unknown): unknown => {
    if (isOwnError(error) || !(error instanceof Error)) return error;
    return fail(`its compressed data are damaged: ${error.message}`);
  };

  async function* compressed(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < length; at += pieceLength)
      yield await readAsync(bytesAt(file, start + at, Math.min(pieceLength, length - at)));
  }

  /** All of the contents. */
  function whole(): Uint8Array {
    const bytes = zeros<Uint8Array<ArrayBuffer>>(Uint8Array, [length], 'compressed data');
    readAtOnce(bytesAt(file, start, length, bytes));
    try {
      return inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });
    } catch (error) {
      throw damaged(error);
    }
  }

  return (position) => {
    let at = position;
    let all: Uint8Array | undefined;
    let inflate: InflateRaw | undefined;
    let pieces: AsyncIterator<Uint8Array> | undefined;
    let piece: Uint8Array = new Uint8Array(0);
    let reached = 0; // by the end of the piece

    /** The piece that byte `at` stands in. */
    async function advance(): Promise<void> {
      inflate ??= createInflateRaw({ chunkSize: pieceLength });
      // What is wrong is told to who asks for the pieces.
      pieces ??= pipeline(Readable.from(compressed()), inflate, () => {})[Symbol.asyncIterator]();
      while (reached <= at) {
        const { done, value } = await pieces.next().catch((error) => Promise.reject(damaged(error)));
        if (done) throw fail('its compressed data end early');
        piece = value;
        reached += piece.length;
      }
    }

    return {
      *read(bytes) {
        yield {
          atOnce() {
            all ??= whole();
            if (at + bytes.length > all.length) throw fail('its compressed data end early');
            bytes.set(all.subarray(at, at + bytes.length));
            at += bytes.length;
          },
          async later() {
            for (let filled = 0; filled < bytes.length; ) {
              await advance();
              const from = piece.length - (reached - at);
              const part = piece.subarray(from, from + bytes.length - filled);
              bytes.set(part, filled);
              filled += part.length;
              at += part.length;
            }
          },
        };
      },
      // biome-ignore lint/correctness/useYield: the bytes are dropped when some behind them are read
      *skip(count) {
        at += count;
      },
      [dispose]() {
        inflate?.destroy();
      },
    };
  };
}

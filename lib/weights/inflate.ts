import { Inflate } from 'fflate/browser';
import type { ByteStream, OpenFile, Reading, Storage } from './storage.ts';

/** Bytes of compressed data taken at a time: DEFLATE makes at most 1032 times as many of them. */
const inputLength = 2 ** 14;

/** The most bytes that DEFLATE makes of one. */
export const mostExpansion = 1032;

/**
 * Bytes that a file holds compressed by DEFLATE. They can only be read from the beginning: what stands before the wanted
 * ones is inflated and dropped.
 *
 * @param length bytes of the compressed data, from `start` on
 * @param fail makes the error for data that are damaged
 */
export const inflated =
  (file: OpenFile, start: number, length: number, fail: (problem: string) => Error): Storage =>
  (position) => {
    const output: Uint8Array[] = [];
    let [taken, consumed] = [0, 0]; // bytes of the input, and of the first piece of output
    const inflate = new Inflate((piece) => {
      if (piece.length > 0) output.push(piece);
    });
    function* more(): Reading {
      if (taken === length) throw fail('its compressed data end early');
      const bytes = new Uint8Array(Math.min(inputLength, length - taken));
      yield { file, bytes, position: start + taken };
      taken += bytes.length;
      try {
        inflate.push(bytes, taken === length);
      } catch (error) {
        throw fail(`its compressed data are damaged: ${(error as Error).message}`);
      }
    }
    /** Passes on the next `count` bytes, piece by piece. */
    function* take(count: number, use: (piece: Uint8Array, at: number) => void): Reading {
      for (let done = 0; done < count; ) {
        while (output.length === 0) yield* more();
        const piece = output[0].subarray(consumed, consumed + count - done);
        use(piece, done);
        done += piece.length;
        consumed += piece.length;
        if (consumed < output[0].length) continue;
        output.shift();
        consumed = 0;
      }
    }
    const dropped = () => {};
    let toSkip = position;
    const stream: ByteStream = {
      *read(bytes) {
        yield* take(toSkip, dropped);
        toSkip = 0;
        yield* take(bytes.length, (piece, at) => bytes.set(piece, at));
      },
      // biome-ignore lint/correctness/useYield: the bytes are dropped when some behind them are read
      *skip(count) {
        toSkip += count;
      },
    };
    return stream;
  };

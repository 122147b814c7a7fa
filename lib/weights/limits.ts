import { mostDims } from '../describe.ts';

/**
 * What a file may ask of this process: everything is checked against these before memory or time is spent on it, so that
 * no file costs much more than its own length.
 */
export const limits = {
  /** Bytes of a safetensors header: what the format allows. */
  headerBytes: 100_000_000,
  /** Tensors, and as many entries of the metadata; the largest models that were published have some 100,000. */
  headerEntries: 2 ** 20,
  /** Dimensions of a tensor: what arrays may have here, and in numpy. */
  dimensions: mostDims,
  /** Numbers up to here are exact; the format allows 2⁶⁴ − 1, which only a tensor without elements could use. */
  integer: Number.MAX_SAFE_INTEGER,
} as const;

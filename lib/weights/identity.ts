import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { fileStep } from './file-errors.ts';
import { bytesAt, openRegular, readAsync } from './storage.ts';
import type { Weights } from './weights.ts';

/** What tells weights from others, wherever they lie, and whenever they were copied. */
export interface WeightsIdentity {
  /** Bytes of every file, by its name without folders. */
  readonly files: Readonly<Record<string, number>>;
  /** SHA-256 of the names, dtypes and shapes of all tensors, and of samples of their bytes. */
  readonly sha256: string;
}

/** Bytes of a sample, samples of a tensor, and of all. */
const [sampleBytes, samplesEach, mostSamples] = [512, 4, 2 ** 16];

/**
 * Reads as little as tells one state of a training from another: some places of every tensor, of compressed files some of the file.
 * What changes a few elements alone may go unseen.
 * @throws `ERR_SVD_FILE`
 */
export async function weightsIdentity(weights: Weights): Promise<WeightsIdentity> {
  const hash = createHash('sha256');
  const infos = [...weights.tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { dtype, shape }] of infos) hash.update(JSON.stringify([name, dtype, shape]));
  const files: Record<string, number> = {};
  const each = Math.max(1, Math.min(samplesEach, Math.floor(mostSamples / (infos.length + 1))));
  for (const path of weights.files) {
    const file = await openRegular(path);
    try {
      files[basename(path)] = file.size;
      const places = infos
        .filter(([, info]) => info.file === path && info.byteOffset !== undefined)
        .map(([, { byteOffset, byteLength }]) => ({ start: byteOffset!, length: byteLength, count: each }));
      if (places.length === 0) places.push({ start: 0, length: file.size, count: 256 });
      for (const { start, length, count } of places)
        for (let i = 0; i < count; i++) {
          const from =
            start + Math.floor(((length - Math.min(length, sampleBytes)) * i) / Math.max(1, count - 1));
          const to = Math.min(start + length, from + sampleBytes);
          hash.update(await readAsync(bytesAt(file, from, to - from)));
        }
    } finally {
      await fileStep(path, 'close', () => file.handle.close());
    }
  }
  return { files, sha256: hash.digest('hex') };
}

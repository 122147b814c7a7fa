import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import { quote } from '../array/escape.ts';
import { fileError, filePath, fileStep } from './file-errors.ts';
import { npyContents, npyMagic } from './npy.ts';
import { npzContents } from './npz.ts';
import { safetensorsContents } from './reader.ts';
import { indexContents, joined } from './sharded.ts';
import { bytesAt, type OpenFile, opened, readAsync } from './storage.ts';
import { type Contents, Weights } from './weights.ts';

/**
 * Opens the weights at a path, whatever holds them: a safetensors file, an `.npy` or `.npz` file of numpy, a
 * `*.safetensors.index.json` with its shards, or a folder, of which that index is taken where it has one, else
 * `model.safetensors`, else all its safetensors files together. Only headers are read, those of all shards too; the
 * tensors stay on disk until they are asked for.
 *
 * The array of an `.npy` file has the name of the file without `.npy`, those of an `.npz` file have those that
 * `numpy.savez` was given.
 * @throws `ERR_SVD_FILE` if there is nothing of the kind, a shard is missing or cut short, or anything else is not as
 * the formats say
 * @function
 */
export const openWeights = exposedAsync(
  { takes: ['path'] },
  async function openWeights(path: string | URL): Promise<Weights> {
    const given = filePath(path);
    const stats = await fileStep(given, 'open', () => stat(given));
    return new Weights(given, await (stats.isDirectory() ? folderContents(given) : fileContents(given)));
  },
);

const fileContents = (path: string): Promise<Contents> =>
  path.endsWith('.index.json') ? indexContents(path) : opened(path, contentsOf);

/** By its name or by its first bytes. */
async function contentsOf(file: OpenFile): Promise<Contents> {
  const start = Buffer.from(await readAsync(bytesAt(file, 0, Math.min(file.size, 8)))).toString('latin1');
  if (file.path.endsWith('.npy') || start.startsWith(npyMagic)) return npyContents(file);
  if (file.path.endsWith('.npz') || zipMagics.includes(start.slice(0, 4))) return npzContents(file);
  for (const [beginning, kind] of foreign)
    if (start.startsWith(beginning)) throw fileError(file.path, `is a file of ${kind}: ${whatIsRead}`);
  return safetensorsContents(file);
}

/** A zip file with members, and one without. */
const zipMagics = ['PK\x03\x04', 'PK\x05\x06'];

/** How files begin that others read. */
const foreign = [
  ['GGUF', 'llama.cpp (GGUF)'],
  ['\x89HDF\r\n', 'HDF5'],
  ['\x80\x02', "Python's pickle"],
] as const;

const whatIsRead = 'only safetensors, .npy and .npz can be read';

/** Names of files of weights that others read. */
const foreignNames = /\.(bin|pt|pth|ckpt|gguf|ggml|h5|msgpack|onnx|pkl)$/;

async function folderContents(folder: string): Promise<Contents> {
  const names = (await fileStep(folder, 'read', () => readdir(folder))).sort();
  const indexes = names.filter((name) => name.endsWith('.safetensors.index.json'));
  const index = indexes.length === 1 ? indexes[0] : usualIndex;
  if (indexes.includes(index)) return indexContents(join(folder, index));
  if (indexes.length > 1)
    throw fileError(folder, `has ${indexes.length} indexes: name one of ${list(indexes)}`);
  if (names.includes(usualFile)) return opened(join(folder, usualFile), safetensorsContents);
  const files = names.filter((name) => name.endsWith('.safetensors'));
  const missing = missingShard(files);
  if (missing !== undefined) throw fileError(folder, `${quote(missing)} is missing`);
  if (files.length > 0) return joined(files.map((name) => join(folder, name)));
  const others = names.filter((name) => foreignNames.test(name));
  throw fileError(
    folder,
    others.length > 0 ? `holds only ${list(others)}: ${ofFolders}` : `holds no weights: ${ofFolders}`,
  );
}

/** Of `…-00001-of-00003.safetensors` and the like, the first that is not there. */
function missingShard(names: readonly string[]): string | undefined {
  const there = new Set(names);
  for (const name of names) {
    const [, start, digits, count] = /^(.*-)(\d{5})-of-(\d{5})\.safetensors$/.exec(name) ?? [];
    if (digits === undefined) continue;
    for (let i = 1; i <= Number(count); i++) {
      const shard = `${start}${String(i).padStart(5, '0')}-of-${count}.safetensors`;
      if (!there.has(shard)) return shard;
    }
  }
  return undefined;
}

const usualIndex = 'model.safetensors.index.json';
const usualFile = 'model.safetensors';
const ofFolders = 'of a folder only safetensors files are read';

const shownNames = 5;

const list = (names: readonly string[]): string => {
  const rest = names.length - shownNames;
  return names.slice(0, shownNames).map(quote).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
};

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import { quote } from '../array/escape.ts';
import { fileError, filePath, fileStep } from './file-errors.ts';
import { safetensorsContents } from './reader.ts';
import { indexContents, joined } from './sharded.ts';
import { opened } from './storage.ts';
import { type Contents, Weights } from './weights.ts';

/**
 * Opens the weights at a path, whatever holds them: a safetensors file; a `*.safetensors.index.json` with its shards; or a
 * folder, of which that index is taken where it has one, else `model.safetensors`, else all its safetensors files
 * together. Only headers are read, those of all shards too; the tensors stay on disk until they are asked for.
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
  path.endsWith('.index.json') ? indexContents(path) : opened(path, safetensorsContents);

/** Files of weights that others read. */
const foreign = /\.(bin|pt|pth|ckpt|gguf|ggml|h5|msgpack|onnx|pkl|npy|npz)$/;

const shownFiles = 5;

async function folderContents(folder: string): Promise<Contents> {
  const names = (await fileStep(folder, 'read', () => readdir(folder))).sort();
  const indexes = names.filter((name) => name.endsWith('.safetensors.index.json'));
  const index = indexes.includes(usualIndex) || indexes.length !== 1 ? usualIndex : indexes[0];
  if (indexes.includes(index)) return indexContents(join(folder, index));
  if (indexes.length > 1)
    throw fileError(folder, `has ${indexes.length} indexes: ${list(indexes)}; name one`);
  if (names.includes(usualFile)) return opened(join(folder, usualFile), safetensorsContents);
  const files = names.filter((name) => name.endsWith('.safetensors'));
  if (files.length === 0) throw nothingIn(folder, names);
  return joined(files.map((name) => join(folder, name)));
}

const usualIndex = 'model.safetensors.index.json';
const usualFile = 'model.safetensors';

function nothingIn(folder: string, names: readonly string[]) {
  const others = names.filter((name) => foreign.test(name));
  const found = others.length > 0 ? `only ${list(others)}` : 'no weights at all';
  return fileError(folder, `holds no safetensors files (${found}), and of a folder no others are read`);
}

const list = (names: readonly string[]): string => {
  const rest = names.length - shownFiles;
  return names.slice(0, shownFiles).map(quote).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
};

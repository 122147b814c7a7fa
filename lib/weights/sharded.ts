import { dirname, join } from 'node:path';
import { isPlain } from '../arguments/options.ts';
import { quote } from '../array/escape.ts';
import type { Entry } from './elements.ts';
import { fileError } from './file-errors.ts';
import { limits } from './header.ts';
import { JsonCursor, JsonSyntaxError } from './json-cursor.ts';
import { safetensorsContents } from './reader.ts';
import { bytesAt, type OpenFile, opened, readAsync } from './storage.ts';
import type { Contents } from './weights.ts';

/**
 * What the shards of an index hold: every tensor that it names must stand in the shard that it names. Those that shards
 * hold besides are listed, too, as loaders of checkpoints load them.
 * @throws `ERR_SVD_FILE`, at once, if a shard is missing, outside the folder or damaged, or holds a tensor of another one
 */
export async function indexContents(path: string): Promise<Contents> {
  const { metadata, shardOf } = await readIndex(path);
  const folder = dirname(path);
  const contents = await joined([...new Set(shardOf.values())].map((shard) => join(folder, shard)));
  for (const [name, shard] of shardOf) {
    const file = contents.entries.get(name)?.info.file;
    if (file === join(folder, shard)) continue;
    await closeAll(contents.files);
    const found = file === undefined ? 'no shard has it' : `it is in ${quote(file)}`;
    throw fileError(path, `tensor ${quote(name)} is not in ${quote(shard)}, as weight_map says: ${found}`);
  }
  return { ...contents, index: path, metadata: Object.freeze({ ...contents.metadata, ...metadata }) };
}

/** What several safetensors files hold together; of their metadata what is the same in all. `ERR_SVD_FILE` */
export async function joined(paths: readonly string[]): Promise<Contents> {
  const parts: Contents[] = [];
  const entries = new Map<string, Entry>();
  try {
    for (const path of paths) {
      const part = await opened(path, safetensorsContents);
      parts.push(part);
      for (const [name, entry] of part.entries) {
        const other = entries.get(name);
        if (other) throw fileError(path, `tensor ${quote(name)} is also in ${quote(other.info.file)}`);
        entries.set(name, entry);
      }
    }
  } catch (error) {
    await closeAll(parts.flatMap(({ files }) => files));
    throw error;
  }
  return { metadata: common(parts), entries, files: parts.flatMap(({ files }) => files) };
}

function common(parts: readonly Contents[]): Record<string, string> {
  const shared: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(parts[0]?.metadata ?? {}))
    if (parts.every(({ metadata }) => metadata[key] === value)) shared[key] = value;
  return shared;
}

const closeAll = async (files: readonly OpenFile[]): Promise<void> => {
  await Promise.all(files.map(({ handle }) => handle.close().catch(() => {}))); // whatever failed says more
};

interface Index {
  readonly metadata: Readonly<Record<string, string>>;
  /** The file of every tensor, within the folder of the index. */
  readonly shardOf: ReadonlyMap<string, string>;
}

async function readIndex(path: string): Promise<Index> {
  const { bytes, handle } = await opened(path, async (file) => {
    if (file.size > limits.headerBytes)
      throw fileError(path, `too large for an index: ${file.size} bytes, at most ${limits.headerBytes}`);
    return { bytes: await readAsync(bytesAt(file, 0, file.size)), handle: file.handle };
  });
  await handle.close();
  const cursor = new JsonCursor(bytes, 'the index');
  try {
    return parseIndex(cursor);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw fileError(path, `bad index at byte ${error.at}: ${error.message}`, error);
  }
}

function parseIndex(cursor: JsonCursor): Index {
  const metadata: Record<string, string> = Object.create(null);
  let shardOf: Map<string, string> | undefined;
  cursor.object(
    () => 'the index',
    limits.headerEntries,
    (key) => {
      if (key === 'weight_map') shardOf = parseWeightMap(cursor);
      else {
        const value = cursor.value(() => quote(key));
        if (key !== 'metadata' || !isPlain(value)) return; // loaders look at nothing else
        for (const [name, x] of Object.entries(value))
          metadata[name] = typeof x === 'string' ? x : JSON.stringify(x);
      }
    },
  );
  cursor.end();
  return { metadata, shardOf: shardOf ?? cursor.fail('the index has no weight_map', 0) };
}

function parseWeightMap(cursor: JsonCursor): Map<string, string> {
  const shardOf = new Map<string, string>();
  cursor.object(
    () => 'weight_map',
    limits.headerEntries,
    (name) => {
      const at = cursor.at;
      const shard = cursor.string(() => `the file of tensor ${quote(name)}`);
      if (!isInside(shard))
        cursor.fail(
          `the file of tensor ${quote(name)} is ${quote(shard)}, outside the folder of the index`,
          at,
        );
      shardOf.set(name, shard);
    },
  );
  return shardOf;
}

/** Whether a path stays in the folder that it is relative to, on whatever system. */
const isInside = (path: string): boolean =>
  path !== '' &&
  !/[\\:\0]/.test(path) &&
  path.split('/').every((step) => step !== '' && step !== '.' && step !== '..');

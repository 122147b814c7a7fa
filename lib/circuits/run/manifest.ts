import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { escapedJson, quote } from '../../array/escape.ts';
import { fileError, fileStep } from '../../weights/file-errors.ts';
import { JsonReader } from '../../weights/json-reader.ts';
import { createAtomically, writeAtomically } from '../../weights/output.ts';
import { openRegular } from '../../weights/storage.ts';
import type { CircuitKind } from '../attention.ts';
import { type Plan, parsePlan } from './plan.ts';
import { layersOf, mostShards, type Shard } from './shard.ts';

/** The first line of every manifest. */
const format = 'factored-svd circuits 1';

/** What a run, or a shard of one, has finished. */
export interface Manifest {
  readonly plan: Plan;
  readonly shard: Shard | undefined;
  /** SHA-256 of every finished file, by its name. */
  readonly files: ReadonlyMap<string, string>;
}

/** A manifest and where it stands. */
export interface FoundManifest extends Manifest {
  readonly path: string;
}

/** One layer of one kind: what is computed, written and kept together. */
export interface Part {
  readonly kind: CircuitKind;
  readonly layer: number;
}

/** The file of a part. */
export const partFile = ({ kind, layer }: Part): string =>
  `${kind}.layer-${String(layer).padStart(3, '0')}.safetensors`;

/** The parts of a run, or of one of its shards, in their order. */
export function partsOf({ kinds, layers }: Plan, shard?: Shard): Part[] {
  const [from, to] = shard ? layersOf(shard, layers) : layers;
  return kinds.flatMap((kind) => Array.from({ length: to - from }, (_, i) => ({ kind, layer: from + i })));
}

/** The name of the manifest of a whole run, or of a shard, of which one folder may hold several. */
export const manifestFile = (shard?: Shard): string =>
  shard ? `circuits.shard-${shard.index}-of-${shard.count}.json` : 'circuits.json';

const manifestPattern = /^circuits(\.shard-\d+-of-\d+)?\.json$/;

/** The same text for the same contents: files stand in the order of the run's parts. */
function manifestText({ plan, shard, files }: Manifest): string {
  const listed = partsOf(plan, shard)
    .map(partFile)
    .filter((file) => files.has(file))
    .map((file) => `    ${escapedJson({ file, sha256: files.get(file) })}`);
  const head = { format, ...plan, ...(shard && { shard: [shard.index, shard.count] }) };
  const list = listed.length > 0 ? `[\n${listed.join(',\n')}\n  ]` : '[]';
  return `${escapedJson(head, 2).slice(0, -2)},\n  "files": ${list}\n}\n`;
}

/** Writes the manifest into the folder, whole or not at all. `ERR_SVD_FILE` */
export async function writeManifest(folder: string, manifest: Manifest, signal?: AbortSignal): Promise<void> {
  const bytes = Buffer.from(manifestText(manifest));
  await writeAtomically(join(folder, manifestFile(manifest.shard)), (append) => append(bytes), signal);
}

/** Writes it where there is none of that name: false where there is. `ERR_SVD_FILE` */
export async function claimFolder(folder: string, manifest: Manifest): Promise<boolean> {
  const bytes = Buffer.from(manifestText(manifest));
  return createAtomically(join(folder, manifestFile(manifest.shard)), (append) => append(bytes));
}

/** Bytes that a manifest may have: those of a hundred thousand layers. */
const mostBytes = 2 ** 24;

/** All manifests in a folder, that of the whole run first; none where there is no such folder. `ERR_SVD_FILE` */
export async function findManifests(folder: string): Promise<FoundManifest[]> {
  const names = await fileStep(folder, 'read', () =>
    readdir(folder).catch((error) => (error.code === 'ENOENT' ? [] : Promise.reject(error))),
  );
  const found: FoundManifest[] = [];
  for (const name of names.filter((name) => manifestPattern.test(name)).sort())
    found.push(await readManifest(folder, name));
  return found;
}

async function readManifest(folder: string, name: string): Promise<FoundManifest> {
  const path = join(folder, name);
  const { handle, size } = await openRegular(path);
  let text: string;
  try {
    if (size > mostBytes)
      throw fileError(path, `too large for a manifest of circuits: ${size} bytes, at most ${mostBytes}`);
    text = await fileStep(path, 'read', () => handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
  const manifest = parseManifest(path, text);
  if (manifestFile(manifest.shard) !== name)
    throw fileError(path, `is the manifest that should be called ${manifestFile(manifest.shard)}`);
  return { path, ...manifest };
}

function parseManifest(path: string, text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fileError(path, `not a manifest of circuits: ${(error as Error).message}`, error);
  }
  const reader = new JsonReader(path, 'manifest of circuits');
  const members = reader.object(json, 'the file');
  if (members.format !== format)
    reader.fail('format', `${JSON.stringify(format)}, written by factored-svd circuits`);
  const plan = parsePlan(reader, members);
  const shard = members.shard === undefined ? undefined : parseShard(reader, members.shard);
  const names = new Set(partsOf(plan, shard).map(partFile));
  const files = reader.list(members.files, 'files', (value, at): [string, string] => {
    const { file, sha256 } = reader.object(value, at);
    const name = reader.text(file, `${at}.file`);
    if (!names.has(name)) reader.fail(`${at}.file`, `a file of this run, not ${quote(name)}`);
    const hash = reader.text(sha256, `${at}.sha256`);
    if (!/^[0-9a-f]{64}$/.test(hash)) reader.fail(`${at}.sha256`, 'a SHA-256');
    return [name, hash];
  });
  return { plan, shard, files: new Map(files) };
}

function parseShard(reader: JsonReader, value: unknown): Shard {
  const [index, count, ...more] = reader.list(value, 'shard', (n, at) => reader.size(n, at));
  if (count === undefined || more.length > 0 || index < 1 || index > count || count > mostShards)
    reader.fail('shard', `[i, n] with 1 ≤ i ≤ n ≤ ${mostShards}`);
  return { index, count };
}

import { link, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, fileStep, shownPath } from '../../weights/file-errors.ts';
import { openSafetensors } from '../../weights/index.ts';
import { writeAtomically } from '../../weights/output.ts';
import { openRegular } from '../../weights/storage.ts';
import { exists, fileHash } from './folder.ts';
import { type FoundManifest, findManifests, partFile, partsOf, writeManifest } from './manifest.ts';
import { differences, type Plan } from './plan.ts';
import { mustBeFinished, mustHaveHash } from './read.ts';
import { manifestsOfPlan } from './run.ts';
import { shardText } from './shard.ts';

/** A shard and the folder it was found in. */
interface FoundShard extends FoundManifest {
  readonly folder: string;
}

export interface MergeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface MergeResult {
  readonly plan: Plan;
  readonly shards: number;
  readonly files: number;
  /** The processor kernels that computed the parts; more than one: the bits are not those of one machine. */
  readonly kernels: readonly string[];
}

/**
 * Makes one run of its shards: the files are linked into `out`, or copied where the file system has no links, and the manifest
 * is written last. The bytes are those of a run that was never divided.
 *
 * @throws `ERR_SVD_FILE` for shards that are missing, double, not finished, or of different runs, for files that are not as they
 * were written, and where `out` holds another run; all before anything is written
 */
export async function mergeShards(
  folders: readonly string[],
  out: string,
  { signal, onProgress }: MergeOptions = {},
): Promise<MergeResult> {
  const shards = (await Promise.all(folders.map(shardsIn))).flat();
  const { plan, count } = mustBeOneRun(shards);
  const parts = shards.flatMap((found) =>
    partsOf(plan, found.shard).map((part) => {
      const file = partFile(part);
      return {
        file,
        source: join(found.folder, file),
        target: join(out, file),
        hash: found.files.get(file)!,
      };
    }),
  );
  await manifestsOfPlan(out, plan);
  const kernels = new Set<string>();
  for (const [i, { source, target, hash }] of parts.entries()) {
    await mustHaveHash(source, hash, signal);
    if ((await exists(target)) && (await fileHash(target, signal)) !== hash)
      throw fileError(target, 'stands where this would write, and is another file: name another folder');
    kernels.add(await kernelOf(source));
    onProgress?.({ done: i + 1, total: parts.length });
  }
  await fileStep(out, 'make the folder', () => mkdir(out, { recursive: true }));
  for (const { source, target, hash } of parts)
    if (!(await exists(target))) await linkOrCopy(source, target, hash, signal);
  const files = new Map(parts.map(({ file, hash }) => [file, hash]));
  await writeManifest(out, { plan, shard: undefined, files }, signal);
  return { plan, shards: count, files: parts.length, kernels: [...kernels].sort() };
}

async function shardsIn(folder: string): Promise<FoundShard[]> {
  if (!(await exists(folder))) throw fileError(folder, 'is not there');
  const manifests = await findManifests(folder);
  const shards = manifests.filter(({ shard }) => shard !== undefined);
  if (shards.length === 0)
    throw fileError(
      folder,
      manifests.length > 0
        ? 'holds a whole run, not shards of one'
        : 'holds no shards of factored-svd circuits',
    );
  const real = await fileStep(folder, 'read', () => realpath(folder));
  return shards.map((found) => ({ ...found, folder: real }));
}

/** That the shards are all of one run, each once, and finished. */
function mustBeOneRun(shards: readonly FoundShard[]): { plan: Plan; count: number } {
  const [first] = shards;
  const { index: _, count } = first.shard!;
  const seen = new Map<number, FoundShard>();
  for (const found of shards) {
    const shard = found.shard!;
    const against = `as ${shownPath(first.path)}`;
    if (shard.count !== count)
      throw fileError(found.path, `is ${shardText(shard)}, not one of ${count} ${against}`);
    const differ = differences(found.plan, first.plan);
    if (differ.length > 0) throw fileError(found.path, `is of another run: ${differ.join('; ')} ${against}`);
    const other = seen.get(shard.index);
    if (other !== undefined)
      throw fileError(found.path, `is ${shardText(shard)}, and so is ${shownPath(other.path)}`);
    seen.set(shard.index, found);
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !seen.has(index));
  if (missing.length > 0) {
    const some = missing.slice(0, 10).join(', ') + (missing.length > 10 ? ', …' : '');
    throw fileError(
      first.path,
      `is one of ${count} shards, of which ${missing.length} ${missing.length === 1 ? 'is' : 'are'} missing: ${some}`,
    );
  }
  for (const found of shards) mustBeFinished(found);
  return { plan: first.plan, count };
}

async function kernelOf(path: string): Promise<string> {
  await using file = await openSafetensors(path);
  try {
    const { openblas, openblasCore } = JSON.parse(file.metadata.versions);
    return `OpenBLAS ${openblas} ${openblasCore}`;
  } catch {
    return 'unknown';
  }
}

const noLinks = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES']);

/** `target` appears whole or not at all. */
async function linkOrCopy(source: string, target: string, hash: string, signal?: AbortSignal): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return mustHaveHash(target, hash, signal);
    if (!noLinks.has(code)) throw fileError(target, `cannot link: ${(error as Error).message}`, error);
    await copy(source, target, signal);
    await mustHaveHash(target, hash, signal);
  }
}

const chunk = 2 ** 20;

async function copy(source: string, target: string, signal?: AbortSignal): Promise<void> {
  const { handle } = await openRegular(source);
  try {
    const buffer = new Uint8Array(chunk);
    await writeAtomically(
      target,
      async (append) => {
        for (;;) {
          const { bytesRead } = await fileStep(source, 'read', () => handle.read(buffer, 0, chunk));
          if (bytesRead === 0) return;
          await append(buffer.subarray(0, bytesRead));
        }
      },
      signal,
    );
  } finally {
    await handle.close();
  }
}

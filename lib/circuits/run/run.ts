import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Progress } from '../../native/steps.ts';
import { fileError, fileStep } from '../../weights/file-errors.ts';
import { removeAbandoned } from '../../weights/output.ts';
import type { CircuitKind } from '../attention.ts';
import type { Checkpoint, LayerSvd } from '../checkpoint.ts';
import { exists, fileHash, isOfRun, type PartSpectra, readSpectra, spectraOf, writePart } from './folder.ts';
import {
  claimFolder,
  type FoundManifest,
  findManifests,
  manifestFile,
  type Part,
  partFile,
  partsOf,
  writeManifest,
} from './manifest.ts';
import { differences, type Plan, rotationOf } from './plan.ts';
import type { Shard } from './shard.ts';

export interface RunOptions {
  readonly shard?: Shard | undefined;
  /** Where the decompositions are kept. Without it nothing is written. */
  readonly out?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many layers of its kinds are done, in fractions; those that were there are done from the start. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told how many of the files that may be there have been checked. */
  readonly onCheck?: ((progress: Progress) => void) | undefined;
}

/** What a run, or a shard of one, came to. */
export interface RunResult {
  /** Of all its parts, in their order. */
  readonly spectra: readonly PartSpectra[];
  /** How many of them were there already. */
  readonly kept: number;
}

/**
 * Decomposes the circuits of a checkpoint as planned, one layer in memory while the last is written. What `out` holds of the same
 * plan is kept, if it is listed there with its hash; everything else is computed.
 *
 * @throws `ERR_SVD_FILE` where `out` belongs to another plan, before anything is written; what `Checkpoint.decompose` throws;
 * `signal.reason` on abort, which leaves what was finished
 */
export async function runCircuits(
  checkpoint: Checkpoint,
  plan: Plan,
  { shard, out, signal, onProgress, onCheck }: RunOptions,
): Promise<RunResult> {
  const parts = partsOf(plan, shard);
  const folder = out === undefined ? undefined : await RunFolder.open(out, plan, { shard, signal, onCheck });
  const done = new Map<string, PartSpectra>();
  for (const part of parts) if (folder?.has(part)) done.set(partFile(part), await readSpectra(out!, part));
  const kept = done.size;
  const missing = parts.filter((part) => !done.has(partFile(part)));
  onProgress?.({ done: kept, total: parts.length });
  let writing: Promise<void> | undefined;
  try {
    for (const { kind, layers } of ranges(missing)) {
      const before = done.size;
      const decompositions = checkpoint.decompose(kind, {
        layers,
        ...(plan.rank !== null && { rank: plan.rank }),
        ...rotationOf(kind, plan.state.rotaryOffset),
        signal,
        onProgress: (progress) => onProgress?.({ done: before + progress.done, total: parts.length }),
      });
      for await (const layer of decompositions) {
        const spectra = spectraOf(kind, layer);
        done.set(partFile(spectra), spectra);
        await writing;
        writing = folder?.add(layer.svd, spectra);
        writing?.catch(() => {}); // whoever awaits it is told
      }
    }
  } finally {
    await writing;
  }
  return { spectra: parts.map((part) => done.get(partFile(part))!), kept };
}

/** Layers of one kind that follow each other. */
interface Range {
  readonly kind: CircuitKind;
  readonly layers: [from: number, to: number];
}

function ranges(parts: readonly Part[]): Range[] {
  const all: Range[] = [];
  for (const { kind, layer } of parts) {
    const last = all.at(-1);
    if (last?.kind === kind && last.layers[1] === layer) last.layers[1]++;
    else all.push({ kind, layers: [layer, layer + 1] });
  }
  return all;
}

/** The folder of a run and what is finished in it. */
class RunFolder {
  readonly #path: string;
  readonly #plan: Plan;
  readonly #shard: Shard | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #files = new Map<string, string>();

  private constructor(path: string, plan: Plan, { shard, signal }: RunOptions) {
    this.#path = path;
    this.#plan = plan;
    this.#shard = shard;
    this.#signal = signal;
  }

  /** Looks at what is there, makes the folder where there is none, and says in it whose it is. */
  static async open(path: string, plan: Plan, { shard, signal, onCheck }: RunOptions): Promise<RunFolder> {
    const manifests = await manifestsOfPlan(path, plan);
    const folder = new RunFolder(path, plan, { shard, signal });
    const parts = partsOf(plan, shard);
    for (const [i, part] of parts.entries()) {
      await folder.#look(part, manifests);
      onCheck?.({ done: i + 1, total: parts.length });
    }
    await fileStep(path, 'make the folder', () => mkdir(path, { recursive: true }));
    await removeAbandoned(path);
    const own = manifests.find((found) => manifestFile(found.shard) === manifestFile(shard));
    if (!own) await folder.#claim();
    else if (!sameEntries(own.files, folder.#files)) await folder.#writeManifest();
    return folder;
  }

  /** Keeps a file that is listed as it is. Another may be replaced if it is of this run. */
  async #look(part: Part, manifests: readonly FoundManifest[]): Promise<void> {
    const name = partFile(part);
    const path = join(this.#path, name);
    const listed = manifests.flatMap(({ files }) => files.get(name) ?? []);
    if (listed.length > 0) {
      const hash = await fileHash(path, this.#signal);
      if (hash !== undefined && listed.includes(hash)) this.#files.set(name, hash);
    } else if ((await exists(path)) && !(await isOfRun(path, this.#plan)))
      throw fileError(path, 'stands where this run would write, and is not of it: name another folder');
  }

  has(part: Part): boolean {
    return this.#files.has(partFile(part));
  }

  /** Writes a part, and only then lists it. */
  async add(svd: LayerSvd['svd'], spectra: PartSpectra): Promise<void> {
    const hash = await writePart(this.#path, this.#plan, svd, spectra, this.#signal);
    this.#files.set(partFile(spectra), hash);
    await this.#writeManifest();
  }

  /** Says whose the folder is. Of two that begin at once one at least sees the other. */
  async #claim(): Promise<void> {
    const manifest = { plan: this.#plan, shard: this.#shard, files: this.#files };
    const isOurs = await claimFolder(this.#path, manifest);
    try {
      await manifestsOfPlan(this.#path, this.#plan);
    } catch (error) {
      if (isOurs) await rm(join(this.#path, manifestFile(this.#shard)), { force: true });
      throw error;
    }
  }

  async #writeManifest(): Promise<void> {
    await writeManifest(this.#path, { plan: this.#plan, shard: this.#shard, files: this.#files });
  }
}

/** The manifests in a folder that is to hold a run. `ERR_SVD_FILE` where one is of another, and how it differs */
export async function manifestsOfPlan(path: string, plan: Plan): Promise<FoundManifest[]> {
  const stats = await fileStep(path, 'stat', () =>
    stat(path).catch((error) => (error.code === 'ENOENT' ? undefined : Promise.reject(error))),
  );
  if (stats && !stats.isDirectory()) throw fileError(path, 'is not a folder');
  const manifests = await findManifests(path);
  for (const found of manifests) {
    const differ = differences(found.plan, plan);
    if (differ.length > 0)
      throw fileError(found.path, `is of another run: ${differ.join('; ')}. Name another folder`);
  }
  return manifests;
}

const sameEntries = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([name, hash]) => b.get(name) === hash);

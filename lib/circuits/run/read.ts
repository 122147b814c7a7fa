import { join } from 'node:path';
import { svdError } from '../../array/errors.ts';
import { fileError } from '../../weights/file-errors.ts';
import type { CircuitKind } from '../attention.ts';
import { fileHash, type PartSpectra, type PartSvd, readSpectra, readSvd } from './folder.ts';
import { type FoundManifest, findManifests, type Part, partFile, partsOf } from './manifest.ts';
import type { Plan } from './plan.ts';
import { shardText } from './shard.ts';

/** A finished run in a folder; its files are read when they are asked for. */
export interface Run {
  readonly path: string;
  /** The checkpoint, the state, kinds, layers and rank. */
  readonly plan: Plan;
  /** Every kind and layer that it has. */
  readonly parts: readonly Part[];
  /** The singular values of one layer and what is said of them. `ERR_SVD_FILE`, `ERR_SVD_ARGUMENT` */
  spectra(kind: CircuitKind, layer: number): Promise<PartSpectra>;
  /** U, S and Vh of one layer, after its file was checked against the hash that the run has of it. `ERR_SVD_FILE` */
  svd(kind: CircuitKind, layer: number): Promise<PartSvd>;
}

/**
 * Opens what `factored-svd circuits --out` or `merge` wrote.
 * @throws `ERR_SVD_FILE` where that is no run, not finished, or only shards of one
 */
export async function readRun(path: string): Promise<Run> {
  const manifests = await findManifests(path);
  const whole = manifests.find(({ shard }) => shard === undefined);
  if (whole === undefined)
    throw fileError(
      path,
      manifests.length > 0
        ? `holds ${manifests.map(({ shard }) => shardText(shard!)).join(', ')}, not a whole run: factored-svd merge makes one`
        : 'holds no run of factored-svd circuits (there is no circuits.json)',
    );
  const { plan, files } = whole;
  mustBeFinished(whole);
  const parts = partsOf(plan);
  const partIn = (kind: CircuitKind, layer: number): Part => {
    const part = parts.find((one) => one.kind === kind && one.layer === layer);
    if (part === undefined)
      throw svdError('ERR_SVD_ARGUMENT', `the run has no ${String(kind)} of layer ${String(layer)}`);
    return part;
  };
  return {
    path,
    plan,
    parts,
    spectra: async (kind, layer) => readSpectra(path, partIn(kind, layer)),
    svd: async (kind, layer) => {
      const part = partIn(kind, layer);
      const file = partFile(part);
      await mustHaveHash(join(path, file), files.get(file)!);
      return readSvd(path, part);
    },
  };
}

/** `ERR_SVD_FILE` that names what is missing. */
export function mustBeFinished({ path, plan, shard, files }: FoundManifest): void {
  const missing = partsOf(plan, shard)
    .map(partFile)
    .filter((file) => !files.has(file));
  if (missing.length === 0) return;
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  throw fileError(
    path,
    `is not finished: ${missing[0]}${more} missing; the same command again goes on with it`,
  );
}

/** `ERR_SVD_FILE` unless the file is there as it was written. */
export async function mustHaveHash(path: string, hash: string, signal?: AbortSignal): Promise<void> {
  const found = await fileHash(path, signal);
  if (found === undefined) throw fileError(path, 'is missing, and listed as finished');
  if (found !== hash)
    throw fileError(
      path,
      'is not as it was written (its SHA-256 differs); the command that made it mends it',
    );
}

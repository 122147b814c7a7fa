import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FloatArray } from '../../array/elements.ts';
import { isOwnError } from '../../array/errors.ts';
import type { Tensor } from '../../array/tensor.ts';
import { type Versions, versions } from '../../runtime.ts';
import { fileError, fileStep } from '../../weights/file-errors.ts';
import { openSafetensors, type SafetensorsFile } from '../../weights/index.ts';
import { writeAtomically } from '../../weights/output.ts';
import { openRegular } from '../../weights/storage.ts';
import { safetensorsPieces } from '../../weights/writer.ts';
import type { CircuitKind } from '../attention.ts';
import type { LayerSvd } from '../checkpoint.ts';
import { type Part, partFile } from './manifest.ts';
import { fingerprint, type Plan } from './plan.ts';

/** The spectra of the heads of one layer. */
export interface PartSpectra extends Part {
  /** [heads, p] */
  readonly S: Tensor<FloatArray>;
  /** Largest error to expect in a singular value, by head. */
  readonly bound: readonly number[];
  /** ‖A‖_F·‖B‖_F of the factors, by head. */
  readonly factorNorm: readonly number[];
  /** The singular value after the last of S, by head. */
  readonly next?: readonly number[];
  /** ‖M − U·diag(S)·Vh‖_F by head, where only leading triplets were asked for. */
  readonly truncationError?: readonly number[];
}

/** The circuits of one layer, decomposed, as a run keeps them. */
export interface PartSvd extends PartSpectra {
  /** [heads, rows, p] */
  readonly U: Tensor<FloatArray>;
  /** [heads, p, cols] */
  readonly Vh: Tensor<FloatArray>;
  /** What computed it. */
  readonly versions: Versions;
}

/** What is said of a decomposition beside its vectors. */
export function spectraOf(kind: CircuitKind, { layer, svd, factorNorms }: LayerSvd): PartSpectra {
  const list = (x: Tensor) => Array.from(x.data.subarray(x.offset, x.offset + x.size));
  const error = (svd as { truncationError?: Tensor }).truncationError;
  return {
    kind,
    layer,
    S: svd.S,
    bound: list(svd.bound),
    factorNorm: [...factorNorms],
    ...(svd.next !== undefined && { next: list(svd.next) }),
    ...(error !== undefined && { truncationError: list(error) }),
  };
}

/** In the metadata of a file; the first two of every one. */
const lists = ['bound', 'factorNorm', 'next', 'truncationError'] as const;

/**
 * Writes a part into the folder, whole or not at all: U, S and Vh with the metadata of `factored-svd svd --out`, and what it is
 * of. Nothing in it depends on time or place.
 * @returns SHA-256 of the file
 * @throws `ERR_SVD_FILE`; `signal.reason` on abort
 */
export async function writePart(
  folder: string,
  plan: Plan,
  { U, Vh }: LayerSvd['svd'],
  spectra: PartSpectra,
  signal?: AbortSignal,
): Promise<string> {
  const { kind, layer } = spectra;
  const { heads, dModel, dHead, modelType } = plan.checkpoint;
  const product = kind === 'OV' ? 'W_V·W_O' : 'W_Q·W_Kᵀ';
  const metadata: Record<string, string> = {
    title: `${kind} = ${product} of layer ${layer} of ${modelType}: ${heads} heads, dModel ${dModel}, dHead ${dHead}`,
    kind,
    layer: String(layer),
    state: JSON.stringify(plan.state),
    run: fingerprint(plan),
    versions: JSON.stringify(versions()),
  };
  for (const name of lists) if (spectra[name] !== undefined) metadata[name] = JSON.stringify(spectra[name]);
  const pieces = safetensorsPieces({ U, S: spectra.S, Vh }, metadata);
  const hash = createHash('sha256');
  const write = async (append: (bytes: Uint8Array) => Promise<void>) => {
    for (const piece of pieces) {
      hash.update(piece);
      await append(piece);
    }
  };
  await writeAtomically(join(folder, partFile(spectra)), write, signal);
  return hash.digest('hex');
}

/** Bytes of a file that are read at a time. */
const chunk = 2 ** 20;

/** SHA-256 of a file; `undefined` where there is none. `ERR_SVD_FILE`; `signal.reason` on abort */
export async function fileHash(path: string, signal?: AbortSignal): Promise<string | undefined> {
  if (!(await exists(path))) return undefined;
  const { handle } = await openRegular(path);
  try {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(chunk);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await fileStep(path, 'read', () => handle.read(buffer, 0, chunk));
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** Whether something is there. `ERR_SVD_FILE` where that cannot be told */
export const exists = (path: string): Promise<boolean> =>
  fileStep(path, 'stat', () =>
    stat(path).then(
      () => true,
      (error) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
    ),
  );

/** Whether a file is of a run, whatever it holds: then it may be written anew. */
export async function isOfRun(path: string, plan: Plan): Promise<boolean> {
  try {
    await using file = await openSafetensors(path);
    return file.metadata.run === fingerprint(plan);
  } catch (error) {
    if (isOwnError(error)) return false;
    throw error;
  }
}

/** The spectra in a part's file, without its vectors. `ERR_SVD_FILE` */
export async function readSpectra(folder: string, part: Part): Promise<PartSpectra> {
  await using file = await openSafetensors(join(folder, partFile(part)));
  return await spectraIn(file, part);
}

/** All of a part's file. `ERR_SVD_FILE` */
export async function readSvd(folder: string, part: Part): Promise<PartSvd> {
  await using file = await openSafetensors(join(folder, partFile(part)));
  const spectra = await spectraIn(file, part);
  const [U, Vh] = [await file.read('U'), await file.read('Vh')];
  return { ...spectra, U, Vh, versions: parse(file, 'versions') as Versions };
}

async function spectraIn(file: SafetensorsFile, part: Part): Promise<PartSpectra> {
  const S = await file.read('S');
  if (S.shape.length !== 2) throw fileError(file.path, "tensor 'S' is not of the shape [heads, p]");
  const known = lists
    .filter((name, i) => i < 2 || file.metadata[name] !== undefined)
    .map((name) => [name, numbersIn(file, name, S.shape[0])] as const);
  return { kind: part.kind, layer: part.layer, S, ...Object.fromEntries(known) } as PartSpectra;
}

function numbersIn(file: SafetensorsFile, name: string, count: number): number[] {
  const values = parse(file, name);
  if (Array.isArray(values) && values.length === count && values.every((x) => Number.isFinite(x)))
    return values;
  throw fileError(file.path, `metadata '${name}' is not a list of ${count} numbers`);
}

function parse({ path, metadata }: SafetensorsFile, name: string): unknown {
  try {
    return JSON.parse(metadata[name]);
  } catch {
    throw fileError(path, `metadata '${name}' is not JSON`);
  }
}

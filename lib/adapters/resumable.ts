import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Truncation } from '../algorithms/truncation.ts';
import { quote } from '../array/escape.ts';
import type { FloatArray } from '../array/tensor.ts';
import type { AsyncOptions } from '../native/steps.ts';
import { fileError, fileStep } from '../weights/file-errors.ts';
import { weightsIdentity } from '../weights/identity.ts';
import { openWeights } from '../weights/index.ts';
import { Journal } from '../weights/journal.ts';
import type { JsonReader } from '../weights/json-reader.ts';
import { writeTensors } from '../weights/writer.ts';
import {
  type Extraction,
  extractionOf,
  hashOf,
  keepsInputsFirst,
  type Outcome,
  outcomeOf,
  type Pair,
} from './extract.ts';
import { evenProduct, evenRoots } from './recompress.ts';

/** What is kept of a tensor: of a module the file of its factors, by its name in the folder. */
type Kept =
  | Exclude<Outcome, { kind: 'module' }>
  | (Omit<Extract<Outcome, { kind: 'module' }>, 'matrix'> & {
      readonly file: string;
      readonly sha256: string;
    });

/** The same in the journal, with hashes of the tensor in both. */
type Finished = Kept & { readonly of: string };

/**
 * `extract` that keeps what is finished in `folder`, and goes on there with `resume`: with the same result, bit for bit. The
 * folder stays until `discard`.
 *
 * @param names what `namesToExtract` gives
 * @throws as `extract`; `ERR_SVD_FILE` where the folder is there and is not to be gone on with, where it is of other weights (a finished tensor that
 *   has changed since is seen whatever of it) or options, and where another process has it open
 */
export async function extractResumably(
  pair: Pair,
  names: readonly string[],
  truncation: Truncation,
  folder: string,
  { resume, signal, onProgress }: AsyncOptions & { readonly resume: boolean },
): Promise<Extraction> {
  const head = {
    format: 'factored-svd lora extract 2',
    base: await weightsIdentity(pair.base),
    tuned: await weightsIdentity(pair.tuned),
    tensors: createHash('sha256').update(JSON.stringify(names)).digest('hex'),
    ...truncation,
  };
  await fileStep(folder, 'make the folder', () => mkdir(folder, { recursive: true }));
  await using journal = await Journal.open(join(folder, 'journal.jsonl'), head, {
    read: readFinished,
    resume,
  });
  const outcomes = new Map<string, Outcome>();
  for (const [i, name] of names.entries()) {
    const finished = journal.records.get(name);
    const of = `${await hashOf(pair.base, name, signal)} ${await hashOf(pair.tuned, name, signal)}`;
    if (finished && finished.of !== of)
      throw fileError(folder, `tensor ${quote(name)} has changed since: remove the folder to begin again`);
    const known = finished && (await outcomeIn(folder, finished));
    const outcome = known ?? (await outcomeOf(pair, name, truncation, signal));
    outcomes.set(name, outcome);
    if (known === undefined) {
      const kept = await keep(folder, `${i}.safetensors`, outcome, signal);
      if (finished === undefined) await journal.add(name, { ...kept, of });
    }
    onProgress?.({ done: i + 1, total: names.length });
  }
  return extractionOf(outcomes, await keepsInputsFirst(pair.base));
}

/** Removes what `extractResumably` kept. */
export const discard = (folder: string): Promise<void> =>
  fileStep(folder, 'remove', () => rm(folder, { recursive: true, force: true }));

/** Writes the factors of a module; what the journal keeps of it. */
async function keep(
  folder: string,
  file: string,
  outcome: Outcome,
  signal: AbortSignal | undefined,
): Promise<Kept> {
  if (outcome.kind !== 'module') return outcome;
  const { matrix, ...rest } = outcome;
  const path = join(folder, file);
  const roots = evenRoots(matrix) as FloatArray; // of one that was made by a decomposition
  const factors = { A: matrix.A, B: matrix.B, roots: { data: roots, shape: [roots.length] } };
  await writeTensors(path, factors, {}, signal);
  return { ...rest, file, sha256: await fileHash(path) };
}

/** What the journal has kept; `undefined` where the factors are not what was written. */
async function outcomeIn(folder: string, finished: Finished): Promise<Outcome | undefined> {
  const { of: _, ...kept } = finished;
  if (kept.kind !== 'module') return kept;
  const { file, sha256, ...rest } = kept;
  const path = join(folder, file);
  if ((await fileHash(path)) !== sha256) return undefined;
  await using factors = await openWeights(path);
  const [A, B, roots] = [await factors.read('A'), await factors.read('B'), await factors.read('roots')];
  return { ...rest, matrix: evenProduct(A, B, roots.data) };
}

/** Of what is not there, nothing's. */
const fileHash = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path).catch(() => ''))
    .digest('hex');

function readFinished(reader: JsonReader, value: unknown, at: string): Finished {
  const { of } = reader.object(value, at);
  return { of: reader.text(of, at), ...readKept(reader, value, at) };
}

function readKept(reader: JsonReader, value: unknown, at: string): Kept {
  const { kind, why, shape, report, file, sha256 } = reader.object(value, at);
  if (kind === 'unchanged') return { kind };
  if (kind === 'left out') return { kind, why: reader.text(why, at) };
  if (kind !== 'module') return reader.fail(at, "'unchanged', 'left out' or 'module'");
  const { rankBefore, rank, norm, sigma, error, retained } = reader.object(report, at);
  const name = reader.text(file, at);
  if (!/^\d+\.safetensors$/.test(name)) reader.fail(at, 'the name of a file in the folder');
  return {
    kind,
    shape: reader.list(shape, at, (n, place) => reader.size(n, place)),
    report: {
      rankBefore: reader.size(rankBefore, at),
      rank: reader.size(rank, at),
      norm: reader.nonNegative(norm, at),
      sigma: reader.nonNegative(sigma, at),
      error: reader.nonNegative(error, at),
      retained: reader.nonNegative(retained, at),
    },
    file: name,
    sha256: reader.text(sha256, at),
  };
}

import { rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import {
  asyncOptions,
  count,
  flag,
  isPlain,
  type Kind,
  type OptionTable,
  tolerance,
} from '../arguments/options.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { circuitKinds } from '../circuits/attention.ts';
import { Checkpoint, type CircuitKind, openCheckpoint } from '../circuits/index.ts';
import type { AsyncOptions } from '../native/steps.ts';
import { type Versions, versions } from '../runtime.ts';
import { validSvd } from '../testing/checks.ts';
import { isSvdOperand, type SvdOperand } from '../testing/decomposition.ts';
import { type Report, report } from '../testing/report.ts';
import { fileError, filePath, shownPath } from '../weights/file-errors.ts';
import { weightsIdentity } from '../weights/identity.ts';
import { openWeights } from '../weights/index.ts';
import { createAtomically, resolveOutput, sameFile, writeAtomically } from '../weights/output.ts';
import { Weights } from '../weights/weights.ts';
import { compareTensors, type Part, recordTensors, type Selection } from './checkpoint.ts';
import { type CircuitChoice, compareCircuits, recordCircuits, sourceHash } from './circuits.ts';
import { compareSpectrum } from './compare.ts';
import { jsonOf, readGoldenText } from './file.ts';
import { recordSpectrum } from './record.ts';
import {
  type AnyGolden,
  anyJson,
  type CheckpointGolden,
  type CircuitGolden,
  keptCircuits,
  keptTensors,
  parseAny,
} from './weights-file.ts';

/** What is recorded or compared: a checkpoint by its path, open weights, the circuits of a checkpoint, or a decomposition. */
export type GoldenSource = string | URL | Weights | Checkpoint | SvdOperand;

/** What `recordGolden` returns: plain data, of which `JSON.stringify` makes a golden file. */
export interface GoldenData {
  /** Which kind of golden file it is. */
  readonly format: string;
  /** What computed it. */
  readonly versions: Versions;
}

/** What is recorded. */
export interface GoldenChoice {
  /** Singular values kept of every matrix, the largest ones; 0: nothing is decomposed. Default 16. */
  readonly leading?: number | undefined;
  /** All singular values, and fingerprints of the singular vectors. Default false. */
  readonly full?: boolean | undefined;
  /** Only tensors whose names match one of these patterns (`*`, `?`, `[a-z]`). */
  readonly include?: readonly string[] | undefined;
  /** No tensors whose names match one of these. */
  readonly exclude?: readonly string[] | undefined;
  /** Of a path: these circuits of all heads instead of the tensors. Of a `Checkpoint` both kinds by default. */
  readonly circuits?: readonly CircuitKind[] | undefined;
}

/** Options of `recordGolden`. */
export interface RecordGoldenOptions extends GoldenChoice, AsyncOptions {
  /** Where it is written, too. */
  readonly file?: string | URL | undefined;
  /** Replaces a golden file that is there; otherwise that is refused. */
  readonly update?: boolean | undefined;
  /** Keeps what is finished in `file` + `.journal` until all is, and goes on with what is there. Of checkpoints and circuits. */
  readonly resume?: boolean | undefined;
}

/** Options of `compareGolden`. */
export interface CompareGoldenOptions extends AsyncOptions {
  /**
   * Demands the same numbers: ‖W′ − W‖_F ≤ within·‖W‖_F for every tensor, or circuit, whatever float it is stored as; 0: the very
   * same. By default numbers may differ by rounding.
   */
  readonly within?: number | undefined;
}

const texts: Kind<readonly string[]> = {
  expected: 'a list of strings',
  accepts: (x): x is readonly string[] => Array.isArray(x) && x.every((s) => typeof s === 'string'),
};
const kinds: Kind<readonly CircuitKind[]> = {
  expected: "['OV'], ['QK'] or both",
  accepts: (x): x is readonly CircuitKind[] =>
    Array.isArray(x) &&
    x.length > 0 &&
    new Set(x).size === x.length &&
    x.every((k) => circuitKinds.includes(k)),
};
const file: Kind<string | URL> = {
  expected: 'the path of a file',
  accepts: (x): x is string | URL => typeof x === 'string' || x instanceof URL,
};

export const goldenChoice: OptionTable<GoldenChoice> = {
  leading: count,
  full: flag,
  include: texts,
  exclude: texts,
  circuits: kinds,
};
export const within: OptionTable<Pick<CompareGoldenOptions, 'within'>> = { within: tolerance };
const recordOptions: OptionTable<RecordGoldenOptions> = {
  ...goldenChoice,
  file,
  update: flag,
  resume: flag,
  ...asyncOptions,
};
const compareOptions: OptionTable<CompareGoldenOptions> = { ...within, ...asyncOptions };

/** Singular values kept by default. */
const usualLeading = 16;

/**
 * Records what weights are, for `compareGolden` and the command `compare`: of every tensor dtype, shape, SHA-256, weighted sums of its
 * elements, and the spectra of its matrices (leading and last singular values and nuclear norm, with their error bound); of a
 * `Checkpoint` the same of the circuits of every head; of a decomposition all singular values and fingerprints of the vectors.
 *
 * @throws `ERR_SVD_ARGUMENT` for what is none of these, is no valid decomposition, or where an option has no meaning; `ERR_SVD_FILE`
 * where weights cannot be read, or the file is there; as `svd`
 * @function
 */
export const recordGolden = exposedAsync(
  { takes: ['source'], options: recordOptions },
  async function recordGolden(source: GoldenSource, options: RecordGoldenOptions = {}): Promise<GoldenData> {
    const golden = await recordAny(source, options);
    return JSON.parse(anyJson(golden)) as GoldenData;
  },
);

/** The same, not as plain data. @param how what else circuits need */
export async function recordAny(
  source: GoldenSource,
  options: RecordGoldenOptions,
  how: Partial<CircuitChoice> = {},
): Promise<AnyGolden> {
  const path = options.file === undefined ? undefined : filePath(options.file);
  for (const name of ['update', 'resume'] as const)
    if (options[name] && path === undefined)
      throw svdError('ERR_SVD_ARGUMENT', `${name}: only with the name of a file`);
  if (path !== undefined) await mustBeFree(path, options.update);
  const journal = options.resume ? `${path}.journal` : undefined;
  const golden = await recorded(source, options, path, { ...how, journal });
  if (path !== undefined) await writeGolden(path, golden, options);
  if (journal !== undefined) await rm(journal, { force: true });
  return golden;
}

/**
 * `ERR_SVD_FILE` where a file cannot be written, or is there and may not be replaced: with `update` golden files may, otherwise
 * those of the format `over`, and no others.
 */
export async function mustBeFree(path: string, update: boolean | undefined, over?: string): Promise<void> {
  await resolveOutput(path);
  const size = await stat(path).then(
    (stats) => stats.size,
    () => undefined,
  );
  if (size === undefined) return;
  if (!update && over === undefined) throw isThere(path);
  if (size === 0) return;
  const found = await formatOf(path);
  if (found === undefined) throw fileError(path, 'is no golden file: it is not replaced');
  if (!update && found !== over) throw isThere(path);
}

/** Which kind of golden file it says it is; `undefined` for others. */
async function formatOf(path: string): Promise<string | undefined> {
  try {
    const { format } = jsonOf(path, await readGoldenText(path)) as { format?: unknown };
    return typeof format === 'string' && format.startsWith('factored-svd golden ') ? format : undefined;
  } catch {
    return undefined;
  }
}

const isThere = (path: string) => fileError(path, 'is there already: update replaces it on purpose');

/** Writes a golden file: it appears whole or not at all. `ERR_SVD_FILE` */
export async function writeGolden(
  path: string,
  golden: AnyGolden,
  { update, signal }: Pick<RecordGoldenOptions, 'update' | 'signal'>,
): Promise<void> {
  const text = Buffer.from(anyJson(golden));
  if (update) await writeAtomically(path, (append) => append(text), signal);
  else if (!(await createAtomically(path, (append) => append(text), signal))) throw isThere(path);
}

/** `path` as a golden file in `folder` names it. */
export const relativeTo = (folder: string, path: string): string =>
  relative(resolve(folder), resolve(path)).replaceAll(sep, '/');

async function recorded(
  source: GoldenSource,
  { circuits, signal, onProgress, ...choice }: RecordGoldenOptions,
  file: string | undefined,
  { layout, rotaryOffset = 0, journal }: Partial<CircuitChoice> & { journal?: string | undefined },
): Promise<AnyGolden> {
  const { leading = usualLeading, full = false, include = [], exclude = [] } = choice;
  if (full && choice.leading !== undefined)
    throw svdError('ERR_SVD_ARGUMENT', 'leading: full keeps all singular values');
  const selection: Selection = { leading, full, include, exclude };
  const walk = { signal, onProgress };
  const head = (path: string) => ({
    versions: versions(),
    checkpoint: relativeTo(file === undefined ? '.' : dirname(file), path),
    ...selection,
  });
  const opened = source instanceof Checkpoint ? source.weights : source;
  const input = file !== undefined && opened instanceof Weights && (await sameFile(file, opened.files));
  if (input) throw svdError('ERR_SVD_ARGUMENT', `file: would overwrite the input file ${shownPath(input)}`);
  const noNames = (what: string) => {
    for (const name of ['include', 'exclude'] as const)
      if (choice[name]) throw svdError('ERR_SVD_ARGUMENT', `${name}: only of tensors, not of ${what}`);
  };
  if (source instanceof Checkpoint) {
    noNames('circuits');
    const made = { kinds: circuits ?? circuitKinds, rotaryOffset, layout };
    if (journal === undefined)
      return { ...head(source.path), ...(await recordCircuits(source, made, selection, walk)) };
    const { state, heads, weights } = source;
    const sha256 = await sourceHash(source, signal);
    const of = { ...made, state, ...selection, ...(await weightsIdentity(weights)), source: sha256 };
    await using kept = await keptCircuits(journal, of, heads);
    return {
      ...head(source.path),
      ...(await recordCircuits(source, made, selection, walk, { sha256, kept })),
    };
  }
  if (source instanceof Weights) {
    if (circuits) throw svdError('ERR_SVD_ARGUMENT', 'circuits: of a path, or of what openCheckpoint opened');
    if (journal === undefined)
      return { ...head(source.path), tensors: await recordTensors(source, selection, walk) };
    await using kept = await keptTensors(journal, { ...selection, ...(await weightsIdentity(source)) });
    return { ...head(source.path), tensors: await recordTensors(source, selection, walk, kept) };
  }
  if (isPath(source)) {
    await using opened = circuits ? await openCheckpoint(source) : await openWeights(source);
    return await recorded(opened, { ...choice, circuits, ...walk }, file, { journal });
  }
  mustBeOperand(source);
  noNames('a decomposition');
  for (const name of ['leading', 'full'] as const)
    if (choice[name] !== undefined)
      throw svdError('ERR_SVD_ARGUMENT', `${name}: all of a decomposition is recorded`);
  if (circuits) throw svdError('ERR_SVD_ARGUMENT', 'circuits: only of checkpoints');
  if (journal !== undefined) throw svdError('ERR_SVD_ARGUMENT', 'resume: only of checkpoints');
  const { pass, text } = validSvd(source);
  if (!pass) throw svdError('ERR_SVD_ARGUMENT', `not recorded: ${text}`);
  const record = { file: '', source: { factors: true }, ...recordSpectrum(source) };
  return { versions: versions(), records: [record] };
}

const isPath = (x: unknown): x is string | URL => typeof x === 'string' || x instanceof URL;

function mustBeOperand(x: unknown): asserts x is SvdOperand {
  if (!isSvdOperand(x))
    throw svdError(
      'ERR_SVD_ARGUMENT',
      'expected a path, open weights, a Checkpoint, or a decomposition { U, S, Vh }',
    );
}

/**
 * Whether weights are what was recorded. Tensors with the same bytes pass at once; of the others dtype, shape, spectra and the
 * change of the elements are compared, with what rounding allows, or `within` what is asked for. Tensors that are missing or new fail.
 *
 * @param golden a golden file, or what `recordGolden` returned
 * @param source what is compared; of a file by default what it was recorded of
 * @throws `ERR_SVD_ARGUMENT` for a source of another kind, circuits of another state, or where `within` has no meaning; `ERR_SVD_FILE`
 * @function
 */
export const compareGolden = exposedAsync(
  { takes: ['golden', 'source'], options: compareOptions },
  async function compareGolden(
    golden: string | URL | GoldenData,
    source?: GoldenSource,
    options: CompareGoldenOptions = {},
  ): Promise<Report> {
    const path = isPath(golden) ? filePath(golden) : undefined;
    if (path === undefined && !isPlain(golden))
      throw svdError('ERR_SVD_ARGUMENT', 'expected the path of a golden file, or what recordGolden returned');
    const parsed = path === undefined ? parseAny('golden', golden) : await readGolden(path);
    const parts: Part[] = [];
    for await (const part of compareAny(parsed, source ?? placeOf(parsed, path), options)) parts.push(part);
    return joined(parts);
  },
);

/** Reads a golden file. `ERR_SVD_FILE` when it cannot be read or is none. */
export const readGolden = async (path: string): Promise<AnyGolden> =>
  parseAny(path, jsonOf(path, await readGoldenText(path)));

/** What was recorded, as seen from the golden file. */
export function placeOf(golden: AnyGolden, path: string | undefined): string {
  if ('records' in golden)
    throw svdError('ERR_SVD_ARGUMENT', 'source: a record of a decomposition is compared with one');
  return path === undefined ? golden.checkpoint : join(dirname(path), golden.checkpoint);
}

/** One report of all parts. */
export const joined = (parts: readonly Part[]): Report =>
  report(
    parts.flatMap(({ title, report: { checks } }) =>
      checks.map((check) => ({
        ...check,
        name: title === '' ? check.name : `${quote(title)}: ${check.name}`,
      })),
    ),
  );

/** Compares part by part. */
export async function* compareAny(
  golden: AnyGolden,
  source: GoldenSource,
  options: CompareGoldenOptions,
): AsyncGenerator<Part, void, void> {
  if ('records' in golden) return yield* compareRecords(golden.records, source, options);
  if (isPath(source)) {
    await using opened = 'tensors' in golden ? await openWeights(source) : await reopened(golden, source);
    return yield* compareOpen(golden, opened, options);
  }
  yield* compareOpen(golden, source, options);
}

/** The checkpoint as it was opened when it was recorded. */
function reopened({ state, layout, model }: CircuitGolden, path: string | URL): Promise<Checkpoint> {
  if (model.modelType === 'declared' && layout === undefined)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${shownPath(filePath(path))}: its layout was declared: pass what openCheckpoint opened`,
    );
  return openCheckpoint(path, { ...state, layout });
}

function compareOpen(
  golden: CheckpointGolden | CircuitGolden,
  source: unknown,
  options: CompareGoldenOptions,
): AsyncGenerator<Part, void, void> {
  if ('tensors' in golden) {
    if (source instanceof Weights) return compareTensors(source, golden.tensors, golden, options);
    throw svdError('ERR_SVD_ARGUMENT', 'source: tensors are recorded: expected a path or open weights');
  }
  if (source instanceof Checkpoint) return compareCircuits(source, golden, options);
  throw svdError('ERR_SVD_ARGUMENT', 'source: circuits are recorded: expected a path or a Checkpoint');
}

function* compareRecords(
  records: Extract<AnyGolden, { records: unknown }>['records'],
  source: unknown,
  options: CompareGoldenOptions,
): Generator<Part, void, void> {
  if (options.within !== undefined)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      'within: of checkpoints and circuits; a decomposition is compared by its bounds',
    );
  if (records.length !== 1)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `the file has ${records.length} records: the command compare takes it`,
    );
  if (!isSvdOperand(source))
    throw svdError('ERR_SVD_ARGUMENT', 'source: a decomposition is recorded: expected { U, S, Vh }');
  yield { title: '', report: compareSpectrum(source, records[0]) };
}

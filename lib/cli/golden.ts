import { dirname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { svdError } from '../array/errors.ts';
import { escaped } from '../array/escape.ts';
import { product, type Tensor, tensor } from '../array/tensor.ts';
import type { CircuitKind } from '../circuits/index.ts';
import { goldenJson } from '../golden/file.ts';
import { mustBeFree, recordAny, relativeTo, writeGolden } from '../golden/index.ts';
import { format, type GoldenRecord, recordSpectrum, type Source } from '../golden/record.ts';
import { anyJson } from '../golden/weights-file.ts';
import { FactoredMatrix, svdAsync, versions } from '../index.ts';
import { type SvdOperand, validSvd } from '../testing/index.ts';
import { fileError, shownPath } from '../weights/file-errors.ts';
import { openWeights } from '../weights/index.ts';
import { namesText } from '../weights/patterns.ts';
import { addCheckpointOptions, type CheckpointChoices, openChosen } from './checkpoint.ts';
import { parseKinds } from './circuits.ts';
import { outputProblem } from './format.ts';
import { weightsPath } from './inspect.ts';
import { type OutputStream, Progress, print, type Streams } from './streams.ts';
import { addMatrixOptions, contradiction, type MatrixOptions, readMatrix } from './svd.ts';

/** The options that say what is recorded or compared: factors that a file holds, or a matrix to decompose. */
export interface SourceOptions extends MatrixOptions {
  factors?: boolean;
}

export function addSourceOptions(command: Command): Command {
  return addMatrixOptions(
    command.option('--factors', 'the file holds U, S and Vh, as svd --out writes them; decompose nothing'),
  );
}

/** The options that name a matrix, without the others of the command; empty where there is none. */
export function sourceOf({ factors, matrix, a, b, transposeA, transposeB }: SourceOptions): Source {
  const named = { factors, matrix, a, b, transposeA, transposeB };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/** What contradicts itself in the source, or `undefined`. */
export function sourceContradiction({ factors, ...matrix }: Source): string | undefined {
  if (!factors) {
    const problem = contradiction(matrix);
    return problem && (Object.keys(matrix).length > 0 ? problem : `${problem}, or say --factors`);
  }
  return Object.keys(matrix).length > 0
    ? '--factors cannot be combined with the name of a matrix'
    : undefined;
}

/** How a report calls the matrix. */
export function sourceTitle({ factors, matrix, a, b, transposeA, transposeB }: Source): string {
  if (factors) return 'U, S, Vh';
  if (matrix !== undefined) return escaped(matrix);
  return `${escaped(a!)}${transposeA ? 'ᵀ' : ''} · ${escaped(b!)}${transposeB ? 'ᵀ' : ''}`;
}

/** A decomposition, and what it is of where that is known. */
export interface Decomposed {
  svd: SvdOperand;
  matrix?: Parameters<typeof svdAsync>[0] | FactoredMatrix;
}

/** Reads the factors, or reads the matrix and decomposes it. Rejects with `signal.reason` on abort. */
export async function readDecomposition(
  path: string,
  source: Source,
  { signal, stderr }: { signal: AbortSignal; stderr: OutputStream },
): Promise<Decomposed> {
  if (source.factors) return { svd: await readFactors(path) };
  const { matrix } = await readMatrix(path, source);
  const progress = new Progress(stderr);
  const settings = { signal, onProgress: (state: { done: number; total: number }) => progress.update(state) };
  const svd = await (matrix instanceof FactoredMatrix
    ? matrix.svdAsync(settings)
    : svdAsync(matrix, settings)
  ).finally(() => progress.stop());
  return { svd, matrix };
}

/** The tensors U, S and Vh of a file, and `bound` and `next` that `svd --out` left in its metadata, one per matrix. */
async function readFactors(path: string): Promise<SvdOperand> {
  await using file = await openWeights(path);
  const [U, S, Vh] = [await file.read('U'), await file.read('S'), await file.read('Vh')];
  const stored = (name: 'bound' | 'next') => perMatrix(name, file.metadata[name], S, path);
  return { U, S, Vh, bound: stored('bound'), next: stored('next') };
}

function perMatrix(name: string, text: string | undefined, S: Tensor, path: string): Tensor | undefined {
  if (text === undefined) return undefined;
  const values = parse(text);
  const shape = S.shape.slice(0, -1);
  if (Array.isArray(values) && values.length === product(shape) && values.every((x) => Number.isFinite(x))) {
    return tensor(Float64Array.from(values), shape);
  }
  throw fileError(path, `metadata '${name}' is not a list of ${product(shape)} numbers`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is recorded of a checkpoint. */
interface WholeOptions extends CheckpointChoices {
  circuits?: CircuitKind[] | true;
  include?: string[];
  exclude?: string[];
  leading?: number;
  full?: boolean;
  update?: boolean;
  resume?: boolean;
}

interface GoldenOptions extends SourceOptions, WholeOptions {
  out?: string;
}

const asPattern = (pattern: string, others: string[] = []): string[] => [...others, pattern];

function parseLeading(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected an integer ≥ 0.');
  return Number(text);
}

/** `factored-svd golden`: records a checkpoint, its circuits, or the decompositions of single matrices, for `compare`. */
export function goldenCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  const described = addSourceOptions(
    command
      .description(
        'record a checkpoint, its circuits, or the spectra of matrices as JSON, to compare later ones with',
      )
      .argument('<files...>', weightsPath),
  )
    .option('--out <file>', 'write the record to this file instead of printing it')
    .option(
      '--update',
      'replace the golden file that is there (one of single matrices is replaced by another without it)',
    )
    .option(
      '--resume',
      'keep what is finished in the file of --out and .journal until all is, and go on with it',
    )
    .option('--include <pattern>', 'only tensors with such names; again for more', asPattern)
    .option('--exclude <pattern>', 'no tensors with such names; again for more', asPattern)
    .option(
      '--leading <n>',
      'singular values kept of every matrix (default: 16); 0: decompose nothing',
      parseLeading,
    )
    .option('--full', 'keep all singular values, and fingerprints of the singular vectors')
    .option(
      '--circuits [kinds]',
      'OV, QK or both (default) of every head, instead of the tensors',
      parseKinds,
    );
  addCheckpointOptions(described)
    .addHelpText(
      'after',
      '\nOf a checkpoint (a path, and no matrix named) the record holds names, dtypes, shapes, SHA-256, weighted sums of the elements,\n' +
        'and of every matrix the leading singular values, the last one and their sum, with error bounds.\n' +
        '\nOf a matrix that is named it holds what does not depend on signs or on the processor: singular values with their error\n' +
        'bounds, clusters, and what the singular vectors of each make of fixed probes: about 150 bytes a singular value.',
    )
    .action(async (files: string[], { out, ...options }: GoldenOptions) => {
      const source = sourceOf(options);
      const whole = Object.keys(source).length === 0;
      const problem =
        (whole ? wholeProblem(files, out, options) : (sourceContradiction(source) ?? onlyOfWhole(options))) ??
        (await outputProblem(out, files));
      if (problem !== undefined) command.error(`error: ${problem}`);
      if (whole) await recordWhole(files[0], out, options, streams, signal);
      else await recordFiles(files, source, out, options.update, streams, signal);
    });
}

const ofCircuits = ['fold', 'center', 'biases', 'rotaryOffset', 'stack', 'layout'] as const;
const ofWhole = ['circuits', 'include', 'exclude', 'leading', 'full', 'resume', ...ofCircuits] as const;

const optionName = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** What has no meaning where a matrix is named, or `undefined`. */
function onlyOfWhole(options: WholeOptions): string | undefined {
  const name = ofWhole.find((option) => options[option] !== undefined);
  return name && `${optionName(name)} is of checkpoints: name no matrix`;
}

/** What contradicts itself in the record of a checkpoint, or `undefined`. */
function wholeProblem(files: string[], out: string | undefined, options: WholeOptions): string | undefined {
  if (files.length > 1)
    return 'name one checkpoint, or the matrix of every file: --matrix, or --a and --b, or say --factors';
  if (options.update && out === undefined) return '--update: only with --out';
  if (options.resume && out === undefined) return '--resume: only with --out';
  if (options.full && options.leading !== undefined) return '--full keeps all singular values: no --leading';
  const name = options.circuits
    ? (['include', 'exclude'] as const).find((option) => options[option] !== undefined)
    : ofCircuits.find((option) => options[option] !== undefined);
  if (name === undefined) return undefined;
  return `${optionName(name)} ${options.circuits ? 'cannot be combined with' : 'is of'} --circuits`;
}

async function recordWhole(
  path: string,
  out: string | undefined,
  options: WholeOptions,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
) {
  const { circuits, include, exclude, leading, full, update, resume, rotaryOffset } = options;
  const progress = new Progress(stderr, { unit: circuits ? 'layers' : 'tensors' });
  const choice = { leading, full, include, exclude, file: out, update, resume, signal };
  const walk = { ...choice, onProgress: (state: { done: number; total: number }) => progress.update(state) };
  const opened = circuits ? await openChosen(path, options) : undefined;
  try {
    const golden = opened
      ? await recordAny(
          opened.checkpoint,
          { ...walk, circuits: circuits === true ? undefined : circuits },
          { layout: opened.layout, rotaryOffset },
        )
      : await recordAny(path, walk);
    if (out === undefined) await print(stdout, anyJson(golden));
    const unread = 'tensors' in golden ? golden.tensors.filter(({ sha256 }) => sha256 === undefined) : [];
    if (unread.length > 0)
      await print(
        stderr,
        `factored-svd: of ${unread.length} of ${namesText([...new Set(unread.map(({ dtype }) => dtype))])} no more than dtype and shape is recorded\n`,
      );
  } finally {
    progress.stop();
    await opened?.checkpoint.close();
  }
}

async function recordFiles(
  files: string[],
  source: Source,
  out: string | undefined,
  update: boolean | undefined,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
) {
  if (out !== undefined) await mustBeFree(out, update, format);
  const folder = out === undefined ? '.' : dirname(out);
  const records: GoldenRecord[] = [];
  for (const path of files) {
    const { svd, matrix } = await readDecomposition(path, source, { signal, stderr });
    const { pass, text } = validSvd(svd, matrix);
    if (!pass) throw svdError('ERR_SVD_ARGUMENT', `${shownPath(path)}: not recorded: ${text}`);
    const record = { file: relativeTo(folder, path), source, ...recordSpectrum(svd) };
    const note = undeterminedNote(record);
    if (note !== undefined) await print(stderr, `factored-svd: ${shownPath(path)}: ${note}\n`);
    records.push(record);
  }
  signal.throwIfAborted();
  const golden = { versions: versions(), records };
  if (out !== undefined) await writeGolden(out, golden, { update: true, signal });
  else await print(stdout, goldenJson(golden));
}

/** What `compare` will not see. */
function undeterminedNote({ items }: GoldenRecord): string | undefined {
  const clusters = items.flatMap((item) => item.clusters);
  const open = clusters.filter(({ left, pair }) => left === undefined || pair === undefined);
  if (open.length === 0) return undefined;
  const values = open.reduce((sum, { S }) => sum + S.length, 0);
  return (
    `of ${values} singular values (in ${open.length} of ${clusters.length} clusters) the singular vectors are not ` +
    'determined within the error bounds; compare will leave them out'
  );
}

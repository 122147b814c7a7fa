import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { checkPlaces, namesToExtract, type Pair, truncationOf } from '../adapters/extract.ts';
import {
  type Adapter,
  type AdapterResult,
  describeAdapter,
  type Extraction,
  type Keep,
  type ModuleReport,
  mergeAdapters,
  openAdapter,
  resize,
  type WriteAdapterOptions,
  writeAdapter,
} from '../adapters/index.ts';
import { configName, weightsName } from '../adapters/open.ts';
import { discard, extractResumably } from '../adapters/resumable.ts';
import { escaped, escapedJson } from '../array/escape.ts';
import { versions } from '../index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { openWeights } from '../weights/index.ts';
import { resolveFolder, resolveOutput } from '../weights/output.ts';
import { numberText, outputProblem, overwritten, shapeText, table } from './format.ts';
import { weightsPath } from './inspect.ts';
import { Progress, print, type Streams } from './streams.ts';
import { parseEnergy, parseRank, parseTol } from './svd.ts';

const adapterPath = 'folder of PEFT, or a safetensors file with the names of kohya or diffusers';

/** `factored-svd lora`: low-rank adapters, resized, merged, extracted, looked at. */
export function loraCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  command.description('low-rank adapters: resize, merge, extract, inspect');
  resizeCommand(command.command('resize'), streams, signal);
  mergeCommand(command.command('merge'), streams, signal);
  extractCommand(command.command('extract'), streams, signal);
  inspectCommand(command.command('inspect'), streams, signal);
}

interface OutputOptions extends Pick<WriteAdapterOptions, 'format' | 'dtype' | 'split' | 'prefix'> {
  out: string;
  json?: boolean;
}

const addOutputOptions = (command: Command): Command =>
  command
    .requiredOption('--out <path>', 'where the adapter is written: of peft a folder, of kohya a file')
    .addOption(new Option('--format <name>', 'names and files of the result').choices(['peft', 'kohya']))
    .addOption(
      new Option('--dtype <name>', 'what its elements are rounded to').choices([
        'float32',
        'float16',
        'bfloat16',
        'float64',
      ]),
    )
    .addOption(
      new Option('--split <how>', 'singular values go into both factors, or all into B (up)').choices([
        'even',
        'up',
      ]),
    )
    .option('--prefix <text>', 'of kohya: what stands before the names of modules, lora_unet_ say')
    .option('--json', 'print JSON');

const addKeepOptions = (command: Command): Command =>
  command
    .option(
      '--rank <n>',
      'keep the n largest singular values of every module; beside a rule at most n',
      parseRank,
    )
    .option('--ratio <x>', 'keep those larger than σ₁/x (sv_ratio of kohya)', parseRatio)
    .option(
      '--cumulative <share>',
      'keep as few as hold this share of their sum (sv_cumulative)',
      parseEnergy,
    )
    .option('--fro <share>', 'keep as few as hold this share of ‖W‖_F (sv_fro)', parseEnergy)
    .option('--energy <share>', 'keep as few as hold this share of ‖W‖_F²', parseEnergy);

type KeepOptions = { -readonly [K in keyof Keep]: Keep[K] };

const keepOf = ({ rank, ratio, cumulative, fro, energy }: KeepOptions): Keep => ({
  rank,
  ratio,
  cumulative,
  fro,
  energy,
});

const rulesGiven = ({ rank: _, ...rules }: Keep): number =>
  Object.values(rules).filter((x) => x !== undefined).length;

function parseRatio(text: string): number {
  const ratio = Number(text);
  if (text.trim() === '' || !(ratio >= 1)) throw new InvalidArgumentError('Expected a number ≥ 1.');
  return ratio;
}

const oneRule = 'give one of --ratio, --cumulative, --fro and --energy';

function resizeCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addOutputOptions(
    addKeepOptions(
      command
        .description('the best approximation of an adapter by one of smaller ranks')
        .argument('<adapter>', adapterPath),
    ),
  ).action(async (path: string, options: KeepOptions & OutputOptions) => {
    const keep = keepOf(options);
    if (rulesGiven(keep) > 1) command.error(`error: ${oneRule}`);
    if (rulesGiven(keep) === 0 && keep.rank === undefined)
      command.error('error: say what is kept: --rank, --ratio, --cumulative, --fro or --energy');
    await made(command, [path], options, streams, signal, async ([adapter], progress) =>
      resize(adapter, { ...keep, ...progress }),
    );
  });
}

function mergeCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addOutputOptions(
    addKeepOptions(
      command
        .description('the weighted sum of adapters, exact or as the best approximation of smaller ranks')
        .argument('<adapters...>', adapterPath)
        .option('--weights <list>', 'one for each, 0.5,0.5 say; 1 each by default', parseWeights),
    ),
  )
    .addHelpText('after', '\nNegative weights: --weights=-1,1')
    .action(async (paths: string[], options: KeepOptions & OutputOptions & { weights?: number[] }) => {
      const { weights = paths.map(() => 1) } = options;
      if (weights.length !== paths.length)
        command.error(`error: --weights: ${weights.length} for ${paths.length} adapters`);
      if (rulesGiven(keepOf(options)) > 1) command.error(`error: ${oneRule}`);
      await made(command, paths, options, streams, signal, async (adapters, progress) =>
        mergeAdapters(adapters, weights, { ...keepOf(options), ...progress }),
      );
    });
}

function parseWeights(text: string): number[] {
  const weights = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!weights.every(Number.isFinite)) throw new InvalidArgumentError('Expected numbers, 0.5,0.5 say.');
  return weights;
}

interface Progressing {
  readonly signal: AbortSignal;
  readonly onProgress: (state: { done: number; total: number }) => void;
}

/** Reads adapters, makes one of them, and writes it. */
async function made(
  command: Command,
  paths: readonly string[],
  options: OutputOptions,
  streams: Streams,
  signal: AbortSignal,
  make: (adapters: readonly Adapter[], progress: Progressing) => Promise<AdapterResult>,
): Promise<void> {
  const start = performance.now();
  const adapters: Adapter[] = [];
  for (const path of paths) adapters.push(await openAdapter(path, { signal }));
  const format = options.format ?? (adapters[0].format === 'peft' ? 'peft' : 'kohya');
  const problem = await problemOf(options.out, format, paths);
  if (problem !== undefined) command.error(`error: ${problem}`);
  const result = await watched(streams, signal, 'modules', (progress) => make(adapters, progress));
  const rounding = await write(result.adapter, { ...options, format }, streams, signal);
  await told({ of: paths, result, rounding, options, format, start }, streams);
}

/** What is wrong with `--out`, before any work; `ERR_SVD_FILE` where it cannot be written. */
async function problemOf(
  out: string,
  format: 'peft' | 'kohya',
  inputs: readonly string[],
): Promise<string | undefined> {
  if (format === 'kohya') return outputProblem(out, inputs);
  const files = [weightsName, configName].map((name) => join(out, name));
  const problem = await overwritten(files, inputs);
  if (problem !== undefined) return problem;
  const isThere = await resolveFolder(out);
  for (const file of isThere ? files : []) await resolveOutput(file);
  return undefined;
}

async function watched<T>(
  { stderr }: Streams,
  signal: AbortSignal,
  unit: string,
  work: (progress: Progressing) => Promise<T>,
): Promise<T> {
  const progress = new Progress(stderr, { unit });
  const result = await work({ signal, onProgress: (state) => progress.update(state) }).finally(() =>
    progress.stop(),
  );
  signal.throwIfAborted();
  return result;
}

const write = (
  adapter: Adapter,
  { out, format, dtype, split, prefix }: OutputOptions,
  streams: Streams,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> =>
  watched(streams, signal, 'modules written', (progress) =>
    writeAdapter(out, adapter, { format, dtype, split, prefix, ...progress }),
  );

interface ExtractOptions extends OutputOptions {
  rank?: number;
  energy?: number;
  tol?: number;
  include?: string[];
  exclude?: string[];
  resume?: boolean;
}

const collected = (pattern: string, before: string[] = []): string[] => [...before, pattern];

function extractCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addOutputOptions(
    command
      .description('what was added to a model, as an adapter: the leading singular triplets of W′ − W')
      .argument('<base>', weightsPath)
      .argument('<tuned>', 'the same, with the same names and shapes')
      .option('--rank <n>', 'keep the n largest singular values of every matrix', parseRank)
      .option('--energy <share>', 'keep as few as hold this share of ‖W′ − W‖_F²', parseEnergy)
      .option('--tol <x>', 'keep as few as leave ‖W′ − W‖_F ≤ x', parseTol)
      .option('--include <pattern>', "only tensors that match one, '*.q_proj.weight' say", collected)
      .option('--exclude <pattern>', 'tensors that are not compared; both may be repeated', collected),
  )
    .option('--resume', 'go on with a run that was stopped')
    .addHelpText(
      'after',
      '\nWhat is finished is kept beside the output, in OUT.partial, until the adapter is written. One tensor of each model is in\n' +
        'memory at a time. The format is peft by default.',
    )
    .action(async (from: string, to: string, options: ExtractOptions) => {
      const start = performance.now();
      const { out, format = 'peft', resume = false } = options;
      if ([options.rank, options.energy, options.tol].filter((x) => x !== undefined).length !== 1)
        command.error('error: give one of --rank, --energy and --tol');
      const truncation = truncationOf(options);
      await using base = await openWeights(from);
      await using tuned = await openWeights(to);
      const problem = await problemOf(out, format, [from, to]);
      if (problem !== undefined) command.error(`error: ${problem}`);
      const pair: Pair = { base, tuned };
      const names = namesToExtract(pair, options);
      await checkPlaces(pair, names, format, signal);
      const partial = `${out.replace(/(?<=[^/\\])[/\\]+$/, '')}.partial`;
      const result = await watched(streams, signal, 'tensors', (progress) =>
        extractResumably(pair, names, truncation, partial, { resume, ...progress }),
      );
      const rounding =
        result.adapter.modules.size > 0
          ? await write(result.adapter, { ...options, format }, streams, signal)
          : new Map<string, number>();
      await discard(partial);
      await told({ of: [from, to], result, rounding, options, format, start }, streams);
    });
}

interface Told {
  readonly of: readonly string[];
  readonly result: AdapterResult & Partial<Extraction>;
  /** How far rounding took each module. */
  readonly rounding: ReadonlyMap<string, number>;
  readonly options: OutputOptions;
  readonly format: string;
  readonly start: number;
}

/** What was made, in JSON or as a table. */
async function told(
  { of, result, rounding, options, format, start }: Told,
  { stdout }: Streams,
): Promise<void> {
  const { adapter, report, unchanged, leftOut } = result;
  const { out, dtype } = options;
  const modules = [...report].map(([name, values]) => ({
    name,
    shape: adapter.info.get(name)?.weightShape ?? [],
    ...values,
    rounding: rounding.get(name),
  }));
  const written = modules.length > 0 ? out : undefined;
  const milliseconds = performance.now() - start;
  if (options.json) {
    const left = leftOut && Object.fromEntries(leftOut);
    const all = { of, out: written, format, dtype, milliseconds, error: errorOf(report), modules };
    return print(stdout, `${escapedJson({ ...all, unchanged, leftOut: left, versions: versions() })}\n`);
  }
  const rows = modules.map((m) => [
    escaped(m.name),
    shapeText(m.shape),
    String(m.rankBefore),
    String(m.rank),
    numberText(m.sigma),
    numberText(m.norm),
    numberText(m.error),
  ]);
  await print(
    stdout,
    [
      rows.length > 0 ? `${table(['module', 'shape', 'from', 'rank', 'σ₁', 'norm', 'error'], rows)}\n` : '',
      `${modules.length} modules of ${of.map(shownPath).join(', ')}, ${(milliseconds / 1000).toFixed(1)} s\n`,
      rows.length > 0
        ? `error: ‖W − W′‖_F/‖W‖_F, of all together ${numberText(errorOf(report))}; ${roundingText(rounding, dtype)}\n`
        : '',
      unchanged && unchanged.length > 0 ? `${unchanged.length} tensors are the same in both\n` : '',
      ...[...(leftOut ?? [])].map(([name, why]) => `left out: ${escaped(name)}: ${escaped(why)}\n`),
      written === undefined ? 'nothing was written\n' : `written to ${shownPath(written)}, ${format}\n`,
    ].join(''),
  );
}

function roundingText(rounding: ReadonlyMap<string, number>, dtype = 'their dtype'): string {
  const most = Math.max(...rounding.values());
  return most > 0
    ? `rounding to ${dtype} comes on top, at most ${numberText(most)} of a module`
    : 'nothing was rounded';
}

/** Of all modules together, relative to the norm of all. */
function errorOf(report: ReadonlyMap<string, ModuleReport>): number {
  const all = [...report.values()];
  const norm = Math.hypot(...all.map((m) => m.norm));
  return norm > 0 ? Math.hypot(...all.map((m) => m.error * m.norm)) / norm : 0;
}

function inspectCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  command
    .description('list the modules of an adapter: shapes, ranks, scales, and their singular values')
    .argument('<adapter>', adapterPath)
    .option('--json', 'print JSON, with all singular values')
    .action(async (path: string, { json }: { json?: boolean }) => {
      const adapter = await openAdapter(path, { signal });
      const described = await watched(streams, signal, 'modules', (options) =>
        describeAdapter(adapter, options),
      );
      const modules = [...described].map(([name, module]) => ({ name, ...module, S: Array.from(module.S) }));
      const { format, metadata } = adapter;
      const replaced = [...adapter.replaced.keys()];
      if (json)
        return print(
          streams.stdout,
          `${escapedJson({ adapter: path, format, metadata, modules, replaced })}\n`,
        );
      const rows = modules.map((m) => [
        escaped(m.name),
        shapeText(m.weightShape),
        String(m.rank),
        numberText(m.alpha),
        numberText(m.scale),
        m.dtype,
        numberText(m.S[0]),
        numberText(m.norm),
        numberText(m.effectiveRank),
        ...m.energyRanks.map(String),
      ]);
      const head = [
        'module',
        'shape',
        'rank',
        'alpha',
        'scale',
        'dtype',
        'σ₁',
        'norm',
        'effective rank',
        'for 90 %',
        'for 99 %',
      ];
      await print(
        streams.stdout,
        [
          rows.length > 0 ? `${table(head, rows)}\n` : '',
          `${shownPath(path)}: ${format}, ${rows.length} modules; σ₁ and norms with their scale\n`,
          ...replaced.map((name) => `whole: ${escaped(name)}\n`),
        ].join(''),
      );
    });
}

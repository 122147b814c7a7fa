import type { Command } from 'commander';
import { svdError } from '../array/errors.ts';
import { escaped, escapedJson } from '../array/escape.ts';
import { shardText } from '../circuits/run/index.ts';
import { diffAdapters, isAdapter } from '../diff/adapters.ts';
import { diffBeside, type FileDiff } from '../diff/beside.ts';
import { type Budget, type Excess, excessOf, mustApply, readBudget } from '../diff/budget.ts';
import type { Cast } from '../diff/cast.ts';
import { openJournal, withoutDirections } from '../diff/journal.ts';
import type { Inventory } from '../diff/pairs.ts';
import type { Reading } from '../diff/reading.ts';
import { diffWeights, type TensorDiff } from '../diff/walk.ts';
import type { Tensor } from '../index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { openWeights } from '../weights/index.ts';
import { writeTensors } from '../weights/writer.ts';
import { numberText, outputProblem, shapeText, spectrumText, table } from './format.ts';
import { weightsPath } from './inspect.ts';
import { chosenShard, type ShardChoice, shardHelp } from './shard.ts';
import { describeFailure, Progress, print, type Streams } from './streams.ts';

interface DiffCommandOptions {
  budget?: string;
  include?: string[];
  exclude?: string[];
  directions?: string;
  json?: boolean;
  out?: string;
  resume?: boolean;
  shard?: string;
}

/** `factored-svd diff A B`: what has changed between two checkpoints, and how. */
export function diffCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  command
    .description(
      'what has changed between two checkpoints: which tensors, by how much, and what kind of change it is',
    )
    .argument('<a>', weightsPath)
    .argument('<b>', 'the same; what A has become')
    .option('--budget <file>', 'JSON that says what may change: [{ "pattern", "change", "kinds" }]')
    .option('--include <pattern>', 'only tensors that match; may be repeated', collect)
    .option('--exclude <pattern>', 'no tensors that match; may be repeated', collect)
    .option(
      '--directions <file>',
      'write U, S and Vh of what stands out of every change there, as safetensors',
    )
    .option('--json', 'print JSON')
    .option('--out <file>', 'keep what is finished in this journal')
    .option('--resume', 'go on with the journal of --out, if it is there')
    .option('--shard <i/n>', shardHelp)
    .addHelpText(
      'after',
      '\nOf two folders the other safetensors files are compared, too, by their bytes (not with --include).\n' +
        '\nExit codes: 0 nothing has changed, or with --budget nothing more than it allows; 1 something has; 2 it could not be\n' +
        'compared.',
    )
    .action(async (a: string, b: string, options: DiffCommandOptions) => {
      if (options.resume && options.out === undefined) command.error('error: --resume needs --out');
      if (options.resume && options.directions !== undefined)
        command.error(
          'error: --directions needs all that is compared, and a journal has no directions: not with --resume',
        );
      // commander's errors end the command with 2
      const couldNot = (why: string): never => command.error(`error: could not compare: ${why}`);
      const report = await (async () => {
        const found = await compare(a, b, options, streams, signal);
        await print(streams.stdout, options.json ? json(found) : text(found));
        return found;
      })().catch((error) => {
        if (signal.aborted && error === signal.reason) throw error;
        return couldNot(describeFailure(error));
      });
      if (report.outcome === 'undecided') couldNot(summary(report));
      if (report.outcome !== 'same') throw new Error(summary(report));
    });
}

const collect = (pattern: string, all: string[] = []): string[] => [...all, pattern];

type Judged<T> = T & { readonly excess?: Excess | undefined };

interface Report {
  readonly a: string;
  readonly b: string;
  /** Whether A and B are low-rank adapters, compared module by module. */
  readonly adapters: boolean;
  readonly prefix: Inventory['prefix'];
  readonly budget: string | undefined;
  readonly shard: ShardChoice['shard'];
  /** Other files of two folders. */
  readonly files: readonly Judged<FileDiff>[];
  readonly differences: readonly Judged<TensorDiff>[];
  readonly same: number;
  readonly outcome: 'same' | 'differs' | 'undecided';
  readonly milliseconds: number;
}

async function compare(
  pathA: string,
  pathB: string,
  { budget: budgetPath, include, exclude, directions, out, resume = false, shard }: DiffCommandOptions,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Report> {
  const choice = chosenShard(shard, process.env);
  if (choice.note !== undefined) await print(stderr, `factored-svd: ${choice.note}\n`);
  const budget = budgetPath === undefined ? undefined : await readBudget(budgetPath);
  for (const [option, file] of Object.entries({ '--out': out, '--directions': directions })) {
    const problem = await outputProblem(file, [pathA, pathB]);
    if (problem !== undefined) throw svdError('ERR_SVD_ARGUMENT', problem.replace('--out', option));
  }
  const start = performance.now();
  await using a = await openWeights(pathA);
  await using b = await openWeights(pathB);
  const progress = new Progress(stderr, { unit: 'tensors' });
  const differences: Report['differences'][number][] = [];
  const kept: Record<string, Tensor> = {};
  let same = 0;
  const chosen = { include, exclude, shard: choice.shard };
  await using journal = out === undefined ? undefined : await openJournal(out, resume, a, b, chosen);
  const settings = {
    ...chosen,
    known: journal?.records,
    signal,
    onProgress: (state: { done: number; total: number }) => progress.update(state),
  };
  const adapters = isAdapter(a) && isAdapter(b);
  const { prefix, total, names, opened, tensors } = adapters
    ? await diffAdapters(pathA, pathB, settings)
    : await diffWeights(a, b, settings);
  if (total === 0 && names.length > 0)
    throw svdError('ERR_SVD_ARGUMENT', '--include and --exclude leave nothing to compare');
  // Who chooses tensors by name asks for no files; of all shards the first has them.
  const isAsked = include === undefined && (choice.shard?.index ?? 1) === 1;
  const beside = await diffBeside(opened, isAsked, signal);
  if (budget !== undefined) mustApply(budget, [...names, ...beside.names], budgetPath!);
  const files = beside.files.map((file) => ({
    ...file,
    excess: budget && excessOf(budget, { ...file, kinds: [file.kind], readings: [] }),
  }));
  try {
    for await (const tensor of tensors) {
      if (directions !== undefined) keepDirections(kept, tensor);
      const plain = withoutDirections(tensor);
      if (
        journal &&
        tensor.failed === undefined &&
        tensor.kinds.every((kind) => kind !== 'missing' && kind !== 'added') &&
        !journal.records.has(tensor.name)
      )
        await journal.add(tensor.name, plain);
      const excess = budget && excessOf(budget, tensor);
      if (tensor.kinds.length === 0) same++;
      else differences.push({ ...plain, excess });
    }
  } finally {
    progress.stop();
  }
  if (directions !== undefined) await writeTensors(directions, kept, { format: 'pt' }, signal);
  signal.throwIfAborted();
  return {
    a: pathA,
    b: pathB,
    adapters,
    prefix,
    budget: budgetPath,
    shard: choice.shard,
    files,
    differences,
    same,
    outcome: outcomeOf(differences, files, budget),
    milliseconds: performance.now() - start,
  };
}

function outcomeOf(
  differences: Report['differences'],
  files: Report['files'],
  budget: Budget | undefined,
): Report['outcome'] {
  if (differences.some(({ failed }) => failed !== undefined)) return 'undecided';
  if (budget === undefined) {
    if (files.length > 0) return 'differs';
    if (differences.some(({ kinds }) => kinds.some((kind) => kind !== 'unreadable'))) return 'differs';
    return differences.length > 0 ? 'undecided' : 'same';
  }
  const verdicts = [...differences, ...files].map(({ excess }) => excess?.verdict);
  return verdicts.includes('over') ? 'differs' : verdicts.includes('undecided') ? 'undecided' : 'same';
}

function keepDirections(kept: Record<string, Tensor>, { name, readings, matrices }: TensorDiff): void {
  for (const { index, reading } of readings)
    for (const [key, factor] of Object.entries(reading.spikes?.part ?? {}))
      kept[`${name}${matrices > 1 ? `.${index}` : ''}.${key}`] = factor;
}

/** For programs. JSON has neither infinity nor NaN: the relative change of what was zero is null. */
function json(report: Report): string {
  const { differences, ...rest } = report;
  return `${escapedJson({ ...rest, summary: summary(report), differences }, 2)}\n`;
}

/** For people. */
function text(report: Report): string {
  const { a, b, adapters, prefix, shard, files, differences, same, milliseconds } = report;
  const lines = [
    `A ${shownPath(a)}\nB ${shownPath(b)}\n${adapters ? 'Low-rank adapters, compared by what they add to each weight.\n' : ''}`,
    shard === undefined ? '' : `${shardText(shard)}\n`,
    prefix === undefined
      ? ''
      : `Names of ${prefix.of} begin with ${escaped(prefix.text)}, and are those of ${prefix.of === 'A' ? 'B' : 'A'} without it.\n`,
    `${same} the same, ${differences.length} not, ${(milliseconds / 1000).toFixed(1)} s\n\n`,
  ];
  const rows = differences.flatMap(rowsOf);
  if (rows.length > 0)
    lines.push(table(['tensor', 'what', 'shape', 'change', 'largest', 'elements', 'reading'], rows), '\n');
  if (files.length > 0)
    lines.push(
      table(
        ['other file', 'what'],
        files.map(({ name, kind }) => [escaped(name), kind === 'bytes' ? 'other bytes' : kind]),
      ),
      '\n',
    );
  const over = [...differences, ...files].filter(({ excess }) => excess !== undefined);
  for (const { name, excess } of over) lines.push(`${escaped(name)}: ${escaped(excess!.why)}\n`);
  lines.push(over.length > 0 ? '\n' : '', `${summary(report)}\n`);
  return lines.join('');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
const verb = (count: number, one: string, several: string): string => (count === 1 ? one : several);

const inventoryKinds: readonly string[] = [
  'missing',
  'added',
  'renamed',
  'dtype',
  'shape',
  'bytes',
  'unreadable',
];

/** A row for a tensor, or one for each of its matrices. */
function rowsOf({ name, other, dtype, shape, kinds, readings, matrices, failed }: TensorDiff): string[][] {
  const what = kinds.filter((kind) => inventoryKinds.includes(kind)).map((kind) => whatText(kind, dtype));
  const title = escaped(other === undefined ? name : `${name} → ${other}`);
  const row = (place: string, rest: string[]) => [
    `${title}${place}`,
    what.join(', '),
    shape.map(shapeText).join(' → '),
    ...rest,
  ];
  const failure = failed === undefined ? [] : [row('', ['', '', '', `not compared: ${escaped(failed)}`])];
  if (readings.length === 0) {
    if (failed !== undefined) return failure;
    const why = kinds.includes('equal')
      ? readingText({ kind: 'equal' } as Reading)
      : kinds.includes('unreadable')
        ? `${dtype.join(' → ')} is not read as numbers: not compared`
        : kinds.includes('bytes')
          ? `${dtype[0]}: compared by bytes alone`
          : '';
    return [row('', ['', '', '', why])];
  }
  const read = readings.map(({ index, reading }) =>
    row(matrices > 1 ? ` [${index}]` : '', [
      numberText(reading.relative),
      numberText(reading.largest),
      Number.isNaN(reading.changed) ? '' : `${reading.changed}/${reading.elements}`,
      readingText(reading),
    ]),
  );
  return [...read, ...failure];
}

const whatText = (kind: string, dtype: readonly string[]): string =>
  kind === 'dtype' ? dtype.join(' → ') : kind;

const castText = ({ to, rounded }: Cast): string => `${to}${rounded === 'A' ? ' (A is)' : ''}`;

/** What a reading says, in words. */
function readingText({ kind, cast, spikes, energy, faint, nonFinite }: Reading): string {
  if (kind === 'equal') return 'the same numbers (other zeros, NaN, or dtype)';
  if (kind === 'non-finite') {
    const [a, b] = nonFinite ?? [0, 0];
    return `${a} NaN or infinities in A, ${b} in B: not compared`;
  }
  if (kind === 'cast' || kind === 'cast-like') {
    const how = cast?.truncated
      ? 'truncated to'
      : kind === 'cast'
        ? 'cast to'
        : 'no spike; as large as a rounding to';
    const clipped = cast?.saturated ? `, ${cast.saturated} clipped` : '';
    return `${how} ${cast && castText(cast)}${clipped}`;
  }
  if (kind === 'spikes')
    return `rank ${spikes!.count} above the noise, ${percent(energy)} of the change: ${spectrumText(spikes!.S ?? [])}${faint === undefined ? '' : ` (${faint} more, as faint as a rounding of the change)`}`;
  if (kind === 'bulk') {
    const few = spikes!.count > 0 ? `, ${spikes!.count} stand out (${percent(energy)})` : '';
    return `changed everywhere, ${numberText(spikes!.level)} times the noise of rounding${few}`;
  }
  return 'changed';
}

const percent = (share: number | undefined): string => `${numberText(100 * (share ?? 0))} %`;

/** What somebody can act on, in a sentence. */
function summary(report: Report): string {
  const { shard, budget, files, outcome } = report;
  const part = shard === undefined ? '' : ' of this part';
  const open = budget === undefined ? files : files.filter(({ excess }) => excess !== undefined);
  const differ = budget === undefined ? verb(open.length, 'differs', 'differ') : notWithin(open.length);
  const also = open.length === 0 ? '' : `, but ${counted(open.length, 'other file')} ${differ}`;
  if (budget !== undefined && outcome === 'same')
    return `${counted(report.differences.length + files.length, 'difference')}${part} within the budget, ${counted(report.same, 'tensor')} the same`;
  return `${ofTensors(report, part)}${also}`;
}

const notWithin = (count: number): string => `${verb(count, 'is', 'are')} not within the budget`;

function ofTensors({ differences, budget, same }: Report, part: string): string {
  if (differences.length + same === 0) return part === '' ? 'There is no tensor' : `No tensor is${part}`;
  if (differences.length === 0)
    return same === 1 ? `The tensor${part} is the same` : `All ${same} tensors${part} are the same`;
  const over = budget === undefined ? differences : differences.filter(({ excess }) => excess !== undefined);
  const kinds = new Map<string, number>();
  for (const { kinds: all, readings } of over)
    for (const kind of new Set(all.map((kind) => summaryKind(kind, readings))))
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const parts = [...kinds].map(([kind, count]) => `${count} ${kind}`);
  if (over.length === 0) return `All differences${part} of tensors are within the budget`;
  const what = budget === undefined ? verb(over.length, 'differs', 'differ') : notWithin(over.length);
  return `${counted(over.length, 'tensor')}${part} ${what}: ${parts.join(', ')}; ${same} the same`;
}

function summaryKind(kind: string, readings: TensorDiff['readings']): string {
  const casts = new Set(readings.flatMap(({ reading: { cast } }) => (cast ? [castText(cast)] : [])));
  if (kind === 'cast') return casts.size === 1 ? `cast to ${[...casts][0]}` : 'cast';
  if (kind === 'spikes') return 'changed by a low rank (an adapter or an edit)';
  if (kind === 'bulk') return 'changed everywhere';
  if (kind === 'dtype') return 'of another dtype';
  if (kind === 'equal') return 'of the same numbers';
  if (kind === 'shape') return 'of another shape';
  return kind === 'bytes' ? 'of other bytes' : kind;
}

import { stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { escaped, escapedJson } from '../array/escape.ts';
import { versions } from '../index.ts';
import { scanPage } from '../report/scan-page.ts';
import {
  type Column,
  columnNames,
  columns,
  csvLines,
  isBroken,
  isScan,
  partText,
  readScan,
  rowName,
  type Scan,
  type ScanRow,
  scanWeights,
} from '../scan/index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { openWeights } from '../weights/index.ts';
import { resolveOutput, sameFile, writeAtomically } from '../weights/output.ts';
import { namesText } from '../weights/patterns.ts';
import { bytesText, numberText, outputProblem, shapeText, table } from './format.ts';
import { chosenShard, type ShardChoice, shardHelp } from './shard.ts';
import { Progress, print, type Streams } from './streams.ts';
import { parseRank } from './svd.ts';

interface ScanChoices {
  include: string[];
  exclude: string[];
  minSize?: number;
  columns: readonly Column[];
  sort?: Column;
  reverse?: boolean;
  json?: boolean;
  csv?: boolean;
  report?: string;
  out?: string;
  resume?: boolean;
  shard?: string;
}

/** Those that a terminal has room for. */
const usual: readonly Column[] = [
  ...(['norm', 'sigma1', 'stableRank', 'effectiveRank', 'condition'] as const),
  ...(['top', 'spikes', 'snr', 'alpha'] as const),
];

/** `factored-svd scan CHECKPOINT`: what the spectrum and the elements of every tensor say. */
export function scanCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  command
    .description(
      'norms, ranks, spectra and broken elements of every matrix of a checkpoint, one tensor at a time',
    )
    .argument(
      '<paths...>',
      'a checkpoint: a file, a folder or an index of shards; or journals that --out wrote',
    )
    .addOption(
      new Option('--include <pattern>', "only tensors like '*.mlp.*'; may be repeated")
        .argParser(added)
        .default([], 'all'),
    )
    .addOption(
      new Option('--exclude <pattern>', 'not those; may be repeated').argParser(added).default([], 'none'),
    )
    .option('--min-size <n>', 'only matrices with at least n rows and n columns', parseRank)
    .option('--columns <names>', `of the table, or all: ${columnNames.join(', ')}`, parseColumns, usual)
    .addOption(new Option('--sort <column>', 'the largest first').choices(columnNames))
    .option('--reverse', 'with --sort: the smallest first')
    .option('--json', 'print JSON')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .option('--report <file>', 'write a page to look at, HTML that loads nothing')
    .option('--out <file>', 'keep what is finished in this journal')
    .option('--resume', 'go on with the journal of --out, if it is there')
    .option('--shard <i/n>', shardHelp)
    .addHelpText(
      'after',
      '\nOf three dimensions the last two are matrices, a row of the table for each; of convolutions the first is that of the rows.\n' +
        'Tensors that are no matrix or no floats are listed with the reason.\n' +
        '\nThe journals of all shards are made one by naming them: factored-svd scan part-1 part-2. A journal can be shown again,\n' +
        'sorted and as JSON or CSV, and nothing is computed.\n' +
        '\nExit code 1, after the whole report, if some element is NaN or infinite, or a decomposition failed.',
    )
    .action(async (paths: string[], options: ScanChoices) => {
      const usage = (problem: string): never => command.error(`error: ${problem}`);
      if (options.reverse && options.sort === undefined) usage('--reverse needs --sort');
      if (options.resume && options.out === undefined) usage('--resume needs --out');
      const journals = await Promise.all(paths.map(isJournal));
      let scan: Scan;
      if (journals[0]) {
        const other = paths.find((_, i) => !journals[i]);
        if (other !== undefined) usage(`${shownPath(other)} is no journal, but ${shownPath(paths[0])} is`);
        const chosen = fresh.find((name) => options[name] !== undefined && String(options[name]) !== '');
        if (chosen !== undefined)
          usage(`--${chosen === 'minSize' ? 'min-size' : chosen} cannot be chosen for a scan that is there`);
        await mustBeWritable(options.report, paths, usage);
        scan = await readScan(paths);
        const part = partText(scan);
        if ((options.json || options.csv) && part !== '')
          await print(
            streams.stderr,
            `factored-svd: ${shownPath(paths[0])} is not the whole scan: ${part}\n`,
          );
      } else {
        if (paths.length > 1) usage(`expected one checkpoint, or journals that --out wrote`);
        let choice: ShardChoice = {};
        try {
          choice = chosenShard(options.shard, process.env);
        } catch (error) {
          usage((error as Error).message);
        }
        for (const option of ['out', 'report'] as const) {
          const problem = await outputProblem(options[option], paths, `--${option}`);
          if (problem !== undefined) usage(problem);
        }
        await mustBeWritable(options.report, options.out === undefined ? [] : [options.out], usage);
        if (choice.note !== undefined) await print(streams.stderr, `factored-svd: ${choice.note}\n`);
        scan = await scanned(paths[0], options, choice.shard, streams, signal);
      }
      const rows = sorted(scan.rows, options);
      if (options.report !== undefined) {
        const page = Buffer.from(scanPage(scan, versions()));
        await writeAtomically(options.report, (append) => append(page), signal);
        await print(
          streams.stderr,
          `wrote a page of ${scan.rows.length} rows to ${shownPath(options.report)}, ${bytesText(page.length)} bytes\n`,
        );
      }
      await print(streams.stdout, (options.json ? json : options.csv ? csv : text)(scan, rows, options));
      const broken = rows.filter((row) => isBroken(row) || (row.reason !== undefined && row.matrix));
      if (broken.length > 0)
        throw new Error(
          `${broken.length} ${broken.length === 1 ? 'matrix or vector has' : 'matrices or vectors have'} elements that are not finite, or no decomposition: ${namesText(broken.map(rowName))}`,
        );
    });
}

/** A page that would overwrite a journal, or could not be written, is wrong usage or `ERR_SVD_FILE`. */
async function mustBeWritable(
  report: string | undefined,
  journals: readonly string[],
  usage: (problem: string) => never,
): Promise<void> {
  if (report === undefined) return;
  if (journals.includes(report) || (await sameFile(report, journals)) !== undefined)
    usage(`--report would overwrite the journal ${shownPath(report)}`);
  await resolveOutput(report);
}

/** What decides what is computed. */
const fresh = ['include', 'exclude', 'minSize', 'out', 'resume', 'shard'] as const;

const added = (pattern: string, before: string[]): string[] => [...before, pattern];

function parseColumns(names: string): readonly Column[] {
  if (names === 'all') return columnNames;
  const chosen = names.split(',');
  const unknown = chosen.find((name) => !columnNames.includes(name as Column));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no column ${unknown}.`);
  return chosen as Column[];
}

const isJournal = async (path: string): Promise<boolean> =>
  (await stat(path).then(
    (stats) => stats.isFile(),
    () => false, // who opens it says what is wrong
  )) && isScan(path);

async function scanned(
  path: string,
  { include, exclude, minSize = 0, out, resume }: ScanChoices,
  shard: ShardChoice['shard'],
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Scan> {
  await using weights = await openWeights(path);
  const progress = new Progress(stderr);
  const scan = await scanWeights(weights, {
    selection: { include, exclude, minSize },
    shard,
    out,
    resume,
    signal,
    onProgress: (state) => progress.update(state),
  }).finally(() => progress.stop());
  signal.throwIfAborted();
  return scan;
}

/** By a column, rows without it last; else as they stand in the checkpoint. */
function sorted(rows: readonly ScanRow[], { sort, reverse }: ScanChoices): readonly ScanRow[] {
  if (sort === undefined) return rows;
  const missing = reverse ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const value = (row: ScanRow) => row[sort] ?? missing;
  const larger = (a: ScanRow, b: ScanRow) => (value(a) === value(b) ? 0 : value(a) > value(b) ? -1 : 1);
  return [...rows].sort(reverse ? (a, b) => larger(b, a) : larger);
}

/** For programs. JSON has no infinity: an infinite condition is null. */
function json(scan: Scan, rows: readonly ScanRow[]): string {
  const { source, selection, shard, units, done, factoredSvd } = scan;
  const head = { source, ...selection, shard: shard && [shard.index, shard.count], units, done };
  const tensors = rows.map(({ name, item, dtype, shape, matrix, reason, ...row }) => {
    const numbers = Object.fromEntries(columnNames.map((key) => [key, row[key]]));
    return { name, item, dtype, shape, matrix, ...numbers, reason };
  });
  return `${escapedJson({ ...head, tensors, versions: { ...versions(), factoredSvd } })}\n`;
}

/** Comma-separated values (RFC 4180). */
const csv = (_: Scan, rows: readonly ScanRow[]): string => `${[...csvLines(rows)].join('\r\n')}\r\n`;

/** For people: the matrices, what the columns mean, and what has no spectrum and why. */
function text(scan: Scan, rows: readonly ScanRow[], options: ScanChoices): string {
  const [matrices, others] = [true, false].map((is) =>
    rows.filter(({ sigma1 }) => (sigma1 !== undefined) === is),
  );
  const ofElements: Column[] = [
    'norm',
    'largest',
    ...(others.some(isBroken) ? (['nan', 'infinite'] as const) : []),
  ];
  const numbers = (row: ScanRow, keys: readonly Column[]) =>
    keys.map((key) => numberText(row[key] ?? Number.NaN));
  const shape = ({ shape, matrix }: ScanRow) => shapeText(shape.length > 2 && matrix ? matrix : shape);
  const heads = (keys: readonly Column[]) => keys.map((key) => columns[key][0]);
  const list = matrices.map((row) => [
    escaped(rowName(row)),
    row.dtype,
    shape(row),
    ...numbers(row, options.columns),
  ]);
  const rest = others.map((row) => [
    escaped(rowName(row)),
    row.dtype,
    shapeText(row.shape),
    ...numbers(row, ofElements),
    escaped(row.reason ?? ''),
  ]);
  const part = partText(scan);
  return [
    `${escaped(scan.source)}${part === '' ? '' : `, ${part}`}: ${count(matrices.length, 'matrix', 'matrices')}`,
    others.length > 0 ? `, and ${count(others.length, 'tensor', 'tensors')} without a spectrum\n\n` : '\n\n',
    list.length > 0 ? `${table(['matrix', 'dtype', 'shape', ...heads(options.columns)], list)}\n` : '',
    ...(list.length > 0 ? options.columns.map((key) => `${columns[key][0]}: ${columns[key][1]}\n`) : []),
    rest.length > 0
      ? `\n${table(['without a spectrum', 'dtype', 'shape', ...heads(ofElements), 'reason'], rest)}`
      : '',
  ].join('');
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

import { dirname, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { escaped } from '../array/escape.ts';
import { compareSpectrum } from '../golden/compare.ts';
import { compareAny, placeOf, readGolden } from '../golden/index.ts';
import type { Golden, GoldenRecord, Source } from '../golden/record.ts';
import { versions } from '../index.ts';
import { fileError, shownPath } from '../weights/file-errors.ts';
import { type Comparison, formats, outcomeOf, verdictsOf } from './comparison.ts';
import {
  addSourceOptions,
  readDecomposition,
  type SourceOptions,
  sourceContradiction,
  sourceOf,
  sourceTitle,
} from './golden.ts';
import { describeFailure, Progress, print, type Streams } from './streams.ts';
import { appendSummary } from './verdicts.ts';

interface CompareOptions extends SourceOptions {
  format: keyof typeof formats;
  within?: number;
}

/** `factored-svd compare GOLDEN FILE...`: whether what `golden` recorded still holds. */
export function compareCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addSourceOptions(
    command
      .description('compare matrices with the record that golden made of them')
      .argument('<golden>', 'JSON file that golden wrote')
      .argument('[files...]', 'files as golden takes them; without any, those that were recorded'),
  )
    .option(
      '--within <share>',
      'of checkpoints and circuits: ‖W′ − W‖ may be this share of ‖W‖, whatever float it is stored as; 0: the same numbers',
      parseShare,
    )
    .addOption(
      new Option('--format <name>', 'form of the report').choices(Object.keys(formats)).default('text'),
    )
    .addHelpText(
      'after',
      '\nA checkpoint is compared tensor by tensor: those with the same bytes hold, others as far as rounding allows, or --within.\n' +
        'One file is compared with the only record there is; of several each with the record of its name.\n' +
        'The matrix is the one that was recorded unless --factors, --matrix, or --a and --b name another.\n' +
        '\nExit codes: 0 the record holds, 1 it does not, 2 it could not be compared.',
    )
    .action(async (golden: string, files: string[], { format, within, ...options }: CompareOptions) => {
      const source = sourceOf(options);
      const override = Object.keys(source).length > 0 ? source : undefined;
      const problem = override && sourceContradiction(override);
      if (problem !== undefined) command.error(`error: ${problem}`);
      // commander's errors end the command with 2
      const couldNot = (why: string): never => command.error(`error: could not compare: ${why}`);
      const outcome = await (async () => {
        const result = await compareFiles(golden, files, { override, within }, streams, signal);
        await print(streams.stdout, formats[format](result));
        if (format === 'github') await appendSummary(verdictsOf(result), process.env.GITHUB_STEP_SUMMARY);
        return outcomeOf(result.records.map(({ report }) => report));
      })().catch((error) => {
        if (signal.aborted && error === signal.reason) throw error;
        return couldNot(describeFailure(error));
      });
      if (outcome === 'undetermined') couldNot(`${shownPath(golden)} is undetermined`);
      if (outcome === 'fails') throw new Error(`${shownPath(golden)} does not hold`);
    });
}

function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === '' || !(share >= 0 && share < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('Expected a number ≥ 0.');
  return share;
}

async function compareFiles(
  path: string,
  files: string[],
  { override, within }: { override: Source | undefined; within: number | undefined },
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Comparison> {
  const golden = await readGolden(path);
  const records: Comparison['records'][number][] = [];
  const versionsOf = { golden: path, recordedWith: golden.versions, comparedWith: versions() };
  if (!('records' in golden)) {
    if (override) throw fileError(path, 'is of a checkpoint: no matrix of it can be named');
    if (files.length > 1) throw fileError(path, 'is of one checkpoint: name one');
    const file = files[0] ?? placeOf(golden, path);
    const progress = new Progress(stderr, { unit: 'tensors' in golden ? 'tensors' : 'layers' });
    const walk = {
      within,
      signal,
      onProgress: (state: { done: number; total: number }) => progress.update(state),
    };
    try {
      for await (const { title, report } of compareAny(golden, file, walk))
        records.push({ file, title: escaped(title), report });
    } finally {
      progress.stop();
    }
    return { ...versionsOf, records, counted: true };
  }
  if (within !== undefined)
    throw fileError(path, 'is of single matrices, which are compared by their bounds, not --within');
  for (const { file, record } of pairs(path, golden, files)) {
    const source = override ?? record.source;
    const { svd } = await readDecomposition(file, source, { signal, stderr });
    records.push({ file, title: sourceTitle(source), report: compareSpectrum(svd, record) });
  }
  signal.throwIfAborted();
  return { ...versionsOf, records };
}

const shownRecords = 8;

/** Every file with its record. */
function pairs(path: string, { records }: Golden, files: string[]): { file: string; record: GoldenRecord }[] {
  const place = (record: GoldenRecord) => join(dirname(path), record.file);
  if (files.length === 0) return records.map((record) => ({ file: place(record), record }));
  if (files.length === 1 && records.length === 1) return [{ file: files[0], record: records[0] }];
  const recorded = new Map<string, GoldenRecord[]>();
  for (const record of records) {
    const at = resolve(place(record));
    recorded.set(at, [...(recorded.get(at) ?? []), record]);
  }
  return files.flatMap((file) => {
    const own = recorded.get(resolve(file));
    if (own !== undefined) return own.map((record) => ({ file, record }));
    const known = records.slice(0, shownRecords).map((record) => record.file);
    const rest = records.length > shownRecords ? `, … (${records.length} in all)` : '';
    throw fileError(path, `has no record of ${file}; it has ${known.join(', ')}${rest}`);
  });
}

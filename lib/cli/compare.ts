import { dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { svdError } from '../errors.ts';
import { compareSpectrum } from '../golden/compare.ts';
import type { Golden, GoldenRecord, Source } from '../golden/contents.ts';
import { readGolden } from '../golden/golden-file.ts';
import { versions } from '../index.ts';
import { type Comparison, formats, outcomeOf } from './compare-formats.ts';
import { printable } from './format.ts';
import {
  addSourceOptions,
  readDecomposition,
  type SourceOptions,
  sourceContradiction,
  sourceOf,
  sourceTitle,
} from './golden-source.ts';
import { print, type Streams } from './streams.ts';

interface CompareOptions extends SourceOptions {
  format: keyof typeof formats;
}

/** `factored-svd compare GOLDEN FILE...`: whether what `golden` recorded still holds. */
export function compareCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addSourceOptions(
    command
      .description('compare matrices with the record that golden made of them')
      .argument('<golden>', 'JSON file that golden wrote')
      .argument('[files...]', 'safetensors files; without any, those that were recorded'),
  )
    .addOption(
      new Option('--format <name>', 'form of the report').choices(Object.keys(formats)).default('text'),
    )
    .addHelpText(
      'after',
      '\nOne file is compared with the only record there is; of several each with the record of its name.\n' +
        'The matrix is the one that was recorded unless --factors, --matrix, or --a and --b name another.\n' +
        '\nExit codes: 0 the record holds, 1 it does not, 2 it could not be compared.',
    )
    .action(async (golden: string, files: string[], { format, ...options }: CompareOptions) => {
      const source = sourceOf(options);
      const override = Object.keys(source).length > 0 ? source : undefined;
      const problem = override && sourceContradiction(override);
      if (problem !== undefined) command.error(`error: ${problem}`);
      const result = await compareFiles(golden, files, override, streams, signal).catch((error) => {
        if (signal.aborted && error === signal.reason) throw error;
        // commander's errors end the command with 2
        return command.error(`error: could not compare: ${describeError(error)}`);
      });
      await print(streams.stdout, formats[format](result));
      const outcome = outcomeOf(result.records.map(({ report }) => report));
      if (outcome === 'undetermined') command.error(`error: could not compare: ${golden} is undetermined`);
      if (outcome === 'fails') throw new Error(`${golden} does not hold`);
    });
}

const describeError = (error: Error & { code?: string }): string =>
  error.code === undefined ? error.message : `${error.message} [${error.code}]`;

async function compareFiles(
  path: string,
  files: string[],
  override: Source | undefined,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Comparison> {
  const golden = await readGolden(path);
  const records: Comparison['records'][number][] = [];
  for (const { file, record } of pairs(path, golden, files)) {
    const source = override ?? record.source;
    const { svd } = await readDecomposition(file, source, { signal, stderr });
    records.push({ file: printable(file), title: sourceTitle(source), report: compareSpectrum(svd, record) });
  }
  signal.throwIfAborted();
  return { golden: path, recordedWith: golden.versions, comparedWith: versions(), records };
}

/** Every file with its record. */
function pairs(path: string, { records }: Golden, files: string[]): { file: string; record: GoldenRecord }[] {
  const place = (record: GoldenRecord) => join(dirname(path), record.file);
  if (files.length === 0) return records.map((record) => ({ file: place(record), record }));
  if (files.length === 1 && records.length === 1) return [{ file: files[0], record: records[0] }];
  return files.flatMap((file) => {
    const own = records.filter((record) => resolve(place(record)) === resolve(file));
    if (own.length > 0) return own.map((record) => ({ file, record }));
    const known = records.map((record) => record.file).join(', ');
    throw svdError('ERR_SVD_FILE', `${path}: has no record of ${file}; it has ${known}`, { path });
  });
}

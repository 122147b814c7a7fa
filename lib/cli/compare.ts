import { dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { escaped, escapedJson } from '../array/escape.ts';
import { compareSpectrum } from '../golden/compare.ts';
import { readGolden } from '../golden/file.ts';
import type { Golden, GoldenRecord, Source } from '../golden/record.ts';
import { type Versions, versions } from '../index.ts';
import { type Check, describe, describePlace, type Report, short } from '../testing/report.ts';
import { fileError, shownPath } from '../weights/file-errors.ts';
import {
  addSourceOptions,
  readDecomposition,
  type SourceOptions,
  sourceContradiction,
  sourceOf,
  sourceTitle,
} from './golden.ts';
import { describeFailure, print, type Streams } from './streams.ts';

/** What `compare` found. */
export interface Comparison {
  /** The golden file. */
  readonly golden: string;
  readonly recordedWith: Versions;
  readonly comparedWith: Versions;
  readonly records: readonly { readonly file: string; readonly title: string; readonly report: Report }[];
}

/** The forms of a report, by the names that `--format` takes. */
export const formats = { text, tap, json, github } satisfies Record<string, (result: Comparison) => string>;

/** The worst of all; where there is nothing to compare, nothing holds. */
export function outcomeOf(reports: readonly Report[]): 'holds' | 'fails' | 'undetermined' {
  if (reports.length > 0 && reports.every(({ pass }) => pass)) return 'holds';
  return reports.some(({ pass, undetermined }) => !pass && !undetermined) ? 'fails' : 'undetermined';
}

const verdicts = { holds: 'ok', fails: 'FAILED', undetermined: 'UNDETERMINED' } as const;

/** For people. */
function text({ golden, recordedWith, comparedWith, records }: Comparison): string {
  const versions = `recorded with ${describeVersions(recordedWith)}\ncompared with ${describeVersions(comparedWith)}`;
  const results = records.map(({ file, title, report }) => {
    const nearest = report.pass ? nearestText(report) : '';
    return `${verdicts[outcomeOf([report])]}: ${shownPath(file)}, ${title}: ${report.text}${nearest}`;
  });
  return `${[shownPath(golden), versions, '', ...results].join('\n')}\n`;
}

const describeVersions = ({ factoredSvd, openblas, openblasCore }: Versions): string =>
  escaped(`factored-svd ${factoredSvd}, OpenBLAS ${openblas} (kernel ${openblasCore})`);

/** How much of its bound the tightest check used: a record drifts before it fails. */
function nearestText({ checks }: Report): string {
  const ratio = ({ value, bound }: Check) => value / bound;
  const used = checks.filter(({ bound, undetermined }) => bound > 0 && !undetermined);
  if (used.length === 0) return '';
  const nearest = used.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
  return `; nearest to its bound: ${nearest.name}${describePlace(nearest)}, ${short(ratio(nearest))} of it`;
}

/** For programs. JSON has no infinity: an infinite bound is null. */
function json({ records, ...rest }: Comparison): string {
  const outcome = outcomeOf(records.map(({ report }) => report));
  const all = records.map(({ report: { text, message, ...report }, ...record }) => ({
    ...record,
    ...report,
  }));
  return `${escapedJson({ outcome, ...rest, records: all }, 2)}\n`;
}

/** Test Anything Protocol, version 14: one test point for each check. */
function tap({ records }: Comparison): string {
  const points = records.flatMap(({ file, title, report }) =>
    report.checks.map((check) => ({
      check,
      name: `${shownPath(file)}, ${title}: ${check.name}${describePlace(check)}`,
    })),
  );
  const lines = points.map(({ check, name }, i) => testPoint(check, i + 1, name));
  return `${['TAP version 14', `1..${points.length}`, ...lines].join('\n')}\n`;
}

function testPoint(check: Check, number: number, name: string): string {
  const escaped = name.replace(/[\\#]/g, '\\$&');
  const skipped = check.pass && check.undetermined ? ' # SKIP undetermined when it was recorded' : '';
  const point = `${check.pass ? 'ok' : 'not ok'} ${number} - ${escaped}${skipped}`;
  if (check.pass) return point;
  const { value, bound, undetermined } = check;
  const diagnostics = { message: escapedJson(describe(check)), value, bound, undetermined };
  const yaml = Object.entries(diagnostics).map(([key, entry]) => `  ${key}: ${entry}`);
  return [point, '  ---', ...yaml, '  ...'].join('\n');
}

/** For people, and for GitHub Actions, which shows the `::error` lines where the golden file is looked at. */
function github(result: Comparison): string {
  const annotations = result.records
    .filter(({ report }) => !report.pass)
    .map(({ file, title, report }) => {
      const properties = `file=${property(escaped(result.golden))},title=${property(`${escaped(file)}, ${title}`)}`;
      return `::error ${properties}::${data(report.text)}\n`;
    });
  return text(result) + annotations.join('');
}

const data = (value: string): string =>
  value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (value: string): string => data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');

interface CompareOptions extends SourceOptions {
  format: keyof typeof formats;
}

/** `factored-svd compare GOLDEN FILE...`: whether what `golden` recorded still holds. */
export function compareCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addSourceOptions(
    command
      .description('compare matrices with the record that golden made of them')
      .argument('<golden>', 'JSON file that golden wrote')
      .argument('[files...]', 'files as golden takes them; without any, those that were recorded'),
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
      // commander's errors end the command with 2
      const couldNot = (why: string): never => command.error(`error: could not compare: ${why}`);
      const outcome = await (async () => {
        const result = await compareFiles(golden, files, override, streams, signal);
        await print(streams.stdout, formats[format](result));
        return outcomeOf(result.records.map(({ report }) => report));
      })().catch((error) => {
        if (signal.aborted && error === signal.reason) throw error;
        return couldNot(describeFailure(error));
      });
      if (outcome === 'undetermined') couldNot(`${shownPath(golden)} is undetermined`);
      if (outcome === 'fails') throw new Error(`${shownPath(golden)} does not hold`);
    });
}

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
    records.push({ file, title: sourceTitle(source), report: compareSpectrum(svd, record) });
  }
  signal.throwIfAborted();
  return { golden: path, recordedWith: golden.versions, comparedWith: versions(), records };
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

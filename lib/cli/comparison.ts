import { appendFile, stat } from 'node:fs/promises';
import { escaped, escapedJson, escapedLines } from '../array/escape.ts';
import { sameBytes } from '../golden/checkpoint.ts';
import type { Versions } from '../index.ts';
import { type Check, describe, describePlace, type Report, short } from '../testing/report.ts';
import { fileStep, shownPath } from '../weights/file-errors.ts';

/** What `compare` found. */
export interface Comparison {
  /** The golden file. */
  readonly golden: string;
  readonly recordedWith: Versions;
  readonly comparedWith: Versions;
  /** Titles can be shown. */
  readonly records: readonly { readonly file: string; readonly title: string; readonly report: Report }[];
  /** They are parts of one checkpoint: those that hold are only counted. */
  readonly counted?: boolean;
}

/** The forms of a report, by the names that `--format` takes. */
export const formats = { text, tap, json, junit, github } satisfies Record<
  string,
  (result: Comparison) => string
>;

/** The worst of all; where there is nothing to compare, nothing holds. */
export function outcomeOf(reports: readonly Report[]): 'holds' | 'fails' | 'undetermined' {
  if (reports.length > 0 && reports.every(({ pass }) => pass)) return 'holds';
  return reports.some(({ pass, undetermined }) => !pass && !undetermined) ? 'fails' : 'undetermined';
}

const verdicts = { holds: 'ok', fails: 'FAILED', undetermined: 'UNDETERMINED' } as const;

/** For people. */
function text({ golden, recordedWith, comparedWith, records, counted = false }: Comparison): string {
  const versions = `recorded with ${describeVersions(recordedWith)}\ncompared with ${describeVersions(comparedWith)}`;
  const shown = counted ? records.filter(({ report }) => !report.pass) : records;
  const results = shown.map(({ file, title, report }) => {
    const nearest = report.pass ? nearestText(report) : '';
    return `${verdicts[outcomeOf([report])]}: ${shownPath(file)}, ${title}: ${report.text}${nearest}`;
  });
  if (counted) results.push(countText({ records, counted }));
  return `${[shownPath(golden), versions, '', ...results].join('\n')}\n`;
}

/** How many hold. */
function countText({ records, counted }: Pick<Comparison, 'records' | 'counted'>): string {
  const held = records.filter(({ report }) => report.pass);
  const unchanged = held.filter(({ report }) => report.checks.some(({ name }) => name === sameBytes)).length;
  const verdict = verdicts[outcomeOf(records.map(({ report }) => report))];
  const bytes = counted ? `, ${unchanged} with the same bytes` : '';
  return `${verdict}: ${held.length} of ${records.length} hold${bytes}`;
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
function json({ records, counted, ...rest }: Comparison): string {
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

/** JUnit's XML, as CI servers read it: a test case for each matrix, tensor, or kind and layer. */
function junit({ golden, records }: Comparison): string {
  const outcomes = records.map(({ report }) => outcomeOf([report]));
  const count = (outcome: string) => outcomes.filter((other) => other === outcome).length;
  const counts = `tests="${records.length}" failures="${count('fails')}" errors="${count('undetermined')}" skipped="0"`;
  const cases = records.map(({ file, title, report }, i) => {
    const open = `    <testcase classname="${xml(escaped(file))}" name="${xml(title)}"`;
    if (report.pass) return `${open}/>`;
    const [first] = report.text.split('\n');
    const kind = outcomes[i] === 'fails' ? 'failure' : 'error';
    return `${open}>\n      <${kind} message="${xml(first)}">${xml(escapedLines(report.text))}</${kind}>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="factored-svd compare" ${counts}>`,
    `  <testsuite name="${xml(escaped(golden))}" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>\n',
  ].join('\n');
}

/** Text in XML 1.0: control characters are escaped before, two more it cannot hold. */
const xml = (text: string): string =>
  text.replace(/[&<>"\ufffe\uffff]/g, (c) =>
    c > '>' ? `\\u${c.charCodeAt(0).toString(16)}` : `&#${c.charCodeAt(0)};`,
  );

/** GitHub shows so many annotations of a kind. */
const mostAnnotations = 10;

/** For people, and for GitHub Actions, which shows the `::error` lines where the golden file is looked at. */
function github(result: Comparison): string {
  const failed = result.records.filter(({ report }) => !report.pass);
  const shown = failed.length > mostAnnotations ? mostAnnotations - 1 : failed.length;
  const annotation = (title: string, message: string) =>
    `::error file=${property(escaped(result.golden))},title=${property(title)}::${data(message)}\n`;
  const annotations = failed
    .slice(0, shown)
    .map(({ file, title, report }) => annotation(`${escaped(file)}, ${title}`, report.text));
  const rest = failed.slice(shown).map(({ title }) => `- ${title}`);
  if (rest.length > 0)
    annotations.push(annotation(`and ${rest.length} more`, shortened(rest.join('\n'), mostMessage)));
  return text(result) + annotations.join('');
}

/** Characters of an annotation; GitHub takes 4096 or so. */
const mostMessage = 2000;

const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, text.lastIndexOf('\n', most))}\n…` : text;

/** Bytes that GitHub shows of the summary of a step. */
const mostSummary = 2 ** 20;

/** What does not hold, as a table in Markdown; no longer than `most` bytes. */
export function markdown(result: Comparison, most = mostSummary): string {
  const failed = result.records.filter(({ report }) => !report.pass);
  const lines = [`### ${cell(escaped(result.golden))}`, '', cell(countText(result)), ''];
  if (failed.length > 0) lines.push('| | what | found |', '|---|---|---|');
  const note = '\n(The rest is in the log.)\n';
  let text = `${lines.join('\n')}\n`;
  for (const { file, title, report } of failed) {
    const [first, ...others] = report.text.split('\n').slice(0, shownLines).map(cell);
    const what = cell(`${escaped(file)}, ${title}`);
    const row = `| ${verdicts[outcomeOf([report])]} | ${what} | ${[first, ...others].join('<br>')} |\n`;
    if (Buffer.byteLength(text + row + note) > most) return text + note;
    text += row;
  }
  return `${text}\n`;
}

const shownLines = 6;

/** Text in a cell of a table in Markdown. */
const cell = (text: string): string => text.replace(/[\\`*_{}[\]<>|&~#]/g, (c) => `&#${c.charCodeAt(0)};`);

/** Appends the table to the summary of the step, where GitHub Actions runs one. `ERR_SVD_FILE` */
export async function appendSummary(result: Comparison, path: string | undefined): Promise<void> {
  if (path === undefined || path === '') return;
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  const text = markdown(result, mostSummary - size);
  if (Buffer.byteLength(text) <= mostSummary - size)
    await fileStep(path, 'write', () => appendFile(path, text));
}

const data = (value: string): string =>
  value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (value: string): string => data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');

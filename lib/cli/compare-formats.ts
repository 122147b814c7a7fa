import { escaped, escapedJson } from '../escape.ts';
import type { Versions } from '../index.ts';
import { type Check, describe, describePlace, type Report, short } from '../testing/report.ts';
import { shownPath } from '../weights/file-errors.ts';

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

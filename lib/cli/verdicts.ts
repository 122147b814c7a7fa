import { appendFile, open, stat } from 'node:fs/promises';
import { escaped, escapedLines } from '../array/escape.ts';
import { fileStep } from '../weights/file-errors.ts';

// What CI servers read of a command that judges: any command, by these.

/** What one part of the work came to. */
export interface Case {
  readonly file: string;
  /** Can be shown. */
  readonly title: string;
  readonly outcome: keyof typeof verdicts;
  /** Lines; the first is the verdict. */
  readonly text: string;
}

/** What a command has judged. */
export interface Verdicts {
  /** `factored-svd compare` */
  readonly command: string;
  /** The file that says what should hold; annotations stand there. */
  readonly file: string;
  /** One line. */
  readonly summary: string;
  readonly cases: readonly Case[];
}

export const verdicts = { holds: 'ok', fails: 'FAILED', undetermined: 'UNDETERMINED' } as const;

const failedOf = ({ cases }: Verdicts): Case[] => cases.filter(({ outcome }) => outcome !== 'holds');

/** JUnit's XML, as CI servers read it: a test case for each matrix, tensor, or kind and layer. */
export function junit({ command, file: judged, cases: all }: Verdicts): string {
  const count = (outcome: string) => all.filter((one) => one.outcome === outcome).length;
  const counts = `tests="${all.length}" failures="${count('fails')}" errors="${count('undetermined')}" skipped="0"`;
  const cases = all.map(({ file, title, outcome, text }) => {
    const open = `    <testcase classname="${xml(escaped(file))}" name="${xml(title)}"`;
    if (outcome === 'holds') return `${open}/>`;
    const [first] = text.split('\n');
    const kind = outcome === 'fails' ? 'failure' : 'error';
    return `${open}>\n      <${kind} message="${xml(first)}">${xml(escapedLines(text))}</${kind}>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xml(command)}" ${counts}>`,
    `  <testsuite name="${xml(escaped(judged))}" ${counts}>`,
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

/** Lines by which GitHub Actions shows what does not hold where the file is looked at. */
export function annotations(result: Verdicts): string {
  const failed = failedOf(result);
  const shown = failed.length > mostAnnotations ? mostAnnotations - 1 : failed.length;
  const annotation = (title: string, message: string) =>
    `::error file=${property(escaped(result.file))},title=${property(title)}::${data(message)}\n`;
  const lines = failed
    .slice(0, shown)
    .map(({ file, title, text }) => annotation(`${escaped(file)}, ${title}`, text));
  const rest = failed.slice(shown).map(({ title }) => `- ${title}`);
  if (rest.length > 0)
    lines.push(annotation(`and ${rest.length} more`, shortened(rest.join('\n'), mostMessage)));
  return lines.join('');
}

/** Characters of an annotation; GitHub takes 4096 or so. */
const mostMessage = 2000;

const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, text.lastIndexOf('\n', most))}\n…` : text;

/** Bytes that GitHub shows of the summary of a step. */
const mostSummary = 2 ** 20;

/** What does not hold, as a table in Markdown; no longer than `most` bytes. */
function markdown(result: Verdicts, most: number): string {
  const failed = failedOf(result);
  const lines = [`### ${cell(escaped(result.file))}`, '', cell(result.summary), ''];
  if (failed.length > 0) lines.push('| | what | found |', '|---|---|---|');
  const note = '\n(The rest is in the log.)\n';
  let table = `${lines.join('\n')}\n`;
  for (const { file, title, outcome, text } of failed) {
    const found = text.split('\n').slice(0, shownLines).map(cell);
    const what = cell(`${escaped(file)}, ${title}`);
    const row = `| ${verdicts[outcome]} | ${what} | ${found.join('<br>')} |\n`;
    if (Buffer.byteLength(table + row + note) > most) return table + note;
    table += row;
  }
  return `${table}\n`;
}

const shownLines = 6;

/** Text in a cell of a table in Markdown. */
const cell = (text: string): string => text.replace(/[\\`*_{}[\]<>|&~#]/g, (c) => `&#${c.charCodeAt(0)};`);

/** Appends the table to the summary of the step, where GitHub Actions runs one. `ERR_SVD_FILE` */
export async function appendSummary(result: Verdicts, path: string | undefined): Promise<void> {
  if (path === undefined || path === '') return;
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  const before = size > 0 && (await lastByte(path, size)) !== 10 ? '\n' : '';
  const left = mostSummary - size - before.length;
  const text = markdown(result, left);
  if (Buffer.byteLength(text) <= left) await fileStep(path, 'write', () => appendFile(path, before + text));
}

const lastByte = (path: string, size: number): Promise<number> =>
  fileStep(path, 'read', async () => {
    const handle = await open(path);
    try {
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
      return buffer[0];
    } finally {
      await handle.close();
    }
  });

const data = (value: string): string =>
  value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (value: string): string => data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');

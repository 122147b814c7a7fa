import { dirname, join } from 'node:path';
import stringWidth from 'string-width';
import { columns } from '../scan/index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { openWeights } from '../weights/index.ts';
import { resolveOutput, sameFile } from '../weights/output.ts';

/** Columns that a cell is padded to at most: one long name must not widen a million rows. */
const widest = 100;

/** A table without borders, numbers in columns that line up; `head` and `rows` have the same number of columns. */
export function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.min(
      widest,
      all.reduce((most, row) => Math.max(most, widthOf(row[column])), 0),
    ),
  );
  const lines = all.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(Math.max(0, widths[column] - widthOf(cell)));
        return rightAligned.has(head[column]) ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Columns of a terminal. */
const widthOf = (text: string): number => (/^[ -~]*$/.test(text) ? text.length : stringWidth(text));

const rightAligned = new Set([
  ...['bytes', 'layer', 'head', 'residual'],
  ...Object.values(columns).map(([head]) => head as string),
]);

export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** 1234567 → 1,234,567 */
export const bytesText = (bytes: number): string => grouped.format(bytes);
const grouped = new Intl.NumberFormat('en-US');

/** Four significant digits, as short as they can be read: 0.1235, 12.35, 1.235e+6. */
export function numberText(x: number): string {
  if (!Number.isFinite(x)) return x === Infinity ? '∞' : Number.isNaN(x) ? '–' : String(x);
  const size = Math.abs(x);
  return x === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(x.toPrecision(4))) : x.toExponential(3);
}

/** The first four values and the last: `3.1 2.4 1.9 1.2 … 0.03`. */
export function spectrumText(values: ArrayLike<number>): string {
  const all = Array.from(values, numberText);
  return all.length <= 6 ? all.join(' ') : `${all.slice(0, 4).join(' ')} … ${all[all.length - 1]}`;
}

/** What a model needs besides its weights. */
const besideWeights =
  'config.json generation_config.json adapter_config.json preprocessor_config.json tokenizer.json tokenizer_config.json special_tokens_map.json vocab.json vocab.txt merges.txt'.split(
    ' ',
  );

/**
 * What is wrong with `--out`, or another option that names a file, before any work: it would overwrite an input, a shard of
 * one, or the configuration beside it, whatever names they have.
 * @throws `ERR_SVD_FILE` where it could not be written, or an input not be read
 */
export async function outputProblem(
  out: string | undefined,
  inputs: readonly string[],
  option = '--out',
): Promise<string | undefined> {
  if (out === undefined) return undefined;
  const problem = await overwritten([out], inputs, option);
  if (problem === undefined) await resolveOutput(out);
  return problem;
}

/** The same of several files, which are not there yet or could be written. */
export async function overwritten(
  outs: readonly string[],
  inputs: readonly string[],
  option = '--out',
): Promise<string | undefined> {
  const files: string[] = [];
  for (const path of inputs) {
    await using weights = await openWeights(path);
    const folders = new Set(weights.files.map(dirname));
    files.push(path, ...weights.files);
    for (const folder of folders) files.push(...besideWeights.map((name) => join(folder, name)));
  }
  for (const out of outs) {
    const input = await sameFile(out, files);
    if (input !== undefined) return `${option} would overwrite the input file ${shownPath(input)}`;
  }
  return undefined;
}

import Table from 'cli-table3';

/** A table without borders, numbers in columns that line up; `head` and `rows` have the same number of columns. */
export function table(head: string[], rows: string[][]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', right: '', 'right-mid': '' };
  const out = new Table({
    head,
    chars: {
      ...none,
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((title) => (rightAligned.has(title) ? 'right' : 'left')),
  });
  out.push(...rows);
  return `${out
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

const rightAligned = new Set(['bytes', 'effective rank', 'condition', 'residual']);

/** Names come from files: control characters, which could steer the terminal, are shown as escapes. */
export const printable = (text: string): string =>
  text.replace(/\p{Cc}|\p{Cf}/gu, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`);

export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** 1234567 → 1,234,567 */
export const bytesText = (bytes: number): string => bytes.toLocaleString('en-US');

/** Four significant digits, as short as they can be read: 0.1235, 12.35, 1.235e+6. */
export function numberText(x: number): string {
  if (!Number.isFinite(x)) return x === Infinity ? '∞' : String(x);
  const size = Math.abs(x);
  return x === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(x.toPrecision(4))) : x.toExponential(3);
}

/** The first four values and the last: `3.1 2.4 1.9 1.2 … 0.03`. */
export function spectrumText(values: ArrayLike<number>): string {
  const all = Array.from(values, numberText);
  return all.length <= 6 ? all.join(' ') : `${all.slice(0, 4).join(' ')} … ${all[all.length - 1]}`;
}

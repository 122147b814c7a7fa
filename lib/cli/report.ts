import { escapedJson } from '../array/escape.ts';
import type { Dtype, FloatArray } from '../array/tensor.ts';
import { versions } from '../index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { numberText, shapeText, spectrumText, table } from './format.ts';

/** What the singular values of one matrix say about it. */
export interface SpectrumSummary {
  /** ‖M‖_F, the root of Σσ². */
  norm: number;
  /** exp of the entropy of σ²/Σσ² (Roy and Vetterli, 2007, of the energies): between 1 and the rank; 0 for a zero matrix. */
  effectiveRank: number;
  /** σ₁/σ_p; infinite when the last singular value is 0, 1 for a matrix without any. */
  condition: number;
}

/** One matrix of the batch. What takes all singular values is missing where only the leading ones were computed. */
export interface ItemReport extends Partial<SpectrumSummary> {
  /** Its place in the leading dimensions; empty where there are none. */
  index: number[];
  /** All singular values that were computed, also where only the leading ones are kept. */
  S: FloatArray;
  norm: number;
  /** Largest error to expect in a singular value. */
  bound: number;
  /** ‖M − U·diag(S)·Vh‖_F / ‖M‖_F of the factors that are kept. */
  residual: number;
  /** Of leading ones: whether it is proved that no larger one was missed. */
  certified?: boolean | undefined;
}

export interface SvdReport {
  file: string;
  /** The matrix as the user named it. */
  title: string;
  shape: readonly number[];
  dtype: Dtype;
  /** Number of singular values kept; all of them where it is missing. */
  rank: number | undefined;
  items: ItemReport[];
  /** Time of the decomposition alone. */
  milliseconds: number;
  /** Where the factors were written. */
  out: string | undefined;
}

/** The report for programs. JSON has neither infinity nor NaN: an infinite condition, and that of an empty matrix, is null. */
export function reportJson(report: SvdReport): string {
  const items = report.items.map((item) => ({ ...item, S: Array.from(item.S) }));
  return `${escapedJson({ ...report, items, versions: versions() })}\n`;
}

/** The report for people: a heading, one row per matrix, what the columns mean. */
export function reportText({ title, shape, dtype, rank, items, milliseconds, out }: SvdReport): string {
  const batched = items.length > 0 && items[0].index.length > 0;
  const head = ['singular values', 'effective rank', 'condition', 'residual'];
  const rows = items.map(({ index, S, effectiveRank, condition, residual }) => [
    ...(batched ? [index.join(',')] : []),
    spectrumText(S),
    effectiveRank === undefined ? '–' : numberText(effectiveRank),
    condition === undefined ? '–' : numberText(condition),
    numberText(residual),
  ]);
  return [
    `${title}\n`,
    `shape ${shapeText(shape)}, ${dtype}, ${milliseconds.toFixed(1)} ms\n\n`,
    items.length > 0 ? `${table(batched ? ['item', ...head] : head, rows)}\n` : 'The batch is empty.\n\n',
    items.some(({ effectiveRank }) => effectiveRank !== undefined)
      ? 'effective rank: exp of the entropy of σ²/Σσ²; condition: σ₁/σ_p; '
      : '',
    rank === undefined
      ? 'residual: ‖M − U·diag(S)·Vh‖/‖M‖\n'
      : `residual: that of the truncation to rank ${rank}, ‖M − M_${rank}‖/‖M‖\n`,
    items.length > 0 && items.every(({ certified }) => certified)
      ? 'certified: no larger singular value was missed\n'
      : '',
    out === undefined
      ? ''
      : `wrote U, S, Vh${rank === undefined ? '' : ` of rank ${rank}`} to ${shownPath(out)}\n`,
  ].join('');
}

import type { JsonReader } from '../weights/json-reader.ts';
import type { ElementNumbers } from './elements.ts';
import type { SpectrumNumbers } from './spectrum.ts';

/** The numbers of a row: their keys, how columns are headed, and what they mean. */
export const columns = {
  norm: ['norm', '‖W‖_F of the finite elements'],
  sigma1: ['σ₁', 'the largest singular value'],
  nuclear: ['nuclear', 'Σσ'],
  stableRank: ['stable rank', '‖W‖_F²/σ₁²'],
  effectiveRank: ['effective rank', 'exp of the entropy of σ²/Σσ²'],
  condition: ['condition', 'σ₁/σ_p'],
  top: ['top 1 %', 'share of Σσ² in the largest 1 % of the singular values'],
  edge: [
    'noise edge',
    's·(√m + √n), where noise with the same median singular value ends (Marchenko–Pastur)',
  ],
  spikes: ['spikes', 'singular values beyond what such noise has once in a thousand times'],
  snr: ['SNR', 'of Spectrum: Σσ above its threshold over Σσ below, over σ₁'],
  alpha: ['alpha', 'exponent of the power law of σ², as WeightWatcher fits it'],
  xmin: ['xmin', 'where that law begins'],
  distance: ['D', 'Kolmogorov–Smirnov distance of the law'],
  nan: ['NaN', 'elements that are NaN'],
  infinite: ['Inf', 'elements that are infinite'],
  largest: ['largest', 'the largest finite |element|'],
} as const satisfies Record<keyof (ElementNumbers & SpectrumNumbers), readonly [string, string]>;

export type Column = keyof typeof columns;

export const columnNames = Object.keys(columns) as Column[];

/** What a scan says of one matrix, or of a tensor that is none. Numbers that are not determined are missing. */
export interface ScanRow extends Partial<ElementNumbers>, Partial<SpectrumNumbers> {
  /** Of the tensor. */
  readonly name: string;
  /** Which matrix of a stack. */
  readonly item?: number;
  readonly dtype: string;
  /** Of the tensor. */
  readonly shape: readonly number[];
  /** Rows and columns of the matrix; of a convolution one row for each output. */
  readonly matrix?: readonly [rows: number, cols: number];
  /** Why there are no singular values. */
  readonly reason?: string;
  /** Some of the singular values, those at `curvePlaces`. */
  readonly curve?: readonly number[];
}

/** The name, with the place in its stack. */
export const rowName = ({ name, item }: ScanRow): string => (item === undefined ? name : `${name}[${item}]`);

/** Whether some element is no number. */
export const isBroken = ({ nan = 0, infinite = 0 }: ScanRow): boolean => nan + infinite > 0;

/** A row of a journal, checked. */
export function readRow(reader: JsonReader, value: unknown, at: string): ScanRow {
  const { name, item, dtype, shape, matrix, reason, curve, ...rest } = reader.object(value, at);
  const real = (x: unknown, key: string) =>
    typeof x === 'number' ? x : reader.fail(`${at}: ${key}`, 'a number');
  const size = (x: unknown, key: string) => reader.size(x, `${at}: ${key}`);
  const sides = matrix === undefined ? undefined : reader.list(matrix, `${at}: matrix`, size);
  if (sides && sides.length !== 2) reader.fail(`${at}: matrix`, '[rows, cols]');
  const numbers = columnNames
    .filter((key) => rest[key] !== undefined)
    .map((key) => [key, real(rest[key], key)]);
  return {
    name: reader.text(name, `${at}: name`),
    ...(item !== undefined && { item: size(item, 'item') }),
    dtype: reader.text(dtype, `${at}: dtype`),
    shape: reader.list(shape, `${at}: shape`, size),
    ...(sides && { matrix: [sides[0], sides[1]] as const }),
    ...(reason !== undefined && { reason: reader.text(reason, `${at}: reason`) }),
    ...Object.fromEntries(numbers),
    ...(curve !== undefined && { curve: reader.list(curve, `${at}: curve`, real) }),
  };
}

import type { Column, Scan, ScanRow } from '../scan/index.ts';
import { columnNames } from '../scan/row.ts';
import { asScript, capacity, numbers, type Packed } from './pack.ts';

/** What the page of a scan holds: of every row the same place in every list. NaN where there is no number. */
export interface ScanPayload {
  readonly source: string;
  readonly names: readonly string[];
  readonly dtypes: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  /** Empty where there is a spectrum. */
  readonly reasons: readonly string[];
  readonly items: Packed;
  readonly matrixRows: Packed;
  readonly matrixCols: Packed;
  readonly numbers: Readonly<Record<Column, Packed>>;
  /** How many values each curve has, and these. */
  readonly lengths: Packed;
  readonly curves: Packed;
}

/** JSON that can stand in a `<script>`. The curves are of as many rows as there is room for, from the first. */
export function packScan({ source, rows }: Pick<Scan, 'source' | 'rows'>): string {
  const column = (of: (row: ScanRow) => number | undefined) =>
    numbers(rows.map((row) => of(row) ?? Number.NaN));
  const bytes = rows.length * 8 * columnNames.length;
  let room = Math.max(0, capacity - bytes) / 4;
  const curves = rows.map(({ curve = [] }) => {
    room -= curve.length;
    return room >= 0 ? curve : [];
  });
  const payload: ScanPayload = {
    source,
    names: rows.map(({ name }) => name),
    dtypes: rows.map(({ dtype }) => dtype),
    shapes: rows.map(({ shape }) => shape),
    reasons: rows.map(({ reason = '' }) => reason),
    items: column(({ item }) => item),
    matrixRows: column(({ matrix }) => matrix?.[0]),
    matrixCols: column(({ matrix }) => matrix?.[1]),
    numbers: Object.fromEntries(
      columnNames.map((key) => [key, column((row) => row[key])]),
    ) as ScanPayload['numbers'],
    lengths: numbers(curves.map(({ length }) => length)),
    curves: numbers(Float32Array.from(curves.flat())),
  };
  return asScript(payload);
}

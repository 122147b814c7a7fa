import { escapedJson } from '../array/escape.ts';
import { columnNames, type ScanRow } from './row.ts';

/** A header, and the fields of every row, as comma-separated values (RFC 4180) without the ends of the lines. */
export function* csvLines(rows: Iterable<ScanRow>): Generator<string> {
  yield ['name', 'item', 'dtype', 'shape', 'rows', 'cols', ...columnNames, 'reason'].join();
  for (const row of rows)
    yield [
      field(row.name),
      number(row.item),
      row.dtype,
      row.shape.join('x'),
      ...[0, 1].map((i) => number(row.matrix?.[i])),
      ...columnNames.map((key) => number(row[key])),
      row.reason === undefined ? '' : field(row.reason),
    ].join();
}

/** With quotes no spreadsheet takes a name for a formula. */
const field = (text: string): string =>
  /^[\p{L}\d_][\p{L}\d_./ -]*$/u.test(text) ? text : `"${escapedJson(text).replaceAll('"', '""')}"`;

const number = (x: number | undefined): string => (x === undefined ? '' : String(x));

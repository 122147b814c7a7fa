import { columnNames, type ScanRow } from '../../scan/row.ts';
import type { ScanPayload } from '../scan-pack.ts';
import { numbers } from './unpack.ts';

/** The rows that the page of a scan holds. */
export function unpackScan(text: string): ScanRow[] {
  const { names, dtypes, shapes, reasons, ...packed }: ScanPayload = JSON.parse(text);
  const [items, rows, cols, lengths, curves] = [
    ...[packed.items, packed.matrixRows, packed.matrixCols],
    ...[packed.lengths, packed.curves],
  ].map(numbers);
  const all = columnNames.map((key) => [key, numbers(packed.numbers[key])] as const);
  let at = 0;
  return names.map((name, i) => {
    const known = all
      .filter(([, values]) => !Number.isNaN(values[i]))
      .map(([key, values]) => [key, values[i]]);
    at += lengths[i];
    return {
      name,
      ...(!Number.isNaN(items[i]) && { item: items[i] }),
      dtype: dtypes[i],
      shape: shapes[i],
      ...(!Number.isNaN(rows[i]) && { matrix: [rows[i], cols[i]] as const }),
      ...(reasons[i] !== '' && { reason: reasons[i] }),
      ...Object.fromEntries(known),
      ...(lengths[i] > 0 && { curve: [...curves.subarray(at - lengths[i], at)] }),
    };
  });
}

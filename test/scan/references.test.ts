import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { epsilon } from '../../lib/array/tensor.ts';
import { type Column, columnNames, rowName, type ScanRow, scanWeights } from '../../lib/scan/index.ts';
import { openWeights } from '../../lib/weights/index.ts';

// What scripts/reference/make_scan.py has computed from the definitions, of the weights that it wrote.
const path = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const references: ScanRow[] = JSON.parse(readFileSync(path('scan.json'), 'utf8'));

const counts: readonly Column[] = ['spikes', 'nan', 'infinite'];

async function scan(): Promise<Map<string, ScanRow>> {
  await using weights = await openWeights(path('scan.safetensors'));
  const { rows } = await scanWeights(weights, { selection: { include: [], exclude: [], minSize: 0 } });
  return new Map(rows.map((row) => [rowName(row), row]));
}

/** Columns of a row that are not those of its reference: every number is determined as far as σ_p is. */
function wrong(row: ScanRow, reference: ScanRow): Column[] {
  const relative = 40 * epsilon(row.dtype === 'F64' ? 'float64' : 'float32') * (reference.condition ?? 1);
  return columnNames.filter((key) => {
    const [a, b] = [row[key], reference[key]];
    if (a === undefined || b === undefined) return a !== b;
    return Math.abs(a - b) > (counts.includes(key) ? 0 : relative * b);
  });
}

test('every number of a scan is that of its definition, computed elsewhere', async () => {
  const found = await scan();
  expect([...found.keys()]).toEqual(references.map(rowName));
  for (const reference of references) {
    const row = found.get(rowName(reference))!;
    expect({ name: rowName(row), wrong: wrong(row, reference) }).toEqual({ name: rowName(row), wrong: [] });
  }
});

test('a number that is off by a thousandth is seen, whichever it is', async () => {
  const found = await scan();
  for (const reference of references)
    for (const key of columnNames) {
      const value = reference[key];
      if (value === undefined) continue;
      const off = { ...reference, [key]: counts.includes(key) ? value + 1 : value * 1.001 };
      expect(wrong(found.get(rowName(reference))!, off)).toContain(key);
      const { [key]: _, ...missing } = reference;
      expect(wrong(found.get(rowName(reference))!, missing as ScanRow)).toContain(key);
    }
});

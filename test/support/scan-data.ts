import { columnNames, type Scan, type ScanRow } from '../../lib/scan/index.ts';
import { curvePlaces } from '../../lib/scan/places.ts';

/** A scan of the form that a checkpoint of so many layers has, the same on every call. */
export function scanData({ layers = 6, names = [] as readonly string[] } = {}): Scan {
  const matrix = (name: string, i: number, p = 60, item?: number): ScanRow => ({
    name,
    ...(item !== undefined && { item }),
    dtype: 'BF16',
    shape: item === undefined ? [p, 2 * p] : [2, p, 2 * p],
    matrix: [p, 2 * p],
    ...Object.fromEntries(columnNames.map((key, j) => [key, 1 / 3 + i + j])),
    ...{ spikes: i, nan: 0, infinite: 0, edge: 2, sigma1: 5, condition: i % 5 === 0 ? Infinity : 10 },
    curve: curvePlaces(p).map((k) => Math.fround(5 / (1 + k / (i + 2)))),
  });
  const rows: ScanRow[] = Array.from({ length: layers }, (_, layer) => [
    matrix(`model.layers.${layer}.q_proj.weight`, layer),
    matrix(`model.layers.${layer}.experts`, layer, 20, 0),
    matrix(`model.layers.${layer}.experts`, layer + 1, 20, 1),
    {
      name: `model.layers.${layer}.norm.weight`,
      dtype: 'F32',
      shape: [60],
      reason: 'a vector',
      norm: 2 + layer,
      largest: 1,
      nan: 0,
      infinite: 0,
    },
  ]).flat();
  rows.push(
    { ...matrix('zero', 0, 12), sigma1: 0, edge: 0, curve: curvePlaces(12).map(() => 0) },
    { ...matrix('one', 0, 1), curve: [5] },
    {
      name: 'broken',
      dtype: 'F32',
      shape: [4, 4],
      matrix: [4, 4],
      reason: 'not all of it is finite',
      norm: 1,
      largest: 1,
      nan: 3,
      infinite: 1,
    },
    { name: 'ids', dtype: 'I64', shape: [7], reason: 'I64 is no float of 16 bits or more' },
    ...names.map((name, i) => matrix(name, i, 11)),
  );
  const selection = { include: [], exclude: [], minSize: 0 };
  const state = { selection, shard: undefined, units: rows.length, done: rows.length, kept: 0 };
  return { source: names[0] ?? 'checkpoint', factoredSvd: '0.0.0', rows, ...state };
}

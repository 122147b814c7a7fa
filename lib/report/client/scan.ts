import { csvLines } from '../../scan/csv.ts';
import { curvePlaces } from '../../scan/places.ts';
import { columnNames, columns, type Column as Key, rowName, type ScanRow } from '../../scan/row.ts';
import { type LineChart, lineChart } from './chart.ts';
import { download } from './csv.ts';
import { byId, h } from './dom.ts';
import { exact, short } from './format.ts';
import { pager } from './pager.ts';
import { logAxis, subscript } from './spectra.ts';
import { type Column, limitControls, sortedTable } from './table.ts';
import { forget, whenVisible } from './theme.ts';
import { unpackScan } from './unpack-scan.ts';

/** The whole page of a scan. */
export function showScan(text: string): void {
  const rows = unpackScan(text);
  showLayers(rows);
  showSpectra(rows.filter(({ curve }) => curve !== undefined));
  showNumbers(rows);
  const button = h('button', { type: 'button' }, 'all numbers (CSV)');
  button.onclick = () => download('scan.csv', csvLines(rows));
  byId('data-files').replaceChildren(button);
}

/** A chart in a panel of its own, which takes the keyboard. */
function panel(
  caption: string,
  label: string,
  chart: () => Omit<LineChart, 'focus' | 'height'>,
): HTMLElement {
  const plot = h('div', {
    className: 'plot',
    tabIndex: 0,
    aria: { role: 'application', roledescription: 'chart', label: `${label}. Arrow keys move along it` },
  });
  const height = (width: number) => Math.max(110, width * 0.62);
  whenVisible(plot, () => lineChart(plot, { ...chart(), height, focus: plot }));
  return h('figure', { className: 'panel ov' }, h('figcaption', {}, caption), plot);
}

/** Means by layer, of tensors whose names differ in it alone. */
function layersOf(rows: readonly ScanRow[]): Map<string, Map<number, ScanRow[]>> {
  const groups = new Map<string, Map<number, ScanRow[]>>();
  for (const row of rows) {
    const [, before, layer, after] = /^(.*?(?:^|[._/]))(\d+)(?=[._/]|$)(.*)$/s.exec(row.name) ?? [];
    if (layer === undefined) continue;
    const key = `${before}*${after}`;
    const group = groups.get(key) ?? new Map<number, ScanRow[]>();
    group.set(Number(layer), [...(group.get(Number(layer)) ?? []), row]);
    groups.set(key, group);
  }
  return new Map([...groups].filter(([, { size }]) => size > 1));
}

function showLayers(rows: readonly ScanRow[]): void {
  const groups = layersOf(rows);
  const select = byId('layers-by') as HTMLSelectElement;
  const host = byId('layers-plots');
  select.replaceChildren(...columnNames.map((key) => h('option', { value: key }, columns[key][0])));
  select.value = 'effectiveRank';
  select.oninput = update;

  function update(): void {
    const key = select.value as Key;
    const plots = [...groups].flatMap(([name, group]) => {
      const layers = [...group.keys()].sort((a, b) => a - b);
      const values = layers.map((layer) => {
        const known = group.get(layer)!.flatMap((row) => row[key] ?? []);
        const mean = known.reduce((sum, x) => sum + x, 0) / known.length;
        return Number.isFinite(mean) ? mean : null;
      });
      const present = values.filter((x) => x !== null);
      if (present.length === 0) return [];
      const [low, high] = [Math.min(...present), Math.max(...present)];
      const space = 0.05 * (high - low) || 0.05 * Math.abs(high) || 1;
      return panel(name, `${columns[key][0]} of ${name} along the layers`, () => ({
        n: layers.length,
        xText: (x) => String(layers[x - 1]),
        lines: [{ values, color: 'ov', width: 2, marked: true }],
        range: [low - space, high + space],
        ticks: low === high ? [low] : [low, (low + high) / 2, high],
        tickText: (tick) => short(tick, 3),
        describe: (i) => [
          `${columns[key][0]} ${values[i] === null ? '–' : exact(values[i])}`,
          `layer ${layers[i]}`,
        ],
      }));
    });
    forget(host);
    host.replaceChildren(
      ...(plots.length > 0 ? plots : [h('p', {}, 'No tensors of several layers have this number.')]),
    );
  }
  update();
}

/** Panels on the page at one time. */
const perPage = 48;

function showSpectra(rows: readonly ScanRow[]): void {
  const host = byId('spectra-rows');
  const pages = Array.from({ length: Math.ceil(rows.length / perPage) }, (_, i) => {
    const items = rows.slice(i * perPage, (i + 1) * perPage);
    return { name: `${i * perPage + 1}–${i * perPage + items.length}`, items };
  });
  pager(byId('spectra-pager'), pages, 'Matrices', (some) => {
    forget(host);
    host.replaceChildren(
      ...some.map((row) => panel(rowName(row), `Spectrum of ${rowName(row)}`, () => spectrumChart(row))),
    );
  });
}

function spectrumChart({ curve = [], matrix = [1, 1], edge = 0, effectiveRank = 0 }: ScanRow) {
  const p = Math.min(...matrix);
  const places = curvePlaces(p);
  const logs = curve.map((s) => (s > 0 ? Math.log10(s / curve[0]) : null));
  const least = Math.max(-8, Math.min(...logs.map((x) => x ?? 0), -0.5));
  const noise = Math.log10(edge / curve[0]);
  return {
    ...logAxis(least, Math.max(0, Math.min(noise, 0.7))),
    n: curve.length,
    xText: (x: number) => String(places[x - 1] + 1),
    lines: [
      ...(noise >= least && noise <= 0.7
        ? [{ values: curve.map(() => noise), color: 'chance', width: 1.25, dash: [2, 3] }]
        : []),
      { values: logs, color: 'ov', width: 2, marked: true },
    ],
    describe: (i: number) => [
      `σ${subscript(places[i] + 1)} = ${short(curve[i], 6)}`,
      `${short(curve[i] / curve[0])} of σ₁`,
      `effective rank ${short(effectiveRank)} of ${p}`,
    ],
  };
}

function showNumbers(rows: readonly ScanRow[]): void {
  const order = new Map(rows.map((row, i) => [row, i]));
  const text = (
    name: string,
    cell: (row: ScanRow) => string,
    of: (row: ScanRow) => number,
  ): Column<ScanRow> => ({
    ...{ name, title: () => name, of, cell, up: true, text: true },
  });
  const numeric = columnNames.map((key): Column<ScanRow> => {
    const [name, meaning] = columns[key];
    return {
      name,
      title: () => h('span', { title: meaning }, name),
      of: (row) => row[key] ?? Number.NaN,
      cell: (row) => h('span', { title: exact(row[key] ?? Number.NaN) }, short(row[key] ?? Number.NaN, 4)),
    };
  });
  const all = [
    text('name', rowName, (row) => order.get(row)!),
    text(
      'dtype',
      ({ dtype }) => dtype,
      (row) => order.get(row)!,
    ),
    text(
      'shape',
      ({ shape }) => shape.join(' × '),
      ({ shape }) => shape.reduce((n, m) => n * m, 1),
    ),
    ...numeric,
    text(
      'reason',
      ({ reason = '' }) => reason,
      ({ reason }) => Number(reason === undefined),
    ),
  ];
  const search = byId('numbers-name') as HTMLInputElement;
  const within = limitControls(numeric, columns.effectiveRank[0], () => update());
  search.oninput = () => update();
  const { update } = sortedTable({
    columns: all,
    rows,
    one: 'row',
    filter: (row) => rowName(row).toLowerCase().includes(search.value.trim().toLowerCase()) && within(row),
  });
  update();
}

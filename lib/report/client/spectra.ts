import type uPlot from 'uplot';
import type { CircuitKind } from '../data.ts';
import { type LineChart, lineChart } from './chart.ts';
import { byId, h } from './dom.ts';
import { exact, fixed, plural, powerOfTen, short } from './format.ts';
import { pager } from './pager.ts';
import { color, forget, whenVisible } from './theme.ts';
import { type Circuit, type Random, type Report, route } from './unpack.ts';

const products: Record<CircuitKind, () => Node[]> = {
  OV: () => [
    document.createTextNode('OV = W'),
    h('sub', {}, 'V'),
    document.createTextNode('·W'),
    h('sub', {}, 'O'),
  ],
  QK: () => [
    document.createTextNode('QK = W'),
    h('sub', {}, 'Q'),
    document.createTextNode('·W'),
    h('sub', {}, 'K'),
    h('sup', {}, 'T'),
  ],
};

/** Most panels on the page at one time, unless one layer has more. */
const mostPanels = 96;

/** The section of all spectra: a row of panels for each layer and kind, some layers at a time. */
export function showSpectra(report: Report): void {
  const rows = byLayerAndKind(report.circuits);
  const host = byId('spectra-rows');
  const axis = ratioAxis(report);
  pager(byId('spectra-pager'), pagesOf(rows), 'Layers', (shown) => {
    forget(host);
    host.replaceChildren(...shown.map((row) => rowOf(row, report, axis)));
  });
}

function byLayerAndKind(circuits: readonly Circuit[]): Circuit[][] {
  const rows: Circuit[][] = [];
  for (const circuit of circuits) {
    const row = rows.at(-1)?.[0];
    if (row?.layer === circuit.layer && row.kind === circuit.kind) rows.at(-1)!.push(circuit);
    else rows.push([circuit]);
  }
  return rows;
}

/** Whole layers, as many together as there is room for. */
function pagesOf(rows: readonly Circuit[][]): { name: string; items: Circuit[][] }[] {
  const pages: Circuit[][][] = [];
  let panels = Number.POSITIVE_INFINITY;
  for (const layer of new Set(rows.map(([{ layer }]) => layer))) {
    const own = rows.filter(([first]) => first.layer === layer);
    const more = own.reduce((sum, row) => sum + row.length, 0);
    if (panels + more > mostPanels) {
      pages.push([]);
      panels = 0;
    }
    pages.at(-1)!.push(...own);
    panels += more;
  }
  return pages.map((items) => {
    const [from, to] = [items[0][0].layer, items.at(-1)![0].layer];
    return { name: from === to ? `${from}` : `${from}–${to}`, items };
  });
}

function rowOf(row: Circuit[], report: Report, axis: Axis): HTMLElement {
  const [{ layer, kind }] = row;
  const { dModel, dOut = dModel, dHead } = report.model;
  const others = othersOf(row);
  const random = report.random.get(kind);
  const note = `${dModel} × ${dHead} times ${dHead} × ${kind === 'OV' ? dOut : dModel}: ${plural(row.length, 'head')}${
    random === undefined ? '' : `; random factors have effective rank ${fixed(random.effectiveRank, 1)}`
  }`;
  return h(
    'section',
    { className: `${kind.toLowerCase()}${row.length <= 8 ? ' short' : ''}` },
    h('h3', {}, h('span', {}, `Layer ${layer}: `, ...products[kind]()), ' ', h('small', {}, note)),
    h('div', { className: 'panels' }, ...row.map((circuit) => panel(circuit, random, axis, others))),
  );
}

function panel(
  circuit: Circuit,
  random: Random | undefined,
  axis: Axis,
  beneath: LineChart['beneath'],
): HTMLElement {
  const { layer, head, kind, S, effectiveRank } = circuit;
  const rank = fixed(effectiveRank, 1);
  const plot = h('div', { className: 'plot', aria: { hidden: 'true' } });
  const link = h(
    'a',
    {
      className: 'panel',
      href: route(circuit.id),
      aria: { label: `Layer ${layer}, head ${head}, ${kind}: effective rank ${rank} of ${S.length}. Open` },
    },
    h('span', { className: 'caption' }, `head ${head}`),
    plot,
  );
  const draw = () =>
    lineChart(plot, {
      ...spectrumLines(circuit, random, axis),
      beneath,
      height: (width) => Math.max(110, width * 0.62),
      focus: link,
    });
  whenVisible(plot, draw, link);
  return link;
}

export interface Axis {
  readonly range: readonly [number, number];
  readonly ticks: readonly number[];
  readonly tickText: (tick: number) => string;
}

/** Logarithms of σ/σ₁, from a little below the least of all circuits to the largest of random ones; at most 8 decades. */
export function ratioAxis({ circuits, random }: Pick<Report, 'circuits' | 'random'>): Axis {
  let [least, largest] = [0, 0];
  for (const { S, kind, factorNorm } of circuits) {
    let last = S.length - 1;
    while (last > 0 && S[last] === 0) last--;
    if (S[0] > 0) least = Math.min(least, Math.log10(S[last] / S[0]));
    const chance = ((random.get(kind)?.S[0] ?? 0) * factorNorm) / S[0];
    if (chance > 0) largest = Math.max(largest, Math.log10(chance));
  }
  return logAxis(Math.max(least, -8), Math.min(largest, 0.7));
}

/** Lines at powers of ten, and at 2 and 5 times these where there are few. */
export function logAxis(from: number, to: number): Axis {
  const factors = to - from > 2.2 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let exponent = Math.floor(from) - 1; exponent <= Math.ceil(to); exponent++)
    ticks.push(...factors.map((factor) => exponent + Math.log10(factor)));
  const below = ticks.filter((tick) => tick <= from + 1e-9).at(-1)!;
  const shown = ticks.filter((tick) => tick >= below && tick <= to + 1e-9);
  const every = Math.ceil(shown.length / 9);
  return {
    range: [below, to + 0.02 * (to - below)],
    ticks: shown.filter((_, i) => (shown.length - 1 - i) % every === 0),
    tickText: (tick) => {
      const exponent = Math.floor(tick + 1e-9);
      const factor = Math.round(10 ** (tick - exponent));
      if (exponent >= -2 && exponent <= 3) return String(Number((factor * 10 ** exponent).toPrecision(1)));
      return factor === 1 ? powerOfTen(exponent) : `${factor}·${powerOfTen(exponent)}`;
    },
  };
}

/** log₁₀ of values over a unit; nothing for zeros. */
const logs = (values: ArrayLike<number>, unit: number): (number | null)[] =>
  Array.from(values, (value) => (value > 0 && unit > 0 ? Math.log10(value / unit) : null));

/** The spectrum of a head over σ₁, beside that of random factors of its shapes and norms. */
function spectrumLines(
  { S, kind, factorNorm, effectiveRank }: Circuit,
  random: Random | undefined,
  axis: Axis,
): Omit<LineChart, 'height' | 'focus'> {
  const chance = Array.from(random?.S ?? []).slice(0, S.length);
  return {
    ...axis,
    n: S.length,
    lines: [
      { values: logs(chance, S[0] / factorNorm), color: 'chance', width: 1.25, dash: [2, 3] },
      { values: logs(S, S[0]), color: kind.toLowerCase(), width: 2, marked: true },
    ].filter(({ values }) => values.length > 0),
    mark: Number.isNaN(effectiveRank)
      ? undefined
      : { x: Math.max(effectiveRank, 1), color: kind.toLowerCase(), text: fixed(effectiveRank, 1) },
    describe: (i) => [
      `σ${subscript(i + 1)} = ${exact(S[i])}`,
      `${short(S[i] / S[0])} of σ₁`,
      ...(i < chance.length ? [`random ${short(chance[i] * factorNorm)}`] : []),
    ],
  };
}

const subscripts = '₀₁₂₃₄₅₆₇₈₉';
export const subscript = (n: number): string =>
  String(n).replace(/\d/g, (digit) => subscripts[Number(digit)]);

/** The spectra of a whole row in grey, drawn once for all its panels of one size. */
function othersOf(row: readonly Circuit[]): NonNullable<LineChart['beneath']> {
  let [drawn, key]: [OffscreenCanvas | undefined, string] = [undefined, ''];
  return (context, plot) => {
    const { left, top, width, height } = plot.bbox;
    const current = [left, top, width, height, color('other')].join();
    if (drawn === undefined || key !== current) {
      drawn = new OffscreenCanvas(left + width, top + height);
      key = current;
      drawOthers(drawn.getContext('2d')!, plot, row);
    }
    context.drawImage(drawn, 0, 0);
  };
}

function drawOthers(context: OffscreenCanvasRenderingContext2D, plot: uPlot, row: readonly Circuit[]): void {
  const { left, top, width, height } = plot.bbox;
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = color('other');
  context.globalAlpha = Math.max(0.25, 0.8 - row.length / 100);
  context.lineWidth = plot.ctx.canvas.width / plot.width;
  for (const { S } of row) {
    context.beginPath();
    for (const [i, y] of logs(S, S[0]).entries())
      if (y !== null) context.lineTo(plot.valToPos(i + 1, 'x', true), plot.valToPos(y, 'y', true));
    context.stroke();
  }
}

/** The same as absolute values, with the bound of their errors. */
export function absoluteChart(
  circuit: Circuit,
  random: Random | undefined,
  row: readonly Circuit[],
): Omit<LineChart, 'focus'> {
  const { S, kind, factorNorm, bound, effectiveRank } = circuit;
  const chance = Array.from(random?.S ?? [], (sigma) => sigma * factorNorm).slice(0, S.length);
  const shown = [...row.flatMap((each) => [each.S[0], each.S.at(-1)!]), ...chance, S[0]].filter((x) => x > 0);
  const to = Math.log10(Math.max(...shown, Number.MIN_VALUE));
  const axis = logAxis(Math.max(Math.log10(Math.min(...shown, 10 ** to)), to - 8), to);
  const beneath: LineChart['beneath'] = (context, plot) => {
    context.save();
    context.strokeStyle = color('other');
    context.globalAlpha = Math.max(0.25, 0.8 - row.length / 100);
    context.lineWidth = context.canvas.width / plot.width;
    context.beginPath();
    context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    context.clip();
    for (const other of row) {
      context.beginPath();
      for (const [i, y] of logs(other.S, 1).entries())
        if (y !== null) context.lineTo(plot.valToPos(i + 1, 'x', true), plot.valToPos(y, 'y', true));
      context.stroke();
    }
    context.restore();
  };
  return {
    ...axis,
    n: S.length,
    lines: [
      ...(chance.length > 0 ? [{ values: logs(chance, 1), color: 'chance', width: 1.25, dash: [2, 3] }] : []),
      { values: logs(S, 1), color: kind.toLowerCase(), width: 2, marked: true },
    ],
    mark: Number.isNaN(effectiveRank)
      ? undefined
      : { x: Math.max(effectiveRank, 1), color: kind.toLowerCase(), text: fixed(effectiveRank, 1) },
    beneath,
    height: (width) => Math.min(300, Math.max(180, width * 0.55)),
    describe: (i) => [
      `σ${subscript(i + 1)} = ${exact(S[i])} ± ${short(bound, 2)}`,
      `${short(S[i] / S[0])} of σ₁`,
      ...(i < chance.length ? [`random ${short(chance[i])}`] : []),
    ],
  };
}

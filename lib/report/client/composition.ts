import { byId, h } from './dom.ts';
import { exact, fixed, short } from './format.ts';
import { heatMap, integerTicks, type Ticks } from './heat-map.ts';
import { legend } from './maps.ts';
import { whenVisible } from './theme.ts';
import { circuitId, type Report, route, type Scores } from './unpack.ts';

/** What a score of this kind is about, and the circuit of the later head that reads. */
const readers = {
  Q: { name: 'queries', circuit: 'QK' },
  K: { name: 'keys', circuit: 'QK' },
  V: { name: 'values', circuit: 'OV' },
} as const;

/** The section of composition scores: a map of all pairs for each kind, and the strongest pairs. */
export function showComposition(report: Report): void {
  const { composition } = report;
  if (composition.length === 0) return;
  byId('composition-maps').replaceChildren(...composition.map((scores) => mapOf(scores, report)));
  if (composition[0].unit === 'layer')
    byId('composition-note').textContent =
      'There are too many heads to show every pair of them: the maps show the largest score of every pair of layers.';
}

const headOf = (i: number, heads: number) => ({ layer: Math.floor(i / heads), head: i % heads });
const nameOf = (i: number, heads: number): string => `L${Math.floor(i / heads)}H${i % heads}`;

function mapOf(all: Scores, report: Report): HTMLElement {
  const { kind, unit, n, scores, random } = all;
  const { model, byId: circuits } = report;
  const { layers, heads } = model;
  // The last layer writes for no later one, and the first reads of no earlier one.
  const step = unit === 'head' ? heads : 1;
  const side = n - step;
  if (side === 0) return h('p', {}, 'One layer composes with none.');
  const at = (row: number, column: number) => scores[row * n + column + step];
  const largest = scores.reduce((most, score) => (score > most ? score : most), random);
  const name = (i: number) => (unit === 'head' ? nameOf(i, heads) : `layer ${i}`);
  const ticks = (first: number): Ticks => ({
    at: integerTicks(layers - 1, 12).at.map((layer) => (layer + 0.5) * step - 0.5),
    text: (tick) => `L${Math.floor(tick / step) + first}`,
  });
  const plot = h('div', {
    className: 'plot map',
    tabIndex: 0,
    aria: {
      role: 'application',
      roledescription: 'heat map',
      label: `${kind} composition: the earlier ${unit}, which writes, down, the later one across. Arrow keys move, Enter opens the later head`,
    },
  });
  whenVisible(plot, () =>
    heatMap(plot, {
      rows: side,
      columns: side,
      most: 420,
      ramp: 'pairs',
      rowTicks: ticks(0),
      columnTicks: ticks(1),
      share: (row, column) => at(row, column) / largest,
      text: (row, column) => fixed(at(row, column), 2),
      describe: (row, column) => {
        const score = at(row, column);
        const pair = `${name(row)} → ${name(column + step)}`;
        if (Number.isNaN(score)) return [pair, 'is not earlier'];
        return [
          pair,
          `${unit === 'layer' ? 'largest ' : ''}${kind} score ${exact(score)}`,
          `${short(score / random, 2)} times random`,
        ];
      },
      open: (_, column) => {
        if (unit === 'layer') return;
        const { layer, head } = headOf(column + step, heads);
        const id = circuitId(layer, head, readers[kind].circuit);
        if (circuits.has(id)) location.hash = route(id);
      },
    }),
  );
  return h(
    'figure',
    { className: 'pairs' },
    h('figcaption', {}, h('b', {}, kind), ` what is read for ${readers[kind].name}`),
    plot,
    legend({
      low: '0',
      high: short(largest),
      random: { share: random / largest, text: `random ${short(random)}` },
    }),
    unit === 'head' && pairsTable(strongest(all, 6), `Strongest pairs, ${kind}`, report),
  );
}

export interface Pair {
  readonly kind: Scores['kind'];
  readonly writer: number;
  readonly reader: number;
  readonly score: number;
  readonly random: number;
}

/** The pairs with the largest scores; those of one head where it is given, as the one that writes or that reads. */
export function strongest(
  { kind, n, scores, random }: Scores,
  most: number,
  { writes, reads }: { writes?: number; reads?: number } = {},
): Pair[] {
  const pairs: Pair[] = [];
  let least = Number.NEGATIVE_INFINITY;
  const consider = (writer: number, reader: number) => {
    const score = scores[writer * n + reader];
    if (!(score > least)) return;
    pairs.push({ kind, writer, reader, score, random });
    if (pairs.length < 4 * most) return;
    pairs.sort((a, b) => b.score - a.score).length = most;
    least = pairs[most - 1].score;
  };
  for (let i = writes ?? 0; i < (writes === undefined ? n : writes + 1); i++)
    for (let j = reads ?? 0; j < (reads === undefined ? n : reads + 1); j++) consider(i, j);
  return pairs.sort((a, b) => b.score - a.score).slice(0, most);
}

/** A table of pairs of heads, of one kind or of several. */
export function pairsTable(
  pairs: readonly Pair[],
  label: string,
  { model, byId: circuits }: Report,
): HTMLElement {
  const severalKinds = pairs.some(({ kind }) => kind !== pairs[0].kind);
  const link = (i: number, kind: 'OV' | 'QK') => {
    const { layer, head } = headOf(i, model.heads);
    const id = circuitId(layer, head, kind);
    return circuits.has(id) ? h('a', { href: route(id) }, nameOf(i, model.heads)) : nameOf(i, model.heads);
  };
  const rows = pairs.map(({ kind, writer, reader, score, random }) =>
    h(
      'tr',
      {},
      h('td', { className: 'text' }, link(writer, 'OV'), ' → ', link(reader, readers[kind].circuit)),
      severalKinds && h('td', { className: 'text' }, readers[kind].name),
      h('td', {}, h('span', { title: exact(score) }, short(score))),
      h('td', {}, fixed(score / random, 1)),
    ),
  );
  const text = { scope: 'col', className: 'text' };
  const head = h(
    'tr',
    {},
    h('th', text, 'strongest'),
    severalKinds && h('th', text, 'for'),
    ...['score', 'times random'].map((name) => h('th', { scope: 'col' }, name)),
  );
  return h(
    'div',
    { className: 'scroll', tabIndex: 0, aria: { role: 'region', label } },
    h('table', {}, h('thead', {}, head), h('tbody', {}, ...rows)),
  );
}

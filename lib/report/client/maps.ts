import type { CircuitKind } from '../data.ts';
import { byId, h } from './dom.ts';
import { exact, fixed, short } from './format.ts';
import { heatMap } from './heat-map.ts';
import { whenVisible } from './theme.ts';
import { type Circuit, circuitId, type Report, route } from './unpack.ts';

interface Metric {
  readonly name: string;
  readonly of: (circuit: Circuit) => number;
  /** As it is coloured. */
  readonly scale?: (value: number) => number;
  readonly text: (value: number) => string;
  /** What random factors have. */
  readonly random?: (report: Report, circuit: Circuit) => number | undefined;
  /** Whether that is the same for all heads. */
  readonly constant?: boolean;
}

const metrics: readonly Metric[] = [
  {
    name: 'σ₁',
    of: ({ S }) => S[0],
    text: (x) => short(x),
    random: ({ random }, { kind, factorNorm }) => (random.get(kind)?.S[0] ?? Number.NaN) * factorNorm,
  },
  {
    name: 'effective rank',
    of: ({ effectiveRank }) => effectiveRank,
    text: (x) => fixed(x, 1),
    random: ({ random }, { kind }) => random.get(kind)?.effectiveRank,
    constant: true,
  },
  {
    name: 'condition',
    of: ({ condition }) => condition,
    scale: Math.log10,
    text: (x) => short(x),
    random: ({ random }, { kind, S }) => {
      const chance = random.get(kind)?.S;
      return chance?.length === S.length ? chance[0] / chance[chance.length - 1] : undefined;
    },
    constant: true,
  },
  {
    name: 'isolated directions',
    of: ({ isolated }) => isolated,
    text: String,
  },
];

/** The section of maps, layer × head: one of each kind and metric. */
export function showMaps(report: Report): void {
  byId('maps-rows').replaceChildren(
    ...report.kinds.map((kind) =>
      h(
        'section',
        { className: kind.toLowerCase() },
        h('h3', {}, h('span', {}, kind)),
        h('div', { className: 'maps' }, ...metrics.map((metric) => mapOf(metric, kind, report))),
      ),
    ),
  );
}

function mapOf(metric: Metric, kind: CircuitKind, report: Report): HTMLElement {
  const { layers, heads } = report.model;
  const { scale = (x) => x, text } = metric;
  const own = report.circuits.filter((circuit) => circuit.kind === kind);
  const values = own.map((circuit) => metric.of(circuit)).filter(Number.isFinite);
  const chance = metric.constant && own.length > 0 ? metric.random?.(report, own[0]) : undefined;
  const scaled = [...values, ...(chance === undefined ? [] : [chance])].map(scale).filter(Number.isFinite);
  const [low, high] = scaled.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  const share = (value: number) => {
    if (Number.isNaN(value)) return Number.NaN;
    return high > low ? (Math.min(scale(value), high) - low) / (high - low) : 0.5;
  };
  const at = (layer: number, head: number) => report.byId.get(circuitId(layer, head, kind));
  const plot = h('div', {
    className: 'plot map',
    tabIndex: 0,
    aria: {
      role: 'application',
      roledescription: 'heat map',
      label: `${metric.name} of ${kind}, layers down, heads across. Arrow keys move, Enter opens the head`,
    },
  });
  whenVisible(plot, () =>
    heatMap(plot, {
      rows: layers,
      columns: heads,
      ramp: kind.toLowerCase(),
      share: (layer, head) => {
        const circuit = at(layer, head);
        return circuit === undefined ? Number.NaN : share(metric.of(circuit));
      },
      text: (layer, head) => text(metric.of(at(layer, head)!)),
      describe: (layer, head) => {
        const circuit = at(layer, head);
        if (circuit === undefined) return [`layer ${layer}, head ${head}`, 'not computed'];
        const random = metric.random?.(report, circuit);
        const value = metric.of(circuit);
        return [
          `layer ${layer}, head ${head}`,
          `${metric.name} ${exact(value)}${metric.random === undefined ? ` of ${circuit.S.length}` : ''}`,
          ...(random === undefined || Number.isNaN(random) ? [] : [`random ${short(random)}`]),
        ];
      },
      open: (layer, head) => {
        if (at(layer, head) !== undefined) location.hash = route(circuitId(layer, head, kind));
      },
    }),
  );
  return h(
    'figure',
    {},
    h('figcaption', {}, metric.name),
    plot,
    high >= low &&
      legend({
        low: text(unscale(metric, low)),
        high: text(unscale(metric, high)),
        random: chance === undefined ? undefined : { share: share(chance), text: `random ${text(chance)}` },
      }),
  );
}

const unscale = ({ scale }: Metric, x: number): number => (scale === undefined ? x : 10 ** x);

interface Legend {
  readonly low: string;
  readonly high: string;
  /** Where random matrices are on the ramp. */
  readonly random?: { readonly share: number; readonly text: string } | undefined;
}

/** The ramp of colours, what its ends mean, and where chance is on it. */
export function legend({ low, high, random }: Legend): HTMLElement {
  const bar = h('span', { className: 'ramp' });
  if (random !== undefined) {
    const tick = h('i');
    tick.style.left = `${(100 * Math.min(Math.max(random.share, 0), 1)).toFixed(1)}%`;
    bar.append(tick);
  }
  return h(
    'div',
    { className: 'legend' },
    h('span', {}, low),
    bar,
    h('span', {}, high),
    random !== undefined && h('span', { className: 'chance' }, random.text),
  );
}

import type uPlot from 'uplot';
import type { CircuitKind } from '../data.ts';
import { type LineChart, lineChart } from './chart.ts';
import { byId, h } from './dom.ts';
import { percent, plural } from './format.ts';
import { color, whenVisible } from './theme.ts';
import type { Circuit, Report } from './unpack.ts';

/** Shares of Σσ² that the first k singular values hold, k = 1 … n. */
export function cumulativeEnergy(S: ArrayLike<number>, norm: number): number[] {
  let sum = 0;
  // Not more than all: the norm was rounded by itself.
  return Array.from(S, (sigma) => {
    sum += norm > 0 ? (sigma / norm) ** 2 : 1;
    return Math.min(1, sum);
  });
}

const normOf = (S: ArrayLike<number>): number => Math.hypot(...Array.from(S));

export const energyAxis: Pick<LineChart, 'range' | 'ticks' | 'tickText'> = {
  range: [0, 1],
  ticks: [0, 0.25, 0.5, 0.75, 1],
  tickText: (tick) => `${100 * tick}%`,
};

/** Most curves that are drawn one by one. */
const mostCurves = 200;

/** The section of cumulative energy: all heads of a kind in one plot. */
export function showEnergy(report: Report): void {
  byId('energy-plots').replaceChildren(...report.kinds.map((kind) => figureOf(kind, report)));
}

function figureOf(kind: CircuitKind, report: Report): HTMLElement {
  const own = report.circuits.filter((circuit) => circuit.kind === kind);
  const one = own.length <= mostCurves;
  const plot = h('div', {
    className: 'plot',
    tabIndex: 0,
    aria: {
      role: 'application',
      roledescription: 'chart',
      label: `Cumulative energy of ${kind}. Arrow keys move along the singular values`,
    },
  });
  whenVisible(plot, () => lineChart(plot, { ...energyLines(kind, own, report), focus: plot }));
  return h(
    'figure',
    { className: kind.toLowerCase() },
    h(
      'figcaption',
      {},
      h('b', {}, kind),
      ` ${plural(own.length, 'head')}${one ? '' : ': all, and the middle 80 % and 50 %'}`,
    ),
    plot,
  );
}

function energyLines(kind: CircuitKind, own: readonly Circuit[], report: Report): Omit<LineChart, 'focus'> {
  const n = own.reduce((most, { S }) => Math.max(most, S.length), 0);
  const curves = own.map(({ S, norm }) => cumulativeEnergy(S, norm));
  const quantiles = quantilesOf(curves, n);
  const chance = report.random.get(kind);
  const random = chance === undefined ? [] : cumulativeEnergy(chance.S, normOf(chance.S)).slice(0, n);
  const name = kind.toLowerCase();
  return {
    ...energyAxis,
    n,
    lines: [
      ...(random.length > 0 ? [{ values: random, color: 'chance', width: 1.25, dash: [2, 3] }] : []),
      { values: quantiles.map((q) => q[3]), color: name, width: 2, marked: true },
    ],
    height: (width) => Math.min(340, Math.max(200, width * 0.55)),
    beneath: (context, plot) =>
      curves.length <= mostCurves
        ? drawCurves(context, plot, curves)
        : drawBands(context, plot, quantiles, name),
    describe: (k) => [
      `the first ${k + 1}`,
      `median ${percent(quantiles[k][3])}`,
      `from ${percent(quantiles[k][0])} to ${percent(quantiles[k][6])}`,
      ...(k < random.length ? [`random ${percent(random[k])}`] : []),
    ],
  };
}

const shares = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** Of every k the least, the largest, and what is between. */
function quantilesOf(curves: readonly number[][], n: number): number[][] {
  return Array.from({ length: n }, (_, k) => {
    const sorted = Float64Array.from(curves, (curve) => curve[Math.min(k, curve.length - 1)]).sort();
    return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))]);
  });
}

const position = (plot: uPlot, k: number, y: number): [number, number] => [
  plot.valToPos(k + 1, 'x', true),
  plot.valToPos(y, 'y', true),
];

function drawCurves(context: CanvasRenderingContext2D, plot: uPlot, curves: readonly number[][]): void {
  context.save();
  context.strokeStyle = color('other');
  context.lineWidth = context.canvas.width / plot.width;
  context.globalAlpha = Math.max(0.4, 0.9 - curves.length / 200);
  for (const curve of curves) {
    context.beginPath();
    for (const [k, y] of curve.entries()) context.lineTo(...position(plot, k, y));
    context.stroke();
  }
  context.restore();
}

function drawBands(
  context: CanvasRenderingContext2D,
  plot: uPlot,
  quantiles: readonly number[][],
  name: string,
): void {
  context.save();
  context.fillStyle = color(name);
  context.globalAlpha = 0.14;
  for (const [low, high] of [
    [0, 6],
    [1, 5],
    [2, 4],
  ]) {
    context.beginPath();
    for (const [k, q] of quantiles.entries()) context.lineTo(...position(plot, k, q[high]));
    for (let k = quantiles.length - 1; k >= 0; k--) context.lineTo(...position(plot, k, quantiles[k][low]));
    context.fill();
  }
  context.restore();
}

import uPlot from 'uplot';
import { announce } from './dom.ts';
import { color, type Drawing } from './theme.ts';
import { hideTip, showTip } from './tip.ts';

export interface Line {
  /** One value for each x; null where there is none. */
  readonly values: readonly (number | null)[];
  /** Name of the custom property that is its colour. */
  readonly color: string;
  readonly width?: number;
  readonly dash?: number[];
  /** Whether the point under the cursor is marked. */
  readonly marked?: boolean;
}

export interface LineChart {
  /** x = 1 … n. */
  readonly n: number;
  /** What is said of an x below the axis; default itself. */
  readonly xText?: (x: number) => string;
  readonly lines: readonly Line[];
  readonly range: readonly [number, number];
  /** Where the vertical axis has lines, and what they say. */
  readonly ticks: readonly number[];
  readonly tickText: (tick: number) => string;
  readonly height: (width: number) => number;
  /** A vertical line with a text. */
  readonly mark?: { readonly x: number; readonly color: string; readonly text: string };
  /** Draws beneath the lines. */
  readonly beneath?: (context: CanvasRenderingContext2D, plot: uPlot) => void;
  /** What is said of x = i + 1. */
  readonly describe: (i: number) => string[];
  /** What takes the keyboard: arrows move the cursor. */
  readonly focus: HTMLElement;
}

const font = '10px system-ui, sans-serif';

/** Draws lines against 1 … n into `host`. */
export function lineChart(host: HTMLElement, chart: LineChart): Drawing {
  const { n, lines, ticks, range, describe, focus } = chart;
  const x = Array.from({ length: n }, (_, i) => i + 1);
  const middle = Math.round(n / 2);
  const size = () => {
    const width = Math.max(120, Math.floor(host.clientWidth));
    return { width, height: Math.round(chart.height(width)) };
  };
  const last = Math.max(n, 2); // an axis has a length, though there is one value
  const plot: uPlot = new uPlot(
    {
      ...size(),
      padding: [8, 12, 0, 0],
      legend: { show: false },
      scales: { x: { time: false, range: [1, last] }, y: { range: [...range] } },
      axes: [
        {
          font,
          stroke: () => color('soft'),
          grid: { show: false },
          ticks: { show: false },
          size: 20,
          gap: 4,
          splits: () => [...new Set([1, middle, n])],
          values: (_, splits) => splits.map(chart.xText ?? String),
        },
        {
          font,
          stroke: () => color('soft'),
          grid: { stroke: () => color('line'), width: 1 },
          ticks: { show: false },
          size: 36,
          gap: 5,
          splits: () => [...ticks],
          values: (_, splits) => splits.map(chart.tickText),
        },
      ],
      series: [
        {},
        ...lines.map(({ color: name, width = 1.5, dash, marked = false }) => ({
          stroke: () => color(name),
          width,
          dash,
          points: { show: n === 1 },
          pxAlign: 0,
          ...(marked ? {} : { class: 'unmarked' }),
        })),
      ],
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: {
          size: (_, series) => (lines[series - 1].marked ? 7 : 0),
          fill: (_, series) => color(lines[series - 1].color),
        },
      },
      hooks: {
        drawAxes: [(self) => chart.beneath?.(self.ctx, self)],
        draw: [(self) => chart.mark && drawMark(self, chart.mark)],
        setCursor: [showValues],
      },
    },
    [x, ...lines.map(({ values }) => values as (number | null)[])],
    host,
  );

  function showValues({ cursor, over }: uPlot): void {
    const { idx, left = -1 } = cursor;
    if (idx === null || idx === undefined || left < 0) {
      hideTip();
      return;
    }
    const box = over.getBoundingClientRect();
    showTip(describe(idx), box.left + left, box.top + box.height / 2);
  }

  let at = -1;
  const moveTo = (i: number) => {
    at = Math.min(Math.max(i, 0), n - 1);
    plot.setCursor({ left: plot.valToPos(at + 1, 'x'), top: 0 });
    announce(describe(at).join(', '));
  };
  focus.addEventListener('keydown', (event) => {
    const steps: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: n - 1 };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    moveTo(steps[event.key]);
  });
  focus.addEventListener('blur', () => {
    at = -1;
    plot.setCursor({ left: -10, top: -10 });
  });
  return {
    redraw() {
      const { width, height } = size();
      if (width !== plot.width || height !== plot.height) plot.setSize({ width, height });
      else plot.redraw(false, true);
    },
  };
}

function drawMark(plot: uPlot, { x, color: name, text }: NonNullable<LineChart['mark']>): void {
  const { ctx, bbox } = plot;
  const ratio = plot.ctx.canvas.width / plot.width;
  const at = plot.valToPos(x, 'x', true);
  const right = at > bbox.left + bbox.width / 2;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color(name);
  ctx.globalAlpha = 0.8;
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = right ? 'right' : 'left';
  ctx.textBaseline = 'bottom';
  ctx.fillText(text, at + (right ? -5 : 5) * ratio, bbox.top + bbox.height - 4 * ratio);
  ctx.restore();
}

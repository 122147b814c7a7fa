import uPlot from 'uplot';
import { announce } from './dom.ts';
import { color, type Drawing, ramp } from './theme.ts';
import { hideTip, showTip } from './tip.ts';

export interface HeatMap {
  readonly rows: number;
  readonly columns: number;
  /** Between 0 and 1, the place on the ramp; NaN where there is nothing. */
  readonly share: (row: number, column: number) => number;
  /** Written into cells that are large enough. */
  readonly text?: (row: number, column: number) => string;
  readonly describe: (row: number, column: number) => string[];
  /** What a click or Enter does. */
  readonly open?: (row: number, column: number) => void;
  /** Name of the ramp in the style sheet. */
  readonly ramp: string;
  readonly rowTicks?: Ticks;
  readonly columnTicks?: Ticks;
  /** Greatest height of all rows, in pixels. */
  readonly most?: number;
}

export interface Ticks {
  readonly at: readonly number[];
  readonly text: (tick: number) => string;
}

const font = '10px system-ui, sans-serif';
const axis = { left: 30, bottom: 18, top: 4, right: 4 };

/** At most `most` whole numbers below n, evenly. */
export function integerTicks(n: number, most: number): Ticks {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => n / each <= most) ?? n;
  return { at: Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step), text: String };
}

/** Draws rows × columns of coloured cells into `host`, which takes the keyboard. */
export function heatMap(host: HTMLElement, map: HeatMap): Drawing {
  const { rows, columns, describe, most = 420 } = map;
  const size = () => {
    const width = Math.max(120, Math.floor(host.clientWidth));
    const cell = (width - axis.left - axis.right) / columns;
    const height = Math.min(rows * Math.min(cell, 30), most);
    return { width, height: Math.round(height) + axis.bottom + axis.top };
  };
  const rowTicks = () => map.rowTicks ?? integerTicks(rows, (size().height - axis.bottom) / 14);
  const columnTicks = () => map.columnTicks ?? integerTicks(columns, (size().width - axis.left) / 22);
  const axisOf = (ticks: () => Ticks, space: number): uPlot.Axis => ({
    font,
    stroke: () => color('soft'),
    grid: { show: false },
    ticks: { show: false },
    size: space,
    gap: 4,
    splits: () => [...ticks().at],
    values: (_, splits) => splits.map(ticks().text),
  });
  const plot: uPlot = new uPlot(
    {
      ...size(),
      padding: [axis.top, axis.right, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: [-0.5, columns - 0.5] },
        y: { dir: -1, range: [-0.5, rows - 0.5] },
      },
      axes: [axisOf(columnTicks, axis.bottom), axisOf(rowTicks, axis.left)],
      series: [{}, { show: false }],
      cursor: { x: false, y: false, drag: { x: false, y: false, setScale: false }, points: { show: false } },
      hooks: { draw: [(self) => drawCells(self, map)], setCursor: [hover] },
    },
    [
      [0, columns],
      [0, rows],
    ],
    host,
  );
  const frame = plot.over.appendChild(document.createElement('div'));
  frame.className = 'cell';
  frame.hidden = true;

  const inside = (value: number, count: number) => Math.min(Math.max(Math.round(value), 0), count - 1);

  function hover({ cursor }: uPlot): void {
    const { left = -1, top = -1 } = cursor;
    if (left < 0 || top < 0) {
      frame.hidden = true;
      hideTip();
    } else show(inside(plot.posToVal(top, 'y'), rows), inside(plot.posToVal(left, 'x'), columns));
  }

  function show(row: number, column: number): void {
    const box = plot.over.getBoundingClientRect();
    const [left, right] = [-0.5, 0.5].map((half) => plot.valToPos(column + half, 'x'));
    const [top, bottom] = [-0.5, 0.5].map((half) => plot.valToPos(row + half, 'y'));
    frame.hidden = false;
    frame.style.cssText = `left:${left}px;top:${top}px;width:${right - left}px;height:${bottom - top}px`;
    showTip(describe(row, column), box.left + right, box.top + (top + bottom) / 2);
  }

  plot.over.addEventListener('click', () => {
    const { left = -1, top = -1 } = plot.cursor;
    if (left >= 0)
      map.open?.(inside(plot.posToVal(top, 'y'), rows), inside(plot.posToVal(left, 'x'), columns));
  });

  let [row, column] = [0, 0];
  host.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const moves: Record<string, [number, number]> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, columns - 1],
    };
    if (event.key === 'Enter') map.open?.(row, column);
    else if (event.key in moves) move(...moves[event.key]);
    else return;
    event.preventDefault();
  });
  function move(toRow: number, toColumn: number): void {
    [row, column] = [inside(toRow, rows), inside(toColumn, columns)];
    show(row, column);
    announce(describe(row, column).join(', '));
  }
  host.addEventListener('focus', () => host.matches(':focus-visible') && move(row, column));
  host.addEventListener('blur', () => {
    frame.hidden = true;
    hideTip();
  });

  return {
    redraw() {
      const { width, height } = size();
      if (width !== plot.width || height !== plot.height) plot.setSize({ width, height });
      else plot.redraw(false, true);
    },
  };
}

function drawCells({ ctx, bbox, width }: uPlot, { rows, columns, share, text, ramp: name }: HeatMap): void {
  const colors = ramp(name);
  const image = new ImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at += 4) {
      const value = share(row, column);
      if (Number.isNaN(value)) continue;
      const from = 4 * Math.round(255 * Math.min(Math.max(value, 0), 1));
      image.data.set(colors.subarray(from, from + 3), at);
      image.data[at + 3] = 255;
    }
  const cells = new OffscreenCanvas(columns, rows);
  cells.getContext('2d')!.putImageData(image, 0, 0);
  const [cellWidth, cellHeight] = [bbox.width / columns, bbox.height / rows];
  const ratio = ctx.canvas.width / width;
  ctx.save();
  ctx.imageSmoothingEnabled = cellWidth < 1;
  ctx.drawImage(cells, bbox.left, bbox.top, bbox.width, bbox.height);
  if (Math.min(cellWidth, cellHeight) > 7 * ratio) {
    ctx.fillStyle = color('paper');
    for (let column = 1; column < columns; column++)
      ctx.fillRect(Math.round(bbox.left + column * cellWidth) - ratio / 2, bbox.top, ratio, bbox.height);
    for (let row = 1; row < rows; row++)
      ctx.fillRect(bbox.left, Math.round(bbox.top + row * cellHeight) - ratio / 2, bbox.width, ratio);
  }
  if (text !== undefined && cellHeight > 13 * ratio && cellWidth > 30 * ratio) {
    ctx.font = `${10 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    for (let row = 0, at = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, at += 4) {
        const [r, g, b, a] = image.data.subarray(at, at + 4);
        if (a === 0) continue;
        ctx.fillStyle = 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#10141a' : '#ffffff';
        const x = bbox.left + (column + 0.5) * cellWidth;
        ctx.fillText(text(row, column), x, bbox.top + (row + 0.54) * cellHeight);
      }
  }
  ctx.restore();
}

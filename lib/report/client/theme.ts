// Colours come from the style sheet; what is drawn on a canvas is drawn anew when they change, and for the printer.

/** What is drawn and can be drawn again. */
export interface Drawing {
  /** With the colours and in the width that hold now. */
  redraw(): void;
}

const drawings = new Map<Element, Drawing>();
const waiting = new Map<Element, () => Drawing>();

let colors = new Map<string, string>();

/** The value of a custom property of the style sheet. */
export function color(name: string): string {
  let value = colors.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colors.set(name, value);
  }
  return value;
}

/** 256 colours from a ramp of the style sheet: rgb, byte by byte. */
export function ramp(name: string): Uint8ClampedArray {
  const context = new OffscreenCanvas(256, 1).getContext('2d')!;
  const gradient = context.createLinearGradient(0, 0, 256, 0);
  for (const stop of [0, 1, 2]) gradient.addColorStop(stop / 2, color(`${name}-${stop}`));
  context.fillStyle = gradient;
  context.fillRect(0, 0, 256, 1);
  return context.getImageData(0, 0, 256, 1).data;
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: '300px' },
);

const widths = new WeakMap<Element, number>();

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (widths.get(target) === target.clientWidth) continue;
    widths.set(target, target.clientWidth);
    drawings.get(target)?.redraw();
  }
});

/** Draws into `host` once it is about to be seen, or `focus` has the keyboard. */
export function whenVisible(host: Element, start: () => Drawing, focus = host): void {
  waiting.set(host, start);
  observer.observe(host);
  focus.addEventListener('focus', () => draw(host), { once: true });
}

function draw(host: Element): void {
  const start = waiting.get(host);
  if (start === undefined) return;
  waiting.delete(host);
  observer.unobserve(host);
  drawings.set(host, start());
  widths.set(host, host.clientWidth);
  resized.observe(host);
}

/** Forgets what was drawn, or was to be, within `root`. */
export function forget(root: Element): void {
  for (const host of [...waiting.keys(), ...drawings.keys()])
    if (root.contains(host)) {
      observer.unobserve(host);
      resized.unobserve(host);
      waiting.delete(host);
      drawings.delete(host);
    }
}

function redrawAll(): void {
  colors = new Map();
  for (const drawing of drawings.values()) drawing.redraw();
}

/** On paper all is light, as wide as a page, and drawn though nobody has scrolled there. */
function onPaper(paper: boolean): void {
  const root = document.documentElement.classList;
  if (root.contains('paper') === paper) return;
  root.toggle('paper', paper);
  if (paper) for (const host of [...waiting.keys()]) draw(host);
  redrawAll();
}

export function followTheme(): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll);
  matchMedia('print').addEventListener('change', ({ matches }) => onPaper(matches));
  addEventListener('beforeprint', () => onPaper(true));
  addEventListener('afterprint', () => onPaper(false));
}

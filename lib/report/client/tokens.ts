import { escaped } from '../../array/escape.ts';
import type { CircuitKind, TokenReading, TokenScore } from '../data.ts';
import { byId, h } from './dom.ts';
import { exact, plural, short } from './format.ts';
import { pager } from './pager.ts';
import { subscript } from './spectra.ts';
import { circuitId, type Report, route } from './unpack.ts';

const sides = {
  OV: { left: 'reads', right: 'writes' },
  QK: { left: 'query', right: 'key' },
} as const satisfies Record<CircuitKind, Record<TokenReading['side'], string>>;

/** Readings of one direction, of both sides where there are both. */
type Direction = readonly TokenReading[];

/** Directions on the page at one time. */
const perPage = 12;

/** The section of token readings: directions with their tokens, and a search for tokens. */
export function showTokens(report: Report): void {
  if (report.tokens.length === 0) return;
  const all = directionsOf(report.tokens);
  if (report.tokensLeftOut > 0)
    byId('tokens-note').textContent =
      `There are more: ${plural(report.tokensLeftOut, 'reading')} of smaller singular values would make this page too large.`;
  const search = byId('tokens-search') as HTMLInputElement;
  const kind = byId('tokens-kind') as HTMLSelectElement;
  const update = () => {
    const found = all.filter(
      (direction) =>
        (kind.value === '' || direction[0].kind === kind.value) &&
        mentions(direction, search.value.toLowerCase()),
    );
    byId('tokens-count').textContent = plural(found.length, 'direction');
    const pages = Array.from({ length: Math.ceil(found.length / perPage) }, (_, i) => ({
      name: String(i + 1),
      items: found.slice(i * perPage, (i + 1) * perPage),
    }));
    pager(byId('tokens-pager'), pages, 'Page', (shown) =>
      byId('tokens-rows').replaceChildren(...shown.map((direction) => directionOf(direction, true))),
    );
  };
  search.oninput = kind.onchange = update;
  update();
}

const mentions = (direction: Direction, text: string): boolean =>
  text === '' ||
  direction.some(({ top, bottom }) =>
    [...top, ...bottom].some(({ token }) => token.toLowerCase().includes(text)),
  );

/** By layer, head, kind and singular value. */
export function directionsOf(readings: readonly TokenReading[]): Direction[] {
  const directions = new Map<string, TokenReading[]>();
  for (const reading of readings) {
    const key = [reading.layer, reading.head, reading.kind, reading.direction].join();
    const both = directions.get(key);
    if (both === undefined) directions.set(key, [reading]);
    else both.push(reading);
  }
  const compare = ([a]: Direction, [b]: Direction) =>
    a.layer - b.layer ||
    a.head - b.head ||
    Number(a.kind > b.kind) - Number(a.kind < b.kind) ||
    a.direction - b.direction;
  return [...directions.values()].sort(compare);
}

/** One direction: what is at its ends, on both sides. */
export function directionOf(direction: Direction, named: boolean): HTMLElement {
  const [{ kind, layer, head, direction: index, sigma }] = direction;
  return h(
    'article',
    { className: `direction ${kind.toLowerCase()}` },
    h(
      named ? 'h3' : 'h4',
      {},
      named && h('a', { href: route(circuitId(layer, head, kind)) }, `L${layer}H${head} ${kind}`),
      h('span', {}, ` σ${subscript(index + 1)} = ${short(sigma)}`),
    ),
    ...(['left', 'right'] as const).flatMap((side) => {
      const reading = direction.find((each) => each.side === side);
      if (reading === undefined) return [];
      return [
        h(
          'div',
          { className: 'ends' },
          h('span', {}, sides[kind][side]),
          end('+', reading.top),
          end('−', reading.bottom),
        ),
      ];
    }),
  );
}

const end = (sign: string, tokens: readonly TokenScore[]): HTMLElement =>
  h(
    'p',
    {},
    h('b', {}, sign),
    ...tokens.map(({ token, score }) =>
      h('bdi', { className: 'token', title: exact(score) }, escaped(token)),
    ),
  );

import { escapedJson } from '../../array/escape.ts';
import { byId, h } from './dom.ts';
import type { Report } from './unpack.ts';

/** Lines of a file, made when they are asked for. */
type Lines = (report: Report) => Iterable<string>;

const files: readonly [name: string, text: string, wanted: (report: Report) => boolean, lines: Lines][] = [
  ['circuits', 'numbers of all circuits', () => true, circuitLines],
  ['singular-values', 'all singular values', () => true, spectrumLines],
  ['composition', 'composition scores', ({ composition }) => composition.length > 0, compositionLines],
  ['tokens', 'token readings', ({ tokens }) => tokens.length > 0, tokenLines],
];

/** The section of downloads: everything behind the page. */
export function showDownloads(report: Report): void {
  byId('data-files').replaceChildren(
    ...files.flatMap(([name, text, wanted, lines]) => {
      if (!wanted(report)) return [];
      const button = h('button', { type: 'button' }, `${text} (CSV)`);
      button.onclick = () => download(`${name}.csv`, lines(report));
      return [button];
    }),
  );
}

/** Offers lines as a file. */
export function download(name: string, lines: Iterable<string>): void {
  const parts: string[] = [];
  for (const line of lines) parts.push(line, '\r\n');
  const url = URL.createObjectURL(new Blob(parts, { type: 'text/csv;charset=utf-8' }));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function* circuitLines({ circuits, random }: Report): Generator<string> {
  yield 'layer,head,circuit,sigma_1,norm,factor_norm,bound,effective_rank,random_effective_rank,condition,isolated,singular_values,residual';
  for (const circuit of circuits) {
    const { layer, head, kind, S, norm, factorNorm, bound, effectiveRank, condition, isolated, residual } =
      circuit;
    const chance = random.get(kind)?.effectiveRank ?? Number.NaN;
    const numbers = [
      S[0] ?? Number.NaN,
      norm,
      factorNorm,
      bound,
      effectiveRank,
      chance,
      condition,
      isolated,
      S.length,
      residual,
    ];
    yield [layer, head, kind, ...numbers.map(text)].join();
  }
}

/** Nothing where there is no number. */
const text = (x: number): string => (Number.isNaN(x) ? '' : String(x));

function* spectrumLines({ circuits, random }: Report): Generator<string> {
  const most = circuits.reduce((n, { S }) => Math.max(n, S.length), 0);
  yield ['layer', 'head', 'circuit', ...Array.from({ length: most }, (_, i) => `sigma_${i + 1}`)].join();
  for (const { layer, head, kind, S } of circuits) yield [layer, head, kind, ...Array.from(S, text)].join();
  for (const { kind, S } of random.values())
    yield ['random', 'unit norms', kind, ...Array.from(S, text)].join();
}

function* compositionLines({ composition, model }: Report): Generator<string> {
  const byHead = composition[0].unit === 'head';
  yield `kind,${byHead ? 'writer_layer,writer_head,reader_layer,reader_head' : 'writer_layer,reader_layer'},score,random`;
  const place = (i: number) => (byHead ? [Math.floor(i / model.heads), i % model.heads] : [i]);
  for (const { kind, n, scores, random } of composition)
    for (let row = 0; row < n; row++)
      for (let column = row; column < n; column++) {
        const score = scores[row * n + column];
        if (!Number.isNaN(score)) yield [kind, ...place(row), ...place(column), score, random].join();
      }
}

/** A token is a JSON string: with its quotes no spreadsheet takes it for a formula. */
function* tokenLines({ tokens }: Report): Generator<string> {
  yield 'layer,head,circuit,direction,sigma,side,end,place,token,score';
  const quoted = (token: string) => `"${escapedJson(token).replaceAll('"', '""')}"`;
  for (const { layer, head, kind, direction, sigma, side, top, bottom } of tokens)
    for (const [end, list] of Object.entries({ top, bottom }))
      for (const [i, { token, score }] of list.entries())
        yield [layer, head, kind, direction + 1, sigma, side, end, i + 1, quoted(token), score].join();
}

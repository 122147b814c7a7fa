import type { Versions } from '../index.ts';
import { columnNames, columns, isBroken, partText, type Scan } from '../scan/index.ts';
import { html, largeFacts, number, pageOf, section } from './document.ts';
import { packScan } from './scan-pack.ts';

/**
 * The page of a scan: one HTML file, like `reportPage`.
 * @param scan names in it may be hostile: they are shown, never run
 */
export function scanPage(scan: Scan, versions: Versions): string {
  const { source, rows } = scan;
  const title = `Scan of ${source}`;
  const matrices = rows.filter(({ sigma1 }) => sigma1 !== undefined);
  const sizes = new Map(rows.map(({ name, shape }) => [name, shape.reduce((n, m) => n * m, 1)]));
  const facts = [
    ['matrices decomposed', number(matrices.length)],
    ['other tensors', number(rows.length - matrices.length)],
    ['elements', number([...sizes.values()].reduce((sum, n) => sum + n, 0))],
    ['with NaN or infinities', number(rows.filter(isBroken).length)],
  ];
  const part = partText(scan);
  const header = `<header>
  <h1>${html(title)}</h1>
  <p>What the singular values and the elements of every tensor say: its norms and ranks, how much of it could be noise, and
  how its spectrum falls.</p>
  ${largeFacts(facts)}${part === '' ? '' : `\n  <p class="model">Only ${html(part)}.</p>`}
</header>`;
  const meanings = columnNames.map(
    (key) => `<dt>${html(columns[key][0])}</dt><dd>${html(columns[key][1])}</dd>`,
  );
  return pageOf({
    title,
    header,
    sections: [
      section('layers', 'Layers', layersHtml),
      section('spectra', 'Spectra', spectraHtml),
      section('numbers', 'Numbers', `${numbersHtml}\n  <dl class="note terms">${meanings.join('')}</dl>`),
      section('data', 'Data', '<div class="buttons" id="data-files"></div>'),
    ],
    versions: { ...versions, factoredSvd: scan.factoredSvd },
    kind: 'scan',
    payload: packScan(scan),
  });
}

const layersHtml = `<p>One plot for all tensors whose names differ in the first number alone, which is the layer; of stacks the mean.</p>
  <form class="controls"><label>Number <select id="layers-by"></select></label></form>
  <div class="panels" id="layers-plots"></div>`;

const spectraHtml = `<p>Singular values over the largest, on a logarithmic scale, some of each spectrum, more of its beginning. The
  dotted line is where noise with the same median would end.</p>
  <nav class="pager" id="spectra-pager" aria-label="Matrices of the spectra" hidden></nav>
  <div class="panels ov" id="spectra-rows"></div>`;

const numbersHtml = `<form class="controls" id="numbers-controls">
    <label>Name <input id="numbers-name" type="search" autocomplete="off" spellcheck="false"></label>
    <span class="together"><label>Where <select id="numbers-by"></select></label>
    <label>from <input id="numbers-from" inputmode="decimal" autocomplete="off" size="6"></label>
    <label>to <input id="numbers-to" inputmode="decimal" autocomplete="off" size="6"></label></span>
    <output id="numbers-count"></output>
  </form>
  <nav class="pager" id="numbers-pager" aria-label="Rows of the numbers" hidden></nav>
  <div class="scroll" tabindex="0" role="region" aria-label="Numbers of all tensors"><table id="numbers-table"></table></div>`;

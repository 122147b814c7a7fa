import type { ReportData } from './data.ts';
import { duration, html, largeFacts, number, pageOf, plural, type Section, section } from './document.ts';
import { pack } from './pack.ts';

/**
 * The page of a report: one HTML file that loads nothing from anywhere, and is not allowed to.
 * @param data names in it may be hostile: they are shown, never run
 */
export function reportPage(data: ReportData): string {
  const { title, versions } = data;
  return pageOf({
    title,
    header: header(data),
    sections: sections(data),
    versions,
    kind: 'circuits',
    payload: pack(data),
  });
}

/** 3.1e-7 → 3.1·10⁻⁷ */
function scientific(x: number, digits: number): string {
  const [mantissa, exponent] = x.toExponential(digits).split('e');
  return `${mantissa}·10<sup>${Number(exponent)}</sup>`.replace('<sup>-', '<sup>−');
}

function header({ title, source, model, state, circuits, seconds }: ReportData): string {
  const residuals = circuits.flatMap(({ residual }) => (residual === undefined ? [] : [residual]));
  const worst = residuals.reduce((most, residual) => Math.max(most, residual), 0);
  const facts = [
    ['circuits decomposed', number(circuits.length)],
    ...(residuals.length > 0 ? [['largest relative residual', scientific(worst, 1)]] : []),
    ...(seconds === undefined ? [] : [['time, from weights to this page', duration(seconds)]]),
  ];
  const grouped = model.kvHeads === model.heads ? '' : ` (${number(model.kvHeads)} of keys and values)`;
  const sizes = `${html(model.modelType)}: ${plural(model.layers, 'layer')}, ${plural(model.heads, 'head')}${grouped}, d<sub>model</sub> ${number(model.dModel)}, d<sub>head</sub> ${number(model.dHead)}`;
  return `<header>
  <h1>${html(title)}</h1>
  <p>Every attention head of a transformer holds two products of small matrices: <b>OV</b>, what a head writes when it
  attends to a token, and <b>QK</b>, which tokens a head attends to. Below are the singular values of all of them.
  <code>factored-svd</code> computed them from the two factors; no product was ever formed.</p>
  ${largeFacts(facts)}
  <p class="model"><b>${html(source)}</b>, ${sizes}; ${choices(state)}.</p>
</header>`;
}

/** What went into the circuits, in words where there are some. */
function choices(state: ReportData['state']): string {
  const words: Record<string, (value: ReportData['state'][string]) => string> = {
    foldNorms: (yes) => (yes ? 'norms folded in' : 'norms not folded in'),
    centerWriting: (yes) => (yes ? 'writing centred' : 'writing not centred'),
    biases: (yes) => (yes ? 'with biases' : 'without biases'),
    rotaryOffset: (offset) => (offset ? `QK rotated by ${html(offset)} positions` : 'QK not rotated'),
    qkNormGains: (yes) => (yes ? 'gains of the norms of q and k in QK' : ''),
  };
  const said = Object.entries(state).map(([key, value]) =>
    Object.hasOwn(words, key) ? words[key](value) : `${html(key)}: ${html(value)}`,
  );
  return said.filter((text) => text !== '').join(', ') || 'as the weights are';
}

const sigma = '<span>σ<sub>i</sub>/σ<sub>1</sub></span>';

function sections(data: ReportData): Section[] {
  const composition = (data.composition?.length ?? 0) > 0;
  const tokens = (data.tokens?.length ?? 0) > 0;
  const all = [
    section(
      'spectra',
      'Spectra',
      `<p>Singular values over the largest, ${sigma}, on a logarithmic scale, against i = 1 … d<sub>head</sub>. A
  curve that falls fast belongs to a head that works in few directions. The thin grey curves are the other heads of the
  same row; the dashed vertical line marks the effective rank, exp of the entropy of σ²/Σσ². The dotted curve is what
  chance gives: Gaussian factors of the same shapes and norms. An effective rank says little until it is compared with
  that of random factors, which is itself below d<sub>head</sub>. A head opens in detail.</p>
  <nav class="pager" id="spectra-pager" aria-label="Layers of the spectra" hidden></nav>
  <div id="spectra-rows"></div>`,
    ),
    section(
      'maps',
      'Layers and heads',
      `<p>Layers down, heads across; the tick below a map is what random factors have. Condition is σ<sub>1</sub> over
  the last of the d<sub>head</sub> singular values, coloured by its logarithm. Isolated directions are those whose
  singular vectors are determined alone; of the others, only the subspace of their cluster is.</p>
  <div id="maps-rows"></div>`,
    ),
    section(
      'energy',
      'Cumulative energy',
      `<p>Share of Σσ² that the first k singular values hold. The coloured curve is the median of all heads, the dotted
  one that of random factors.</p>
  <div class="two" id="energy-plots"></div>`,
    ),
    composition && section('composition', 'Composition', compositionHtml),
    tokens && section('tokens', 'Tokens', tokensHtml),
    section('numbers', 'Numbers', numbersHtml),
    section(
      'data',
      'Data',
      '<p>Everything behind this page, as it holds it.</p>\n  <div class="buttons" id="data-files"></div>',
    ),
  ].filter((each) => each !== false);
  return all;
}

const compositionHtml = `<p>How much of what an earlier head writes a later head reads for its queries, keys and values:
  ‖W<sub>OV</sub>·W‖<sub>F</sub> / (‖W<sub>OV</sub>‖<sub>F</sub>·‖W‖<sub>F</sub>). Random matrices of these shapes have a score,
  too: the tick below each map. <span id="composition-note"></span></p>
  <div class="maps three" id="composition-maps"></div>`;

const kindOptions = '<option value="">OV and QK</option><option>OV</option><option>QK</option>';

const tokensHtml = `<p>The tokens at both ends of singular directions, through the embedding and the unembedding. The sign of a pair of
  directions is not determined: both sides may be read with + and − exchanged. <span id="tokens-note"></span></p>
  <form class="controls" id="tokens-controls">
    <label>Token <input id="tokens-search" type="search" autocomplete="off" spellcheck="false"></label>
    <label>Circuit <select id="tokens-kind">${kindOptions}</select></label>
    <output id="tokens-count"></output>
  </form>
  <nav class="pager" id="tokens-pager" aria-label="Pages of the tokens" hidden></nav>
  <div class="directions" id="tokens-rows"></div>`;

const numbersHtml = `<form class="controls" id="numbers-controls">
    <label>Circuit <select id="numbers-kind">${kindOptions}</select></label>
    <label>Layers <input id="numbers-layers" placeholder="0-3, 7" autocomplete="off" size="8"></label>
    <label>Heads <input id="numbers-heads" placeholder="all" autocomplete="off" size="8"></label>
    <span class="together"><label>Where <select id="numbers-by"></select></label>
    <label>from <input id="numbers-from" inputmode="decimal" autocomplete="off" size="6"></label>
    <label>to <input id="numbers-to" inputmode="decimal" autocomplete="off" size="6"></label></span>
    <output id="numbers-count"></output>
  </form>
  <nav class="pager" id="numbers-pager" aria-label="Rows of the numbers" hidden></nav>
  <div class="scroll" tabindex="0" role="region" aria-label="Numbers of all circuits"><table id="numbers-table"></table></div>
  <p class="note">Times random: the effective rank over that of random factors of the same shapes. Condition:
  σ<sub>1</sub> over the last of the d<sub>head</sub> singular values. Isolated: singular vectors that are determined
  alone. Residual: ‖M − U·diag(S)·Vh‖<sub>F</sub> / ‖M‖<sub>F</sub>, itself computed without forming M.</p>`;

import { lineChart } from './chart.ts';
import { pairsTable, strongest } from './composition.ts';
import { facts, h } from './dom.ts';
import { cumulativeEnergy, energyAxis } from './energy.ts';
import { exact, fixed, percent, short } from './format.ts';
import { absoluteChart } from './spectra.ts';
import { forget, whenVisible } from './theme.ts';
import { hideTip } from './tip.ts';
import { directionOf, directionsOf } from './tokens.ts';
import { type Circuit, circuitId, type Report, route, type Scores } from './unpack.ts';

/** Opens the circuit that the address names, and closes it again; its fragment can be linked to. */
export function followAddress(report: Report): void {
  const dialog = h('dialog', { id: 'detail', aria: { labelledby: 'detail-title' } });
  document.body.append(dialog);
  const open = () => {
    const circuit = report.byId.get(location.hash.slice(2));
    hideTip();
    forget(dialog);
    if (circuit === undefined) return dialog.close();
    dialog.className = circuit.kind.toLowerCase();
    dialog.replaceChildren(...contentOf(circuit, report, () => dialog.close()));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  dialog.addEventListener('close', () => {
    hideTip();
    forget(dialog);
    dialog.replaceChildren();
    // The fragment goes, the place on the page stays.
    if (location.hash.startsWith(route('')))
      history.replaceState(null, '', location.pathname + location.search);
  });
  dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close()); // beside it
  addEventListener('hashchange', open);
  open();
}

function contentOf(circuit: Circuit, report: Report, close: () => void): HTMLElement[] {
  const { kind, layer, head, S } = circuit;
  const button = h('button', { type: 'button', className: 'close', aria: { label: 'Close' } }, '×');
  button.onclick = close;
  return [
    h(
      'div',
      { className: 'inside' },
      h(
        'header',
        {},
        h('h2', { id: 'detail-title' }, `Layer ${layer}, head ${head} `, h('span', {}, kind)),
        button,
      ),
      neighbours(circuit, report),
      factsOf(circuit, report),
      h('div', { className: 'pair' }, spectrumFigure(circuit, report), energyFigure(circuit, report)),
      ...partners(circuit, report),
      ...readings(circuit, report),
      h('h3', {}, `All ${S.length} singular values`),
      valuesTable(circuit, report),
    ),
  ];
}

/** Links to what lies beside this circuit. */
function neighbours({ kind, layer, head }: Circuit, { byId }: Report): HTMLElement {
  const other = kind === 'OV' ? 'QK' : 'OV';
  const links: [string, string][] = [
    [`← head ${head - 1}`, circuitId(layer, head - 1, kind)],
    [`head ${head + 1} →`, circuitId(layer, head + 1, kind)],
    [`↑ layer ${layer - 1}`, circuitId(layer - 1, head, kind)],
    [`↓ layer ${layer + 1}`, circuitId(layer + 1, head, kind)],
    [`${other} of this head`, circuitId(layer, head, other)],
  ];
  return h(
    'nav',
    { aria: { label: 'Neighbouring circuits' } },
    ...links.filter(([, id]) => byId.has(id)).map(([text, id]) => h('a', { href: route(id) }, text)),
  );
}

function factsOf(
  { kind, S, norm, bound, effectiveRank, condition, isolated, residual }: Circuit,
  { random }: Report,
): HTMLElement {
  const chance = random.get(kind);
  const spectral = S.length > 0 && S[0] > 0 ? (norm / S[0]) ** 2 : Number.NaN;
  return facts([
    ['σ₁', short(S[0] ?? 0, 4)],
    ['norm', short(norm, 4)],
    ['effective rank', fixed(effectiveRank, 1), chance && `random ${fixed(chance.effectiveRank, 1)}`],
    ['stable rank', fixed(spectral, 1)],
    ['condition', short(condition)],
    ['isolated directions', String(isolated), `of ${S.length}`],
    ['error bound', short(bound, 2)],
    ['residual', short(residual, 2)],
  ]);
}

const figure = (caption: string, label: string): [HTMLElement, HTMLElement] => {
  const plot = h('div', {
    className: 'plot',
    tabIndex: 0,
    aria: { role: 'application', roledescription: 'chart', label },
  });
  return [h('figure', {}, h('figcaption', {}, caption), plot), plot];
};

function spectrumFigure(circuit: Circuit, report: Report): HTMLElement {
  const [element, plot] = figure(
    'singular values; dotted: random',
    'Singular values. Arrow keys move along them',
  );
  const row = report.circuits.filter(({ layer, kind }) => layer === circuit.layer && kind === circuit.kind);
  whenVisible(plot, () =>
    lineChart(plot, { ...absoluteChart(circuit, report.random.get(circuit.kind), row), focus: plot }),
  );
  return element;
}

function energyFigure({ kind, S, norm }: Circuit, { random }: Report): HTMLElement {
  const [element, plot] = figure(
    'cumulative energy; dotted: random',
    'Cumulative energy. Arrow keys move along the singular values',
  );
  const energy = cumulativeEnergy(S, norm);
  const chance = random.get(kind)?.S;
  const expected =
    chance === undefined ? [] : cumulativeEnergy(chance, Math.hypot(...chance)).slice(0, S.length);
  whenVisible(plot, () =>
    lineChart(plot, {
      ...energyAxis,
      n: S.length,
      lines: [
        ...(expected.length > 0 ? [{ values: expected, color: 'chance', width: 1.25, dash: [2, 3] }] : []),
        { values: energy, color: kind.toLowerCase(), width: 2, marked: true },
      ],
      height: (width) => Math.min(300, Math.max(180, width * 0.55)),
      describe: (k) => [
        `the first ${k + 1}: ${percent(energy[k])}`,
        ...(k < expected.length ? [`random ${percent(expected[k])}`] : []),
      ],
      focus: plot,
    }),
  );
  return element;
}

/** Heads that read what this one writes, and whose writing it reads: OV writes and reads for values, QK reads. */
function partners({ kind, layer, head }: Circuit, report: Report): HTMLElement[] {
  const own = layer * report.model.heads + head;
  const scores = report.composition.filter(({ unit }) => unit === 'head');
  const reads = scores.filter((each) => (each.kind === 'V') === (kind === 'OV'));
  const table = (title: string, of: readonly Scores[], place: { writes?: number; reads?: number }) => {
    const pairs = of.flatMap((each) => strongest(each, 5, place));
    return pairs.length === 0 ? [] : [h('h3', {}, title), pairsTable(pairs, title, report)];
  };
  return [
    ...table('Earlier heads that it reads', reads, { reads: own }),
    ...(kind === 'OV' ? table('Later heads that read what it writes', scores, { writes: own }) : []),
  ];
}

function readings({ kind, layer, head }: Circuit, { tokens }: Report): HTMLElement[] {
  const own = tokens.filter((each) => each.kind === kind && each.layer === layer && each.head === head);
  if (own.length === 0) return [];
  return [
    h('h3', {}, 'Tokens'),
    h('div', { className: 'directions' }, ...directionsOf(own).map((each) => directionOf(each, false))),
  ];
}

function valuesTable({ kind, S, norm, factorNorm }: Circuit, { random }: Report): HTMLElement {
  const chance = random.get(kind)?.S;
  const energy = cumulativeEnergy(S, norm);
  const head = ['i', 'σ', 'of σ₁', 'random', 'energy of the first i'];
  const rows = Array.from(S, (sigma, i) =>
    h(
      'tr',
      {},
      ...[
        String(i + 1),
        exact(sigma),
        short(sigma / S[0]),
        chance !== undefined && i < chance.length ? short(chance[i] * factorNorm) : '–',
        percent(energy[i]),
      ].map((text) => h('td', {}, text)),
    ),
  );
  return h(
    'div',
    { className: 'scroll values', tabIndex: 0, aria: { role: 'region', label: 'Singular values' } },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, ...rows),
    ),
  );
}

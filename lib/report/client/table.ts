import { byId, h, sub } from './dom.ts';
import { count, exact, fixed, plural, short } from './format.ts';
import { pager } from './pager.ts';
import { type Circuit, type Report, route } from './unpack.ts';

interface Column {
  readonly name: string;
  readonly title: () => Node | string;
  readonly of: (circuit: Circuit) => number;
  readonly cell: (circuit: Circuit) => Node | string;
  /** Whether a first click sorts upward. */
  readonly up?: boolean;
}

/** Rows of the table at one time. */
const perPage = 100;

function columnsOf(report: Report): Column[] {
  const number = (
    name: string,
    of: Column['of'],
    text: (x: number) => string,
    title: Column['title'] = () => name,
  ): Column => ({
    name,
    title,
    of,
    cell: (circuit) => h('span', { title: exact(of(circuit)) }, text(of(circuit))),
  });
  const place = (name: 'layer' | 'head'): Column => ({
    name,
    title: () => name,
    of: (circuit) => circuit[name],
    cell: (circuit) => String(circuit[name]),
    up: true,
  });
  const chance = ({ kind }: Circuit) => report.random.get(kind)?.effectiveRank ?? Number.NaN;
  return [
    place('layer'),
    place('head'),
    {
      name: 'circuit',
      title: () => 'circuit',
      of: ({ kind }) => Number(kind === 'QK'),
      cell: ({ id, kind, layer, head }) =>
        h('a', { href: route(id), aria: { label: `${kind} of layer ${layer}, head ${head}` } }, kind),
      up: true,
    },
    number(
      'σ₁',
      ({ S }) => S[0] ?? Number.NaN,
      (x) => short(x, 4),
      () => sub('σ', 1),
    ),
    number(
      'σ₂',
      ({ S }) => S[1] ?? Number.NaN,
      (x) => short(x, 4),
      () => sub('σ', 2),
    ),
    {
      name: 'effective rank',
      title: () => 'effective rank',
      of: ({ effectiveRank }) => effectiveRank,
      cell: rankCell,
    },
    number(
      'times random',
      (circuit) => circuit.effectiveRank / chance(circuit),
      (x) => fixed(x, 2),
    ),
    number(
      'condition',
      ({ condition }) => condition,
      (x) => short(x),
    ),
    {
      name: 'isolated',
      title: () => 'isolated',
      of: ({ isolated }) => isolated,
      cell: ({ isolated, S }) => h('span', {}, String(isolated), h('small', {}, ` of ${S.length}`)),
    },
    number(
      'residual',
      ({ residual }) => residual,
      (x) => short(x, 2),
    ),
  ];
}

function rankCell({ effectiveRank, S }: Circuit): HTMLElement {
  const bar = h('i', { className: 'bar' }, h('i'));
  (bar.firstElementChild as HTMLElement).style.width = `${(100 * effectiveRank) / S.length || 0}%`;
  return h(
    'span',
    { title: exact(effectiveRank) },
    bar,
    h('span', { className: 'rank' }, fixed(effectiveRank, 1), h('small', {}, ` of ${S.length}`)),
  );
}

/** The section of all numbers: sorted by a click on a heading, filtered by its controls, a page at a time. */
export function showTable(report: Report): void {
  const columns = columnsOf(report);
  let [sorted, down]: [Column | undefined, boolean] = [undefined, false];
  const table = byId('numbers-table') as HTMLTableElement;
  const headings = columns.map((column) => {
    const button = h('button', { type: 'button', aria: { label: `Sort by ${column.name}` } }, column.title());
    button.onclick = () => {
      down = sorted === column ? !down : !column.up;
      sorted = column;
      update();
    };
    return h('th', { scope: 'col', className: column.name === 'circuit' ? 'text' : '' }, button);
  });
  const body = h('tbody');
  table.replaceChildren(h('thead', {}, h('tr', {}, ...headings)), body);
  const filter = filterControls(columns, () => update());

  function update(): void {
    const shown = report.circuits.filter(filter);
    if (sorted !== undefined) sortBy(shown, sorted.of, down);
    for (const [i, heading] of headings.entries())
      if (columns[i] === sorted) heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else heading.removeAttribute('aria-sort');
    byId('numbers-count').textContent =
      shown.length === report.circuits.length
        ? `${plural(shown.length, 'circuit')}`
        : `${count(shown.length)} of ${plural(report.circuits.length, 'circuit')}`;
    const pages = Array.from({ length: Math.ceil(shown.length / perPage) }, (_, i) => ({
      name: `${count(i * perPage + 1)}–${count(Math.min(shown.length, (i + 1) * perPage))}`,
      items: shown.slice(i * perPage, (i + 1) * perPage),
    }));
    pager(byId('numbers-pager'), pages, 'Rows', (rows) => body.replaceChildren(...rows.map(rowOf)));
  }

  function rowOf(circuit: Circuit, i: number, rows: readonly Circuit[]): HTMLElement {
    const first = sorted === undefined && i > 0 && rows[i - 1].layer !== circuit.layer;
    return h(
      'tr',
      { className: `${circuit.kind.toLowerCase()}${first ? ' first' : ''}` },
      ...columns.map((column) =>
        h('td', { className: column.name === 'circuit' ? 'text' : '' }, column.cell(circuit)),
      ),
    );
  }
  update();
}

/** What is no number stays at the end, whichever way. */
function sortBy(circuits: Circuit[], of: Column['of'], down: boolean): void {
  circuits.sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? 0 : x < y === down ? 1 : -1;
  });
}

/** What the controls let through now. */
function filterControls(columns: readonly Column[], update: () => void): (circuit: Circuit) => boolean {
  const control = (name: string) => byId(`numbers-${name}`) as HTMLInputElement & HTMLSelectElement;
  const [kind, layers, heads, by, from, to] = ['kind', 'layers', 'heads', 'by', 'from', 'to'].map(control);
  by.replaceChildren(...columns.slice(3).map(({ name }) => h('option', { value: name }, name)));
  by.value = 'effective rank';
  for (const each of [kind, layers, heads, by, from, to]) each.oninput = update;
  const limit = (input: HTMLInputElement, none: number) => {
    const value = Number(input.value);
    input.setAttribute('aria-invalid', String(Number.isNaN(value)));
    return input.value.trim() === '' || Number.isNaN(value) ? none : value;
  };
  return (circuit) => {
    const column = columns.find(({ name }) => name === by.value)!;
    const [low, high] = [limit(from, -Infinity), limit(to, Infinity)];
    const value = column.of(circuit);
    return (
      (kind.value === '' || circuit.kind === kind.value) &&
      ranges(layers)(circuit.layer) &&
      ranges(heads)(circuit.head) &&
      ((low === -Infinity && high === Infinity) || (value >= low && value <= high))
    );
  };
}

/** `0-3, 7`: whether a number is among these; all are where nothing is said, or what cannot be read. */
function ranges(input: HTMLInputElement): (n: number) => boolean {
  const parts = input.value.split(/[\s,]+/).filter((part) => part !== '');
  const parsed = parts.map((part) => /^(\d+)(?:[-–](\d+)?)?$/.exec(part));
  input.setAttribute('aria-invalid', String(parsed.includes(null)));
  if (parts.length === 0 || parsed.includes(null)) return () => true;
  const spans = parts.map((part, i) => {
    const [, from, to] = parsed[i]!;
    return [Number(from), to !== undefined ? Number(to) : /[-–]/.test(part) ? Infinity : Number(from)];
  });
  return (n) => spans.some(([from, to]) => n >= from && n <= to);
}

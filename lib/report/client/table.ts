import { byId, h, sub } from './dom.ts';
import { count, exact, fixed, plural, short } from './format.ts';
import { pager } from './pager.ts';
import { type Circuit, type Report, route } from './unpack.ts';

export interface Column<T> {
  readonly name: string;
  readonly title: () => Node | string;
  readonly of: (row: T) => number;
  readonly cell: (row: T) => Node | string;
  /** Whether a first click sorts upward. */
  readonly up?: boolean;
  /** Whether its cells are texts. */
  readonly text?: boolean;
}

/** Rows of the table at one time. */
const perPage = 100;

function columnsOf(report: Report): Column<Circuit>[] {
  const number = (
    name: string,
    of: Column<Circuit>['of'],
    text: (x: number) => string,
    title: Column<Circuit>['title'] = () => name,
  ): Column<Circuit> => ({
    name,
    title,
    of,
    cell: (circuit) => h('span', { title: exact(of(circuit)) }, text(of(circuit))),
  });
  const place = (name: 'layer' | 'head'): Column<Circuit> => ({
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
      text: true,
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

/** The section of all numbers of circuits. */
export function showTable(report: Report): void {
  const columns = columnsOf(report);
  const { update } = sortedTable({
    columns,
    rows: report.circuits,
    one: 'circuit',
    filter: filterControls(columns, () => update()),
    className: ({ kind, layer }, before) =>
      `${kind.toLowerCase()}${before !== undefined && before.layer !== layer ? ' first' : ''}`,
  });
  update();
}

export interface TableOf<T> {
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  /** What a row is. */
  readonly one: string;
  readonly filter: (row: T) => boolean;
  /** Of a row, and where they are in their own order the one before it. */
  readonly className?: (row: T, before: T | undefined) => string;
}

/** Fills the table of numbers: sorted by a click on a heading, a page at a time. `update` after the filter has changed. */
export function sortedTable<T>({ columns, rows, one, filter, className = () => '' }: TableOf<T>) {
  let [sorted, down]: [Column<T> | undefined, boolean] = [undefined, false];
  const table = byId('numbers-table') as HTMLTableElement;
  const classOf = ({ text }: Column<T>) => (text ? 'text' : '');
  const headings = columns.map((column) => {
    const button = h('button', { type: 'button', aria: { label: `Sort by ${column.name}` } }, column.title());
    button.onclick = () => {
      down = sorted === column ? !down : !column.up;
      sorted = column;
      update();
    };
    return h('th', { scope: 'col', className: classOf(column) }, button);
  });
  const body = h('tbody');
  table.replaceChildren(h('thead', {}, h('tr', {}, ...headings)), body);

  function update(): void {
    const shown = rows.filter(filter);
    if (sorted !== undefined) sortBy(shown, sorted.of, down);
    for (const [i, heading] of headings.entries())
      if (columns[i] === sorted) heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else heading.removeAttribute('aria-sort');
    byId('numbers-count').textContent =
      shown.length === rows.length
        ? `${plural(shown.length, one)}`
        : `${count(shown.length)} of ${plural(rows.length, one)}`;
    const pages = Array.from({ length: Math.ceil(shown.length / perPage) }, (_, i) => ({
      name: `${count(i * perPage + 1)}–${count(Math.min(shown.length, (i + 1) * perPage))}`,
      items: shown.slice(i * perPage, (i + 1) * perPage),
    }));
    pager(byId('numbers-pager'), pages, 'Rows', (some) => body.replaceChildren(...some.map(rowOf)));
  }

  const rowOf = (row: T, i: number, some: readonly T[]): HTMLElement =>
    h(
      'tr',
      { className: className(row, sorted === undefined ? some[i - 1] : undefined) },
      ...columns.map((column) => h('td', { className: classOf(column) }, column.cell(row))),
    );
  return { update };
}

/** What is no number stays at the end, whichever way. */
function sortBy<T>(rows: T[], of: Column<T>['of'], down: boolean): void {
  rows.sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? 0 : x < y === down ? 1 : -1;
  });
}

const control = (name: string) => byId(`numbers-${name}`) as HTMLInputElement & HTMLSelectElement;

/** What the controls let through now. */
function filterControls(
  columns: readonly Column<Circuit>[],
  update: () => void,
): (circuit: Circuit) => boolean {
  const [kind, layers, heads] = ['kind', 'layers', 'heads'].map(control);
  for (const each of [kind, layers, heads]) each.oninput = update;
  const within = limitControls(columns.slice(3), 'effective rank', update);
  return (circuit) =>
    (kind.value === '' || circuit.kind === kind.value) &&
    ranges(layers)(circuit.layer) &&
    ranges(heads)(circuit.head) &&
    within(circuit);
}

/** The controls for the least and the largest number of a column, of which `first` is chosen. */
export function limitControls<T>(
  columns: readonly Column<T>[],
  first: string,
  update: () => void,
): (row: T) => boolean {
  const [by, from, to] = ['by', 'from', 'to'].map(control);
  by.replaceChildren(...columns.map(({ name }) => h('option', { value: name }, name)));
  by.value = first;
  for (const each of [by, from, to]) each.oninput = update;
  const limit = (input: HTMLInputElement, none: number) => {
    const value = Number(input.value);
    input.setAttribute('aria-invalid', String(Number.isNaN(value)));
    return input.value.trim() === '' || Number.isNaN(value) ? none : value;
  };
  return (row) => {
    const [low, high] = [limit(from, -Infinity), limit(to, Infinity)];
    const value = columns.find(({ name }) => name === by.value)!.of(row);
    return (low === -Infinity && high === Infinity) || (value >= low && value <= high);
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

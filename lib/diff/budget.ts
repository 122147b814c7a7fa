import { quote } from '../array/escape.ts';
import { fileError } from '../weights/file-errors.ts';
import { JsonReader } from '../weights/json-reader.ts';
import { suggestNames } from '../weights/names.ts';
import { match } from '../weights/patterns.ts';
import { readJson } from '../weights/storage.ts';
import { type ChangeKind, changeKinds, type TensorDiff } from './walk.ts';

/** What may happen to the tensors of a pattern. */
export interface Allowance {
  /** Largest relative change of a matrix; any where it is missing. */
  readonly change?: number | undefined;
  /** What may happen; where it is missing, whatever may happen to values. */
  readonly kinds?: readonly ChangeKind[] | undefined;
}

/** The first rule whose pattern matches holds, by either name. */
export interface Budget {
  readonly rules: readonly (Allowance & { readonly pattern: string })[];
  readonly rest: Allowance;
}

const mostBytes = 2 ** 20;

/** Nothing may change. */
const nothing: Allowance = { change: 0, kinds: [] };

/**
 * Reads a budget: a list of `{ pattern, change, kinds }`, or `{ rules: [...], default: { change, kinds } }`. What matches no
 * rule has the default, and where there is none may not change.
 * @throws `ERR_SVD_FILE`
 */
export async function readBudget(path: string): Promise<Budget> {
  const reader = new JsonReader(path, 'budget');
  const value = await readJson(path, mostBytes, { unique: true });
  const all = Array.isArray(value)
    ? { rules: value }
    : members(reader, value, 'the file', ['rules', 'default']);
  const rules = reader.list(all.rules ?? [], 'rules', (rule, at) => {
    const object = members(reader, rule, at, ['pattern', 'change', 'kinds']);
    return { pattern: reader.text(object.pattern, `${at}.pattern`), ...allowance(reader, object, at) };
  });
  const rest =
    all.default === undefined ? undefined : members(reader, all.default, 'default', ['change', 'kinds']);
  return { rules, rest: rest === undefined ? nothing : allowance(reader, rest, 'default') };
}

function members(reader: JsonReader, value: unknown, at: string, names: readonly string[]) {
  const object = reader.object(value, at);
  const unknown = Object.keys(object).filter((name) => !names.includes(name));
  if (unknown.length > 0)
    reader.fail(at, `nothing but ${names.join(', ')}, not ${unknown.slice(0, 5).map(quote).join(', ')}`);
  return object;
}

function allowance(reader: JsonReader, { change, kinds }: Record<string, unknown>, at: string): Allowance {
  return {
    change: change === undefined ? undefined : reader.nonNegative(change, `${at}.change`),
    kinds:
      kinds === undefined
        ? undefined
        : reader.list(kinds, `${at}.kinds`, (kind, place) => {
            const name = reader.text(kind, place) as ChangeKind;
            if (!changeKinds.includes(name)) reader.fail(place, `one of ${changeKinds.join(', ')}`);
            return name;
          }),
  };
}

/** What has to be allowed by its name. */
const named: readonly ChangeKind[] = ['missing', 'added', 'shape'];

/** What cannot be judged, because it was not compared as numbers. */
const undecided: readonly ChangeKind[] = ['unreadable', 'bytes', 'non-finite'];

/** What of a tensor is not within its budget: an answer, or that there is none. */
export interface Excess {
  readonly verdict: 'over' | 'undecided';
  readonly why: string;
}

/** Every rule has to be of something: one that is not is a slip. `ERR_SVD_FILE` */
export function mustApply({ rules }: Budget, names: readonly string[], path: string): void {
  for (const { pattern } of rules)
    if (!names.some((name) => match(pattern, name)))
      throw fileError(
        path,
        `the rule ${quote(pattern)} is of nothing in A or B; ${suggestNames(pattern, names)}`,
      );
}

type Judged = Pick<TensorDiff, 'name' | 'other' | 'kinds' | 'readings'>;

export function excessOf(budget: Budget, { name, other, kinds, readings }: Judged): Excess | undefined {
  const matching = budget.rules.find(
    ({ pattern }) => match(pattern, name) || (other !== undefined && match(pattern, other)),
  );
  const { change, kinds: allowed } = matching ?? budget.rest;
  const rule = matching === undefined ? 'the default' : `the rule ${quote(matching.pattern)}`;
  const open = kinds.filter((kind) => undecided.includes(kind) && !allowed?.includes(kind));
  const isAllowed = (kind: ChangeKind) => (allowed ? allowed.includes(kind) : !named.includes(kind));
  const forbidden = kinds.filter((kind) => !open.includes(kind) && !isAllowed(kind));
  if (forbidden.length > 0)
    return { verdict: 'over', why: `${forbidden.join(', ')}, where ${rule} allows ${allowedText(allowed)}` };
  const largest = readings.reduce((most, { reading }) => Math.max(most, reading.relative || 0), 0);
  if (change !== undefined && largest > change)
    return { verdict: 'over', why: `changed by ${largest.toPrecision(3)}, where ${rule} allows ${change}` };
  if (open.length > 0)
    return { verdict: 'undecided', why: `${open.join(', ')}: cannot be judged by ${rule}` };
  return undefined;
}

const allowedText = (kinds: readonly ChangeKind[] | undefined): string =>
  kinds === undefined ? 'changes of values alone' : kinds.join(', ') || 'nothing';

import { flag, type OptionTable } from '../arguments/options.ts';

/** One thing that was checked. */
export interface Check {
  /** What was checked, in words. */
  readonly name: string;
  /** What was measured; for an exact requirement, how many elements violate it. */
  readonly value: number;
  /** What it may be at most; 0 for an exact requirement. */
  readonly bound: number;
  /** It holds. */
  readonly pass: boolean;
  /** The bound is too large to say anything. Such a check passes only where the caller accepted that. */
  readonly undetermined: boolean;
  /** Place of the matrix in the leading dimensions, where there are any. */
  readonly batchIndex?: readonly number[];
  /** First and last index of the singular values concerned. */
  readonly cluster?: readonly [first: number, last: number];
  /** What the numbers do not say: the element, the values, the shapes. */
  readonly detail?: string;
}

/** What a comparison found. */
export interface Report {
  /** Every check holds. */
  readonly pass: boolean;
  /** It does not pass, but nothing was found wrong: some bounds are too large to say anything. */
  readonly undetermined: boolean;
  /** All that was checked. */
  readonly checks: readonly Check[];
  /** The verdict, and every check that does not hold: by how much, over which bound, in which item and cluster. */
  readonly text: string;
  /** The same as `text`, by the name that assertion libraries give it. */
  readonly message: string;
}

/** Options of the comparisons of singular vectors. */
export interface UndeterminedOptions {
  /** Lets singular vectors pass that the data do not determine (cluster too close to its neighbours, or to 0). */
  readonly acceptUndetermined?: boolean | undefined;
}

export const undeterminedOptions: OptionTable<UndeterminedOptions> = { acceptUndetermined: flag };

/** Where a check was made, and what else there is to say. */
type Where = Pick<Check, 'batchIndex' | 'cluster' | 'detail'>;

/** `value ≤ bound`. A bound that is not finite is undetermined; a value that is NaN fails. */
export function measured(name: string, value: number, bound: number, where: Where = {}): Check {
  const undetermined = !Number.isFinite(bound);
  return { name, value, bound, pass: !undetermined && value <= bound, undetermined, ...where };
}

/** A comparison whose bound says nothing. */
export function undeterminedCheck(
  name: string,
  value: number,
  bound: number,
  where: Where,
  accept = false,
): Check {
  return { name, value, bound, pass: accept, undetermined: true, ...where };
}

/** Nothing may violate the requirement: `violations` of its elements do. */
export const exact = (name: string, violations: number, where: Where = {}): Check =>
  measured(name, violations, 0, where);

export const allPass = (checks: readonly Check[]): boolean => checks.every(({ pass }) => pass);

/** The verdict over `checks`. */
export function report(checks: readonly Check[]): Report {
  const wrong = checks.filter((check) => !check.pass);
  const undetermined = wrong.length > 0 && wrong.every((check) => check.undetermined);
  const verdict = { pass: wrong.length === 0, undetermined };
  const text = [headline(checks), ...lines(wrong)].join('\n');
  return Object.freeze({ ...verdict, checks, text, message: text });
}

const shownLines = 20;

function headline(checks: readonly Check[]): string {
  const failed = checks.filter(({ pass, undetermined }) => !pass && !undetermined).length;
  const open = checks.filter(({ undetermined }) => undetermined).length;
  const verdict =
    failed > 0
      ? `${failed} of ${checks.length} checks failed`
      : allPass(checks)
        ? `all ${checks.length} checks hold`
        : 'undetermined: nothing was found wrong, but not everything could be compared';
  return open > 0 ? `${verdict} (${open} undetermined)` : verdict;
}

function lines(wrong: readonly Check[]): string[] {
  const ordered = [...wrong].sort((a, b) => Number(a.undetermined) - Number(b.undetermined));
  const shown = ordered.slice(0, shownLines).map((check) => `- ${describe(check)}`);
  const rest = ordered.length - shown.length;
  return rest > 0 ? [...shown, `- … and ${rest} more`] : shown;
}

/** One line: what, where, by how much over which bound. */
export function describe({ name, value, bound, pass, undetermined, detail, ...where }: Check): string {
  const what = `${name}${describePlace(where)}`;
  const because = detail === undefined ? '' : `: ${detail}`;
  if (undetermined) return `${what}: undetermined, its bound ${short(bound)} says nothing${because}`;
  if (bound === 0) return pass ? what : `${what}${because}`;
  const ratio = pass ? '' : ` (${short(value / bound)} times the bound)`;
  return `${what}: ${short(value)} ${pass ? '≤' : '>'} ${short(bound)}${ratio}${because}`;
}

/** `, batch item [1, 0], cluster S[2…4]` */
export function describePlace({ batchIndex, cluster }: Pick<Check, 'batchIndex' | 'cluster'>): string {
  const item = batchIndex === undefined ? '' : `, batch item [${batchIndex.join(', ')}]`;
  if (cluster === undefined) return item;
  const [first, last] = cluster;
  return `${item}, ${first === last ? `S[${first}]` : `cluster S[${first}…${last}]`}`;
}

/** Three significant digits. */
export const short = (x: number): string => String(Number(x.toPrecision(3)));

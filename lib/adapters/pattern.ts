// The keys of `rank_pattern` and `alpha_pattern` in PEFT's configs are regular expressions of Python, taken from a file that
// anybody may have made. So they are not given to RegExp, which some of them would keep busy for ever: the forms that are in
// use are matched here, all places at which a pattern may be at once, in time that grows with its length times the name's.

/** One character of a name, and how often: once, any number of times, at least once, at most once. */
interface Step {
  readonly fits: (c: string) => boolean;
  readonly times: '' | '*' | '+' | '?';
}

interface Sequence {
  /** Begins with `^`. */
  readonly anchored: boolean;
  readonly steps: readonly Step[];
}

/** Alternatives of a pattern, and its characters, at most. */
const mostAlternatives = 256;
const longest = 1024;

/**
 * The test that PEFT makes of a module's name: `(.*\.)?(pattern)$`, from the start of the name. Known are characters, `.`,
 * `[…]`, `\d`, `\w` and escaped punctuation, each with `*`, `+` or `?` if wanted, `^` and `$` at the ends, and alternatives
 * `(a|b)`, one group within the other, but not repeated.
 *
 * @param fail what is done with any other form
 * @param work is told how much is done, in characters
 */
export function nameTest(
  pattern: string,
  fail: () => never,
  work: (characters: number) => void = () => {},
): (name: string) => boolean {
  if (pattern.length > longest) fail();
  if (/^[\w.-]*$/.test(pattern)) return (name) => isEnd(pattern, name);
  const sequences = alternatives(pattern, fail).map((text) => {
    work(text.length);
    return sequence(text, fail);
  });
  return (name) => {
    const starts = [0];
    for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) starts.push(at + 1);
    return sequences.some(({ anchored, steps }) => matches(steps, name, anchored ? [0] : starts, work));
  };
}

/** The same for a plain name, in which `.` may be any character. */
function isEnd(pattern: string, name: string): boolean {
  const start = name.length - pattern.length;
  if (start < 0 || (start > 0 && name[start - 1] !== '.')) return false;
  for (let i = 0; i < pattern.length; i++)
    if (pattern[i] !== '.' && pattern[i] !== name[start + i]) return false;
  return true;
}

/** The pattern without groups, once for every choice among their alternatives. */
function alternatives(pattern: string, fail: () => never): string[] {
  let at = 0;
  const either = (depth: number): string[] => {
    if (depth > 8) fail();
    const all: string[] = [];
    let texts = [''];
    for (; at < pattern.length && pattern[at] !== ')'; at++) {
      const c = pattern[at];
      let next = [c];
      if (c === '|') {
        all.push(...texts);
        texts = [''];
        continue;
      }
      if (c === '\\') next = [c + (pattern[++at] ?? '')];
      else if (c === '[') {
        const end = pattern.indexOf(']', at + (pattern[at + 1] === '^' ? 3 : 2));
        if (end < 0) fail();
        next = [pattern.slice(at, end + 1)];
        at = end;
      } else if (c === '(') {
        at += pattern.startsWith('(?:', at) ? 3 : 1;
        next = either(depth + 1);
        if (pattern[at] !== ')' || /^[*+?{]/.test(pattern.slice(at + 1))) fail();
      }
      if (texts.length * next.length + all.length > mostAlternatives) fail();
      texts = texts.flatMap((text) => next.map((more) => text + more));
    }
    if (depth === 0 && at < pattern.length) fail();
    return [...all, ...texts];
  };
  return either(0);
}

function sequence(text: string, fail: () => never): Sequence {
  const anchored = text.startsWith('^');
  const steps: Step[] = [];
  const end = text.endsWith('$') && !text.endsWith('\\$') ? text.length - 1 : text.length;
  for (let at = anchored ? 1 : 0; at < end; ) {
    const [atom] = /^(\\.|\[\^?.[^\]]*\]|[^\\[\]^$*+?{}()|])/s.exec(text.slice(at, end)) ?? [];
    if (atom === undefined) return fail();
    at += atom.length;
    const times = at < end && '*+?'.includes(text[at]) ? (text[at++] as '*' | '+' | '?') : '';
    steps.push({ fits: characters(atom, fail), times });
  }
  return { anchored, steps };
}

/** Characters that a part of a pattern stands for. */
function characters(atom: string, fail: () => never): (c: string) => boolean {
  if (atom === '.') return () => true;
  if (atom.startsWith('[')) return oneOf(atom, fail);
  if (!atom.startsWith('\\')) return (c) => c === atom;
  if (atom === '\\d') return (c) => /\d/.test(c);
  if (atom === '\\w') return (c) => /\w/.test(c);
  if (/\w/.test(atom[1])) fail();
  return (c) => c === atom[1];
}

function oneOf(atom: string, fail: () => never): (c: string) => boolean {
  const not = atom[1] === '^';
  const inside = atom.slice(not ? 2 : 1, -1);
  if (inside.includes('\\')) fail();
  const ranges: [string, string][] = [];
  for (let i = 0; i < inside.length; i++) {
    const isRange = inside[i + 1] === '-' && i + 2 < inside.length;
    ranges.push([inside[i], inside[isRange ? i + 2 : i]]);
    if (isRange) i += 2;
  }
  return (c) => ranges.some(([from, to]) => from <= c && c <= to) !== not;
}

/** Whether the steps lead from one of the starts to the end of the name. */
function matches(
  steps: readonly Step[],
  name: string,
  starts: readonly number[],
  work: (characters: number) => void,
): boolean {
  let places = new Set<number>(starts);
  for (const { fits, times } of steps) {
    if (places.size === 0) return false;
    const next = new Set<number>();
    for (const place of places) {
      if (times === '*' || times === '?') next.add(place);
      let at = place;
      while (at < name.length && fits(name[at]) && !next.has(at + 1)) {
        next.add(++at);
        if (times === '' || times === '?') break;
      }
    }
    work(places.size + next.size);
    places = next;
  }
  return places.has(name.length);
}

import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { fileError } from './file-errors.ts';
import { suggestNames } from './names.ts';

// Patterns for names of tensors, as those of Python's fnmatch: * for any characters, . and / too, ? for one, [a-z] for one
// of them, [!a-z] for another one. Matched from left to right without going back, so that no name takes long.

/** Whether a character is one that may stand in a place. */
type Place = (character: string) => boolean;

/** A pattern in pieces, with any characters between them. */
function pieces(pattern: string): Place[][] {
  const all: Place[][] = [[]];
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i];
    const end = c === '[' ? characters.indexOf(']', i + (characters[i + 1] === '!' ? 3 : 2)) : -1;
    if (c === '*') all.push([]);
    else if (c === '?') all[all.length - 1].push(() => true);
    else if (end < 0) all[all.length - 1].push((other) => other === c);
    else {
      all[all.length - 1].push(oneOf(characters.slice(i + 1, end)));
      i = end;
    }
  }
  return all;
}

/** `a-z`, `!a-z`, `abc` of brackets. */
function oneOf(characters: readonly string[]): Place {
  const not = characters[0] === '!';
  const ranges: [string, string][] = [];
  for (let i = not ? 1 : 0; i < characters.length; i++) {
    const isRange = characters[i + 1] === '-' && i + 2 < characters.length;
    ranges.push([characters[i], characters[isRange ? i + 2 : i]]);
    if (isRange) i += 2;
  }
  return (c) => ranges.some(([from, to]) => from <= c && c <= to) !== not;
}

/** What the stars of a pattern stand for in `name`; `undefined` where it does not match. */
export function match(pattern: string, name: string): string[] | undefined {
  const characters = [...name];
  const parts = pieces(pattern);
  const fits = (part: Place[], at: number) => part.every((place, i) => place(characters[at + i]));
  const [first, ...others] = parts;
  if (first.length > characters.length || !fits(first, 0)) return undefined;
  const stars: string[] = [];
  let at = first.length;
  for (const [i, part] of others.entries()) {
    const last = characters.length - part.length;
    let next = i === others.length - 1 ? Math.max(at, last) : at;
    while (next <= last && !fits(part, next)) next++;
    if (next > last) return undefined;
    stars.push(characters.slice(at, next).join(''));
    at = next + part.length;
  }
  return at === characters.length ? stars : undefined;
}

/** Names, and what the stars of the pattern stand for in each. */
export type Matches = ReadonlyMap<string, readonly string[]>;

/**
 * The names that a pattern matches; one that is itself a name means that alone.
 * @throws `ERR_SVD_FILE` if there are none
 */
export function matches(pattern: string, names: readonly string[], path: string): Matches {
  if (names.includes(pattern)) return new Map([[pattern, []]]);
  const found = new Map<string, readonly string[]>();
  for (const name of names) {
    const stars = match(pattern, name);
    if (stars) found.set(name, stars);
  }
  if (found.size > 0) return found;
  const missing = /[*?[]/.test(pattern) ? 'no tensor matches' : 'no tensor';
  throw fileError(path, `${missing} ${quote(pattern)}; ${suggestNames(pattern, names)}`);
}

const shown = 8;

/** A list for messages. */
export function namesText(names: readonly string[]): string {
  const rest = names.length - shown;
  return names.slice(0, shown).map(quote).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** The factors that two patterns name: each of `a` with that of `b` in which the stars stand for the same, or with the only one. */
export function pairs(a: Matches, b: Matches): { a: string; b: string }[] {
  if (a.size === 1 || b.size === 1)
    return [...a.keys()].flatMap((left) => [...b.keys()].map((right) => ({ a: left, b: right })));
  const key = (stars: readonly string[]) => JSON.stringify(stars);
  const rights = new Map<string, string[]>();
  for (const [name, stars] of b) rights.set(key(stars), [...(rights.get(key(stars)) ?? []), name]);
  const out = [...a].flatMap(([left, stars]) =>
    (rights.get(key(stars)) ?? []).map((right) => ({ a: left, b: right })),
  );
  const [lefts, used] = [new Set(out.map((pair) => pair.a)), new Set(out.map((pair) => pair.b))];
  const alone = [...[...a.keys()].filter((x) => !lefts.has(x)), ...[...b.keys()].filter((x) => !used.has(x))];
  if (alone.length === 0 && out.length === a.size && out.length === b.size) return out;
  const which = alone.length > 0 ? alone : out.map((pair) => pair.a);
  throw svdError(
    'ERR_SVD_ARGUMENT',
    `the patterns of --a and --b do not name pairs: not one partner, by what their stars stand for, has ${namesText(which)}`,
  );
}

import { distance } from 'fastest-levenshtein';
import { quote } from '../array/escape.ts';

const shown = 8;

/** Characters of a name that are compared. */
const compared = 200;

/** Names that are compared in full: those that differ from the wanted one in the shortest stretch. */
const candidates = 64;

/** For a message about a missing name: the names there are, nearest first, at most eight. */
export function suggestNames(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return 'the file has no tensors';
  const start = wanted.slice(0, compared);
  const nearest = nearestBy(
    nearestBy(names, candidates, (name) => differingStretch(start, name.slice(0, compared))),
    shown,
    (name) => distance(start, name.slice(0, compared)),
  ).map(quote);
  const rest = names.length - nearest.length;
  return `nearest names: ${nearest.join(', ')}${rest > 0 ? ` (and ${rest} more)` : ''}`;
}

const nearestBy = (names: readonly string[], most: number, unlike: (name: string) => number): string[] =>
  names
    .map((name) => ({ name, distance: unlike(name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ name }) => name);

/** Length of what remains of the longer one without the common beginning and end: no less than the edit distance. */
function differingStretch(a: string, b: string): number {
  const [longest, shortest] = [Math.max(a.length, b.length), Math.min(a.length, b.length)];
  let same = 0;
  while (same < shortest && a[same] === b[same]) same++;
  let atEnd = 0;
  while (atEnd < shortest - same && a[a.length - 1 - atEnd] === b[b.length - 1 - atEnd]) atEnd++;
  return longest - same - atEnd;
}

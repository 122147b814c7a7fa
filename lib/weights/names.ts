import { quote } from './file-errors.ts';

const shown = 8;

/** For a message about a missing name: the names there are, nearest first, at most eight. */
export function suggestNames(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return 'the file has no tensors';
  const nearest = names
    .map((name) => ({ name, distance: editDistance(wanted.slice(0, 200), name.slice(0, 200)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, shown)
    .map(({ name }) => quote(name));
  const rest = names.length - nearest.length;
  return `nearest names: ${nearest.join(', ')}${rest > 0 ? ` (and ${rest} more)` : ''}`;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

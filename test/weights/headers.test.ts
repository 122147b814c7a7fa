import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { SvdError } from '../../lib/array/errors.ts';
import { parseHeader } from '../../lib/weights/header.ts';

/** A header as latin1, the bytes behind it, and name → [dtype, shape] as the reference reader read them, or null. */
type Case = [header: string, dataBytes: number, reference: Record<string, [string, number[]]> | null];
const cases: Case[] = JSON.parse(
  // Sizes beyond 2⁵³ are in tensors without elements only; which, is not compared.
  readFileSync(new URL('../fixtures/headers.json', import.meta.url), 'utf8'),
);

/** What the reference reader lets pass and this one refuses: it would read something else than was written, or not all. */
const stricter = [
  /duplicate key /, // the format forbids it; the last one would win
  /unknown key /,
  /2\^53 - 1/,
  /more than 64 numbers/,
  /expected \{ to begin (tensor|__metadata__)/, // fields by position; null for no metadata
];

function read([header, dataBytes]: Case) {
  const bytes = Buffer.from(header, 'latin1');
  const { tensors } = parseHeader('file', bytes, 8 + bytes.length + dataBytes);
  return Object.fromEntries(Array.from(tensors, ([name, { dtype, shape }]) => [name, [dtype, [...shape]]]));
}

test('mutated headers are read as the reference reader reads them, or refused for one of a few reasons', () => {
  const counts = { same: 0, refused: 0, stricter: 0 };
  for (const one of cases) {
    const [header, , reference] = one;
    try {
      const found = read(one);
      expect(found, header).toEqual(reference);
      counts.same++;
    } catch (error) {
      const { code, message } = error as SvdError;
      if (code !== 'ERR_SVD_FILE') throw error;
      if (reference === null) counts.refused++;
      else {
        expect(
          stricter.some((reason) => reason.test(message)),
          `${header}: ${message}`,
        ).toBe(true);
        counts.stricter++;
      }
    }
  }
  expect(counts.same).toBeGreaterThan(100);
  expect(counts.refused).toBeGreaterThan(100);
});

test('among them are shapes whose product overflows before a 0, which both refuse, and after one, which both read', () => {
  const shapes = cases.flatMap(([header, , reference]) => {
    const [, shape] = /^\{"a": \{"dtype": "F32", "shape": \[(\d[\d, ]*)\]/.exec(header) ?? [];
    const sizes = shape?.split(', ').map(BigInt) ?? [];
    const zero = sizes.indexOf(0n);
    const overflows = (part: bigint[]) => part.reduce((product, n) => product * n, 1n) >= 2n ** 64n;
    return zero < 0
      ? []
      : [{ before: overflows(sizes.slice(0, zero)), after: overflows(sizes.slice(zero + 1)), reference }];
  });
  expect(shapes.filter(({ before, reference }) => before && reference === null).length).toBeGreaterThan(3);
  expect(
    shapes.filter(({ before, after, reference }) => !before && after && reference !== null).length,
  ).toBeGreaterThan(3);
  expect(shapes.filter(({ before, reference }) => before && reference !== null)).toEqual([]);
});

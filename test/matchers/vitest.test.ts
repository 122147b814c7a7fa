import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import '../../lib/matchers/vitest.ts';
import { FactoredMatrix, svd, transpose } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import type { SvdFactors } from '../../lib/testing/index.ts';
import { orthogonal, productWithSpectrum, randomMatrix, rankDeficient } from '../support/matrices.ts';
import {
  copy,
  type Factors,
  flipU,
  flipV,
  rotateU,
  rotateV,
  shiftS,
  swapVectors,
} from '../support/variants.ts';

// The formulas are tested beside this file; here is what an assertion does with them.

const { A, B } = productWithSpectrum(1, 9, 9, [5, 3, 3, 3, 1]);
const M = new FactoredMatrix(A, B);
const given: Factors = copy(M.svd());
const rotation = orthogonal(7, 3, 3);
const tau = bounds.singularValues('float64', given.bound, given.bound);

/** The message with which an assertion fails, without colours. */
function messageOf(assertion: () => unknown): string {
  try {
    assertion();
  } catch (error) {
    return stripVTControlCharacters((error as Error).message);
  }
  throw new Error('the assertion holds');
}

test('every matcher holds for what it is meant for', async () => {
  expect(M.svd()).toBeValidSvd();
  expect(M.svd()).toBeValidSvd(M);
  expect(M.U).toBeOrthonormal();
  expect(M.svd()).toReconstruct(M.AB);
  expect(M.svdvals()).toMatchSingularValues(M);
  expect(M.svd()).toMatchSingularValues(M.svd({ algorithm: 'three-svd' }), { mode: 'relative' });
  expect(M.svd()).toMatchSubspaces(M.svd({ algorithm: 'three-svd' }));
  expect(M.svd()).toMatchSvd(M.svd({ algorithm: 'three-svd' }));
  expect(given).toBeBitIdenticalTo(M.svd());
  await expect(new FactoredMatrix(A, B).svdAsync()).resolves.toBeBitIdenticalTo(M.svd());
  expect({ OV: M.svd() }).toEqual({ OV: expect.toBeValidSvd(M) });
});

test('sign flips of both sides and the rotation of a cluster on both sides match', () => {
  expect(flipV(flipU(given, 4), 4)).toMatchSvd(given);
  expect(rotateV(rotateU(given, 1, rotation), 1, rotation)).toMatchSvd(given);
});

test.each<[string, SvdFactors]>([
  ['V for Vh', { ...given, Vh: transpose(given.Vh) }],
  ['a column flipped in U only', flipU(given, 2)],
  ['a pair swapped', swapVectors(given, 0, 4)],
  ['S off by 10τ', shiftS(given, 4, 10 * tau)],
  ['a cluster rotated on one side only', rotateU(given, 1, rotation)],
])('%s: toMatchSvd fails, .not.toMatchSvd holds', (_, wrong) => {
  expect(() => expect(wrong).toMatchSvd(given)).toThrow();
  expect(wrong).not.toMatchSvd(given);
});

test('a message says which check failed, by how much over which bound, and in which cluster', () => {
  const message = messageOf(() => expect(rotateU(given, 1, rotation)).toMatchSvd(given));
  expect(message).toMatch(/^expect\(received\)\.toMatchSvd\(expected\)\n\n\d of \d+ checks failed\n/);
  expect(message).toMatch(
    /\n- left singular vectors, cluster S\[1…3\]: [\d.]+ > \S+e-1\d \([\d.e+]+ times the bound\)/,
  );
});

test('a message names the item of a batch', () => {
  const batch = svd(randomMatrix(2, [2, 2, 6, 4]));
  const other = svd(randomMatrix(3, [2, 2, 6, 4]));
  const message = messageOf(() => expect(other).toMatchSingularValues(batch));
  expect(message).toMatch(/\n- singular values, batch item \[1, 0\], S\[\d\]: .*: received \S+, expected /);
});

test('a long list of failures is cut', () => {
  const other = svd(randomMatrix(4, [40, 30]));
  const lines = messageOf(() => expect(svd(randomMatrix(5, [40, 30]))).toMatchSvd(other)).split('\n');
  expect(lines).toHaveLength(24);
  expect(lines.at(-1)).toBe('- … and 41 more');
});

test('.not fails where everything holds', () => {
  const message = messageOf(() => expect(given).not.toBeValidSvd(M));
  expect(message).toMatch(/^expect\(received\)\.not\.toBeValidSvd\(M\)\n\nall \d+ checks hold$/);
});

test('what is undetermined fails with .not and without, and says how to accept it', () => {
  const singular = rankDeficient(6, 8, 6, 4);
  const [one, two] = [svd(singular), svd(singular, { fullMatrices: true })];
  for (const assertion of [() => expect(one).toMatchSvd(two), () => expect(one).not.toMatchSvd(two)]) {
    const message = messageOf(assertion);
    expect(message).toMatch(/\n\nundetermined: nothing was found wrong/);
    expect(message).toMatch(/\n- left singular vectors, cluster S\[4…5\]: undetermined, its bound /);
    expect(message).toContain('{ acceptUndetermined: true }');
  }
  expect(() => expect([one]).toEqual([expect.toMatchSubspaces(two)])).toThrow();
  expect(() => expect([one]).toEqual([expect.not.toMatchSubspaces(two)])).toThrow();
  expect(one).toMatchSvd(two, { acceptUndetermined: true });
  expect(one).toMatchSubspaces(two, { acceptUndetermined: true });
});

test('an argument that is no decomposition is an error, with .not too', () => {
  const nothing = { U: A, S: [1] } as never;
  expect(() => expect(nothing).toBeValidSvd()).toThrow('expected a decomposition { U, S, Vh }');
  expect(() => expect(given).not.toMatchSvd(nothing)).toThrow('expected a decomposition { U, S, Vh }');
});

test('the types know the matchers', () => {
  // @ts-expect-error: a mode that does not exist
  expect(() => expect(given).toMatchSingularValues(given, { mode: 'other' })).toThrow();
  // @ts-expect-error: a decomposition is no matrix
  expect(() => expect(given).toReconstruct(3)).toThrow();
});

import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { diagEmbed, matmul, svd, transpose } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { matchSubspaces, matchSvd } from '../../lib/testing/index.ts';
import { again, clustered, given, tau } from '../support/clustered.ts';
import { factoredOf } from '../support/factored.ts';
import {
  array,
  mapMatrix,
  orthogonal,
  randomMatrix,
  randomProduct,
  rankDeficient,
  withSpectrum,
} from '../support/matrices.ts';
import { failed, failedNames, fails, holds, open } from '../support/reports.ts';
import { copy, flipU, flipV, rotateU, rotateV, shiftS, swapVectors } from '../support/variants.ts';

const rotation = orthogonal(7, 3, 3);

describe('matchSubspaces and matchSvd', () => {
  const matches = [matchSubspaces, matchSvd];

  test('hold for another decomposition of the same matrix, whose cluster comes out rotated', () => {
    const apart = Math.abs(Math.abs(given.U.get(0, 1)) - Math.abs((again.U as Tensor).get(0, 1)));
    expect(apart).toBeGreaterThan(1e-3);
    for (const match of matches) expect(match(again, given)).toMatchObject(holds);
  });

  test('hold for the three-SVD form of well-conditioned products, float32 and batches', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const M = factoredOf(randomProduct(13, [20, 5, 12], dtype, [3]));
      for (const match of matches)
        expect(match(M.svd({ algorithm: 'three-svd' }), M.svd())).toMatchObject(holds);
    }
  });

  test('hold when the signs of both sides are flipped, or a cluster is rotated on both sides', () => {
    const flipped = flipV(flipU(given, 0), 0);
    const rotated = rotateV(rotateU(given, 1, rotation), 1, rotation);
    for (const match of matches)
      for (const same of [flipped, rotated]) expect(match(same, given)).toMatchObject(holds);
  });

  test('a column flipped in U only: the subspaces are the same, the decomposition is not', () => {
    for (const column of [0, 2, 4]) {
      const wrong = flipU(given, column);
      expect(matchSubspaces(wrong, given)).toMatchObject(holds);
      expect(matchSvd(wrong, given)).toMatchObject(fails);
    }
    const [check] = failed(matchSvd(flipU(given, 4), given));
    expect(check.value).toBeCloseTo(2, 6);
    expect(check.cluster).toEqual([4, 4]);
  });

  test('a cluster rotated on one side only: the subspaces are the same, the decomposition is not', () => {
    for (const wrong of [rotateU(given, 1, rotation), rotateV(given, 1, rotation)]) {
      expect(matchSubspaces(wrong, given)).toMatchObject(holds);
      expect(matchSvd(wrong, given)).toMatchObject(fails);
      expect(failed(matchSvd(wrong, given))[0].cluster).toEqual([1, 3]);
    }
  });

  test('a pair that is swapped fails', () => {
    for (const match of matches) expect(match(swapVectors(given, 0, 4), given)).toMatchObject(fails);
    expect(failedNames(matchSvd(swapVectors(given, 0, 4), given))).toHaveLength(4);
    expect(matchSvd(swapVectors(given, 1, 3), given), 'within a cluster it is a rotation').toMatchObject(
      holds,
    );
  });

  test('V for Vh fails, in a square matrix too', () => {
    const M = randomMatrix(14, [5, 5]);
    const right = svd(M);
    const wrong = { ...copy(right), Vh: transpose(right.Vh) };
    for (const match of matches) expect(match(wrong, right)).toMatchObject(fails);
    const { U, S, Vh } = given;
    for (const match of matches)
      expect(failedNames(match({ U, S, Vh: transpose(Vh) }, given))).toEqual(['shapes (received)']);
  });

  test('S off by 10τ fails in matchSvd', () => {
    expect(failedNames(matchSvd(shiftS(given, 4, 10 * tau), given))).toEqual(['singular values']);
  });

  test('vectors that are turned by ten times the bound fail', () => {
    const angle = 10 * bounds.vectors('float64', tau, 1, 2);
    const Q = array([Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)], [2, 2]);
    const turned = rotateV(rotateU(given, 0, Q), 0, Q); // S[0] into the cluster
    for (const match of matches) expect(match(turned, given)).toMatchObject(fails);
  });

  test('what is not orthonormal is no subspace, however well it projects', () => {
    const wrong = { ...given, U: mapMatrix(given.U, (u, _, j) => (j === 0 ? 0 : u)) };
    for (const match of matches)
      expect(failedNames(match(wrong, given))).toEqual(['columns of U (received) orthonormal']);
  });

  test('a spectrum in the wrong order fails before anything is compared', () => {
    const unsorted = { ...given, S: [3, 5, 3, 3, 1] };
    expect(failedNames(matchSubspaces(given, unsorted))).toEqual(['S (expected) ≥ 0 and descending']);
  });

  test('different shapes fail', () => {
    const M = randomMatrix(15, [6, 4]);
    const other = svd(transpose(M));
    expect(failedNames(matchSvd(svd(M), other))).toEqual(['same shapes']);
    expect(failed(matchSvd(clustered.truncate(2), given))[0].detail).toMatch(/received 2 .*, expected 5 /);
  });

  test('square U and Vh match the thin ones', () => {
    const M = withSpectrum(16, 7, 4, [4, 3, 2, 1]);
    expect(matchSvd(svd(M, { fullMatrices: true }), svd(M))).toMatchObject(holds);
  });

  test('hold for a whole space that is one cluster, and for empty matrices', () => {
    const identity = svd(diagEmbed([1, 1, 1]));
    const turn = orthogonal(17, 3, 3);
    const other = { U: turn, S: [1, 1, 1], Vh: transpose(turn) };
    for (const match of matches) expect(match(other, identity)).toMatchObject(holds);
    for (const match of matches)
      expect(match(svd(array([], [0, 3])), svd(array([], [0, 3])))).toMatchObject(holds);
  });
});

describe('undetermined', () => {
  // 8×6 of rank 4: the last two singular vectors are arbitrary.
  const M = rankDeficient(18, 8, 6, 4);
  const one = svd(M);
  const two = (() => {
    const { U, S, Vh, bound } = svd(transpose(M));
    return { U: transpose(Vh), S, Vh: transpose(U), bound };
  })();

  test('a cluster at 0 is undetermined: that neither passes nor fails', () => {
    for (const match of [matchSubspaces, matchSvd]) {
      const report = match(two, one);
      expect(report).toMatchObject(open);
      expect(failed(report).map(({ cluster }) => cluster)).toEqual([
        [4, 5],
        [4, 5],
      ]);
      expect(report.text).toMatch(/^undetermined: nothing was found wrong/);
      expect(report.text).toMatch(/cluster S\[4…5\]: undetermined, its bound \S+ says nothing/);
    }
  });

  test('it passes where the caller accepts it, and the report still says so', () => {
    const report = matchSvd(two, one, { acceptUndetermined: true });
    expect(report).toMatchObject(holds);
    expect(report.text).toMatch(/^all \d+ checks hold \(2 undetermined\)$/);
  });

  test('what is wrong elsewhere fails all the same', () => {
    const wrong = { ...two, U: mapMatrix(matmul(two.U, diagEmbed([-1, 1, 1, 1, 1, 1])) as Tensor, (u) => u) };
    expect(matchSvd(wrong, one, { acceptUndetermined: true })).toMatchObject(fails);
    expect(matchSvd(wrong, one)).toMatchObject(fails);
  });

  test('in a square matrix a single 0 leaves u and v determined, but not their signs together', () => {
    const square = svd(withSpectrum(19, 4, 4, [3, 2, 1, 0]));
    const flipped = flipU(copy(square), 3);
    expect(matchSubspaces(flipped, square)).toMatchObject(holds);
    expect(matchSvd(flipped, square)).toMatchObject(open);
  });

  test('a zero matrix is undetermined', () => {
    const zero = svd(array(new Float64Array(12), [4, 3]));
    expect(matchSvd(zero, zero)).toMatchObject(open);
  });
});

import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix, matmul, svd, transpose } from '../../lib/index.ts';
import { matchSubspaces, matchSvd, type SvdFactors } from '../../lib/testing/index.ts';
import { checkError, errorOf } from '../support/checks.ts';
import { array, orthogonal, productWithSpectrum, randomProduct, withSpectrum } from '../support/matrices.ts';
import { fails, holds, open } from '../support/reports.ts';
import { copy, type Factors, flipU, rotateU, rotateV, swapVectors } from '../support/variants.ts';

const matches = [matchSubspaces, matchSvd];

describe('a zero in S', () => {
  const shapes = [
    [4, 5],
    [5, 4],
    [3, 3],
    [1, 6],
    [40, 36],
    [36, 36],
  ] as const;

  test.each(['float32', 'float64'] as const)('is never −0, %s', (dtype) => {
    for (const [m, n] of shapes)
      for (const value of [-2, 2, 0, -0]) {
        const M = array(new Float64Array(m * n), [m, n], dtype);
        M.set(0, 0, value);
        const identity = array(
          Array.from({ length: n * n }, (_, e) => Number(e % (n + 1) === 0)),
          [n, n],
          dtype,
        );
        const product = new FactoredMatrix(M, identity);
        for (const { S } of [svd(M), svd(M, { fullMatrices: true }), product.svd(), { S: product.svdvals() }])
          expect(
            Array.from(S.data).some((s) => Object.is(s, -0)),
            `${m}×${n} with one ${value}: ${S.data}`,
          ).toBe(false);
      }
  });

  test('is compared as 0 where it comes as −0 from elsewhere: its vectors are undetermined', () => {
    const one = copy(svd(withSpectrum(3, 4, 5, [2, 1, 0, 0])));
    const two = rotateU(rotateV(one, 2, orthogonal(4, 2, 2)), 2, orthogonal(5, 2, 2));
    const signs = [0, -0].map((zero) => [2, 1, zero, zero]);
    for (const match of matches)
      for (const S of signs)
        for (const T of signs) {
          expect(match({ ...two, S }, { ...one, S: T })).toMatchObject(open);
          expect(match({ ...swapVectors(two, 0, 1), S }, { ...one, S: T })).toMatchObject(fails);
        }
  });
});

// σ = 4, 2, 2, 1: which vectors of the plane of σ = 2 a truncation keeps is a matter of rounding.
describe('a truncated decomposition', () => {
  const { A, B } = productWithSpectrum(1, 12, 9, [4, 2, 2, 1]);
  const Q = orthogonal(9, 4, 4);
  const M = new FactoredMatrix(A, B);
  const N = new FactoredMatrix(matmul(A, Q) as Tensor, matmul(transpose(Q), B) as Tensor);
  const foreign = ({ U, S, Vh, bound }: Factors): SvdFactors => ({ U, S, Vh, bound });

  test('whose last cluster is cut is undetermined there, whichever of its vectors were kept', () => {
    const one = copy(M.svd());
    const turned = rotateV(rotateU(one, 1, orthogonal(2, 2, 2)), 1, orthogonal(2, 2, 2));
    const cut = ({ U, S, Vh, bound }: Factors): SvdFactors => ({
      U: U.hi(12, 2),
      S: S.hi(2),
      Vh: Vh.hi(2, 9),
      bound,
    });
    for (const match of matches) {
      expect(match(M.svd({ rank: 2 }), N.svd({ rank: 2 }))).toMatchObject(open);
      expect(match(cut(turned), M.svd({ rank: 2 }))).toMatchObject(open);
      expect(match(cut(turned), cut(one)).text).toMatch(/S\[1\]: undetermined.*not known.*`next`/);
      expect(match(cut(swapVectors(turned, 0, 3)), cut(one)), 'S[0] is determined').toMatchObject(fails);
    }
  });

  test('that ends at a gap is compared in whole: the singular value that follows is known', () => {
    for (const rank of [1, 3, 4]) {
      for (const match of matches) {
        expect(match(M.svd({ rank }), N.svd({ rank })), `rank ${rank}`).toMatchObject(holds);
        expect(match(foreign(copy(N.svd({ rank }))), M.svd({ rank })), 'known to one side').toMatchObject(
          holds,
        );
      }
      expect(matchSvd(flipU(copy(N.svd({ rank })), rank - 1), M.svd({ rank }))).toMatchObject(fails);
    }
    expect([1, 2, 3, 4].map((rank) => (M.svd({ rank }).next as number).toFixed(12))).toEqual(
      [2, 2, 1, 0].map((s) => s.toFixed(12)),
    );
  });

  test('from elsewhere is determined where `next` is given, and its last cluster only there', () => {
    const [one, two] = [M, N].map((x) => foreign(copy(x.svd())));
    for (const match of matches) {
      expect(match(two, one)).toMatchObject(open);
      expect(match({ ...two, next: 0 }, one)).toMatchObject(holds);
      expect(match({ ...two, next: 1 }, one), 'a fifth singular value of 1').toMatchObject(open);
    }
    const wrong = { ...one, next: [0, 0] };
    checkError(
      errorOf(() => matchSvd(wrong, one)),
      'ERR_SVD_SHAPE',
      'received.next',
      '[2]',
    );
  });

  test('in a batch, each matrix with its own; of one that has all, `next` says nothing', () => {
    const product = randomProduct(11, [9, 4, 7], 'float32', [3]);
    const batch = new FactoredMatrix(product.A, product.B);
    const S = batch.S;
    expect(Array.from((batch.svd({ rank: 2 }).next as Tensor).data, Math.fround)).toEqual(
      [0, 1, 2].map((i) => S.get(i, 2)),
    );
    expect(batch.svd({ algorithm: 'three-svd' }).next).toMatchObject({ shape: [3] });
    expect(
      svd([
        [2, 0, 0],
        [0, 1, 0],
      ]).next,
    ).toBeUndefined();
    expect(Object.keys(batch.svd())).not.toContain('next');
  });
});

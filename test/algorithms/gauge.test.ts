import { describe, expect, it } from 'vitest';
import { allBits, checkSameSpectrum, checkSvd } from '../support/checks.ts';
import { factoredOf } from '../support/factored.ts';
import {
  dtypes,
  mapMatrix,
  powersOfTwo,
  randomProduct,
  scaleColumnsBy,
  scaleRowsBy,
  shuffled,
} from '../support/matrices.ts';

describe('gauge', () => {
  const gauges: [string, (k: number) => number[]][] = [
    ['powers of two from 2^-30 to 2^30', (k) => powersOfTwo(k, -30, 30)],
    ['powers of two, shuffled', (k) => shuffled(1, powersOfTwo(k, -40, 40))],
    ['1 to 1e6', (k) => Array.from({ length: k }, (_, j) => 10 ** ((6 * j) / (k - 1)))],
    [
      '1e6 to 1, and negative',
      (k) => Array.from({ length: k }, (_, j) => (-1) ** j * 10 ** (6 - (6 * j) / (k - 1))),
    ],
  ];
  const cases = gauges.flatMap(([name, gauge]) => dtypes.map((dtype) => ({ name, gauge, dtype })));

  it.each(cases)(
    '(A·D)·(D⁻¹·B) has the singular values of A·B within the bounds: D $name, $dtype',
    ({ gauge, dtype }) => {
      for (const [l, k, r] of [
        [20, 6, 15],
        [4, 6, 15],
        [4, 6, 5],
      ] as const) {
        const of = randomProduct(5, [l, k, r], dtype);
        const d = gauge(k);
        const scaled = {
          A: scaleColumnsBy(of.A, d),
          B: scaleRowsBy(
            d.map((x) => 1 / x),
            of.B,
          ),
        };
        const [before, after] = [factoredOf(of).svd(), factoredOf(scaled).svd()];
        checkSvd(scaled, after);
        checkSameSpectrum(dtype, before.S.data, after.S.data, before.bound as number, after.bound as number);
      }
    },
  );

  it('powers of two change no bit', () => {
    for (const dtype of dtypes) {
      const of = randomProduct(6, [20, 6, 15], dtype);
      const d = shuffled(2, powersOfTwo(6, -20, 20));
      const scaled = {
        A: scaleColumnsBy(of.A, d),
        B: scaleRowsBy(
          d.map((x) => 1 / x),
          of.B,
        ),
      };
      expect(allBits(factoredOf(scaled).svd())).toEqual(allBits(factoredOf(of).svd()));
    }
  });

  it('the check would see what the three-SVD composition makes of a gauge of 1 to 1e6', () => {
    const of = randomProduct(7, [60, 16, 50], 'float64');
    const d = shuffled(
      3,
      Array.from({ length: 16 }, (_, j) => 10 ** ((6 * j) / 15)),
    );
    const scaled = {
      A: scaleColumnsBy(of.A, d),
      B: scaleRowsBy(
        d.map((x) => 1 / x),
        of.B,
      ),
    };
    const [before, after] = [factoredOf(of).svd(), factoredOf(scaled).svd()];
    const three = factoredOf(scaled).svd({ algorithm: 'three-svd' });
    checkSameSpectrum('float64', before.S.data, after.S.data, before.bound as number, after.bound as number);
    expect(() =>
      checkSameSpectrum(
        'float64',
        before.S.data,
        three.S.data,
        before.bound as number,
        after.bound as number,
      ),
    ).toThrow(/spectrum/);
  });

  it('the order of the inner dimension does not matter', () => {
    const of = randomProduct(8, [9, 5, 7]);
    const order = [3, 0, 4, 1, 2];
    const permuted = {
      A: mapMatrix(of.A, (_, i, j) => of.A.get(i, order[j])),
      B: mapMatrix(of.B, (_, i, j) => of.B.get(order[i], j)),
    };
    const [s, t] = [factoredOf(of).svd(), factoredOf(permuted).svd()];
    checkSameSpectrum('float64', s.S.data, t.S.data, s.bound as number, t.bound as number);
  });
});

import { describe, expect, it } from 'vitest';
import { productSvd } from '../lib/product-svd.ts';
import { runSync } from '../lib/steps.ts';
import type { FactorDriver } from '../lib/svd-result.ts';
import { type Dtype, swapLast, type Tensor } from '../lib/views.ts';
import { bits, checkSameSpectrum, checkSvd, matrixAt, multiplyRows, vectorAt } from './support/checks.ts';
import { array, orthogonal, type Product, randomMatrix, scaleColumnsBy } from './support/matrices.ts';
import { factorDrivers, paths } from './support/paths.ts';

const dtypes: Dtype[] = ['float64', 'float32'];
// Of one block of rows and of several, both factors tall, one tall, and both wide.
const shapes: [l: number, k: number, r: number][] = [
  [12, 6, 10],
  [300, 20, 150],
  [2100, 16, 30],
  [40, 12, 8],
  [9, 20, 15],
];
const exponents = [0, 2, 4, 6, 8, 10];

/** A of condition 10^exponent that no scaling of its columns mends, and a well-conditioned B. */
function conditioned([l, k, r]: (typeof shapes)[number], exponent: number, dtype: Dtype): Product {
  const graded = Array.from({ length: k }, (_, j) => 10 ** ((-exponent * j) / (k - 1)));
  const left = matrixAt(scaleColumnsBy(randomMatrix(exponent, [l, k]), graded));
  const A = multiplyRows(left, matrixAt(orthogonal(exponent + 100, k, k)));
  return { A: array(A.flat(), [l, k], dtype), B: randomMatrix(exponent + 200, [k, r], dtype) };
}

/** The same matrix transposed, as views. */
const flipped = ({ A, B }: Product): Product => ({ A: swapLast(B), B: swapLast(A) });

const widened = ({ A, B }: Product): Product => ({ A: array(A.data, A.shape), B: array(B.data, B.shape) });

const decompose = ({ A, B }: Product, force?: FactorDriver) => runSync(productSvd(A, B, { force }));

/** The paths of A. */
const driversOf = (driver: unknown): FactorDriver[] => factorDrivers(driver).map(([left]) => left);

/** The paths that a factor of few rows takes by itself. */
const untiled = paths.filter((path) => path !== 'tsqr');

describe.each(dtypes)('%s', (dtype) => {
  describe.each(shapes)('%d×%d times %d columns', (...shape) => {
    it.each(exponents)(
      'U, S and Vh are a decomposition on every path, of A and of Aᵀ: condition 1e%d',
      (exponent) => {
        const of = conditioned(shape, exponent, dtype);
        const exact = widened(of);
        const reference = decompose(exact, 'householder');
        for (const force of paths) {
          const result = decompose(of, force);
          checkSvd(of, result);
          const tau = result.bound as number;
          checkSameSpectrum(dtype, result.S.data, reference.S.data, tau, reference.bound as number);
          const other = decompose(flipped(of), force);
          checkSameSpectrum(
            dtype,
            other.S.data,
            reference.S.data,
            other.bound as number,
            reference.bound as number,
          );
          if (force === 'cholesky') checkSvd(flipped(of), other);
        }
      },
    );
  });

  it('the condition decides the path: from 1 to 1e10 all three are taken', () => {
    const taken = exponents.map((exponent) =>
      driversOf(decompose(conditioned([300, 20, 150], exponent, dtype)).driver),
    );
    const order = taken.flat().map((path) => paths.indexOf(path));
    expect(order).toEqual([...order].sort());
    expect(new Set(taken.flat())).toEqual(new Set(untiled));
  });

  it('a factor that is not tall has none', () => {
    const { driver } = decompose(conditioned([9, 20, 15], 0, dtype), 'householder');
    expect(factorDrivers(driver)).toEqual([['direct', 'direct']]);
  });

  it('items of one batch take different paths, each the one and the bits that it has alone', () => {
    const shape = [300, 20, 150] as const;
    const items = [0, 10, 3, 8, 1, 6].map((exponent) => conditioned([...shape], exponent, dtype));
    const stack = (part: 'A' | 'B', size: readonly number[]): Tensor =>
      array(
        items.flatMap((item) => Array.from(item[part].data)),
        [items.length, ...size],
        dtype,
      );
    const of = { A: stack('A', [300, 20]), B: stack('B', [20, 150]) };
    const all = decompose(of);
    checkSvd(of, all);
    expect(new Set(driversOf(all.driver))).toEqual(new Set(untiled));
    items.forEach((item, i) => {
      const alone = decompose(item);
      expect(all.driver[i]).toBe(alone.driver);
      expect(bits(array(vectorAt(all.S, [i]), [20], dtype))).toBe(bits(alone.S));
      expect(bits(array(matrixAt(all.U, [i]).flat(), [300, 20], dtype))).toBe(bits(alone.U));
      expect(bits(array(matrixAt(all.Vh, [i]).flat(), [20, 150], dtype))).toBe(bits(alone.Vh));
    });
  });
});

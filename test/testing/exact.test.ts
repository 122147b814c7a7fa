import { describe, expect, test } from 'vitest';
import { FactoredMatrix } from '../../lib/index.ts';
import { exactly, minus, normOf, times } from '../support/exact.ts';
import { judgeDistances, judgePairs, judgeValidSvd, type Subject } from '../support/judgement.ts';
import {
  array,
  gradedProduct,
  mapMatrix,
  type Product,
  powersOfTwo,
  randomMatrix,
  randomProduct,
  rankDeficient,
  withSpectrum,
} from '../support/matrices.ts';

// `dist`, `norm` and the checks of factored-svd/testing use the code that they judge. Here exact arithmetic judges them.

const product = ({ A, B }: Product): FactoredMatrix => new FactoredMatrix(A, B);
const classes: { name: string; M: Subject }[] = (['float64', 'float32'] as const).flatMap((dtype) => {
  const tiny = dtype === 'float32' ? 2 ** -120 : 1e-300;
  const named: Record<string, Subject> = {
    random: randomMatrix(1, [9, 6], dtype),
    'random product': product(randomProduct(2, [12, 4, 9], dtype)),
    'formed product': product(randomProduct(3, [4, 15, 30], dtype)),
    'rank 1': rankDeficient(4, 14, 11, 1, dtype),
    'rank 3 of 10': product({ A: rankDeficient(5, 14, 10, 3, dtype), B: rankDeficient(6, 10, 12, 3, dtype) }),
    'graded product': product(
      gradedProduct(7, 10, 8, powersOfTwo(6, 30, -30), powersOfTwo(6, 20, -30), dtype),
    ),
    subnormal: mapMatrix(randomMatrix(8, [7, 5]), (x) => x * tiny * 2 ** -20, dtype),
    zero: array(new Float64Array(12), [4, 3], dtype),
    cancellation: cancelling(9, dtype),
    cluster: withSpectrum(11, 8, 6, [3, 2, 2, 2, 1, 1], dtype),
  };
  return Object.entries(named).map(([name, M]) => ({ name: `${name}, ${dtype}`, M }));
});
/** [A A]·[(1 + 1e-9)·B; −B]: what is left of a product whose terms cancel. */
function cancelling(seed: number, dtype: 'float32' | 'float64'): FactoredMatrix {
  const { A, B } = randomProduct(seed, [8, 3, 6], dtype);
  const delta = dtype === 'float32' ? 1e-4 : 1e-9;
  const left = array(
    Array.from({ length: 48 }, (_, e) => A.get(Math.floor(e / 6), e % 3)),
    [8, 6],
    dtype,
  );
  const below = (i: number, j: number) => (i < 3 ? (1 + delta) * B.get(i, j) : -B.get(i - 3, j));
  const right = array(
    Array.from({ length: 36 }, (_, e) => below(Math.floor(e / 6), e % 6)),
    [6, 6],
    dtype,
  );
  return new FactoredMatrix(left, right);
}

describe.each(classes)('$name', ({ M }) => {
  test('dist and norm are those of the formed matrices', () => judgeDistances(M));
  test('validSvd accepts what is right and refuses what is wrong', () => judgeValidSvd(M));
});

test('matchSvd measures the best common rotation of U and V', () => {
  const wide = classes.filter(({ name }) => name.endsWith('float64')); // the check itself is float64 for both
  const compared = wide.map(({ M }) => judgePairs(M));
  expect(compared.reduce((sum, n) => sum + n)).toBeGreaterThan(wide.length);
});

test('the exact arithmetic: integers and powers of two of any size', () => {
  const x = exactly([[3 * 2 ** 1000, -4 * 2 ** 1000]]);
  const y = exactly([[5e-324], [1]]);
  expect(normOf(x)).toBe(5 * 2 ** 1000);
  expect(normOf(times(x, exactly([[2 ** -1000], [0]])))).toBe(3);
  expect(normOf(minus(times(x, y), exactly([[-4 * 2 ** 1000]])))).toBe(3 * 2 ** 1000 * 5e-324);
  expect(normOf(minus(exactly([[1 + 2 ** -52]]), exactly([[1]])))).toBe(2 ** -52);
  expect(normOf(exactly([[0, -0]]))).toBe(0);
  expect(normOf(times(x, x, 0))).toBe(0);
});

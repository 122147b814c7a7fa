import { describe, expect, test } from 'vitest';
import { FactoredMatrix, svd, svdLegacy, transpose } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  bitIdentical,
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  orthonormal,
  reconstructs,
  type SvdOperand,
  validSvd,
} from '../../lib/testing/index.ts';
import { checkError, errorOf } from '../support/checks.ts';
import { again, clustered, given, tau } from '../support/clustered.ts';
import { factoredOf } from '../support/factored.ts';
import { array, mapMatrix, randomMatrix, randomProduct } from '../support/matrices.ts';
import { failed, failedNames, holds, open } from '../support/reports.ts';
import { copy, flipU, shiftS, swapVectors } from '../support/variants.ts';

describe('validSvd', () => {
  test.each(['float32', 'float64'] as const)('holds for what the package returns, %s', (dtype) => {
    const M = randomMatrix(2, [3, 8, 5], dtype);
    expect(validSvd(svd(M), M)).toMatchObject(holds);
    expect(validSvd(svd(M, { fullMatrices: true }), M)).toMatchObject(holds);
    const product = factoredOf(randomProduct(3, [8, 4, 6], dtype, [2]));
    expect(validSvd(product.svd(), product)).toMatchObject(holds);
    expect(validSvd(product, product.AB)).toMatchObject(holds);
  });

  test('holds for empty matrices, empty batches and zero matrices', () => {
    for (const shape of [
      [0, 3],
      [0, 2, 2],
      [4, 3],
    ]) {
      const M = array(new Float64Array(shape.reduce((a, b) => a * b)), shape);
      expect(validSvd(svd(M), M)).toMatchObject(holds);
    }
  });

  test.each([1e-300, 2 ** -1060, 1e150])('holds for entries of size %d', (size) => {
    const M = mapMatrix(randomMatrix(4, [6, 4]), (x) => x * size);
    expect(validSvd(svd(M), M)).toMatchObject(holds);
  });

  test('V for Vh fails: by its shape, or where that fits by the reconstruction', () => {
    const wide = svd(randomMatrix(5, [4, 6]));
    const misfit = validSvd({ ...copy(wide), Vh: transpose(wide.Vh) });
    expect(failed(misfit)).toMatchObject([{ name: 'shapes', detail: expect.stringContaining('Vh [6, 4]') }]);
    const M = randomMatrix(6, [5, 5]);
    const square = svd(M);
    const report = validSvd({ ...copy(square), Vh: transpose(square.Vh) }, M);
    expect(failedNames(report)).toEqual(['reconstruction ‖M − U·diag(S)·Vh‖']);
  });

  test('says so when it is given the result of svdLegacy', () => {
    const legacy = svdLegacy([[2, 1]]) as unknown as SvdOperand;
    checkError(
      errorOf(() => validSvd(legacy)),
      'ERR_SVD_ARGUMENT',
      'result',
      'transpose(V)',
    );
    checkError(
      errorOf(() => validSvd([[1]] as unknown as SvdOperand)),
      'ERR_SVD_ARGUMENT',
      'U, S, Vh',
    );
  });

  test('fails for a flipped column of U, a swapped pair, the wrong matrix', () => {
    for (const wrong of [flipU(given, 2), swapVectors(given, 0, 4), shiftS(given, 0, 100 * tau)]) {
      expect(validSvd(wrong)).toMatchObject(holds);
      expect(failedNames(validSvd(wrong, clustered))).toEqual(['reconstruction ‖M − U·diag(S)·Vh‖']);
    }
    expect(failedNames(validSvd(given, randomMatrix(1, [12, 10])))).toEqual(['shapes']);
  });

  test('names NaN, negative and unsorted singular values, and columns that are not orthonormal', () => {
    const at = (S: number[]) => failed(validSvd({ ...given, S }))[0].detail;
    expect(at([5, 3, Number.NaN, 3, 1])).toBe('element [2] is NaN');
    expect(at([5, 3, 3, 3, -1])).toBe('S[4] = -1 is negative');
    expect(at([3, 5, 3, 3, 1])).toBe('S[1] = 5 exceeds S[0] = 3');
    const U = mapMatrix(given.U, (u, _, j) => (j === 1 ? u * (1 + 1e-12) : u));
    expect(failedNames(validSvd({ ...given, U }))).toEqual(['columns of U orthonormal']);
    const huge = mapMatrix(given.U, (u) => u * 1e300);
    expect(failedNames(validSvd({ ...given, U: huge }))).toEqual(['columns of U orthonormal']);
    const Vh = mapMatrix(given.Vh, (v, i, j) => (i === 0 && j === 3 ? Number.POSITIVE_INFINITY : v));
    expect(failed(validSvd({ ...given, Vh }, clustered))[0]).toMatchObject({
      name: 'Vh finite',
      value: 1,
      detail: 'element [0, 3] is Infinity',
    });
  });

  test('names the matrix of a batch that is wrong, and only that', () => {
    const M = randomMatrix(8, [2, 3, 5, 4]);
    const { U, S, Vh, bound } = svd(M);
    const wrong = mapMatrix(Vh, (v) => v);
    wrong.set(1, 2, 0, 0, 2);
    const report = validSvd({ U, S, Vh: wrong, bound }, M);
    expect(failed(report).map(({ batchIndex }) => batchIndex)).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(report.text).toMatch(/^2 of \d+ checks failed\n- rows of Vh orthonormal, batch item \[1, 2\]: \d/);
  });
});

test('a report has its text by the name that assertion libraries use, whichever function gives it', () => {
  const reports = [
    validSvd(given, clustered),
    validSvd(flipU(given, 2), clustered),
    orthonormal([[2]]),
    reconstructs(given, clustered),
    matchSingularValues([1], [2]),
    matchSubspaces(given, again),
    matchSvd(flipU(given, 2), given),
    bitIdentical([1], [2]),
  ];
  for (const report of reports) expect(report.message).toBe(report.text);
  expect(reports[1].message).toMatch(/^1 of \d+ checks failed\n/);
});

describe('orthonormal', () => {
  test('columns of a tall matrix, rows of a wide one', () => {
    const { U, Vh } = svd(randomMatrix(9, [9, 4]));
    for (const x of [U, transpose(U), Vh, array([], [3, 0])]) expect(orthonormal(x)).toMatchObject(holds);
  });

  test('a deviation of twice the bound fails, and the report has both', () => {
    const bound = bounds.orthonormality('float64', 1);
    const [check] = failed(orthonormal([[1 + bound]]));
    expect(check.value).toBeCloseTo(2 * bound, 20);
    expect(check.bound).toBe(bound);
    expect(orthonormal([[1 + bound]]).text).toMatch(/: \d\S+ > 8\.88e-15 \(\d\S* times the bound\)$/);
  });

  test('a batch, item by item', () => {
    const Q = array([1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0], [3, 2, 2]);
    expect(failed(orthonormal(Q)).map(({ batchIndex }) => batchIndex)).toEqual([[1]]);
  });
});

describe('reconstructs', () => {
  test('what cancels in a product is measured by β, whether M is formed or not', () => {
    // [A A]·[(1 + 1e-9)·B; −B] = 1e-9·A·B: ‖M‖ is far below β, and the rounding errors are of the size of β.
    const { A, B } = randomProduct(10, [8, 3, 6]);
    const twice = array(
      Array.from({ length: 8 * 6 }, (_, e) => A.get(Math.floor(e / 6), e % 3)),
      [8, 6],
    );
    const apart = array(
      [...Array.from(B.data, (b) => (1 + 1e-9) * b), ...Array.from(B.data, (b) => -b)],
      [6, 6],
    );
    const M = new FactoredMatrix(twice, apart);
    expect(reconstructs(M.svd(), M)).toMatchObject(holds);
    expect(reconstructs(M.svd(), M.AB)).toMatchObject(holds);
    expect(M.norm() as number).toBeLessThan(1e-6 * bounds.beta('float64', M.svd().bound as number));
  });

  test('a bound of NaN or infinity is undetermined, and does not pass', () => {
    for (const bound of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(reconstructs({ ...given, bound }, clustered)).toMatchObject(open);
  });
});

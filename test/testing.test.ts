import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../lib/array/tensor.ts';
import { diagEmbed, FactoredMatrix, matmul, svd, svdLegacy, transpose } from '../lib/index.ts';
import * as bounds from '../lib/testing/bounds.ts';
import {
  bitIdentical,
  type Check,
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  orthonormal,
  type Report,
  reconstructs,
  type SvdFactors,
  type SvdOperand,
  validSvd,
} from '../lib/testing/index.ts';
import { openSafetensors, writeSafetensors } from '../lib/weights/index.ts';
import { checkError, errorOf } from './support/checks.ts';
import { kernels, runUnder } from './support/kernels.ts';
import {
  array,
  gradedProduct,
  mapMatrix,
  orthogonal,
  type Product,
  powersOfTwo,
  productWithSpectrum,
  randomMatrix,
  randomProduct,
  rankDeficient,
  withSpectrum,
} from './support/matrices.ts';
import {
  copy,
  type Factors,
  flipU,
  flipV,
  rotateU,
  rotateV,
  shiftS,
  swapVectors,
} from './support/variants.ts';

const factored = ({ A, B }: Product) => new FactoredMatrix(A, B);
const failed = ({ checks }: Report): Check[] => checks.filter(({ pass }) => !pass);
const failedNames = (report: Report): string[] => failed(report).map(({ name }) => name);

/** The same matrix decomposed another way: by the SVD of its transpose. */
function ofTranspose(M: FactoredMatrix): SvdFactors {
  const { U, S, Vh, bound, next } = M.T.svd();
  return { U: transpose(Vh), S, Vh: transpose(U), bound, next };
}

// A product with the singular values S[1…3] in a cluster between two single ones.
const clustered = factored(productWithSpectrum(1, 12, 9, [5, 3, 3, 3, 1]));
const given: Factors = copy(clustered.svd());
const again = ofTranspose(clustered);
const rotation = orthogonal(7, 3, 3);
const tau = bounds.singularValues('float64', given.bound, given.bound);
const holds = { pass: true, undetermined: false };
const fails = { pass: false, undetermined: false };
const open = { pass: false, undetermined: true };

describe('validSvd', () => {
  test.each(['float32', 'float64'] as const)('holds for what the package returns, %s', (dtype) => {
    const M = randomMatrix(2, [3, 8, 5], dtype);
    expect(validSvd(svd(M), M)).toMatchObject(holds);
    expect(validSvd(svd(M, { fullMatrices: true }), M)).toMatchObject(holds);
    const product = factored(randomProduct(3, [8, 4, 6], dtype, [2]));
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

describe('matchSingularValues', () => {
  test('two decompositions of one matrix agree', () => {
    expect(matchSingularValues(given, again)).toMatchObject(holds);
    expect(matchSingularValues(clustered, clustered.svd({ algorithm: 'three-svd' }))).toMatchObject(holds);
    const batch = factored(randomProduct(11, [9, 3, 7], 'float32', [2, 2]));
    expect(matchSingularValues(batch.svd(), ofTranspose(batch))).toMatchObject(holds);
  });

  test('S off by 10τ fails, and the report says which, where and by how much', () => {
    const report = matchSingularValues(shiftS(given, 2, 10 * tau), given);
    expect(report).toMatchObject(fails);
    const [check] = failed(report);
    expect(check).toMatchObject({ name: 'singular values', bound: tau, cluster: [2, 2] });
    expect(check.value / tau).toBeCloseTo(10, 1);
    expect(report.text).toMatch(
      /1 of 2 checks failed\n- singular values, S\[2\]: .* times the bound\): received/,
    );
  });

  test('relative: holds for graded products down to the last value, and sees what τ does not', () => {
    const M = factored(gradedProduct(12, 10, 5, powersOfTwo(5, 30, -30), powersOfTwo(5, 0, -9)));
    expect(matchSingularValues(M.svd(), ofTranspose(M), { mode: 'relative' })).toMatchObject(holds);
    const formed = svd(M.AB); // loses the small singular values
    expect(matchSingularValues(formed, M, { mode: 'absolute' })).toMatchObject(holds);
    expect(matchSingularValues(formed, M, { mode: 'relative' })).toMatchObject(fails);
  });

  test('takes bare arrays, and references with a bound of their own', () => {
    const S = Array.from(given.S.data);
    expect(matchSingularValues(given, S)).toMatchObject(holds);
    expect(matchSingularValues({ S, bound: 0 }, { S: [5, 3, 3, 3, 1], bound: 1e-14 })).toMatchObject(holds);
    expect(matchSingularValues(S, [5, 3, 3, 3, 1.001])).toMatchObject(fails);
    expect(matchSingularValues([[2], [1]], [[2], [1.5]])).toMatchObject({
      checks: [{}, { pass: true }, { pass: false, batchIndex: [1] }],
    });
    expect(matchSingularValues([[2], [1]], { S: [[2], [1.5]], bound: [0, 1] })).toMatchObject(holds);
  });

  test('another number of singular values, NaN and infinity fail', () => {
    expect(failedNames(matchSingularValues([3, 2], [3, 2, 1]))).toEqual(['same shapes']);
    expect(matchSingularValues([3, Number.NaN], [3, Number.NaN])).toMatchObject({ pass: false });
    const endless = { S: [Number.POSITIVE_INFINITY], bound: 1 };
    expect(matchSingularValues(endless, endless)).toMatchObject({ pass: false });
  });

  test('arguments that make no sense are errors', () => {
    const mode = 'both' as 'absolute';
    checkError(
      errorOf(() => matchSingularValues([1], [1], { mode })),
      'ERR_SVD_ARGUMENT',
      "'both'",
    );
    const misfit = () => matchSingularValues({ S: [1, 1], bound: [1, 2] }, [1, 1]);
    checkError(errorOf(misfit), 'ERR_SVD_SHAPE', 'received.bound', '[2]');
    checkError(
      errorOf(() => matchSingularValues([1], 'one' as never)),
      'ERR_SVD_ARGUMENT',
      'expected.S',
    );
  });
});

describe('matchSubspaces and matchSvd', () => {
  const matches = [matchSubspaces, matchSvd];

  test('hold for another decomposition of the same matrix, whose cluster comes out rotated', () => {
    const apart = Math.abs(Math.abs(given.U.get(0, 1)) - Math.abs((again.U as Tensor).get(0, 1)));
    expect(apart).toBeGreaterThan(1e-3);
    for (const match of matches) expect(match(again, given)).toMatchObject(holds);
  });

  test('hold for the three-SVD form of well-conditioned products, float32 and batches', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const M = factored(randomProduct(13, [20, 5, 12], dtype, [3]));
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

describe('bitIdentical', () => {
  test('a repeated computation, and views of the same elements', () => {
    expect(
      bitIdentical(clustered.svd({ algorithm: 'three-svd' }), clustered.svd({ algorithm: 'three-svd' })),
    ).toMatchObject(holds);
    const x = randomMatrix(20, [3, 4], 'float32');
    expect(bitIdentical(transpose(transpose(x)), copy({ U: x, S: x, Vh: x, bound: 0 }).U)).toMatchObject(
      holds,
    );
    expect(bitIdentical([Number.NaN, 1], [Number.NaN, 1])).toMatchObject(holds);
  });

  test('one bit, the sign of a zero, the dtype and the shape count', () => {
    const different = (a: Parameters<typeof bitIdentical>[0], b: Parameters<typeof bitIdentical>[0]) =>
      failed(bitIdentical(a, b))[0]?.detail;
    expect(different([[1, 2, 3]], [[1, 2 + 2 ** -51, 3 + 2 ** -51]])).toBe(
      '2 of 3 elements differ, first element [0, 1]: received 2, expected 2.0000000000000004',
    );
    expect(different([0], [-0])).toMatch('received 0, expected -0');
    expect(different(array([1], [1], 'float32'), [1])).toBe('received float32 [1], expected float64 [1]');
    expect(different([1, 2], [[1, 2]])).toBe('received float64 [2], expected float64 [1, 2]');
    expect(failedNames(bitIdentical(given, flipU(given, 0)))).toEqual(['U bit-identical']);
  });
});

describe.runIf(kernels.length > 1)('kernels of OpenBLAS for other processors', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'factored-svd-kernels-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(['float32', 'float64'] as const)(
    'give the same decomposition, not the same bits: %s',
    async (dtype) => {
      const weights = join(folder, `${dtype}.safetensors`);
      const product = randomProduct(21, [96, 16, 80], dtype, [2]);
      await writeSafetensors(weights, { ...product });
      const results = kernels.map((kernel) => {
        const out = join(folder, `${dtype}-${kernel}.safetensors`);
        const { status, stdout } = runUnder(
          kernel,
          'svd',
          weights,
          '--a',
          'A',
          '--b',
          'B',
          '--json',
          '--out',
          out,
        );
        const { versions, items } = JSON.parse(stdout);
        expect({ status, kernel: versions.openblasCore }).toEqual({ status: 0, kernel });
        return { out, bound: items.map((item: { bound: number }) => item.bound) };
      });
      const [first, ...others] = await Promise.all(
        results.map(async ({ out, bound }) => {
          await using file = await openSafetensors(out);
          const [U, S, Vh] = [await file.read('U'), await file.read('S'), await file.read('Vh')];
          return { U, S, Vh, bound, next: 0 };
        }),
      );
      const M = factored(product);
      for (const other of others) {
        expect(matchSvd(other, first)).toMatchObject(holds);
        expect(matchSubspaces(other, first)).toMatchObject(holds);
        expect(matchSingularValues(other, first)).toMatchObject(holds);
        expect(validSvd(other, M)).toMatchObject(holds);
      }
      expect(others.some((other) => !bitIdentical(other, first).pass)).toBe(true);
    },
  );
});

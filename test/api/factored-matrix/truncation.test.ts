import { describe, expect, it } from 'vitest';
import { productResiduals } from '../../../lib/algorithms/product-evidence.ts';
import type { TruncatedSvd } from '../../../lib/algorithms/result.ts';
import { epsilon, type Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix, lowRank, svd, svdAsync } from '../../../lib/index.ts';
import { batchOf, packed } from '../../../lib/native/batch.ts';
import { runSync } from '../../../lib/native/steps.ts';
import {
  allBits,
  bits,
  checkError,
  dtypeOf,
  errorOf,
  matrixAt,
  norm,
  vectorAt,
} from '../../support/checks.ts';
import { exactly, minus, normOf, times } from '../../support/exact.ts';
import { beta, factored, factoredOf, type Sizes } from '../../support/factored.ts';
import {
  array,
  dtypes,
  gradedProduct,
  integerMatrix,
  type Product,
  powersOfTwo,
  productWithSpectrum,
  randomMatrix,
  randomProduct,
} from '../../support/matrices.ts';
import { stored } from '../../support/products.ts';
import { productReferences } from '../../support/references.ts';

/** ‖A·B − U·diag(S)·Vh‖_F of one matrix, but for its last bit. */
function exactError(M: FactoredMatrix, { U, S, Vh }: Pick<TruncatedSvd, 'U' | 'S' | 'Vh'>): number {
  const sigma = vectorAt(S as Tensor);
  const diagonal = sigma.map((s, i) => sigma.map((_, j) => (i === j ? s : 0)));
  const [rank, n] = [sigma.length, M.rdim];
  const left = times(exactly(matrixAt(U as Tensor)), exactly(diagonal), rank);
  const product = times(exactly(matrixAt(M.A as Tensor)), exactly(matrixAt(M.B as Tensor)), n);
  return normOf(minus(product, times(left, exactly(matrixAt(Vh as Tensor)), n)));
}

/** η of triplet i of one matrix, but for its last bits. */
function exactResidual(M: FactoredMatrix, { U, S, Vh }: TruncatedSvd, i: number): number {
  const u = matrixAt(U as Tensor).map((row) => row[i]);
  const v = matrixAt(Vh as Tensor)[i];
  const s = exactly([[S.get(i)]]);
  const [A, B] = [exactly(matrixAt(M.A as Tensor)), exactly(matrixAt(M.B as Tensor))];
  const column = (x: number[]) => exactly(x.map((value) => [value]));
  const left = minus(times(A, times(B, column(v), 1), 1), times(column(u), s, 1));
  const right = minus(times(times(exactly([u]), A), B, M.rdim), times(s, exactly([v])));
  return Math.hypot(normOf(left), normOf(right)) * Math.SQRT1_2;
}

/** What rounding may add to a measured error: of 64-bit arithmetic, and in all triplets the `bound` of each. */
const slack = (M: FactoredMatrix, { S, bound }: TruncatedSvd): number =>
  160 * epsilon('float64') * beta(M) + 4 * Math.sqrt(S.shape[0]) * (bound as number);

/** Everything that is promised of leading triplets of one product, whose singular values are `sigma`, each up to `tau`. */
function checkEvidence(M: FactoredMatrix, result: TruncatedSvd, sigma: ArrayLike<number>, tau: number): void {
  const S = vectorAt(result.S as Tensor);
  const [l, k, r] = [M.ldim, M.mdim, M.rdim];
  const all = k < Math.min(l, r) ? [...Array.from(sigma), 0] : Array.from(sigma);
  S.forEach((s, i) => {
    const nearest = Math.min(...all.map((other) => Math.abs(other - s)));
    expect(nearest, `residual ${i}`).toBeLessThanOrEqual(result.residuals.get(i) + tau);
    const exact = exactResidual(M, result, i);
    expect(result.residuals.get(i) * (1 + 1e-14), `residual ${i}`).toBeGreaterThanOrEqual(exact);
    expect(result.residuals.get(i), `residual ${i}`).toBeLessThanOrEqual(exact + slack(M, result));
  });
  expect(result.certified).toBe(true);
  if (S.length > 0 && S.length < sigma.length)
    expect(sigma[S.length], 'missed').toBeLessThanOrEqual(
      (S.at(-1) as number) + (result.bound as number) + tau,
    );
  const error = exactError(M, result);
  const unit = 1 + 4 * epsilon('float64'); // of the norm of what is exact
  expect((result.truncationError as number) * unit).toBeGreaterThanOrEqual(error);
  expect(result.truncationError).toBeLessThanOrEqual(error * unit + slack(M, result));
}

function checkRanks(of: Product): void {
  const M = factoredOf(of);
  const { S, bound } = M.svd();
  for (const rank of new Set([0, 1, Math.ceil(S.size / 2), S.size])) {
    if (rank > S.size) continue;
    const result = M.svd({ rank });
    expect(result.S.shape).toEqual([rank]);
    checkEvidence(M, result, vectorAt(S as Tensor), bound as number);
  }
}

const shapes: readonly Sizes[] = [
  [9, 4, 7],
  [4, 9, 7],
  [7, 9, 4],
  [5, 5, 5],
  [30, 10, 25],
  [12, 30, 11],
  [1, 1, 1],
  [3, 1, 40],
  [40, 3, 3],
  [1, 8, 1],
];

describe.each(dtypes)('leading triplets of products, %s', (dtype) => {
  it.each(shapes)('have the evidence that they promise: %i×%i·%i', (...sizes) => {
    checkRanks(randomProduct(1, sizes, dtype));
    const [l, k, r] = sizes;
    const ones = (rows: number, cols: number) =>
      array(new Array(rows * cols).fill(1 / 3), [rows, cols], dtype);
    checkRanks({ A: ones(l, k), B: ones(k, r) });
  });

  it('of rank-deficient cores, of zeros, and of an inner dimension that spans much', () => {
    const A = integerMatrix(2, [12, 3], dtype);
    const twice = array(
      Array.from({ length: 72 }, (_, e) => A.get(Math.floor(e / 6), e % 3)),
      [12, 6],
      dtype,
    );
    checkRanks({ A: twice, B: randomMatrix(3, [6, 9], dtype) });
    checkRanks({ A: randomMatrix(4, [12, 5], dtype), B: array(new Float64Array(45), [5, 9], dtype) });
    checkRanks(gradedProduct(5, 12, 9, powersOfTwo(6, 0, -40), new Array(6).fill(1), dtype));
    checkRanks(gradedProduct(6, 20, 16, powersOfTwo(6, 15, -15), powersOfTwo(6, -15, 15), dtype));
  });

  it('of many equal terms', () => {
    const thirds = (rows: number, cols: number) =>
      array(new Array(rows * cols).fill(1 / 3), [rows, cols], dtype);
    checkRanks({ A: thirds(600, 2), B: thirds(2, 5) });
    checkRanks({ A: thirds(8, 700), B: randomMatrix(21, [700, 3], dtype) });
  });

  it('whose small singular values come of cancellation', () => {
    const near = randomMatrix(7, [20, 4], dtype);
    const A = array(
      Array.from(
        { length: 160 },
        (_, e) => near.get(Math.floor(e / 8), e % 4) * (e % 8 < 4 ? 1 : 1 + 2 ** -12),
      ),
      [20, 8],
      dtype,
    );
    const B = randomMatrix(8, [4, 15], dtype);
    const opposite = array(
      Array.from({ length: 120 }, (_, e) => B.get(Math.floor(e / 15) % 4, e % 15) * (e < 60 ? 1 : -1)),
      [8, 15],
      dtype,
    );
    checkRanks({ A, B: opposite });
  });

  it('of scaled factors are those of the factors, scaled', () => {
    const { A, B } = randomProduct(9, [9, 4, 7], dtype);
    const e = dtype === 'float32' ? 100 : 1000;
    const M = new FactoredMatrix(A, B) as FactoredMatrix;
    const plain = M.svd({ rank: 2 });
    for (const [up, down] of [
      [e, -e],
      [e / 2, e / 4],
      [-e / 2, -e / 4],
    ]) {
      const scaled = (x: Tensor, by: number) =>
        array(
          Array.from(x.data, (v) => v * 2 ** by),
          x.shape,
          dtype,
        );
      const result = new FactoredMatrix(scaled(A, up), scaled(B, down)).svd({ rank: 2 });
      const by = 2 ** (up + down);
      const close = (x: number, y: number) =>
        expect(Math.abs(x / by - y)).toBeLessThanOrEqual(slack(M, plain));
      close(result.truncationError as number, plain.truncationError as number);
      close(result.residuals.get(1), plain.residuals.get(1));
    }
  });

  it('are those of every matrix of a batch, whose leading dimensions broadcast', async () => {
    const { A } = randomProduct(10, [9, 4, 7], dtype, [2, 1]);
    const { B } = randomProduct(11, [9, 4, 7], dtype, [3]);
    const M = new FactoredMatrix(A, B);
    for (const options of [{ rank: 2 }, { tol: 1 }, { energy: 0.9 }]) {
      const all = M.svd(options) as TruncatedSvd<Float32Array, Tensor<Float64Array>>;
      const later = await new FactoredMatrix(A, B).svdAsync(options as { rank: number });
      expect(allBits([...later, later.residuals] as Tensor[])).toEqual(allBits([...all, all.residuals]));
      expect(bits(later.truncationError as Tensor)).toBe(bits(all.truncationError));
      expect(all.certified).toEqual(new Array(6).fill(true));
      const one = new FactoredMatrix(matrixAt(A, [1, 0]), matrixAt(B, [2]));
      const same =
        dtype === 'float64' ? one : new FactoredMatrix(...([A.pick(1, 0), B.pick(2)] as [Tensor, Tensor]));
      const single = same.svd({ rank: all.S.shape[2] });
      expect(vectorAt(all.residuals, [1, 2])).toEqual(vectorAt(single.residuals as Tensor));
      expect(all.truncationError.get(1, 2)).toBe(single.truncationError);
    }
  });

  it('as few as leave tol, and as hold a share of the energy, of the matrix that needs most', () => {
    const sigma = [8, 4, 2, 1, 0.5];
    const { A, B } = productWithSpectrum(12, 9, 7, sigma);
    const M = new FactoredMatrix(array(A.data, A.shape, dtype), B.dtype === dtype ? B : copy(B));
    for (const [rank, tol] of [[0, 10], [1, 4.7], [2, 2.4], [3, 1.2], [4, 0.6], [5, 0.4], [5, 0]]) {
      const result = M.svd({ tol });
      expect(result.S.shape, `tol ${tol}`).toEqual([rank]);
      if (tol > 0) expect(result.truncationError).toBeLessThanOrEqual(tol);
      expect(svd(M, { tol }).S.shape).toEqual([rank]);
    } // biome-ignore format: pairs
    const total = norm(sigma) ** 2;
    for (const rank of [1, 2, 3, 4]) {
      const held = norm(sigma.slice(0, rank)) ** 2 / total;
      expect(M.svd({ energy: held * 0.999 }).S.shape).toEqual([rank]);
      expect(M.svd({ energy: Math.min(1, held * 1.001) }).S.shape).toEqual([rank + 1]);
    }
    const both = new FactoredMatrix(
      array(
        [...M.A.data, ...M.A.data].map((x, i) => (i < 45 ? x : x / 8)),
        [2, 9, 5],
        dtype,
      ),
      M.B,
    );
    expect(both.svd({ tol: 1.2 }).S.shape).toEqual([2, 3]);

    function copy(x: Tensor) {
      return array(matrixAt(x).flat(), x.shape, dtype);
    }
  });

  it('below what rounding leaves tol takes all of them', () => {
    const M = factored(13, [20, 5, 15], dtype);
    const result = M.svd({ tol: epsilon(dtype) / 1000 });
    expect(result.S.shape).toEqual([5]);
    expect(result.truncationError).toBeGreaterThan(epsilon(dtype) / 1000);
  });

  it('of nothing, and none', () => {
    const zeros = (m: number, n: number) => array(new Float64Array(m * n), [m, n], dtype);
    for (const [l, k, r] of [[0, 3, 2], [3, 0, 2], [3, 2, 0], [0, 0, 0]]) {
      const M = new FactoredMatrix(zeros(l, k), zeros(k, r));
      for (const options of [{ rank: 0 }, { tol: 1 }, { energy: 0.5 }])
        expect(M.svd(options as { rank: number })).toMatchObject({ truncationError: 0, certified: true });
    } // biome-ignore format: sizes
    const none = new FactoredMatrix(array([], [0, 3, 2], dtype), array([], [0, 2, 4], dtype)).svd({
      rank: 1,
    });
    expect([none.residuals.shape, (none.truncationError as Tensor).shape]).toEqual([[0, 1], [0]]);
  });

  it('keep U, S and Vh as they are without evidence, and with signs', () => {
    const M = factored(14, [9, 4, 7], dtype, [2]);
    const parts = M.svd({ rank: 2 });
    const cut = M.truncate(2);
    expect(bits(cut.B)).toBe(bits(parts.Vh));
    const signed = M.svd({ rank: 2, signs: 'canonical' });
    expect([bits(signed.residuals), signed.truncationError]).toEqual([
      bits(parts.residuals),
      parts.truncationError,
    ]);
    for (const i of [0, 1])
      for (const j of [0, 1]) {
        const column = matrixAt(signed.U, [i]).map((row) => row[j]);
        expect(Math.max(...column)).toBe(Math.max(...column.map(Math.abs)));
      }
  });

  it('that failed are NaN, and the others as they are alone', () => {
    const { A, B } = randomProduct(15, [9, 4, 7], dtype, [3]);
    A.data[40] = Number.NaN;
    for (const options of [{ rank: 2 }, { tol: 1 }]) {
      const M = new FactoredMatrix(A, B);
      const found = M.svd({ ...options, onError: 'collect' } as { rank: number; onError: 'collect' });
      expect(found.errors).toMatchObject([{ code: 'ERR_SVD_NON_FINITE', batchIndex: [1] }]);
      const error = found.truncationError as unknown as Tensor;
      expect([error.get(1), found.residuals.get(1, 0), found.certified]).toEqual([
        NaN,
        NaN,
        [true, false, true],
      ]);
      const single = (M.at(2) as FactoredMatrix).svd({ rank: found.S.shape[1] });
      expect(error.get(2)).toBe(single.truncationError);
      checkError(
        errorOf(() => M.svd(options as { rank: number })),
        'ERR_SVD_NON_FINITE',
      );
      const all = new FactoredMatrix(A.pick(1) as Tensor, B).svd({ rank: 2, onError: 'collect' });
      expect([all.S.shape, all.residuals.shape, all.certified]).toEqual([
        [3, 2],
        [3, 2],
        [false, false, false],
      ]);
    }
  });

  it('cannot be changed by what is done to them', () => {
    const M = factored(16, [9, 4, 7], dtype);
    const result = M.svd({ rank: 2 });
    expect(Object.isFrozen(result)).toBe(true);
    const before = result.residuals.get(0);
    result.residuals.data.fill(7);
    result.U.data.fill(7);
    expect(M.svd({ rank: 2 }).residuals.get(0)).toBe(before);
    expect(JSON.parse(JSON.stringify(M.svd({ rank: 2 })))).toMatchObject({ certified: true });
    expect('residuals' in M.svd()).toBe(false);
  });

  it('with a vector that is none the residuals say so', () => {
    const M = factored(17, [30, 6, 20], dtype);
    const { U, S, Vh, residuals, truncationError, bound } = M.svd({ rank: 2 });
    const measured = (by: number) => {
      const wrong = array(U.data, U.shape, dtype);
      for (let i = 0; i < 30; i++) wrong.data[2 * i + 1] += by * (i % 2 === 0 ? 1 : -1);
      const factors = { U: batchOf(wrong, []), S: packed(S.data, 1, 1, 2), Vh: batchOf(Vh as Tensor, []) };
      return runSync(productResiduals(batchOf(M.A as Tensor, []), batchOf(M.B as Tensor, []), factors));
    };
    expect(measured(0)).toEqual({
      residuals: residuals.data,
      error: Float64Array.of(truncationError as number),
    });
    const { residuals: wrong, error } = measured(1e-3);
    expect(wrong[0]).toBe(residuals.get(0));
    expect(wrong[1]).toBeGreaterThan(1e3 * (bound as number));
    expect(error[0]).toBeGreaterThan(truncationError as number);
  });
});

it('residuals hold for the exact singular values', () => {
  expect(productReferences.length).toBeGreaterThan(10);
  for (const reference of productReferences) {
    const of = stored(reference);
    const M = factoredOf(of);
    const result = M.svd({ rank: Math.min(4, reference.singularValues.length) });
    const all = [...reference.singularValues, ...(M.mdim < Math.min(M.ldim, M.rdim) ? [0] : [])];
    vectorAt(result.S as Tensor).forEach((s, i) => {
      const nearest = Math.min(...all.map((sigma) => Math.abs(sigma - s)));
      expect(nearest, `${reference.name} ${dtypeOf(of.A)} ${i}`).toBeLessThanOrEqual(result.residuals.get(i));
    });
  }
});

describe('options', () => {
  const M = factored(18, [5, 3, 4]);

  it.each([
    [{ rank: 4 }, 'rank: expected an integer from 0 to 3'],
    [{ rank: 1, tol: 1 }, 'one of rank, tol and energy, got rank and tol'],
    [{ energy: 2 }, 'energy: expected a number from 0 to 1'],
    [{ rank: 1, method: 'gram' }, 'all singular values of a product are computed'],
    [{ rank: 1, certify: true }, 'all singular values of a product are computed'],
    [{ rank: 1, accuracy: 1e-3 }, 'all singular values of a product are computed'],
    [{ rank: 1, seed: 1 }, 'all singular values of a product are computed'],
    [{ tol: 1, algorithm: 'three-svd' }, "'three-svd' takes neither rank, tol, energy nor"],
  ])('%j is ERR_SVD_ARGUMENT', async (options, message) => {
    checkError(
      errorOf(() => M.svd(options as object)),
      'ERR_SVD_ARGUMENT',
      message,
    );
    checkError(
      errorOf(() => svd(M, options as object)),
      'ERR_SVD_ARGUMENT',
      message,
    );
    await expect(svdAsync(M, options as object)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
  });
});

it('a rank of −0 is 0', () => {
  const M = new FactoredMatrix([[1], [2]], [[3, 4]]);
  const shapes = [M.svd({ rank: -0 }).U, M.truncate(-0).A, M.getCorner(-0), lowRank(M, { rank: -0 }).A];
  expect(shapes.map(({ shape }) => shape)).toEqual([[2, 0], [2, 0], [0, 0], [2, 0]]); // biome-ignore format: shapes
});

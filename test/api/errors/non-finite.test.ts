import { describe, expect, it } from 'vitest';
import {
  dist,
  distAsync,
  FactoredMatrix,
  matmul,
  svd,
  svdAsync,
  svdLegacy,
  svdvals,
  svdvalsAsync,
  transpose,
} from '../../../lib/index.ts';
import { checkError, errorOf, indices, rejectionOf } from '../../support/checks.ts';
import { array, randomMatrix, randomProduct } from '../../support/matrices.ts';
import { product, withElement } from '../../support/wrong-arguments.ts';

const nonFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

describe('ERR_SVD_NON_FINITE', () => {
  const everywhere = (shape: number[]) =>
    indices(shape).flatMap((index) => nonFinite.map((value) => [index, value] as const));

  it('names the position of NaN and ±Inf at every place of a matrix, in every function', () => {
    for (const shape of [
      [3, 4],
      [9, 2],
    ]) {
      const x = randomMatrix(3, shape);
      for (const [index, value] of everywhere(shape)) {
        const bad = withElement(x, index, value);
        for (const f of [
          () => svd(bad),
          () => svdvals(bad),
          () => svdLegacy(bad),
          () => svd(bad, { fullMatrices: true }),
          () => dist(bad, x),
          () => dist(x, bad),
        ]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', `[${index.join(', ')}]`, 'finite');
          expect(error.index).toEqual(index);
          expect(error.batchIndex).toBeUndefined();
        }
      }
    }
  });

  it('also in float32, for which an Inf may be an overflow of float64', () => {
    const x = array([1, 2, 3, 1e39], [2, 2], 'float32');
    expect(errorOf(() => svd(x)).index).toEqual([1, 1]);
    const m = new FactoredMatrix(x, [[1], [1]]);
    expect(errorOf(() => m.svd()).index).toEqual([1, 1]);
  });

  it('names positions in the view, not in its memory: transposed, reversed, sliced', () => {
    const x = randomMatrix(4, [4, 3]);
    for (const [[i, j], value] of everywhere([4, 3])) {
      const bad = withElement(x, [i, j], value);
      expect(errorOf(() => svd(bad.transpose(1, 0))).index).toEqual([j, i]);
      expect(errorOf(() => svd(bad.step(-1, 1))).index).toEqual([3 - i, j]);
      if (i > 0) expect(errorOf(() => svd(bad.lo(1, 0))).index).toEqual([i - 1, j]);
      const B = randomMatrix(5, [4, 2]);
      expect(errorOf(() => new FactoredMatrix(bad.transpose(1, 0), B).svd()).index).toEqual([j, i]);
      expect(errorOf(() => new FactoredMatrix(B.transpose(1, 0), bad).svd()).index).toEqual([i, j]);
    }
  });

  it('reports the first one in row-major order', () => {
    const x = withElement(withElement(randomMatrix(6, [3, 3]), [2, 0], Number.NaN), [0, 2], Number.NaN);
    expect(errorOf(() => svd(x)).index).toEqual([0, 2]);
    expect(errorOf(() => svd(transpose(x))).index).toEqual([0, 2]);
    const eye = randomMatrix(7, [3, 3]);
    expect(errorOf(() => new FactoredMatrix(x, eye).svd()).index).toEqual([0, 2]);
    expect(errorOf(() => new FactoredMatrix(eye, x).svd()).index).toEqual([0, 2]);
    expect(errorOf(() => matmul(x, eye)).index).toEqual([0, 2]);
    expect(errorOf(() => matmul(eye, x)).index).toEqual([0, 2]);
    expect(errorOf(() => dist(x, eye)).index).toEqual([0, 2]);
  });

  it('names the item of a batch as well', () => {
    const x = randomMatrix(8, [2, 3, 3, 2]);
    for (const index of indices([2, 3, 3, 2])) {
      const error = errorOf(() => svd(withElement(x, index, Number.NaN)));
      checkError(error, 'ERR_SVD_NON_FINITE', `batch item [${index.slice(0, 2).join(', ')}]`);
      expect(error.batchIndex).toEqual(index.slice(0, 2));
      expect(error.index).toEqual(index.slice(2));
    }
  });

  it('of a factor: which one, and where in it, for every member that computes', () => {
    for (const [l, k, r] of [
      [5, 2, 4],
      [2, 5, 3],
      [3, 3, 3],
    ]) {
      const { A, B } = randomProduct(9, [l, k, r]);
      for (const [index, value] of everywhere([l, k])) {
        const m = new FactoredMatrix(withElement(A, index, value), B);
        for (const f of [
          () => m.svd(),
          () => m.svdvals(),
          () => m.norm(),
          () => m.pinv(),
          () => m.makeEven(),
        ]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', /^A: /);
          expect(error.index).toEqual(index);
        }
        for (const f of [() => m.svd({ algorithm: 'three-svd' }), () => m.AB]) {
          expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        }
      }
      for (const [index, value] of everywhere([k, r])) {
        const m = new FactoredMatrix(A, withElement(B, index, value));
        for (const f of [() => m.svd(), () => m.svdvals(), () => m.norm(), () => m.rank(), () => m.cond()]) {
          const error = errorOf(f);
          checkError(error, 'ERR_SVD_NON_FINITE', /^B: /);
          expect(error.index).toEqual(index);
        }
        for (const f of [() => m.svd({ algorithm: 'three-svd' }), () => m.AB]) {
          expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
        }
      }
    }
  });

  it('of a factor beside a zero factor: 0·NaN is not 0', () => {
    const zero = array(new Array(6).fill(0), [3, 2]);
    const bad = array([1, Number.NaN, 3, 4], [2, 2]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).svd()).index).toEqual([0, 1]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).norm()).index).toEqual([0, 1]);
    expect(errorOf(() => new FactoredMatrix(zero, bad).AB).index).toEqual([0, 1]);
    expect(errorOf(() => matmul(zero, bad)).index).toEqual([0, 1]);
    expect(errorOf(() => dist(new FactoredMatrix(zero, bad), zero)).index).toEqual([0, 1]);
  });

  it('of broadcast factors: the item of the product', () => {
    const { A } = randomProduct(10, [3, 2, 3], 'float64', [2, 1]);
    const { B } = randomProduct(11, [3, 2, 3], 'float64', [3]);
    const badA = new FactoredMatrix(withElement(A, [1, 0, 2, 1], Number.NaN), B);
    expect(errorOf(() => badA.svd())).toMatchObject({ index: [2, 1], batchIndex: [1, 0] });
    const badB = new FactoredMatrix(A, withElement(B, [2, 0, 1], Number.NaN));
    expect(errorOf(() => badB.svd())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
    expect(errorOf(() => badB.norm())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
    expect(errorOf(() => badB.eigenvalues())).toMatchObject({ index: [0, 1], batchIndex: [0, 2] });
  });

  it('in matmul: every place of both operands, matrices and vectors', () => {
    const [x, y] = [randomMatrix(12, [3, 4]), randomMatrix(13, [4, 2])];
    for (const [index, value] of everywhere([3, 4])) {
      expect(errorOf(() => matmul(withElement(x, index, value), y))).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index,
      });
    }
    for (const [index, value] of everywhere([4, 2])) {
      expect(errorOf(() => matmul(x, withElement(y, index, value)))).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index,
      });
    }
    const vector = randomMatrix(14, [4]);
    for (const [index, value] of everywhere([4])) {
      const bad = withElement(vector, index, value);
      for (const f of [
        () => matmul(x, bad),
        () => matmul(bad, y),
        () => matmul(bad, vector),
        () => matmul(vector, bad),
      ]) {
        expect(errorOf(f)).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
    }
  });

  it('in a product with a FactoredMatrix, at once or when it is decomposed, but always', () => {
    const m = product(5, 2, 4);
    for (const [index, value] of everywhere([4, 3])) {
      const bad = withElement(randomMatrix(15, [4, 3]), index, value);
      expect(errorOf(() => (m.matmul(bad) as FactoredMatrix).svd()).code).toBe('ERR_SVD_NON_FINITE');
      expect(errorOf(() => (m.T.rmatmul(transpose(bad)) as FactoredMatrix).svd()).code).toBe(
        'ERR_SVD_NON_FINITE',
      );
    }
    for (const value of nonFinite) {
      expect(errorOf(() => m.matmul([1, 2, value, 4])).code).toBe('ERR_SVD_NON_FINITE');
      expect(errorOf(() => m.rmatmul([1, 2, value, 4, 5])).code).toBe('ERR_SVD_NON_FINITE');
    }
  });

  it('in dist: the position in the operand that has it', () => {
    const [m, other] = [product(4, 2, 3), product(4, 3, 3)];
    for (const [name, x] of [
      ['FactoredMatrix', other],
      ['dense', other.AB],
    ] as const) {
      for (const index of indices([4, 2])) {
        const bad = new FactoredMatrix(withElement(m.A, index, Number.NaN), m.B);
        for (const f of [() => dist(bad, x), () => dist(x, bad)])
          expect(errorOf(f), name).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
      for (const index of indices([2, 3])) {
        const bad = new FactoredMatrix(m.A, withElement(m.B, index, Number.NaN));
        for (const f of [() => dist(bad, x), () => dist(x, bad)])
          expect(errorOf(f), name).toMatchObject({ code: 'ERR_SVD_NON_FINITE', index });
      }
    }
  });

  it('in 16-bit floats', () => {
    const data = Uint16Array.of(0x3c00, 0x7c00, 0, 0x3c00);
    expect(errorOf(() => svd({ data, shape: [2, 2], dtype: 'float16' })).index).toEqual([0, 1]);
    expect(
      errorOf(() => svd({ data: Uint16Array.of(0x3f80, 0, 0x7fc0, 0), shape: [2, 2], dtype: 'bfloat16' }))
        .index,
    ).toEqual([1, 0]);
  });

  it('off the event loop too', async () => {
    const x = withElement(randomMatrix(16, [2, 4, 3]), [1, 2, 0], Number.POSITIVE_INFINITY);
    const m = new FactoredMatrix(x, randomMatrix(17, [3, 4]));
    const rejections = [
      svdAsync(x),
      svdvalsAsync(x),
      distAsync(x, randomMatrix(18, [4, 3])),
      m.svdAsync(),
      m.svdvalsAsync(),
      m.normAsync(),
      m.eigenvaluesAsync(),
      m.svdAsync({ algorithm: 'three-svd' }),
    ].map(rejectionOf);
    for (const error of await Promise.all(rejections)) {
      expect(error).toMatchObject({
        code: 'ERR_SVD_NON_FINITE',
        index: [2, 0],
        batchIndex: [1],
      });
    }
  });

  it('does not concern what a view leaves out', () => {
    const x = withElement(randomMatrix(19, [4, 4]), [3, 3], Number.NaN);
    expect(() => svd(x.hi(3, 4))).not.toThrow();
    expect(() => svd(x.hi(4, 3))).not.toThrow();
  });
});

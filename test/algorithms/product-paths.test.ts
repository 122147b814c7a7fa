import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { FactorDriver } from '../../lib/algorithms/result.ts';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import { checkSameSpectrum, checkSvd, vectorAt } from '../support/checks.ts';
import { factoredOf } from '../support/factored.ts';
import {
  array,
  dtypes,
  gradedProduct,
  mapMatrix,
  type Product,
  powersOfTwo,
  randomProduct,
  shuffled,
} from '../support/matrices.ts';
import { driverUnder, factorDrivers, paths } from '../support/paths.ts';
import { checkProduct, relativeError } from '../support/products.ts';

describe('every QR decomposition of a tall factor', () => {
  const forced = ({ A, B }: Product, force?: FactorDriver) => runSync(productSvd(A, B, { force }));

  /** The inner dimension of random factors made nearly orthogonal: every path can be taken. */
  const wellConditioned = ({ A, B }: Product): Product => {
    const k = B.shape.at(-2)!;
    return {
      A: mapMatrix(A, (x, i, j) => (i % k === j ? x + 4 : x)),
      B: mapMatrix(B, (x, i, j) => (j % k === i ? x + 4 : x)),
    };
  };

  it.each(paths.flatMap((path) => dtypes.map((dtype) => ({ path, dtype }))))(
    '$path gives the decomposition, in $dtype, of one matrix and of a batch',
    ({ path, dtype }) => {
      for (const of of [
        randomProduct(30, [20, 6, 15], dtype),
        randomProduct(31, [9, 4, 30], dtype, [2, 3]),
        randomProduct(32, [1100, 3, 4], dtype),
        randomProduct(33, [2, 1, 2], dtype),
      ].map(wellConditioned)) {
        const result = forced(of, path);
        checkSvd(of, result);
        const [l, k, r] = [of.A.shape.at(-2)!, of.A.shape.at(-1)!, of.B.shape.at(-1)!];
        for (const driver of factorDrivers(result.driver))
          expect(driver).toEqual([driverUnder(path, l, k, dtype), driverUnder(path, r, k, dtype)]);
      }
    },
  );

  it('they agree within their bounds, and on graded products relatively', () => {
    const d = shuffled(5, powersOfTwo(6, -40, 40));
    const of = gradedProduct(34, 20, 15, d, d);
    const [first, ...others] = paths.map((path) => Float64Array.from(forced(of, path).S.data));
    for (const other of others) expect(relativeError('float64', other, first)).toBeLessThanOrEqual(1);
  });

  // 1, 1 + δ·x: two columns at an angle of about δ, which equilibration cannot mend.
  const nearlyDependent = (dtype: Dtype, delta: number): Product => {
    const { A, B } = randomProduct(35, [30, 5, 20], dtype);
    return { A: mapMatrix(A, (x, i, j) => (j === 4 ? A.get(i, 0) + delta * x : x)), B };
  };

  it.each(
    dtypes.flatMap((dtype) => [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 0].map((delta) => ({ dtype, delta }))),
  )('nearly dependent columns take the path that they need: angle $delta, $dtype', ({ dtype, delta }) => {
    const of = nearlyDependent(dtype, delta);
    checkProduct(of);
    checkProduct({ A: of.B.transpose(1, 0), B: of.A.transpose(1, 0) });
  });

  it('an easy and a difficult item of one batch take different paths, and both are right', () => {
    const items = [
      nearlyDependent('float64', 1),
      nearlyDependent('float64', 0),
      nearlyDependent('float64', 1e-6),
    ];
    const stack = (xs: Tensor[]) =>
      array(
        xs.flatMap((x) => Array.from(x.data)),
        [3, ...xs[0].shape],
      );
    const of = { A: stack(items.map(({ A }) => A)), B: stack(items.map(({ B }) => B)) };
    checkProduct(of);
    const driver = factoredOf(of).svd().driver as string[];
    expect(new Set(driver.map((path) => path.split('/')[0])).size).toBeGreaterThan(1);
    items.forEach((item, i) => {
      expect(factoredOf(item).svd().driver).toBe(driver[i]);
    });
  });

  it('an item has the singular values in a batch that it has alone', () => {
    const of = randomProduct(36, [40, 5, 30], 'float64', [4]);
    const all = factoredOf(of).svd();
    for (let i = 0; i < 4; i++) {
      const alone = new FactoredMatrix(of.A.pick(i, null, null), of.B.pick(i, null, null)).svd();
      const [tau, own] = [(all.bound as Tensor).get(i), alone.bound as number];
      expect(tau).toBe(own);
      checkSameSpectrum('float64', vectorAt(all.S, [i]), alone.S.data, tau, own);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { Driver, Svd } from '../../lib/algorithms/result.ts';
import { type Dtype, epsilon, type Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { bits, checkSameSpectrum, matrixAt, norm, vectorAt } from '../support/checks.ts';
import {
  array,
  gradedProduct,
  integerMatrix,
  mapMatrix,
  type Product,
  powersOfTwo,
  randomMatrix,
  shuffled,
} from '../support/matrices.ts';
import { factorDrivers, isForced, paths } from '../support/paths.ts';
import { statedBound, stored } from '../support/products.ts';
import {
  denseReferences,
  gradedReferences,
  type ProductReference,
  productReferences,
} from '../support/references.ts';

const kinds = ['thin', 'none'] as const;

const references = [...productReferences, ...gradedReferences];
const isDiagonal = ({ name }: ProductReference) => /well conditioned|gauge|graded|factors|:/.test(name);
const diagonal = references.filter(isDiagonal);
const others = references.filter((reference) => !isDiagonal(reference));

/** The decomposition of one product on every path, with vectors and without. */
function everyWay({ A, B }: Product): { way: string; result: Svd }[] {
  return paths.flatMap((force) =>
    kinds.map((vectors) => ({
      way: `${force}, vectors: ${vectors}`,
      result: runSync(productSvd(A, B, { force, vectors })),
    })),
  );
}

/** Relative accuracy of a singular value that is compared with an exact one. */
const accuracy = (dtype: Dtype): number => bounds.relativeSingularValues(dtype, dtype) / 2;

/** |s − t|/t, the largest. */
function relativeError(s: ArrayLike<number>, exact: ArrayLike<number>): number {
  expect(s.length, 'number of singular values').toBe(exact.length);
  return Array.from(exact).reduce((worst, t, j) => Math.max(worst, Math.abs(s[j] - t) / t), 0);
}

/** |s − t|, the largest. */
const absoluteError = (s: ArrayLike<number>, exact: ArrayLike<number>): number =>
  Array.from(exact).reduce((worst, t, j) => Math.max(worst, Math.abs(s[j] - t)), 0);

/** That `bound` is what is stated, but for the rounding of the norms. */
function checkBound(
  result: Pick<Svd, 'bound' | 'driver' | 'S'>,
  { name, dtype, A, B, beta }: ProductReference,
): void {
  const [stated, bound] = [statedBound(dtype, beta, result), result.bound as number];
  const rounding = ((A.shape[0] + A.shape[1] + B.shape[1]) * epsilon('float64') * stated) / 4;
  expect(Math.abs(bound - stated), `bound of ${name}`).toBeLessThanOrEqual(rounding);
}

describe('products whose bad scaling is diagonal', () => {
  it.each(diagonal)('every singular value has its digits on every path: $name', (reference) => {
    for (const { way, result } of everyWay(stored(reference))) {
      const error = relativeError(result.S.data, reference.singularValues);
      expect(error, way).toBeLessThanOrEqual(accuracy(reference.dtype));
    }
  });

  it('an error of twice that in the smallest singular value would be seen', () => {
    const { singularValues } = diagonal[0];
    const last = singularValues.length - 1;
    const wrong = singularValues.map((s, j) => (j === last ? s * (1 + 2 * accuracy('float64')) : s));
    expect(relativeError(wrong, singularValues)).toBeGreaterThan(accuracy('float64'));
  });

  it('as many rows as make several blocks: A 64 times below itself has 8 times the singular values', () => {
    for (const reference of gradedReferences.filter(({ name }) => /tall, k = 32/.test(name))) {
      const { A, B } = stored(reference);
      const [l, k] = A.shape;
      const data = Array.from({ length: 64 * l * k }, (_, e) => A.data[e % (l * k)]);
      const exact = reference.singularValues.map((s) => 8 * s);
      for (const { way, result } of everyWay({ A: array(data, [64 * l, k], reference.dtype), B })) {
        const error = relativeError(result.S.data, exact);
        expect(error, `${reference.name}, ${way}`).toBeLessThanOrEqual(accuracy(reference.dtype));
      }
    }
  });

  const geometric = (range: number) => {
    const left = powersOfTwo(136, 0, range);
    return { left, right: shuffled(62, left) };
  };

  const twoLevels = Array.from({ length: 200 }, (_, j) => (j % 4 === 0 ? 2 ** 9 : 1));

  // No 60-digit references of this size: the values without vectors, in float64, stand for them.
  describe.each([
    ['over 2^4', geometric(4)],
    ['over 2^10', geometric(10)],
    ['over 2^19', geometric(19)],
    ['over 2^40', geometric(40)],
    ['1 or 2^9', { left: twoLevels, right: twoLevels.map(() => 1) }],
  ] as const)('with a core above 128, D %s', (_, { left, right }) => {
    const of = gradedProduct(61, 400, 400, left, right, 'float32');
    const wide = { A: array(of.A.data, of.A.shape), B: array(of.B.data, of.B.shape) };
    const exact = runSync(productSvd(wide.A, wide.B, { vectors: 'none', force: 'householder' })).S.data;

    it.each([
      ['float64', wide],
      ['float32', of],
    ] as const)('every way gives the same digits: %s', (dtype, { A, B }) => {
      for (const { way, result } of everyWay({ A, B })) {
        const error = relativeError(result.S.data, exact);
        expect(error, way).toBeLessThanOrEqual(bounds.relativeSingularValues(dtype, 'float64'));
      }
    });
  });
});

describe('all products', () => {
  it.each(references)('every singular value is within its bound on every path: $name', (reference) => {
    const { dtype, singularValues } = reference;
    for (const { way, result } of everyWay(stored(reference))) {
      const tau = bounds.singularValues(dtype, result.bound as number, 0);
      expect(absoluteError(result.S.data, singularValues), way).toBeLessThanOrEqual(tau);
    }
  });

  it.each(references)('bound is 4εβ, or less where float64 computes: $name', (reference) => {
    const { A, B } = stored(reference);
    checkBound(new FactoredMatrix(A, B).svd(), reference);
  });

  it.each([8, 32, 128, 300])('%d equal columns times equal rows: within 4εβ of k·‖a‖·‖b‖ and 0', (k) => {
    const [a, b] = [integerMatrix(71, [400, 1]), integerMatrix(72, [1, 350])];
    const A = mapMatrix(randomMatrix(0, [400, k]), (_, i) => a.get(i, 0));
    const B = mapMatrix(randomMatrix(0, [k, 350]), (_, __, j) => b.get(0, j));
    const largest = k * norm(Array.from(a.data)) * norm(Array.from(b.data));
    const exact = Array.from({ length: k }, (_, j) => (j === 0 ? largest : 0));
    for (const { way, result } of everyWay({ A, B })) {
      const tau = bounds.singularValues('float64', result.bound as number, 0);
      expect(absoluteError(result.S.data, exact), way).toBeLessThanOrEqual(tau);
    }
  });

  it('there are some whose bad scaling is not diagonal, in both dtypes', () => {
    const names = others.map(({ name }) => name).join('; ');
    for (const kind of ['cancellation', 'dependent', 'repeated', 'clusters']) expect(names).toContain(kind);
    expect(new Set(others.map(({ dtype }) => dtype))).toEqual(new Set(['float64', 'float32']));
  });

  it.each(references)('driver names the path that was forced, or a slower one: $name', (reference) => {
    const { A, B } = stored(reference);
    const tall = [A.shape[0] > A.shape[1], B.shape[1] > B.shape[0]];
    for (const force of paths) {
      const { driver } = runSync(productSvd(A, B, { force }));
      const [left, right] = factorDrivers(driver)[0];
      for (const [taken, isTall] of [
        [left, tall[0]],
        [right, tall[1]],
      ] as const) {
        if (isTall) expect(isForced(taken, force), driver as string).toBe(true);
        else expect([...paths, 'direct']).toContain(taken);
      }
    }
  });
});

describe('the composition of three SVDs', () => {
  const three = ({ A, B }: Product): Svd => new FactoredMatrix(A, B).svd({ algorithm: 'three-svd' });
  // Of float32 factors this small each SVD is computed in float64, and loses no more than the rounding of its results.
  const named = (pattern: RegExp) =>
    references.filter(({ name, dtype }) => dtype === 'float64' && pattern.test(name));

  const graded = named(/both ascending|: permuted|, permuted$|A alone|B alone|two levels/);
  it.each(graded)('loses the digits of small singular values: $name', (reference) => {
    const error = relativeError(three(stored(reference)).S.data, reference.singularValues);
    expect(error).toBeGreaterThan(accuracy(reference.dtype));
  });

  const gauged = named(/gauge 1/);
  it.each(gauged)('is wrong by more than 4εβ where the inner dimension is rescaled: $name', (reference) => {
    const bound = bounds.singularValues(reference.dtype, 4 * epsilon(reference.dtype) * reference.beta, 0);
    const error = absoluteError(three(stored(reference)).S.data, reference.singularValues);
    expect(error).toBeGreaterThan(bound);
  });

  it('these are cases of every shape', () => {
    expect(graded.length).toBeGreaterThan(30);
    expect(gauged.length).toBeGreaterThan(15);
  });
});

describe('batches', () => {
  const sameShape = productReferences.filter(
    ({ dtype, A, B }) => dtype === 'float64' && String([...A.shape, ...B.shape]) === '12,6,6,10',
  );

  it('every item has its own bound and driver, and the accuracy that it has alone', () => {
    const stack = (part: 'A' | 'B') => sameShape.flatMap((reference) => Array.from(reference[part].data));
    const n = sameShape.length;
    const all = new FactoredMatrix(array(stack('A'), [n, 12, 6]), array(stack('B'), [n, 6, 10])).svd();
    expect((all.bound as Tensor).shape).toEqual([n]);
    expect(all.driver).toHaveLength(n);
    sameShape.forEach((reference, i) => {
      const { A, B } = stored(reference);
      const bound = (all.bound as Tensor).get(i);
      const S = all.S.data.subarray(6 * i, 6 * i + 6);
      checkBound({ bound, driver: (all.driver as readonly Driver[])[i], S: array(S, [6]) }, reference);
      expect(all.driver[i], reference.name).toBe(new FactoredMatrix(A, B).svd().driver);
      checkSameSpectrum('float64', S, reference.singularValues, bound, 0);
      if (isDiagonal(reference))
        expect(relativeError(S, reference.singularValues), reference.name).toBeLessThanOrEqual(
          accuracy('float64'),
        );
    });
    expect(new Set(all.driver).size).toBeGreaterThan(1);
  });

  it('a graded item does not change the bits of the others', () => {
    for (const size of ['8,8', '28,28', '40,32']) {
      const own = gradedReferences.filter(
        ({ name, dtype, A }) => dtype === 'float64' && String(A.shape) === size && !/square:/.test(name),
      );
      const [easy, graded] = [/well conditioned/, /both descending/].map(
        (name) => own.find((x) => name.test(x.name))!,
      );
      const [l, k, r] = [...easy.A.shape, easy.B.shape[1]];
      const A = array([...easy.A.data, ...graded.A.data], [2, l, k]);
      const B = array([...easy.B.data, ...graded.B.data], [2, k, r]);
      const [both, alone] = [
        new FactoredMatrix(A, B).svd(),
        new FactoredMatrix(stored(easy).A, stored(easy).B).svd(),
      ];
      expect(both.driver[0], size).toBe(alone.driver);
      expect(bits(array(matrixAt(both.U, [0]).flat(), alone.U.shape)), size).toBe(bits(alone.U));
      expect(bits(array(vectorAt(both.S, [0]), alone.S.shape)), size).toBe(bits(alone.S));
    }
  });

  it('of plain matrices have the bound of a plain matrix, per item', () => {
    const own = denseReferences.filter(
      ({ matrix, dtype }) => dtype === 'float64' && String(matrix.shape) === '8,6',
    );
    const data = own.flatMap(({ matrix }) => Array.from(matrix.data));
    const { S, bound, driver } = svd(array(data, [own.length, 8, 6]));
    expect(driver).toHaveLength(own.length);
    own.forEach(({ singularValues }, i) => {
      const item = S.data.subarray(6 * i, 6 * i + 6);
      const itemBound = (bound as Tensor).get(i);
      checkSameSpectrum('float64', item, singularValues, itemBound, 0);
      expect(itemBound).toBe(bounds.denseBound('float64', 8, 6, item[0], 'gesdd-blocked'));
    });
  });
});

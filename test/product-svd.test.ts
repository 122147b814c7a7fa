import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { productSvd } from '../lib/algorithms/product.ts';
import type { Driver, FactorDriver } from '../lib/algorithms/result.ts';
import type { Dtype, Tensor } from '../lib/array/tensor.ts';
import { FactoredMatrix } from '../lib/index.ts';
import { runSync } from '../lib/native/steps.ts';
import * as bounds from '../lib/testing/bounds.ts';
import {
  allBits,
  betaOf,
  checkSameSpectrum,
  checkSvd,
  dtypeOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  norm,
  vectorAt,
} from './support/checks.ts';
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
  scaleColumnsBy,
  scaleRowsBy,
  shuffled,
} from './support/matrices.ts';
import { driverUnder, factorDrivers, paths } from './support/paths.ts';
import { statedBound } from './support/product-bound.ts';
import { gradedReferences, type ProductReference, productReferences } from './support/references.ts';

const dtypes: Dtype[] = ['float64', 'float32'];
const factored = ({ A, B }: Product) => new FactoredMatrix(A, B);
const stored = ({ A, B, dtype }: ProductReference): Product => ({
  A: array(A.data, A.shape, dtype),
  B: array(B.data, B.shape, dtype),
});

/** Checks the decomposition of a product, and that `svdvals` and `norm` agree with it. */
function checkProduct(of: Product): void {
  const m = factored(of);
  const alone = new FactoredMatrix(of.A, of.B).svdvals();
  const norm = new FactoredMatrix(of.A, of.B).norm();
  const result = m.svd();
  checkSvd(of, result);
  const at = (x: number | Tensor, index: number[]) => (typeof x === 'number' ? x : x.get(...index));
  for (const index of indices(m.shape.slice(0, -2))) {
    const tau = at(result.bound, index);
    checkSameSpectrum(dtypeOf(m.A), vectorAt(alone, index), vectorAt(result.S, index), tau, tau);
    const M = multiplyRows(matrixAt(m.A, index), matrixAt(m.B, index), m.rdim);
    const beta = betaOf(matrixAt(m.A, index), matrixAt(m.B, index));
    const close = bounds.reconstruction(dtypeOf(m.A), frobenius(M), m.ldim, m.rdim, beta);
    expect(Math.abs(at(norm, index) - frobenius(M)), 'norm').toBeLessThanOrEqual(close);
  }
}

/** |s − t|/t of every singular value as a multiple of its bound, the largest: relative accuracy. */
function relativeError(dtype: Dtype, s: ArrayLike<number>, exact: Float64Array): number {
  const bound = bounds.relativeSingularValues(dtype, dtype);
  return exact.reduce((worst, t, j) => Math.max(worst, Math.abs(s[j] - t) / t / bound), 0);
}

describe('every order of l, k and r', () => {
  const dimension = fc.integer({ min: 0, max: 7 });

  it('from 0 to 7, with batches that broadcast, in both dtypes', () => {
    const leading = fc.constantFrom<[number[], number[]]>(
      [[], []],
      [[], []],
      [[2], []],
      [[2, 1], [3]],
      [[1], [2]],
      [[0], []],
    );
    const cases = fc.record({
      l: dimension,
      k: dimension,
      r: dimension,
      leading,
      seed: fc.nat(),
      dtype: fc.constantFrom(...dtypes),
    });
    fc.assert(
      fc.property(cases, ({ l, k, r, leading: [a, b], seed, dtype }) => {
        const A = randomMatrix(seed, [...a, l, k], dtype);
        const B = randomMatrix(seed + 1, [...b, k, r], dtype);
        checkProduct({ A, B });
        const m = new FactoredMatrix(A, B);
        expect(m.S.shape.at(-1)).toBe(Math.min(l, k, r));
      }),
      { seed: 5, numRuns: 250 },
    );
  });

  it.each([
    [300, 6, 40],
    [40, 6, 300],
    [6, 300, 40],
    [40, 300, 6],
    [150, 70, 66],
    [66, 70, 150],
    [600, 3, 520],
  ])('%d×%d times it×%d', (l, k, r) => {
    for (const dtype of dtypes) checkProduct(randomProduct(1, [l, k, r], dtype));
  });

  it('0 and 1 in every place', () => {
    for (const l of [0, 1, 3])
      for (const k of [0, 1, 3]) for (const r of [0, 1, 3]) checkProduct(randomProduct(2, [l, k, r]));
  });
});

describe('bound and driver', () => {
  it('bound is 4εβ with β = Σ‖a_j‖·‖b_j‖, or less where float64 computes, per item', () => {
    for (const dtype of dtypes) {
      const { A, B } = randomProduct(3, [5, 3, 4], dtype, [2, 3]);
      const result = factored({ A, B }).svd();
      const bound = result.bound as Tensor;
      expect(bound.shape).toEqual([2, 3]);
      for (const index of indices([2, 3])) {
        const beta = betaOf(matrixAt(A, index), matrixAt(B, index));
        const S = array(vectorAt(result.S, index), [3], dtype);
        const expected = statedBound(dtype, beta, { driver: (result.driver as readonly Driver[])[0], S });
        expect(Math.abs(bound.get(...index) - expected)).toBeLessThanOrEqual(
          bounds.reconstruction('float64', expected, 1, 1),
        );
      }
    }
  });

  it('driver names the way of both factors and the routine of the core: a tall factor has a QR decomposition', () => {
    const qr = '(cholesky|cholesky2|householder)';
    for (const [l, k, r, path] of [
      [5, 3, 4, `${qr}/${qr}/gesdd-blocked`],
      [5, 4, 3, `${qr}/direct/gesdd-blocked`],
      [3, 4, 5, `direct/${qr}/gesdd-blocked`],
      [3, 4, 3, 'direct/direct/gesdd-blocked'],
    ] as const) {
      expect(factored(randomProduct(4, [l, k, r])).svd().driver).toMatch(new RegExp(`^${path}$`));
      const batch = factored(randomProduct(4, [l, k, r], 'float64', [2, 3])).svd().driver as string[];
      expect(batch).toHaveLength(6);
      for (const one of batch) expect(one).toMatch(new RegExp(`^${path}$`));
      expect(Object.isFrozen(batch)).toBe(true);
    }
  });
});

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
    const driver = factored(of).svd().driver as string[];
    expect(new Set(driver.map((path) => path.split('/')[0])).size).toBeGreaterThan(1);
    items.forEach((item, i) => {
      expect(factored(item).svd().driver).toBe(driver[i]);
    });
  });

  it('an item has the singular values in a batch that it has alone', () => {
    const of = randomProduct(36, [40, 5, 30], 'float64', [4]);
    const all = factored(of).svd();
    for (let i = 0; i < 4; i++) {
      const alone = new FactoredMatrix(of.A.pick(i, null, null), of.B.pick(i, null, null)).svd();
      const [tau, own] = [(all.bound as Tensor).get(i), alone.bound as number];
      expect(tau).toBe(own);
      checkSameSpectrum('float64', vectorAt(all.S, [i]), alone.S.data, tau, own);
    }
  });
});

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
        const [before, after] = [factored(of).svd(), factored(scaled).svd()];
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
      expect(allBits(factored(scaled).svd())).toEqual(allBits(factored(of).svd()));
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
    const [before, after] = [factored(of).svd(), factored(scaled).svd()];
    const three = factored(scaled).svd({ algorithm: 'three-svd' });
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
    const [s, t] = [factored(of).svd(), factored(permuted).svd()];
    checkSameSpectrum('float64', s.S.data, t.S.data, s.bound as number, t.bound as number);
  });
});

describe('against 60-digit arithmetic', () => {
  it.each([...productReferences, ...gradedReferences])(
    'errors are below `bound`, and `bound` is what is stated: $name',
    (reference) => {
      const { dtype, singularValues, norm, beta } = reference;
      const of = stored(reference);
      const result = factored(of).svd();
      checkSvd(of, result);
      const expected = statedBound(dtype, beta, result);
      expect(Math.abs((result.bound as number) - expected)).toBeLessThanOrEqual(
        bounds.reconstruction('float64', expected, 1, 1),
      );
      checkSameSpectrum(dtype, result.S.data, singularValues, result.bound as number, 0);
      checkSameSpectrum(dtype, factored(of).svdvals().data, singularValues, result.bound as number, 0);
      const close = bounds.singularValues(dtype, result.bound as number, 0);
      expect(Math.abs((factored(of).norm() as number) - norm)).toBeLessThanOrEqual(close);
    },
  );

  // Products whose bad scaling is diagonal: A = A₀·D₁, B = D₂·B₀ with A₀ and B₀ well conditioned.
  const diagonal = [
    ...productReferences.filter(({ name }) => /gauge|graded/.test(name)),
    ...gradedReferences,
  ];

  it('there are such references in both dtypes', () => {
    expect(diagonal.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'gauge 1 to 1e6',
        'graded, both descending',
        'graded, both ascending',
        'graded, opposite orders',
        'graded, permuted',
        'float32, gauge 1 to 1e6',
        'float32, graded, permuted',
        'float32, graded, opposite orders',
      ]),
    );
  });

  it.each(diagonal)('every singular value is relatively accurate, the small ones too: $name', (reference) => {
    const { dtype, singularValues } = reference;
    const of = stored(reference);
    expect(relativeError(dtype, factored(of).svd().S.data, singularValues)).toBeLessThanOrEqual(1);
    expect(relativeError(dtype, factored(of).svdvals().data, singularValues)).toBeLessThanOrEqual(1);
  });

  it('the three-SVD composition is not: it fails most of these in float64', () => {
    // Of float32 factors this small each SVD is computed in float64.
    const wide = diagonal.filter(({ dtype }) => dtype === 'float64');
    const failed = wide.filter((reference) => {
      const { S } = factored(stored(reference)).svd({ algorithm: 'three-svd' });
      return relativeError(reference.dtype, S.data, reference.singularValues) > 1;
    });
    const names = failed.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['gauge 1 to 1e6', 'graded, both ascending']));
    expect(names.length).toBeGreaterThan(wide.length / 2);
  });

  it('a singular value that is off by one part in a thousand millions is seen', () => {
    const reference = diagonal[0];
    const off = reference.singularValues.map((s, j) => (j === 3 ? s * (1 + 1e-9) : s));
    expect(relativeError('float64', off, reference.singularValues)).toBeGreaterThan(1);
  });
});

describe('graded products', () => {
  it.each([
    ['float64', 80],
    ['float32', 15],
    ['float32', 30], // needs a float64 core
  ] as [Dtype, number][])(
    '%s, 2^±%d: U, S and Vh are a decomposition, and the graded values agree with the transposed',
    (dtype, e) => {
      const left = shuffled(4, powersOfTwo(5, -e, e));
      const of = gradedProduct(9, 12, 10, left, left, dtype);
      const m = factored(of);
      checkProduct(of);
      const turned = m.T.svd().S.data;
      const straight = Float64Array.from(m.S.data);
      expect(relativeError(dtype, turned, straight)).toBeLessThanOrEqual(1);
    },
  );
});

describe('special products', () => {
  it('with zero columns, zero rows and zero factors', () => {
    const of = randomProduct(10, [6, 4, 5]);
    const zeroColumn = { A: scaleColumnsBy(of.A, [1, 0, 1, 1]), B: of.B };
    const zeroRow = { A: of.A, B: scaleRowsBy([0, 1, 1, 0], of.B) };
    const zero = { A: scaleColumnsBy(of.A, [0, 0, 0, 0]), B: of.B };
    for (const x of [zeroColumn, zeroRow, zero, { A: zeroColumn.A, B: zeroRow.B }]) checkProduct(x);
    expect(factored(zero).svd().bound).toBe(0);
    expect(Array.from(factored(zero).S.data)).toEqual([0, 0, 0, 0]);
  });

  it('with a zero pair beside columns of extreme length', () => {
    const of = randomProduct(11, [6, 4, 5]);
    const A = scaleColumnsBy(of.A, [1e300, 0, 1e-300, 1]);
    const B = scaleRowsBy([1e-300, 1e300, 1e300, 1], of.B);
    checkProduct({ A, B });
  });

  it('that cancel completely, or nearly', () => {
    const X = randomMatrix(12, [6, 2]);
    const Y = randomMatrix(13, [2, 5]);
    const A = mapMatrix(array(new Array(24).fill(0), [6, 4]), (_, i, j) => X.get(i, j % 2));
    const B = mapMatrix(
      array(new Array(20).fill(0), [4, 5]),
      (_, i, j) => (i < 2 ? 1 : -1) * Y.get(i % 2, j),
    );
    checkProduct({ A, B });
    expect(factored({ A, B }).rank()).toBe(0);
    const near = mapMatrix(B, (x, i, j) => (i === 3 && j === 4 ? x * (1 + 1e-9) : x));
    checkProduct({ A, B: near });
    expect(factored({ A, B: near }).rank()).toBe(1);
  });

  it('with repeated and clustered spectra', () => {
    for (const sigma of [
      [1, 1, 1, 1],
      [3, 3, 2, 2],
      [1, 1 - 1e-14, 1 - 2e-14, 0.5],
    ]) {
      const of = productWithSpectrum(14, 9, 8, sigma);
      checkProduct(of);
      const { S, bound } = factored(of).svd();
      const built = bounds.reconstruction('float64', Math.hypot(...sigma), 9, 8); // of the rounded factors
      checkSameSpectrum('float64', S.data, sigma, bound as number, built);
    }
  });

  it('of orthogonal factors have every singular value 1', () => {
    const of = { A: orthogonal(15, 12, 6), B: orthogonal(16, 9, 6).transpose(1, 0) };
    const { S, bound } = factored(of).svd();
    checkSameSpectrum('float64', S.data, new Array(6).fill(1), bound as number, bound as number);
  });

  it.each([
    [1e300, 1e-300],
    [1e-300, 1e300],
    [1e-310, 1e300],
    [1e150, 1e150],
    [1e-160, 1e-150],
    [1e-160, 1e-160],
    [1e-200, 1e-200],
    [1e307, 1e-10],
  ])('with factors near %d and %d', (x, y) => {
    const of = randomProduct(17, [7, 3, 5]);
    checkProduct({ A: mapMatrix(of.A, (a) => a * x), B: mapMatrix(of.B, (b) => b * y) });
  });

  it('with columns that are longer than the largest number: the singular values of the same product in another gauge', () => {
    const of = randomProduct(24, [20, 4, 15]);
    /** A·D times D⁻¹·B·2^23, D of 2^e and 2^(23−e) in turns. */
    const gauge = (e: number): Product => ({
      A: mapMatrix(of.A, (a, _, j) => (Math.sign(a) - a / 4) * 2 ** (j % 2 === 0 ? e : 23 - e)),
      B: mapMatrix(of.B, (b, i) => (Math.sign(b) - b / 4) * 2 ** (i % 2 === 0 ? 23 - e : e)),
    });
    const far = gauge(1023);
    const column = Array.from({ length: 20 }, (_, i) => far.A.get(i, 0));
    expect(column.every(Number.isFinite)).toBe(true);
    expect(norm(column)).toBe(Number.POSITIVE_INFINITY);
    const [near, result] = [factored(gauge(10)).svd(), factored(far).svd()];
    checkSvd(gauge(10), result); // the same matrix, and loops that can form it
    checkSameSpectrum('float64', near.S.data, result.S.data, near.bound as number, result.bound as number);
  });

  it.each([
    [1e30, 1e-30],
    [1e-40, 1e30],
    [1e18, 1e18],
    [1e-20, 1e-20],
    [1e-30, 1e-30],
  ])('in float32 with factors near %d and %d', (x, y) => {
    const of = randomProduct(18, [7, 3, 5]);
    checkProduct({
      A: mapMatrix(of.A, (a) => a * x, 'float32'),
      B: mapMatrix(of.B, (b) => b * y, 'float32'),
    });
  });

  it('of views: transposed, reversed and broadcast factors', () => {
    const [X, Y] = [randomMatrix(19, [2, 1, 3, 8]), randomMatrix(20, [4, 7, 3])];
    checkProduct({ A: X.transpose(0, 1, 3, 2).step(1, 1, -1, 1), B: Y.transpose(0, 2, 1).step(-1, 1, -2) });
  });
});

describe('the check of this file', () => {
  const of = randomProduct(21, [8, 3, 6]);
  const result = factored(of).svd();

  it('sees V in place of Vh, a perturbed S, and the decomposition of another product', () => {
    const square = randomProduct(22, [6, 6, 6]);
    const right = factored(square);
    expect(() => checkSvd(square, { U: right.U, S: right.S, Vh: right.V })).toThrow(/reconstruction/);
    const tau = bounds.reconstruction('float64', 0, 8, 6, betaOf(matrixAt(of.A), matrixAt(of.B)));
    const S = array(
      result.S.data.map((s, j) => (j === 1 ? s + 2 * tau : s)),
      [3],
    );
    expect(() => checkSvd(of, { U: result.U, S, Vh: result.Vh })).toThrow(/reconstruction/);
    expect(() => checkSvd(randomProduct(23, [8, 3, 6]), result)).toThrow(/reconstruction/);
  });
});

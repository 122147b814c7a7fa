import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { FactorDriver, Svd } from '../../lib/algorithms/result.ts';
import { type Dtype, epsilon, swapLast, type Tensor } from '../../lib/array/tensor.ts';
import { svd } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  betaOf,
  bits,
  checkSameSpectrum,
  checkSvd,
  matrixAt,
  multiplyRows,
  vectorAt,
} from '../support/checks.ts';
import {
  array,
  dtypes,
  gradedProduct,
  mapMatrix,
  orthogonal,
  type Product,
  powersOfTwo,
  randomMatrix,
  randomProduct,
  rankDeficient,
  scaleColumnsBy,
  scaleRowsBy,
  shuffled,
} from '../support/matrices.ts';
import { factorDrivers, isForced, paths } from '../support/paths.ts';
import { copy, flipU, shiftS } from '../support/variants.ts';

type Shape = readonly [l: number, k: number, r: number];

const shapes: { what: string; shape: Shape }[] = [
  { what: 'both factors tall', shape: [12, 6, 10] },
  { what: 'several blocks in TSQR', shape: [150, 20, 70] },
  { what: 'several blocks in every path', shape: [1100, 6, 9] },
  { what: 'k ≥ r', shape: [40, 12, 8] },
  { what: 'k ≥ l', shape: [8, 12, 40] },
  { what: 'k ≥ l and k ≥ r', shape: [9, 20, 15] },
  { what: 'k ≥ 3·r, the product formed', shape: [60, 20, 6] },
  { what: 'k ≥ 3·l, the product formed', shape: [6, 20, 60] },
];
const exponents = [0, 2, 4, 6, 8, 10];

/** A of condition 10^exponent that no scaling of its columns mends, and a well-conditioned B. */
function conditioned([l, k, r]: Shape, exponent: number, dtype: Dtype): Product {
  const graded = Array.from({ length: k }, (_, j) => 10 ** ((-exponent * j) / (k - 1)));
  const left = matrixAt(scaleColumnsBy(randomMatrix(exponent, [l, k]), graded));
  const A = multiplyRows(left, matrixAt(orthogonal(exponent + 100, k, k)));
  return { A: array(A.flat(), [l, k], dtype), B: randomMatrix(exponent + 200, [k, r], dtype) };
}

/** D of 2^−e … 2^e in no order. */
const scales = (k: number, e: number): number[] => shuffled(k, powersOfTwo(k, -e, e));

const inputs: Record<string, (shape: Shape, dtype: Dtype) => Product> = {
  random: (shape, dtype) => randomProduct(1, shape, dtype),
  ...Object.fromEntries(
    exponents.slice(1).map((e) => [`condition 1e${e}`, (shape, dtype) => conditioned(shape, e, dtype)]),
  ),
  'graded, over 2^8': ([l, k, r], dtype) => gradedProduct(2, l, r, scales(k, 2), scales(k, 2), dtype),
  'graded, over 2^60': ([l, k, r], dtype) => gradedProduct(3, l, r, scales(k, 15), scales(k, 15), dtype),
  'a gauge over 2^40': (shape, dtype) => {
    const { A, B } = randomProduct(4, shape, dtype);
    const d = scales(shape[1], 20);
    const inverse = d.map((x) => 1 / x);
    return { A: scaleColumnsBy(A, d), B: scaleRowsBy(inverse, B) };
  },
  'graded rows': ([l, k, r], dtype) => {
    const { A, B } = randomProduct(5, [l, k, r], dtype);
    return { A: scaleRowsBy(scales(l, 12), A), B };
  },
  'rank-deficient': ([l, k, r], dtype) => ({
    A: rankDeficient(6, l, k, Math.ceil(Math.min(l, k) / 2), dtype),
    B: randomMatrix(7, [k, r], dtype),
  }),
  'both of rank 2': ([l, k, r], dtype) => ({
    A: rankDeficient(8, l, k, 2, dtype),
    B: rankDeficient(9, k, r, 2, dtype),
  }),
  'zero columns, rows and pairs': (shape, dtype) => {
    const { A, B } = randomProduct(10, shape, dtype);
    return {
      A: mapMatrix(A, (x, i, j) => (i === 1 || j % 5 === 1 ? 0 : x)),
      B: mapMatrix(B, (x, i) => (i % 4 === 2 ? 0 : x)),
    };
  },
  'far from 1': (shape, dtype) => {
    const { A, B } = randomProduct(11, shape, dtype);
    const [up, down] = dtype === 'float32' ? [2 ** 70, 2 ** -90] : [2 ** 900, 2 ** -930];
    return { A: mapMatrix(A, (x) => x * up), B: mapMatrix(B, (x) => x * down) };
  },
};

/** The same matrix transposed, as views. */
const flipped = ({ A, B }: Product): Product => ({ A: swapLast(B), B: swapLast(A) });

const decompose = ({ A, B }: Product, force?: FactorDriver) => runSync(productSvd(A, B, { force }));
const valuesAlone = ({ A, B }: Product, force?: FactorDriver) =>
  runSync(productSvd(A, B, { force, vectors: 'none' }));

interface Spectrum {
  readonly S: ArrayLike<number>;
  readonly bound: number;
}

/** The singular values of the product formed in loops, in float64: none of the paths under test. */
function independently({ A, B }: Product): Spectrum {
  const [rowsA, rowsB] = [matrixAt(A), matrixAt(B)];
  const { S, bound } = svd(array(multiplyRows(rowsA, rowsB).flat(), [rowsA.length, rowsB[0].length]));
  const p = Math.min(rowsA.length, rowsB.length, rowsB[0].length);
  return {
    S: S.data.subarray(0, p),
    bound: (bound as number) + 4 * epsilon('float64') * betaOf(rowsA, rowsB),
  };
}

/** All that is promised of a decomposition, on one path. */
function checkPath(of: Product, dtype: Dtype, exact: Spectrum, result: Svd, values: Svd): void {
  checkSvd(of, result);
  for (const { S, bound } of [result, values])
    checkSameSpectrum(dtype, S.data, exact.S, bound as number, exact.bound);
}

function checkDriver({ A, B }: Product, { driver }: Svd, force: FactorDriver): void {
  const [l, k, r] = [A.shape[0], A.shape[1], B.shape[1]];
  const [[left, right]] = factorDrivers(driver);
  for (const [taken, rows] of [
    [left, l],
    [right, r],
  ] as const)
    if (rows > k && taken !== 'direct') expect(isForced(taken, force), `${driver} under ${force}`).toBe(true);
}

/** The paths of A. */
const driversOf = (driver: unknown): FactorDriver[] => factorDrivers(driver).map(([left]) => left);

/** The paths that a factor of few rows takes by itself, the easiest first. */
const byItself: Record<Dtype, readonly FactorDriver[]> = {
  float32: ['gram', 'cholesky2', 'householder'],
  float64: ['cholesky', 'cholesky2', 'householder'],
};

describe.each(dtypes)('%s', (dtype) => {
  describe.each(shapes)('$what: $shape', ({ shape }) => {
    it.each(Object.keys(inputs))('the bounds hold on every path, of A·B and of its transpose: %s', (name) => {
      const of = inputs[name](shape, dtype);
      const exact = independently(of);
      for (const force of paths) {
        for (const either of [of, flipped(of)]) {
          const result = decompose(either, force);
          checkDriver(either, result, force);
          checkPath(either, dtype, exact, result, valuesAlone(either, force));
        }
      }
    });
  });

  it('with these inputs every path of a factor is taken on either side of both kinds of core', () => {
    const taken = new Set<string>();
    for (const { shape } of shapes)
      for (const input of Object.values(inputs))
        for (const force of paths) {
          const [left, right, core] = (decompose(input(shape, dtype), force).driver as string).split('/');
          taken.add(`A ${left} ${core}`).add(`B ${right} ${core}`);
        }
    const every = ['A', 'B'].flatMap((side) => [
      ...paths
        .filter((path) => path !== 'gram')
        .flatMap((path) => ['gesdd-blocked', 'jacobi'].map((core) => `${side} ${path} ${core}`)),
      `${side} direct gesdd-blocked`,
      ...(dtype === 'float32' ? [`${side} gram eigen`] : []),
    ]);
    expect([...taken]).toEqual(expect.arrayContaining(every));
  });

  it.each(paths)('an error of twice a bound is seen on every path: %s', (force) => {
    const of = randomProduct(12, [300, 20, 150], dtype);
    const exact = independently(of);
    const [result, values] = [decompose(of, force), valuesAlone(of, force)];
    const check = (wrong: object, alone: object = values) =>
      checkPath(of, dtype, exact, { ...result, ...wrong } as Svd, { ...values, ...alone } as Svd);
    const beta = betaOf(matrixAt(of.A), matrixAt(of.B));
    const good = copy(result);
    const far = 2 * bounds.reconstruction(dtype, 0, 300, 150, beta);
    const near = 2 * bounds.singularValues(dtype, result.bound as number, exact.bound);
    const long = 1 + 2 * bounds.orthonormality(dtype, 20);
    check({}); // is right
    expect(() => check(flipU(good, 3))).toThrow(/reconstruction/);
    expect(() => check(shiftS(good, 0, far))).toThrow(/reconstruction/);
    expect(() => check({}, { S: shiftS({ ...good, S: values.S }, 0, near).S })).toThrow(/spectrum/);
    expect(() => check({ U: mapMatrix(result.U, (u, _, j) => (j === 7 ? u * long : u)) })).toThrow(
      /orthonormality: columns of U/,
    );
    expect(() => check({ Vh: mapMatrix(result.Vh, (v, i) => (i === 7 ? v * long : v)) })).toThrow(
      /orthonormality: rows of Vh/,
    );
  });

  it('the condition decides the path: from 1 to 1e10 all three are taken', () => {
    const taken = exponents.map((exponent) =>
      driversOf(decompose(conditioned([300, 20, 150], exponent, dtype)).driver),
    );
    const order = taken.flat().map((path) => paths.indexOf(path));
    expect(order).toEqual([...order].sort());
    expect(new Set(taken.flat())).toEqual(new Set(byItself[dtype]));
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
    expect(new Set(driversOf(all.driver))).toEqual(new Set(byItself[dtype]));
    items.forEach((item, i) => {
      const alone = decompose(item);
      expect(all.driver[i]).toBe(alone.driver);
      expect(bits(array(vectorAt(all.S, [i]), [20], dtype))).toBe(bits(alone.S));
      expect(bits(array(matrixAt(all.U, [i]).flat(), [300, 20], dtype))).toBe(bits(alone.U));
      expect(bits(array(matrixAt(all.Vh, [i]).flat(), [20, 150], dtype))).toBe(bits(alone.Vh));
    });
  });
});

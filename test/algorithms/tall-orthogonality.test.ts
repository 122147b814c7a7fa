import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import { type Dtype, swapLast, type Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { checkOrthonormal, checkSvd, matrixAt, transposeRows } from '../support/checks.ts';
import { array, mapMatrix, orthogonal, random, randomMatrix } from '../support/matrices.ts';

// Tall factors whose columns are far from orthogonal, or whose equal elements make rounding errors add up: the vectors are
// orthonormal to the same bound, however the factor is decomposed and however many of them are asked for.

type Element = (i: number, j: number, next: () => number) => number;

const coin = (next: () => number) => (next() > 0 ? 1 : 0);

/** By the name of what one may find in a table; `next` gives uniform numbers in (−1, 1). */
const tables: Record<string, Element> = {
  'uniform numbers + 2': (_i, _j, next) => next() + 2,
  'uniform numbers + 20': (_i, _j, next) => next() + 20,
  'a constant and coins on others': (_i, j, next) => 0.562769329397777 + (j > 0 ? 0.87 * coin(next) : 0),
  'constants of changing sign': (i, j) => 1.2118230065938216 + j / 9 + (i % (j + 1) > 0 ? 0.73 : -0.73),
  'powers of a ramp': (i, j) => ((i + 1) / 4096) ** j,
  'coin tosses': (_i, _j, next) => coin(next),
  'dummies of 0.1': (i, j) => (i % 7 === j ? 0.1 : 0),
};

const table = (name: string, [l, k]: readonly [number, number], dtype: Dtype): Tensor => {
  const next = random(l + k);
  return mapMatrix(array(new Float64Array(l * k), [l, k]), (_, i, j) => tables[name](i, j, next), dtype);
};

const shapes = [
  [300, 16],
  [700, 5],
  [2900, 3],
  [3000, 2],
] as const;

/** Independent columns with `share` of a column that all have in common. */
function sharedComponent(l: number, k: number, share: number): Tensor {
  const common = randomMatrix(l, [l, 1]);
  return mapMatrix(randomMatrix(k, [l, k]), (x, i) => x + share * common.get(i, 0));
}

/** Three columns at nearly 120°, twice one below the other; their lengths differ by powers of two. */
function widestAngles(seed: number): Tensor {
  const next = random(seed);
  const length = 2 + next();
  const scale = Array.from({ length: 3 }, () => length * 2 ** Math.round(3 * next()));
  const rows = [
    [200, -99, 99],
    [-99, 200, 99],
    [-99, -99, -200],
  ];
  return array(
    Array.from({ length: 18 }, (_, e) => rows[Math.floor(e / 3) % 3][e % 3] * scale[e % 3]),
    [6, 3],
  );
}

/** That the vectors of `A·B` are orthonormal, for every number of leading ones that `ranks` has. */
function checkVectors(A: Tensor, B: Tensor, dtype: Dtype, ranks: readonly number[]): void {
  for (const rank of ranks) {
    const { U, Vh, driver } = new FactoredMatrix(A, B).svd({ rank });
    checkOrthonormal(transposeRows(matrixAt(U)), dtype, `columns of U, rank ${rank}, ${driver}`);
    checkOrthonormal(matrixAt(Vh), dtype, `rows of Vh, rank ${rank}, ${driver}`);
  }
}

describe.each(['float64', 'float32'] as Dtype[])('%s', (dtype) => {
  it.each(Object.keys(tables))('the vectors of tables are orthonormal: %s', (name) => {
    for (const [l, k] of shapes) {
      const A = table(name, [l, k], dtype);
      const B = mapMatrix(orthogonal(k, k, k), (x) => x, dtype);
      const product = { A, B };
      checkSvd(product, new FactoredMatrix(A, B).svd());
      checkVectors(A, B, dtype, [1, Math.ceil(k / 2), k]);
      checkVectors(swapLast(B), swapLast(A), dtype, [1, k]);
    }
  });
});

describe('columns that have much in common', () => {
  it.each([
    [300, 16, 6],
    [1024, 64, 6],
    [500, 7, 7],
    [600, 100, 4],
  ])('%d×%d, %d times their own part', (l, k, share) => {
    checkVectors(sharedComponent(l, k, share), randomMatrix(1, [k, k]), 'float64', [1, 2, k]);
  });

  it('three at nearly 120°, whose singular vectors no fixed vector need meet', () => {
    for (let seed = 1; seed <= 200; seed++)
      checkVectors(widestAngles(seed), orthogonal(seed, 3, 3), 'float64', [1, 2, 3]);
  });
});

// 1 / sigma_min² of random columns is 2.1 here, and about 37 of those with a shared component; one round serves up to 6.
it('one round of Cholesky serves well-conditioned columns, however many, and no others', () => {
  const many = { A: randomMatrix(1, [2000, 200]), B: randomMatrix(2, [200, 200]) };
  expect(new FactoredMatrix(many.A, many.B).svd().driver).toMatch(/^cholesky\//);
  checkVectors(many.A, many.B, 'float64', [1, 200]);
  const shared = new FactoredMatrix(sharedComponent(300, 16, 6), randomMatrix(1, [16, 16]));
  expect(shared.svd().driver).toMatch(/^cholesky2\//);
});

// Householder reflections take those whose columns are dependent or nearly so.
const dependent: Record<string, Element> = {
  'all elements 1/3': () => 1 / 3,
  'all elements 0.1': () => 0.1,
  'rows of two kinds': (i, j) => (i % 2 ? 0.7 : 0.7 * (j % 3)),
  'a column of ones and dummies for every group': (i, j) => (j === 0 ? 1 : Number(i % 2 === j % 2)),
};

describe.each(Object.keys(dependent))('dependent columns: %s', (name) => {
  it.each([
    [300, 5],
    [900, 2],
    [1900, 36],
    [2047, 3],
    [3600, 15],
    [400, 150],
  ])('%d×%d', (l, k) => {
    const A = mapMatrix(array(new Float64Array(l * k), [l, k]), (_, i, j) => dependent[name](i, j, () => 0));
    const B = randomMatrix(k, [k, k]);
    checkVectors(A, B, 'float64', [1, Math.ceil(k / 2), k]);
    for (const force of ['householder', 'tsqr'] as const) {
      const { U, driver } = runSync(productSvd(A, B, { force }));
      expect(driver).toMatch(/^(householder|tsqr)/);
      checkOrthonormal(transposeRows(matrixAt(U)), 'float64', `columns of U, ${driver}`);
    }
  });
});

it('vectors that are longer by twice the bound are seen', () => {
  const rows = matrixAt(orthogonal(1, 40, 3)).map((row) => row.map((x) => x));
  const long = 1 + 2 * bounds.orthonormality('float64', 3);
  checkOrthonormal(transposeRows(rows), 'float64', 'as they are');
  expect(() =>
    checkOrthonormal(transposeRows(rows.map(([x, y, z]) => [x * long, y, z])), 'float64', ''),
  ).toThrow(/orthonormality/);
});

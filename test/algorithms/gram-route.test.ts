import { describe, expect, it } from 'vitest';
import type { Svd } from '../../lib/algorithms/result.ts';
import { epsilon, type Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { checkSvd, matrixAt, multiplyRows } from '../support/checks.ts';
import {
  array,
  mapMatrix,
  orthogonal,
  type Product,
  randomMatrix,
  scaleColumnsBy,
} from '../support/matrices.ts';

// float32 products that are decomposed from their Gram matrices: every digit of float32, or another path.

type Shape = readonly [l: number, k: number, r: number];

const rounded = (rows: number[][]): Tensor => array(rows.flat(), [rows.length, rows[0].length], 'float32');

/** A factor of condition 10^exponent, in no special basis. */
function conditioned(seed: number, rows: number, k: number, exponent: number): Tensor {
  const falling = Array.from({ length: k }, (_, j) => 10 ** ((-exponent * j) / Math.max(1, k - 1)));
  const inBasis = scaleColumnsBy(orthogonal(seed, rows, k), falling);
  return rounded(multiplyRows(matrixAt(inBasis), matrixAt(orthogonal(seed + 1, k, k))));
}

const product = ([l, k, r]: Shape, a: number, b: number): Product => ({
  A: conditioned(10 * a + 1, l, k, a),
  B: conditioned(10 * b + 5, r, k, b).transpose(1, 0) as Tensor,
});

const double = (x: Tensor): Tensor => array(matrixAt(x).flat(), x.shape, 'float64');
const decompose = ({ A, B }: Product): Svd => new FactoredMatrix(A, B).svd();
const isFromGram = ({ driver }: Svd) => driver === 'gram/gram/eigen';

// Half a unit for the rounding to float32, and a little for what came before it.
const tolerance = 0.6;

/** In float64, and by way of a QR decomposition of each factor. */
const inDouble = ({ A, B }: Product): Svd => decompose({ A: double(A), B: double(B) });

/** Largest |s − t|/t over the singular values, in units of ε of float32. */
const relativeError = (S: Tensor, exact: Tensor): number =>
  Math.max(...Array.from(exact.data, (t, j) => Math.abs(S.data[j] - t) / t)) / epsilon('float32');

const largestDifference = (x: Tensor, y: Tensor): number => {
  const [a, b] = [matrixAt(x).flat(), matrixAt(y).flat()];
  expect(a.length).toBe(b.length);
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
};

const shapes: Shape[] = [
  [60, 20, 50],
  [768, 64, 768],
  [300, 128, 140],
  [5, 1, 4],
  [9, 2, 3],
  [3000, 33, 40],
];
const exponents = [0, 0.5, 1, 1.5, 2, 3, 4];

describe.each(shapes.map((shape) => ({ shape })))('$shape', ({ shape }) => {
  const products = exponents.flatMap((a) => [0, 1].map((b) => product(shape, a, b)));

  it('every singular value of a product of any condition has the digits of float32 that the path promises', () => {
    for (const of of products) {
      const result = decompose(of);
      checkSvd(of, result);
      if (isFromGram(result)) expect(relativeError(result.S, inDouble(of).S)).toBeLessThanOrEqual(tolerance);
    }
  });

  it('well-conditioned products are decomposed so, others are not', () => {
    const taken = products.map((of) => isFromGram(decompose(of)));
    expect(taken[0]).toBe(true);
    if (shape[1] > 2) expect(taken.at(-1)).toBe(false);
  });

  it('singular values alone, and the leading triplets, are those of the whole', () => {
    const [{ A, B }] = products;
    const whole = new FactoredMatrix(A, B).svd();
    const p = Math.ceil(shape[1] / 2);
    const part = new FactoredMatrix(A, B).svd({ rank: p });
    expect(part.driver).toBe(whole.driver);
    expect(Array.from(part.S.data)).toEqual(Array.from(whole.S.data.subarray(0, p)));
    const pairs = [
      [part.U, whole.U.hi(shape[0], p)],
      [part.Vh, whole.Vh.hi(p, shape[2])],
    ] as const;
    // The same X in products of other widths: each off by no more than ε times the growth that the path allows, 8.
    for (const [x, y] of pairs) expect(largestDifference(x, y)).toBeLessThanOrEqual(16 * epsilon('float32'));
    const alone = new FactoredMatrix(A, B).svdvals();
    for (let j = 0; j < shape[1]; j++)
      expect(Math.abs(alone.get(j) - whole.S.get(j))).toBeLessThanOrEqual(
        epsilon('float32') * whole.S.get(j),
      );
  });
});

describe('factors of small integers, in which much cancels exactly', () => {
  it('are decomposed like any other: a column that is apart from the rest, with an eigenvalue of the rest', () => {
    const A = rounded([
      [-1, 0, -1, 0],
      [0, 0, 1, 0],
      [-1, 1, 1, 0],
      [1, -1, -1, 0],
      [-1, 0, -1, 0],
      [0, 0, 0, 2],
    ]);
    const B = rounded([
      [1, 0, 0, 0, 0, 0],
      [0, 1, 0, 0, 0, 0],
      [0, 0, 1, 0, 0, 0],
      [0, 0, 0, 1, 0, 0],
    ]);
    const of = { A, B };
    const result = decompose(of);
    expect(isFromGram(result)).toBe(true);
    checkSvd(of, result);
  });
});

describe('what the Gram matrices cannot serve', () => {
  const shape: Shape = [60, 20, 50];

  it('goes another way: float64, a factor that is not tall, a graded or a rank-deficient product', () => {
    const easy = product(shape, 0, 0);
    const graded = scaleColumnsBy(
      easy.A,
      Array.from({ length: 20 }, (_, j) => 2 ** -j),
    );
    const deficient = mapMatrix(easy.A, (x, i, j) => (j === 3 ? easy.A.get(i, 4) : x));
    const wide = { A: randomMatrix(1, [10, 20], 'float32'), B: easy.B };
    for (const of of [
      { A: double(easy.A), B: double(easy.B) },
      { A: graded, B: easy.B },
      { A: deficient, B: easy.B },
      { A: mapMatrix(easy.A, (x, _, j) => (j === 3 ? 0 : x)), B: easy.B },
      wide,
    ]) {
      const result = decompose(of);
      checkSvd(of, result);
      expect(isFromGram(result)).toBe(false);
    }
  });

  it('in a batch, is decomposed with the others, each into its place', () => {
    const items = [product(shape, 0, 0), product(shape, 4, 0), product(shape, 0.5, 0)];
    const stack = (part: 'A' | 'B', size: number[]) =>
      array(
        items.flatMap((of) => matrixAt(of[part]).flat()),
        [3, ...size],
        'float32',
      );
    const of = { A: stack('A', [60, 20]), B: stack('B', [20, 50]) };
    const all = decompose(of);
    checkSvd(of, all);
    expect((all.driver as string[]).map((driver) => driver === 'gram/gram/eigen')).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('a singular value that is wrong by two units in the last place is seen', () => {
    const of = product(shape, 0, 0);
    const [{ S }, exact] = [decompose(of), inDouble(of).S];
    for (let j = 0; j < 20; j++) {
      const wrong = Float32Array.from(S.data, (s, i) => (i === j ? s * (1 + 2 * epsilon('float32')) : s));
      expect(relativeError(array(Array.from(wrong), [20], 'float32'), exact)).toBeGreaterThan(tolerance);
    }
  });
});

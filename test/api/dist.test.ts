import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epsilon, type Tensor } from '../../lib/array/tensor.ts';
import {
  type DistOperand,
  dist,
  distAsync,
  FactoredMatrix,
  svd,
  svdLegacy,
  transpose,
} from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  betaOf,
  checkError,
  distance,
  errorOf,
  frobenius,
  indices,
  matrixAt,
  multiplyRows,
  norm,
  type Rows,
  transposeRows,
  vectorAt,
} from '../support/checks.ts';
import { factored } from '../support/factored.ts';
import { array, dtypes, mapMatrix, randomMatrix, randomProduct } from '../support/matrices.ts';
import { distanceReferences, type Factors } from '../support/references.ts';

/** The matrix that an operand stands for, formed by plain loops, and Σ‖a_j‖·‖b_j‖ of its factors. */
function formed(x: DistOperand, index: number[] = []): { M: Rows; beta: number } {
  const product = (A: Rows, B: Rows, r?: number) => ({ M: multiplyRows(A, B, r), beta: betaOf(A, B) });
  if ('A' in x) return product(matrixAt(x.A, index), matrixAt(x.B, index), x.B.shape.at(-1));
  if ('U' in x) {
    const S = vectorAt(x.S as Tensor, index);
    const right = 'Vh' in x ? matrixAt(x.Vh as Tensor, index) : transposeRows(matrixAt(x.V as Tensor, index));
    const left = matrixAt(x.U as Tensor, index).map((row) => S.map((s, j) => row[j] * s));
    return product(left, right.slice(0, S.length), right[0]?.length);
  }
  const M = matrixAt(x as Tensor, index);
  return { M, beta: frobenius(M) };
}

/** |dist(x, y) − ‖x − y‖_F| of one item, as a multiple of 50ε·max(‖x‖, ‖y‖, β): float64, whatever the operands. */
function discrepancy(found: number, x: DistOperand, y: DistOperand, index: number[] = []): number {
  const [a, b] = [formed(x, index), formed(y, index)];
  const size = Math.max(frobenius(a.M), frobenius(b.M));
  const bound = bounds.reconstruction('float64', size, a.M.length, a.M[0]?.length ?? 0, a.beta + b.beta);
  const off = Math.abs(found - distance(a.M, b.M));
  return off === 0 ? 0 : off / bound;
}

/** Every kind of operand that stands for about the matrix `m`. */
const kinds: Record<string, (m: FactoredMatrix) => DistOperand> = {
  dense: (m) => m.AB,
  'dense view': (m) => transpose(m.T.AB),
  factored: (m) => m,
  'factored, transposed twice': (m) => m.T.T,
  'svd of the product': (m) => m.svd(),
  'legacy svd of the product': (m) => m.svdLegacy(),
  'three-svd': (m) => m.svd({ algorithm: 'three-svd' }),
  'svd of the matrix': (m) => svd(m.AB),
  'legacy svd of the matrix': (m) => svdLegacy(m.AB),
  'svd with full matrices': (m) => svd(m.AB, { fullMatrices: true }),
  'plain object { U, S, Vh }': (m) => ({ U: m.U, S: m.S, Vh: m.Vh }),
  'plain object { U, S, V }': (m) => ({ U: m.U, S: m.S, V: m.V }),
};

describe('dist is the Frobenius norm of the difference', () => {
  const pairs = Object.keys(kinds).flatMap((first) =>
    Object.keys(kinds).map((second) => ({ first, second })),
  );

  it.each(pairs)('$first and $second, of unequal and of nearly equal matrices', ({ first, second }) => {
    for (const sizes of [
      [7, 3, 5],
      [4, 6, 9],
    ] as const) {
      for (const dtype of dtypes) {
        const m = factored(1, sizes, dtype);
        for (const other of [factored(2, sizes, dtype), m]) {
          const [x, y] = [kinds[first](m), kinds[second](other)];
          expect(discrepancy(dist(x, y) as number, x, y)).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it('of any shape, of products with any inner dimensions', () => {
    const size = fc.integer({ min: 0, max: 6 });
    const operands = fc.record({
      l: size,
      r: size,
      k1: size,
      k2: size,
      seed: fc.nat(),
      how: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(operands, ({ l, r, k1, k2, seed, how }) => {
        const [x, y] = [factored(seed, [l, k1, r]), factored(seed + 1, [l, k2, r])];
        const [a, b] = [how & 1 ? x.AB : x, how & 2 ? y.AB : y];
        expect(discrepancy(dist(a, b) as number, a, b)).toBeLessThanOrEqual(1);
      }),
      { seed: 6, numRuns: 150 },
    );
  });

  it.each(distanceReferences)(
    'as 60-digit arithmetic has it: $name',
    ({ first, second, norms, distance: exact, dtype }) => {
      const of = ({ A, B }: Factors) =>
        new FactoredMatrix(array(A.data, A.shape, dtype), array(B.data, B.shape, dtype));
      const [x, y] = [of(first), of(second)];
      const beta = formed(x).beta + formed(y).beta;
      const bound = bounds.reconstruction('float64', norm(Array.from(norms)), x.ldim, x.rdim, beta);
      expect(Math.abs((dist(x, y) as number) - exact)).toBeLessThanOrEqual(bound);
      expect(Math.abs((dist(y, x) as number) - exact)).toBeLessThanOrEqual(bound);
    },
  );

  it('is symmetric in its arguments up to rounding, and 0 for one matrix with itself', () => {
    const [x, y] = [factored(3, [6, 3, 5]), factored(4, [6, 2, 5])];
    const bound = bounds.reconstruction(
      'float64',
      dist(x, y) as number,
      6,
      5,
      formed(x).beta + formed(y).beta,
    );
    expect(Math.abs((dist(x, y) as number) - (dist(y, x) as number))).toBeLessThanOrEqual(bound);
    for (const kind of Object.values(kinds)) {
      const operand = kind(x);
      expect(discrepancy(dist(operand, operand) as number, operand, operand)).toBeLessThanOrEqual(1);
    }
    expect(dist(x.AB, x.AB)).toBe(0);
    expect(dist([[1, 2]], [[1, 2]])).toBe(0);
  });

  it('of 3-4-5: ‖[3 0; 0 4]‖ is 5 from zero', () => {
    const zero = [[0, 0], [0, 0]]; // biome-ignore format: one matrix
    const x = [[3, 0], [0, 4]]; // biome-ignore format: one matrix
    const close = bounds.reconstruction('float64', 5, 2, 2);
    for (const found of [
      dist(x, zero),
      dist(zero, x),
      dist(
        new FactoredMatrix(x, [
          [1, 0],
          [0, 1],
        ]),
        zero,
      ),
    ]) {
      // biome-ignore format: one case, one line
      expect(Math.abs((found as number) - 5)).toBeLessThanOrEqual(close);
    }
  });

  it('of empty matrices is 0, and of an empty inner dimension the norm of the other', () => {
    for (const shape of [
      [0, 3],
      [3, 0],
      [0, 0],
    ]) {
      expect(dist(array([], shape), array([], shape))).toBe(0);
      expect(dist(array([], shape), svd(array([], shape)))).toBe(0);
    }
    const x = factored(5, [4, 2, 3]);
    const empty = factored(6, [4, 0, 3]);
    expect(dist(empty, empty)).toBe(0);
    for (const other of [x, x.AB, x.svd()]) {
      expect(discrepancy(dist(empty, other) as number, empty, other)).toBeLessThanOrEqual(1);
      expect(discrepancy(dist(other, empty) as number, other, empty)).toBeLessThanOrEqual(1);
    }
  });
});

describe('resolution', () => {
  it('a relative difference of 1e-9 is seen in float64, to the digits that rounding leaves', () => {
    const x = factored(7, [12, 4, 9]);
    const y = new FactoredMatrix(
      mapMatrix(x.A, (v, i, j) => (i === 3 && j === 2 ? v * (1 + 1e-9) : v)),
      x.B,
    );
    const exact = distance(formed(x).M, formed(y).M);
    const { beta } = formed(x);
    expect(exact).toBeGreaterThan(0);
    for (const a of Object.values(kinds)) {
      for (const b of Object.values(kinds)) {
        const found = dist(a(x), b(y)) as number;
        // both decompositions are themselves only right to `reconstruction`
        expect(Math.abs(found - exact)).toBeLessThanOrEqual(
          3 * bounds.reconstruction('float64', 0, 12, 9, beta),
        );
        expect(found).toBeGreaterThan(exact / 2);
      }
    }
  });

  it('the formula with traces of Gram matrices does not see it', () => {
    const x = factored(8, [12, 4, 9]);
    const y = x.mul(1 + 1e-9);
    const trace = (a: FactoredMatrix, b: FactoredMatrix) => {
      const [AA, BB] = [
        multiplyRows(transposeRows(matrixAt(a.A)), matrixAt(b.A)),
        multiplyRows(matrixAt(b.B), transposeRows(matrixAt(a.B))),
      ];
      return multiplyRows(AA, BB).reduce((sum, row, i) => sum + row[i], 0);
    };
    const viaTraces = Math.sqrt(Math.max(0, trace(x, x) - 2 * trace(x, y) + trace(y, y)));
    expect(discrepancy(dist(x, y) as number, x, y)).toBeLessThanOrEqual(1);
    expect(discrepancy(viaTraces, x, y)).toBeGreaterThan(1);
  });

  it('float32 operands are compared in float64: rounding of the comparison is far below float32', () => {
    const x = factored(9, [8, 3, 6], 'float32');
    const svd64 = new FactoredMatrix(
      mapMatrix(x.A, (v) => v, 'float64'),
      mapMatrix(x.B, (v) => v, 'float64'),
    ).svd();
    const found = dist(x, svd64) as number;
    expect(found).toBeLessThanOrEqual(bounds.reconstruction('float64', 0, 8, 6, formed(x).beta));
    const rounded = mapMatrix(x.AB, (v) => v * (1 + epsilon('float32')), 'float32');
    expect(discrepancy(dist(x, rounded) as number, x, rounded)).toBeLessThanOrEqual(1);
  });
});

describe('range', () => {
  it.each([1e300, 1e-300, 1e-310, 1e200, 1e-200])(
    'matrices near %d: nothing overflows, nothing is lost',
    (scale) => {
      const times = (m: FactoredMatrix) => m.mul(scale);
      const [x, y] = [factored(10, [5, 2, 4]), factored(11, [5, 3, 4])];
      const unit = distance(formed(x).M, formed(y).M);
      const [X, Y] = [times(x), times(y)];
      for (const a of [X, X.AB, X.svd()]) {
        for (const b of [Y, Y.AB, Y.svd()]) {
          const found = dist(a, b) as number;
          const bound = bounds.reconstruction(
            'float64',
            unit * scale,
            5,
            4,
            (formed(x).beta + formed(y).beta) * scale,
          );
          expect(Math.abs(found - unit * scale)).toBeLessThanOrEqual(2 * bound);
        }
      }
    },
  );

  it('factors near 1e200 and 1e-200, and the other way round', () => {
    const { A, B } = randomProduct(12, [5, 3, 4]);
    const by = (x: Tensor, s: number) => mapMatrix(x, (v) => v * s);
    const x = new FactoredMatrix(by(A, 2 ** 600), by(B, 2 ** -600));
    const y = new FactoredMatrix(by(A, 2 ** -900), by(B, 2 ** 900));
    const plain = new FactoredMatrix(A, B);
    for (const [a, b] of [
      [x, y],
      [x, plain],
      [y, plain.AB],
      [plain.AB, x],
    ] as const) {
      // biome-ignore format: one case, one line
      expect(dist(a, b)).toBeLessThanOrEqual(bounds.reconstruction('float64', 0, 5, 4, 2 * formed(plain).beta));
    }
  });

  it('a zero matrix and a tiny one are told apart', () => {
    expect(dist([[0]], [[5e-324]])).toBe(5e-324);
    expect(dist(new FactoredMatrix([[0]], [[0]]), new FactoredMatrix([[2 ** -500]], [[2 ** -500]]))).toBe(
      2 ** -1000,
    );
    expect(dist([[0]], new FactoredMatrix([[2 ** -500]], [[2 ** -500]]))).toBe(2 ** -1000);
  });

  it('a distance that does not fit is ERR_SVD_OVERFLOW, in a batch with its item', () => {
    checkError(
      errorOf(() => dist([[1.7e308]], [[-1.7e308]])),
      'ERR_SVD_OVERFLOW',
    );
    const error = errorOf(() => dist(array([1, 1.7e308], [2, 1, 1]), array([1, -1.7e308], [2, 1, 1])));
    checkError(error, 'ERR_SVD_OVERFLOW', '[1]');
    expect(error.batchIndex).toEqual([1]);
  });
});

describe('batches', () => {
  it('broadcast as in numpy, whatever the kinds: one number per item', () => {
    const x = factored(13, [5, 3, 4], 'float64', [2, 1]);
    const y = factored(14, [5, 2, 4], 'float64', [3]);
    for (const a of [x, x.AB, x.svd(), x.svdLegacy()]) {
      for (const b of [y, y.AB, y.svd(), svd(y.AB, { fullMatrices: true })]) {
        const found = dist(a, b) as Tensor;
        expect(found.shape).toEqual([2, 3]);
        expect(found.dtype).toBe('float64');
        for (const index of indices([2, 3]))
          expect(discrepancy(found.get(...index), a, b, index)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('against one matrix give the leading dimensions of the batch', () => {
    const x = factored(15, [4, 2, 3], 'float64', [2]);
    const one = randomMatrix(16, [4, 3]);
    for (const [a, b] of [
      [x, one],
      [one, x],
      [x.AB, one],
      [one, x.svd()],
    ] as const) {
      // biome-ignore format: one case, one line
      const found = dist(a, b) as Tensor;
      expect(found.shape).toEqual([2]);
      for (const i of [0, 1]) expect(discrepancy(found.get(i), a, b, [i])).toBeLessThanOrEqual(1);
    }
  });

  it('of no items give no numbers', () => {
    const none = factored(17, [4, 2, 3], 'float64', [0]);
    for (const a of [none, none.AB, none.svd()]) {
      for (const b of [none, randomMatrix(18, [4, 3])]) expect((dist(a, b) as Tensor).shape).toEqual([0]);
    }
  });
});

describe('distAsync', () => {
  it('gives the number that dist gives, for every pair of kinds', async () => {
    const [x, y] = [factored(19, [6, 3, 5]), factored(20, [6, 4, 5])];
    for (const a of Object.values(kinds)) {
      for (const b of Object.values(kinds)) expect(await distAsync(a(x), b(y))).toBe(dist(a(x), b(y)));
    }
  });

  it('takes batches', async () => {
    const [x, y] = [factored(21, [6, 3, 5], 'float64', [2]), randomMatrix(22, [3, 1, 6, 5])];
    expect((await distAsync(x, y)) as Tensor).toEqual(dist(x, y));
  });
});

describe('the operands', () => {
  it('stay as they were', () => {
    const x = factored(23, [5, 3, 4]);
    const operands = [x.AB, x, x.svd(), x.svdLegacy()];
    const before = JSON.stringify(
      operands.map((o) => Object.entries(o).map(([key, v]) => [key, Array.from(v?.data ?? [])])),
    );
    for (const a of operands) for (const b of operands) dist(a, b);
    expect(
      JSON.stringify(
        operands.map((o) => Object.entries(o).map(([key, v]) => [key, Array.from(v?.data ?? [])])),
      ),
    ).toBe(before);
  });

  it('V given as Vh is noticed: the distance is that of another matrix', () => {
    const x = factored(24, [4, 4, 4]);
    const wrong = { U: x.U, S: x.S, Vh: x.V };
    expect(discrepancy(dist(x, wrong) as number, x, wrong)).toBeLessThanOrEqual(1);
    expect(dist(x, wrong)).toBeGreaterThan(bounds.reconstruction('float64', 0, 4, 4, formed(x).beta));
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { type Dtype, swapLast, type Tensor } from '../../lib/array/tensor.ts';
import { setThreads, svd, svdAsync, svdvals, threads } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { validSvd } from '../../lib/testing/index.ts';
import { allBits, bits } from '../support/checks.ts';
import { array, dtypes, random, randomMatrix } from '../support/matrices.ts';

// Plain matrices of very many rows or columns, whose sums are taken in blocks: against their exact Gram matrix.

/** Integers of ten bits, and a power of two for each column: the sums of their products are exact in float64. */
type Elements = {
  readonly integer: (next: () => number) => number;
  readonly exponent: (j: number) => number;
};

const ten = (x: number) => Math.floor(512 * x);
const kinds: Record<string, Elements> = {
  'coin tosses': { integer: (next) => (next() < 0 ? -1 : 1), exponent: () => 0 },
  'equal elements': { integer: () => 1, exponent: () => 0 },
  'random numbers': { integer: (next) => ten(next()), exponent: () => -9 },
  'graded columns': { integer: (next) => ten(next()), exponent: (j) => -9 - 3 * (j % 10) },
};

function tall({ integer, exponent }: Elements, m: number, n: number, dtype: Dtype): Tensor {
  const next = random(m + n);
  return array(
    Float64Array.from({ length: m * n }, (_, e) => integer(next) * 2 ** exponent(e % n)),
    [m, n],
    dtype,
  );
}

/** The singular values of `a`, which is tall: to a few ε of each, by the Jacobi method. */
function singularValues(a: Tensor): number[] {
  const [m, n] = a.shape;
  const gram = Array.from({ length: n }, () => new Float64Array(n));
  for (let r = 0; r < m; r++)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) gram[i][j] += a.data[r * n + i] * a.data[r * n + j];
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) gram[j][i] = gram[i][j];
  const rotate = (p: number, q: number): boolean => {
    const x = gram[p][q];
    if (!(Math.abs(x) > 2 ** -53 * Math.sqrt(gram[p][p] * gram[q][q]))) return false;
    const cot = (gram[q][q] - gram[p][p]) / (2 * x);
    const t = (cot < 0 ? -1 : 1) / (Math.abs(cot) + Math.hypot(1, cot));
    const c = 1 / Math.hypot(1, t);
    const [alpha, beta] = [gram[p][p] - t * x, gram[q][q] + t * x];
    for (let k = 0; k < n; k++) {
      const [y, z] = [gram[p][k], gram[q][k]];
      gram[p][k] = gram[k][p] = c * (y - t * z);
      gram[q][k] = gram[k][q] = c * (t * y + z);
    }
    gram[p][p] = alpha;
    gram[q][q] = beta;
    gram[p][q] = gram[q][p] = 0;
    return true;
  };
  for (let turned = true; turned; ) {
    turned = false;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) turned = rotate(p, q) || turned;
  }
  return gram.map((row, i) => Math.sqrt(Math.max(0, row[i]))).sort((x, y) => y - x);
}

/** By how much they differ at the most. */
const error = (s: ArrayLike<number>, exact: readonly number[]): number =>
  Math.max(...exact.map((sigma, i) => Math.abs(sigma - s[i])));

describe.each(dtypes)('%s', (dtype) => {
  describe.each(Object.keys(kinds))('%s', (kind) => {
    it.each([
      [200_000, 3],
      [5000, 40],
    ])('%d×%d and its transpose: singular values and vectors within their bounds', (m, n) => {
      const a = tall(kinds[kind], m, n, dtype);
      const exact =
        kind === 'equal elements' ? [Math.sqrt(m * n), ...new Array(n - 1).fill(0)] : singularValues(a);
      for (const matrix of [a, swapLast(a)]) {
        const result = svd(matrix);
        const bound = bounds.denseBound(dtype, m, n, result.S.data[0], 'gesdd-blocked');
        expect(result.bound).toBe(bound);
        expect(error(result.S.data, exact)).toBeLessThanOrEqual(bound);
        expect(error(svdvals(matrix).data, exact)).toBeLessThanOrEqual(bound);
        expect(validSvd(result, matrix).checks.filter(({ pass }) => !pass)).toEqual([]);
      }
    });
  });

  it('sums over all rows in one go would not do: those of LAPACK are seen', () => {
    const [m, n] = [200_000, 3];
    const a = tall(kinds['equal elements'], m, n, dtype);
    const lapack = svd(a, { driver: 'gesdd' });
    const own = bounds.denseBound(dtype, m, n, lapack.S.data[0], 'gesdd-blocked');
    expect(error(lapack.S.data, [Math.sqrt(m * n), 0, 0])).toBeGreaterThan(own);
    expect(validSvd({ ...lapack, bound: own }, a).pass).toBe(false);
  });
});

describe('the number of threads', () => {
  const before = threads();
  afterEach(() => setThreads(before));

  it.each([
    [200_000, 3],
    [3, 200_000],
    [5000, 40],
    [40, 5000],
    [20_000, 100],
    [8400, 520],
  ])('makes no difference: %d×%d', async (m, n) => {
    const a = randomMatrix(1, [m, n], 'float32');
    const answers = new Set<string>();
    for (const count of [1, 2, 3]) {
      setThreads(count);
      answers.add([bits(svdvals(a)), ...(m * n < 2e6 ? allBits(svd(a)) : [])].join());
    }
    expect(answers.size).toBe(1);
    if (m * n < 1e6) expect(allBits(await svdAsync(a))).toEqual(allBits(svd(a)));
  });
});

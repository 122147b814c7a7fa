import { describe, expect, it } from 'vitest';
import { svd, svdvals } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { matchSingularValues, orthonormal } from '../../lib/testing/index.ts';
import { array, dtypes, mapMatrix, randomMatrix } from '../support/matrices.ts';

// Plain matrices on which rounding errors add up, or on which an iteration that stops too soon shows.

/** |s − exact| ≤ bound for every singular value, of `svd` and of `svdvals`. */
function checkValues(a: Parameters<typeof svd>[0], exact: readonly number[]) {
  const { S, bound } = svd(a);
  for (const values of [S.data, svdvals(a).data])
    exact.forEach((sigma, i) => {
      expect(Math.abs(values[i] - sigma), `σ_${i} of ${sigma}`).toBeLessThanOrEqual(bound as number);
    });
}

/** Orthonormal vectors, to the bound. */
function checkVectors(a: Parameters<typeof svd>[0]) {
  const { U, Vh } = svd(a);
  expect(orthonormal(U).pass).toBe(true);
  expect(orthonormal(Vh).pass).toBe(true);
}

/** The singular values of I + t·N of order n, N = ones above the diagonal, to second order in t. */
const nearlyIdentity = (n: number, t: number) =>
  Array.from({ length: n }, (_, k) => 1 + t * Math.cos(((k + 1) * Math.PI) / (n + 1)));

describe.each(dtypes)('%s', (dtype) => {
  const unit = dtype === 'float64' ? 2 ** -52 : 2 ** -23;

  it.each([3, 5, 12, 33, 60])('what stands beside equal singular values is not dropped: order %d', (n) => {
    for (const factor of [3, 10, 30, 45, 90]) {
      const t = factor * unit;
      const a = mapMatrix(randomMatrix(1, [n, n]), (_, i, j) => (i === j ? 1 : j === i + 1 ? t : 0), dtype);
      checkValues(a, nearlyIdentity(n, t));
    }
  });

  it('svd and svdvals of Gaussian-like matrices agree within their bounds', () => {
    for (let seed = 0; seed < 60; seed++) {
      const a = randomMatrix(seed, [200, 20], dtype);
      const { S, bound } = svd(a);
      expect(matchSingularValues({ S, bound }, { S: svdvals(a), bound }).pass).toBe(true);
    }
  });

  it.each([
    [100_000, 3],
    [10_000, 5],
    [300, 5],
    [2000, 40],
    [3000, 100],
    [3, 100_000],
  ])('equal elements have one singular value and orthonormal vectors: %d×%d', (m, n) => {
    const a = array(new Array(m * n).fill(0.5), [m, n], dtype);
    const p = Math.min(m, n);
    checkValues(a, [Math.sqrt(m * n) / 2, ...new Array(p - 1).fill(0)]);
    const tenth = array(new Array(m * n).fill(0.1), [m, n], dtype);
    checkVectors(tenth);
  });

  it('a column of ones beside indicators has orthonormal vectors', () => {
    const kinds = mapMatrix(randomMatrix(5, [10_000, 1]), (x) => Math.floor((x + 1) * 2));
    const a = array(
      Array.from({ length: 50_000 }, (_, e) =>
        e % 5 === 0 || kinds.data[Math.floor(e / 5)] === e % 5 ? 1 : 0,
      ),
      [10_000, 5],
      dtype,
    );
    checkVectors(a);
  });
});

it('what LAPACK or others computed is given the tolerance of their iterations too', () => {
  const t = 2e-14;
  const a = [
    [1, t, 0],
    [0, 1, t],
    [0, 0, 1],
  ];
  const dropped = { S: array([1, 1, 1], [3]) };
  expect(matchSingularValues(svd(a), dropped).pass).toBe(true);
  const own = bounds.denseBound('float64', 3, 3, 1, 'gesdd-blocked');
  expect(matchSingularValues(svd(a), { ...dropped, bound: own }).pass).toBe(false);
});

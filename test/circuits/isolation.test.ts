import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { isolation } from '../../lib/circuits/isolation.ts';
import { FactoredMatrix, norm, svd, transpose } from '../../lib/index.ts';
import { checkError, errorOf, matrixAt } from '../support/checks.ts';
import { clustered } from '../support/clustered.ts';
import { mapMatrix, productWithSpectrum, randomMatrix, withSpectrum } from '../support/matrices.ts';

const nothing = Math.PI / 2;

/** The angle between two unit vectors, but for their sign. */
const angleBetween = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  const [plus, minus] = [1, -1].map((sign) =>
    Math.hypot(...Array.from(x, (value, i) => value - sign * y[i])),
  );
  return 2 * Math.asin(Math.min(plus, minus) / 2);
};

describe('which singular vectors are determined alone', () => {
  test('equal singular values share a cluster, single ones are isolated', () => {
    const { cluster, isolated, angle } = isolation(clustered.svd()); // 5, 3, 3, 3, 1
    expect([...cluster.data]).toEqual([0, 1, 1, 1, 2]);
    expect([...isolated.data]).toEqual([1, 0, 0, 0, 1]);
    expect(angle.data.every((x) => x > 0 && x < 1e-12)).toBe(true);
  });

  test('the angle holds when the matrix is perturbed by as much as the bound says, and only for isolated vectors', () => {
    const spectrum = [4, 2, 2 - 1e-9, 1, 0.5];
    const M = withSpectrum(1, 7, 5, spectrum);
    const noise = randomMatrix(3, [7, 5]);
    const size = 1e-6;
    const E = mapMatrix(noise, (x) => (x * size) / (norm(noise, 2) as number));
    const before = svd(M);
    const after = svd(mapMatrix(M, (x, i, j) => x + E.get(i, j)));
    const { isolated, angle } = isolation({ ...factors(before), bound: size });
    expect([...isolated.data]).toEqual([1, 0, 0, 1, 1]);
    const turned = spectrum.map((_, j) =>
      Math.max(
        angleBetween(column(before.U, j), column(after.U, j)),
        angleBetween(column(transpose(before.Vh), j), column(transpose(after.Vh), j)),
      ),
    );
    turned.forEach((turn, j) => {
      if (isolated.data[j]) expect(turn).toBeLessThanOrEqual(angle.data[j]);
    });
    expect(Math.max(turned[1], turned[2]), 'negative control: inside the cluster').toBeGreaterThan(
      angle.data[1],
    );
  });

  test('leading triplets: the last is isolated only from a following value that is known to be far', () => {
    const of = (sigma: number[]) => {
      const { A, B } = productWithSpectrum(5, 8, 8, sigma);
      return new FactoredMatrix(A, B).svd({ rank: 2 });
    };
    expect([...isolation(of([3, 2, 1])).isolated.data]).toEqual([1, 1]);
    const close = isolation(of([3, 2, 2]));
    expect([...close.isolated.data]).toEqual([1, 0]);
    expect(close.angle.data[1]).toBe(nothing);
    const unknown = isolation(factors(of([3, 2, 1])));
    expect([...unknown.isolated.data]).toEqual([1, 0]);
    expect(unknown.angle.data[1]).toBe(nothing);
  });

  test('0 is a neighbour where the matrix is not square', () => {
    const of = (rows: number) => isolation({ ...factors(svd(withSpectrum(7, rows, 3, [2, 1, 1e-17]))) });
    expect([...of(3).isolated.data]).toEqual([1, 1, 1]);
    expect([...of(4).isolated.data]).toEqual([1, 1, 0]);
  });

  test('one entry for every singular value of a batch', () => {
    const batch = svd(randomMatrix(8, [2, 3, 5, 4], 'float32'));
    for (const x of Object.values(isolation(batch))) {
      expect(x.shape).toEqual([2, 3, 4]);
      expect(x.data.length).toBe(24);
    }
    const single = isolation(svd(transpose(batch.U).pick(1, 2, null, null)));
    expect(single.cluster.shape).toEqual([4]);
  });

  test('a product stands for its decomposition', () => {
    expect(isolation(clustered)).toEqual(isolation(clustered.svd()));
  });

  test('what is no decomposition is refused', () => {
    const call = isolation as (...args: unknown[]) => unknown;
    checkError(
      errorOf(() => call([[1]])),
      'ERR_SVD_ARGUMENT',
      'decomposition',
    );
    checkError(
      errorOf(() => call({ U: [[1], [0]], S: [1, 2], Vh: [[1]] })),
      'ERR_SVD_SHAPE',
    );
    checkError(
      errorOf(() => call(clustered, { tol: 1 })),
      'ERR_SVD_ARGUMENT',
    );
  });
});

const factors = ({ U, S, Vh }: { U: unknown; S: unknown; Vh: unknown }) =>
  ({ U, S, Vh }) as Parameters<typeof isolation>[0] & object;

const column = (x: Tensor, j: number): number[] => matrixAt(x).map((row) => row[j]);

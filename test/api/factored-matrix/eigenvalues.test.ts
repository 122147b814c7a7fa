import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import { checkArray, frobenius, matrixAt } from '../../support/checks.ts';
import { beta, dense, factored } from '../../support/factored.ts';
import { array, dtypes } from '../../support/matrices.ts';
import { eigenvalueReferences } from '../../support/references.ts';

describe('eigenvalues', () => {
  /** Pairs every expected number with the nearest computed one not taken yet; the largest distance. */
  function farthest(found: [number, number][], expected: [number, number][]): number {
    const left = [...found];
    return expected.reduce((worst, [re, im]) => {
      const distances = left.map(([x, y]) => Math.hypot(x - re, y - im));
      const nearest = distances.indexOf(Math.min(...distances));
      left.splice(nearest, 1);
      return Math.max(worst, distances[nearest]);
    }, 0);
  }
  const pairs = (m: FactoredMatrix): [number, number][] => {
    const { real, imag } = m.eigenvalues();
    return Array.from(real.data, (re: number, i) => [re, imag.data[i]]);
  };

  it.each(eigenvalueReferences)('are those of 60-digit arithmetic: $name', ({ A, B, dtype, eigenvalues }) => {
    const m = new FactoredMatrix(array(A.data, A.shape, dtype), array(B.data, B.shape, dtype));
    const expected = Array.from(eigenvalues.real, (re, i): [number, number] => [re, eigenvalues.imag[i]]);
    expect(m.eigenvalues().real.shape).toEqual([m.mdim]);
    const size = frobenius(matrixAt(m.BA));
    expect(farthest(pairs(m), expected)).toBeLessThanOrEqual(
      bounds.reconstruction(dtype, size, m.mdim, m.mdim, beta(m)),
    );
    const negated = expected.map(([re, im]): [number, number] => [-re, im]);
    expect(farthest(pairs(m), negated)).toBeGreaterThan(
      bounds.reconstruction(dtype, size, m.mdim, m.mdim, beta(m)),
    );
  });

  it('of a triangular BA are its diagonal; of a rotation ±i', () => {
    const eye = [[1, 0], [0, 1]]; // biome-ignore format: one matrix
    expect(pairs(new FactoredMatrix(eye, [[2, 5], [0, -3]])).sort(([x], [y]) => y - x)).toEqual([[2, 0], [-3, 0]]); // biome-ignore format: two matrices
    const turn = pairs(new FactoredMatrix(eye, [[0, -1], [1, 0]])); // biome-ignore format: one matrix
    expect(farthest(turn, [[0, 1], [0, -1]])).toBeLessThanOrEqual(bounds.reconstruction('float64', 1, 2, 2)); // biome-ignore format: one line
    expect(turn[0][1]).toBe(-turn[1][1]);
  });

  it('those of AB are the same, and zeros', () => {
    const m = factored(41, [7, 3, 7]);
    const formed = new FactoredMatrix(m.AB, orthogonalIdentity(7));
    const expected = [...pairs(m), ...new Array<[number, number]>(4).fill([0, 0])];
    const size = frobenius(dense(m));
    expect(farthest(pairs(formed), expected)).toBeLessThanOrEqual(
      bounds.reconstruction('float64', size, 7, 7, beta(m)),
    );
  });

  it.each(dtypes)('have the leading dimensions, and `real` and `imag` apart: %s', (dtype) => {
    const { real, imag } = factored(42, [4, 3, 4], dtype, [2, 2]).eigenvalues();
    checkArray(real, [2, 2, 3], dtype, 'real');
    checkArray(imag, [2, 2, 3], dtype, 'imag');
  });

  it('their sum is the trace of BA', () => {
    const m = factored(43, [6, 4, 6]);
    const sum = pairs(m).reduce((total, [re]) => total + re, 0);
    const trace = matrixAt(m.BA).reduce((total, row, i) => total + row[i], 0);
    expect(Math.abs(sum - trace)).toBeLessThanOrEqual(
      bounds.reconstruction('float64', Math.abs(trace), 4, 4, beta(m)),
    );
  });

  it('of an empty inner dimension are none', () => {
    expect(factored(44, [3, 0, 3]).eigenvalues().real.shape).toEqual([0]);
  });
});

function orthogonalIdentity(n: number): Tensor {
  return array(
    Array.from({ length: n * n }, (_, e) => (e % (n + 1) === 0 ? 1 : 0)),
    [n, n],
  );
}

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FactoredMatrix, transpose } from '../../../lib/index.ts';
import { checkSvd, indices, matrixAt, multiplyRows } from '../../support/checks.ts';
import { factored } from '../../support/factored.ts';
import { integerMatrix, randomMatrix, randomProduct } from '../../support/matrices.ts';

describe('shape', () => {
  it('l, k, r and leading dimensions are those of the factors', () => {
    const m = factored(1, [5, 2, 4], 'float64', [3]);
    expect(m.shape).toEqual([3, 5, 4]);
    expect([m.ndim, m.ldim, m.mdim, m.rdim]).toEqual([3, 5, 2, 4]);
    expect(m.hasLeadingDims).toBe(true);
    expect(factored(1, [5, 2, 4]).hasLeadingDims).toBe(false);
    expect(factored(1, [5, 2, 4]).ndim).toBe(2);
    expect(Object.isFrozen(m.shape)).toBe(true);
  });

  it('leading dimensions broadcast as in numpy, in the factors too', () => {
    for (const [a, b, both] of [
      [[2, 1], [3], [2, 3]],
      [[], [4], [4]],
      [[4], [], [4]],
      [[1], [1, 1], [1, 1]],
      [
        [2, 1, 3],
        [5, 1],
        [2, 5, 3],
      ],
      [[0], [1], [0]],
    ]) {
      const A = integerMatrix(2, [...a, 4, 2]);
      const B = integerMatrix(3, [...b, 2, 3]);
      const m = new FactoredMatrix(A, B);
      expect(m.shape).toEqual([...both, 4, 3]);
      expect(m.A.shape).toEqual([...both, 4, 2]);
      expect(m.B.shape).toEqual([...both, 2, 3]);
      for (const index of indices(both)) {
        expect(matrixAt(m.AB, index)).toEqual(multiplyRows(matrixAt(A, index), matrixAt(B, index)));
      }
    }
  });

  it('pair is [A, B], without copying the arrays it was made of', () => {
    const { A, B } = randomProduct(4, [5, 2, 4]);
    const m = new FactoredMatrix(A, B);
    expect(m.pair).toEqual([m.A, m.B]);
    expect(m.A.data).toBe(A.data);
    expect(m.B.data).toBe(B.data);
  });

  it('factors of different dtypes both become float64', () => {
    const single = randomMatrix(5, [4, 2], 'float32');
    for (const m of [
      new FactoredMatrix(single, randomMatrix(6, [2, 3])),
      new FactoredMatrix(randomMatrix(6, [3, 4]), single),
    ]) {
      expect([m.A.dtype, m.B.dtype, m.AB.dtype, m.S.dtype, m.U.dtype]).toEqual(new Array(5).fill('float64'));
      checkSvd({ A: m.A, B: m.B }, m.svd());
    }
    expect(new FactoredMatrix(single, transpose(single)).S.dtype).toBe('float32');
  });

  it('toString is that of TransformerLens; util.inspect is one short line without elements', () => {
    const m = factored(7, [500, 30, 400]);
    expect(String(m)).toBe('FactoredMatrix: Shape([500, 400]), Hidden Dim(30)');
    const shown = inspect(m);
    expect(shown).toMatch(/^FactoredMatrix \[500, 400\].*\[500, 30\].*\[30, 400\].*float64$/);
    expect(shown.length).toBeLessThan(100);
    expect(inspect({ layers: [m] })).toContain(shown);
  });
});

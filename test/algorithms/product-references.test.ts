import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../lib/array/tensor.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { checkSameSpectrum, checkSvd } from '../support/checks.ts';
import { factoredOf } from '../support/factored.ts';
import { gradedProduct, powersOfTwo, shuffled } from '../support/matrices.ts';
import { checkProduct, relativeError, statedBound, stored } from '../support/products.ts';
import { gradedReferences, productReferences } from '../support/references.ts';

describe('against 60-digit arithmetic', () => {
  it.each([...productReferences, ...gradedReferences])(
    'errors are below `bound`, and `bound` is what is stated: $name',
    (reference) => {
      const { dtype, singularValues, norm, beta } = reference;
      const of = stored(reference);
      const result = factoredOf(of).svd();
      checkSvd(of, result);
      const expected = statedBound(dtype, beta, result);
      expect(Math.abs((result.bound as number) - expected)).toBeLessThanOrEqual(
        bounds.reconstruction('float64', expected, 1, 1),
      );
      checkSameSpectrum(dtype, result.S.data, singularValues, result.bound as number, 0);
      checkSameSpectrum(dtype, factoredOf(of).svdvals().data, singularValues, result.bound as number, 0);
      const close = bounds.singularValues(dtype, result.bound as number, 0);
      expect(Math.abs((factoredOf(of).norm() as number) - norm)).toBeLessThanOrEqual(close);
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
    expect(relativeError(dtype, factoredOf(of).svd().S.data, singularValues)).toBeLessThanOrEqual(1);
    expect(relativeError(dtype, factoredOf(of).svdvals().data, singularValues)).toBeLessThanOrEqual(1);
  });

  it('the three-SVD composition is not: in float64 it fails all of these that do not descend in both factors', () => {
    // Of float32 factors this small each SVD is computed in float64.
    const wide = diagonal.filter(({ dtype }) => dtype === 'float64');
    const failed = wide.filter((reference) => {
      const { S } = factoredOf(stored(reference)).svd({ algorithm: 'three-svd' });
      return relativeError(reference.dtype, S.data, reference.singularValues) > 1;
    });
    const names = wide
      .map(({ name }) => name)
      .filter((name) => /gauge|ascending|opposite|permuted/.test(name));
    expect(names).toEqual(expect.arrayContaining(['gauge 1 to 1e6', 'graded, both ascending']));
    expect(failed.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
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
      const m = factoredOf(of);
      checkProduct(of);
      const turned = m.T.svd().S.data;
      const straight = Float64Array.from(m.S.data);
      expect(relativeError(dtype, turned, straight)).toBeLessThanOrEqual(1);
    },
  );
});

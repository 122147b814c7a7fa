import { describe, expect, test } from 'vitest';
import { transpose } from '../../lib/index.ts';
import { bitIdentical } from '../../lib/testing/index.ts';
import { clustered, given } from '../support/clustered.ts';
import { array, randomMatrix } from '../support/matrices.ts';
import { failed, failedNames, holds } from '../support/reports.ts';
import { copy, flipU } from '../support/variants.ts';

describe('bitIdentical', () => {
  test('a repeated computation, and views of the same elements', () => {
    expect(
      bitIdentical(clustered.svd({ algorithm: 'three-svd' }), clustered.svd({ algorithm: 'three-svd' })),
    ).toMatchObject(holds);
    const x = randomMatrix(20, [3, 4], 'float32');
    expect(bitIdentical(transpose(transpose(x)), copy({ U: x, S: x, Vh: x, bound: 0 }).U)).toMatchObject(
      holds,
    );
    expect(bitIdentical([Number.NaN, 1], [Number.NaN, 1])).toMatchObject(holds);
  });

  test('one bit, the sign of a zero, the dtype and the shape count', () => {
    const different = (a: Parameters<typeof bitIdentical>[0], b: Parameters<typeof bitIdentical>[0]) =>
      failed(bitIdentical(a, b))[0]?.detail;
    expect(different([[1, 2, 3]], [[1, 2 + 2 ** -51, 3 + 2 ** -51]])).toBe(
      '2 of 3 elements differ, first element [0, 1]: received 2, expected 2.0000000000000004',
    );
    expect(different([0], [-0])).toMatch('received 0, expected -0');
    expect(different(array([1], [1], 'float32'), [1])).toBe('received float32 [1], expected float64 [1]');
    expect(different([1, 2], [[1, 2]])).toBe('received float64 [2], expected float64 [1, 2]');
    expect(failedNames(bitIdentical(given, flipU(given, 0)))).toEqual(['U bit-identical']);
  });
});

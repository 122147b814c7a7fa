import { describe, expect, test } from 'vitest';
import { svd } from '../../lib/index.ts';
import { matchSingularValues } from '../../lib/testing/index.ts';
import { checkError, errorOf } from '../support/checks.ts';
import { again, clustered, given, ofTranspose, tau } from '../support/clustered.ts';
import { factoredOf } from '../support/factored.ts';
import { gradedProduct, powersOfTwo, randomProduct } from '../support/matrices.ts';
import { failed, failedNames, fails, holds } from '../support/reports.ts';
import { shiftS } from '../support/variants.ts';

describe('matchSingularValues', () => {
  test('two decompositions of one matrix agree', () => {
    expect(matchSingularValues(given, again)).toMatchObject(holds);
    expect(matchSingularValues(clustered, clustered.svd({ algorithm: 'three-svd' }))).toMatchObject(holds);
    const batch = factoredOf(randomProduct(11, [9, 3, 7], 'float32', [2, 2]));
    expect(matchSingularValues(batch.svd(), ofTranspose(batch))).toMatchObject(holds);
  });

  test('S off by 10τ fails, and the report says which, where and by how much', () => {
    const report = matchSingularValues(shiftS(given, 2, 10 * tau), given);
    expect(report).toMatchObject(fails);
    const [check] = failed(report);
    expect(check).toMatchObject({ name: 'singular values', bound: tau, cluster: [2, 2] });
    expect(check.value / tau).toBeCloseTo(10, 1);
    expect(report.text).toMatch(
      /1 of 2 checks failed\n- singular values, S\[2\]: .* times the bound\): received/,
    );
  });

  test('relative: holds for graded products down to the last value, and sees what τ does not', () => {
    const M = factoredOf(gradedProduct(12, 10, 5, powersOfTwo(5, 30, -30), powersOfTwo(5, 0, -9)));
    expect(matchSingularValues(M.svd(), ofTranspose(M), { mode: 'relative' })).toMatchObject(holds);
    const formed = svd(M.AB); // loses the small singular values
    expect(matchSingularValues(formed, M, { mode: 'absolute' })).toMatchObject(holds);
    expect(matchSingularValues(formed, M, { mode: 'relative' })).toMatchObject(fails);
  });

  test('takes bare arrays, and references with a bound of their own', () => {
    const S = Array.from(given.S.data);
    expect(matchSingularValues(given, S)).toMatchObject(holds);
    expect(matchSingularValues({ S, bound: 0 }, { S: [5, 3, 3, 3, 1], bound: 1e-14 })).toMatchObject(holds);
    expect(matchSingularValues(S, [5, 3, 3, 3, 1.001])).toMatchObject(fails);
    expect(matchSingularValues([[2], [1]], [[2], [1.5]])).toMatchObject({
      checks: [{}, { pass: true }, { pass: false, batchIndex: [1] }],
    });
    expect(matchSingularValues([[2], [1]], { S: [[2], [1.5]], bound: [0, 1] })).toMatchObject(holds);
  });

  test('another number of singular values, NaN and infinity fail', () => {
    expect(failedNames(matchSingularValues([3, 2], [3, 2, 1]))).toEqual(['same shapes']);
    expect(matchSingularValues([3, Number.NaN], [3, Number.NaN])).toMatchObject({ pass: false });
    const endless = { S: [Number.POSITIVE_INFINITY], bound: 1 };
    expect(matchSingularValues(endless, endless)).toMatchObject({ pass: false });
  });

  test('arguments that make no sense are errors', () => {
    const mode = 'both' as 'absolute';
    checkError(
      errorOf(() => matchSingularValues([1], [1], { mode })),
      'ERR_SVD_ARGUMENT',
      "'both'",
    );
    const misfit = () => matchSingularValues({ S: [1, 1], bound: [1, 2] }, [1, 1]);
    checkError(errorOf(misfit), 'ERR_SVD_SHAPE', 'received.bound', '[2]');
    checkError(
      errorOf(() => matchSingularValues([1], 'one' as never)),
      'ERR_SVD_ARGUMENT',
      'expected.S',
    );
  });
});

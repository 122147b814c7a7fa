import { describe, expect, test } from 'vitest';
import { compareSpectrum } from '../../lib/golden/compare.ts';
import { goldenJson, parseGolden } from '../../lib/golden/file.ts';
import { norm, probe, recordSpectrum, type SpectrumRecord } from '../../lib/golden/record.ts';
import { FactoredMatrix, svd, transpose, versions } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  array,
  orthogonal,
  productWithSpectrum,
  randomMatrix,
  rankDeficient,
  withSpectrum,
} from '../support/matrices.ts';
import { failedNames, fails, holds } from '../support/reports.ts';
import {
  copy,
  type Factors,
  flipU,
  flipV,
  rotateU,
  rotateV,
  shiftS,
  swapVectors,
} from '../support/variants.ts';

/** What a golden file gives back of a record. */
function stored(record: SpectrumRecord): SpectrumRecord {
  const text = goldenJson({
    versions: versions(),
    records: [{ file: 'f', source: { factors: true }, ...record }],
  });
  return parseGolden('golden.json', text).records[0];
}

describe('a spectrum record', () => {
  const { A, B } = productWithSpectrum(1, 12, 9, [5, 3, 3, 3, 1]);
  const M = new FactoredMatrix(A, B);
  const given: Factors = copy(M.svd());
  const golden = stored(recordSpectrum(given));
  const tau = bounds.singularValues('float64', given.bound, given.bound);
  const rotation = orthogonal(7, 3, 3);

  test('keeps S and bound to the last bit, in clusters', () => {
    const [{ clusters, bound, beta }] = golden.items;
    expect(clusters.flatMap(({ S }) => S)).toEqual(Array.from(given.S.data));
    expect(clusters.map(({ S }) => S.length)).toEqual([1, 3, 1]);
    expect({ bound, beta }).toEqual({ bound: given.bound, beta: bounds.beta('float64', given.bound) });
    const single = svd(randomMatrix(2, [6, 4], 'float32'));
    const { items } = stored(recordSpectrum(single));
    expect(items[0].clusters.flatMap(({ S }) => S)).toEqual(Array.from(single.S.data));
  });

  test('holds for itself, for other signs, for another rotation of a cluster, for another algorithm', () => {
    const T = M.T.svd();
    const rotated = rotateV(rotateU(given, 1, rotation), 1, rotation);
    for (const same of [
      given,
      flipV(flipU(given, 0), 0),
      rotated,
      { U: transpose(T.Vh), S: T.S, Vh: transpose(T.U), bound: T.bound, next: T.next },
      M.svd({ algorithm: 'three-svd' }),
    ])
      expect(compareSpectrum(same, golden)).toMatchObject(holds);
  });

  const pairing = 'pairing of left and right singular vectors';
  const allVectors = ['left singular vectors', 'right singular vectors', pairing];
  test.each<[string, Factors, string[]]>([
    ['a column flipped in U only', flipU(given, 2), [pairing]],
    ['a cluster rotated on one side only', rotateV(given, 1, rotation), [pairing]],
    ['a pair swapped', swapVectors(given, 0, 4), [...allVectors, ...allVectors]],
    ['S off by 10τ', shiftS(given, 4, 10 * tau), ['singular values']],
    ['V for Vh', { ...given, Vh: transpose(given.Vh) }, ['shapes']],
  ])('%s: fails where it should', (_, wrong, names) => {
    expect(failedNames(compareSpectrum(wrong, golden))).toEqual(names);
  });

  test('a matrix that changes by a thousand times the bound fails', () => {
    const moved = array(
      Array.from(A.data, (a, e) => (e === 7 ? a + 1000 * tau : a)),
      A.shape,
    );
    expect(compareSpectrum(new FactoredMatrix(moved, B), golden)).toMatchObject(fails);
  });

  test('other shapes and dtypes fail', () => {
    expect(failedNames(compareSpectrum(M.T, golden))).toEqual(['same dtype and shapes']);
    expect(failedNames(compareSpectrum(M.truncate(4), golden))).toEqual(['same dtype and shapes']);
    const float32 = new FactoredMatrix(
      array(A.data, A.shape, 'float32'),
      array(B.data, [...B.shape], 'float32'),
    );
    expect(failedNames(compareSpectrum(float32, golden))).toEqual(['same dtype and shapes']);
  });

  test('what is not a decomposition fails before it is compared', () => {
    const unsorted = { ...given, S: [3, 5, 3, 3, 1] };
    expect(failedNames(compareSpectrum(unsorted, golden))).toEqual(['S ≥ 0 and descending']);
    const nan = { ...given, S: [5, 3, 3, Number.NaN, 1] };
    expect(failedNames(compareSpectrum(nan, golden))).toEqual(['S finite']);
  });

  test('clusters that the larger bound of the other side joins are compared as one', () => {
    // Gaps of 100τ … 200τ: apart for one bound, joined for three times that.
    const step = 150 * tau;
    const near = svd(withSpectrum(3, 9, 4, [4, 2 + step, 2, 1]));
    const record = stored(recordSpectrum({ ...copy(near), bound: given.bound }));
    expect(record.items[0].clusters.map(({ S }) => S.length)).toEqual([1, 1, 1, 1]);
    const looser = { ...copy(near), bound: 3 * given.bound };
    const Q = orthogonal(8, 2, 2);
    const report = compareSpectrum(rotateV(rotateU(looser, 1, Q), 1, Q), record);
    expect(report).toMatchObject(holds);
    expect(report.checks.map(({ cluster }) => cluster?.join())).toContain('1,2');
    expect(compareSpectrum(rotateU(looser, 1, Q), record)).toMatchObject(fails);
  });

  test('what the matrix does not determine is not recorded, and passes as undetermined', () => {
    const singular = rankDeficient(4, 8, 6, 4);
    const record = stored(recordSpectrum(svd(singular)));
    expect(record.items[0].clusters.at(-1)).not.toHaveProperty('left');
    const T = svd(transpose(singular));
    const report = compareSpectrum(
      { U: transpose(T.Vh), S: T.S, Vh: transpose(T.U), bound: T.bound, next: T.next },
      record,
    );
    expect(report).toMatchObject(holds);
    expect(report.checks.filter(({ undetermined }) => undetermined)).toHaveLength(3);
    expect(report.text).toMatch(/hold \(3 undetermined\)$/);
  });

  test('what was determined and is no more makes the comparison undetermined', () => {
    const report = compareSpectrum({ ...given, bound: 0.5 }, golden);
    expect(report).toMatchObject({ pass: false, undetermined: true });
  });

  test('a single zero of a square matrix: left and right are recorded, their pairing is not', () => {
    const [{ clusters }] = recordSpectrum(svd(withSpectrum(5, 4, 4, [3, 2, 1, 0]))).items;
    expect(Object.keys(clusters[3])).toEqual(['S', 'left', 'right']);
  });

  test('empty and zero matrices, empty batches', () => {
    for (const shape of [
      [0, 3],
      [0, 2, 2],
      [3, 2],
    ]) {
      const M = array(new Float64Array(shape.reduce((a, b) => a * b)), shape);
      expect(compareSpectrum(svd(M), stored(recordSpectrum(svd(M))))).toMatchObject(holds);
    }
  });

  test('the probes are the same for ever', () => {
    expect(Array.from(probe(0, 3))).toEqual([-0.8998361781705171, 0.26545551721937954, 0.014934191247448325]);
    expect(norm(probe(3, 1000)) / Math.sqrt(1000 / 3)).toBeCloseTo(1, 1);
  });
});

import { describe, expect, test } from 'vitest';
import { goldenJson, parseGolden } from '../../lib/golden/file.ts';
import { recordSpectrum } from '../../lib/golden/record.ts';
import { svd, versions } from '../../lib/index.ts';
import { checkError, errorOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

describe('a golden file that was changed by hand', () => {
  const record = recordSpectrum(svd(randomMatrix(14, [2, 4, 3])));
  const text = goldenJson({
    versions: versions(),
    records: [{ file: 'f', source: { matrix: 'M' }, ...record }],
  });

  test('is read as it was written', () => {
    expect(parseGolden('g', text).records[0]).toMatchObject(JSON.parse(JSON.stringify(record)));
  });

  // biome-ignore lint/suspicious/noExplicitAny: JSON
  test.each<[string, (json: any) => void, string]>([
    ['another format', (json) => (json.format = 'x'), 'format: expected "factored-svd golden 1"'],
    ['no records', (json) => delete json.records, 'records: expected a list'],
    [
      'a shape that is none',
      (json) => (json.records[0].shape[0] = -1),
      'records[0].shape[0]: expected an integer',
    ],
    ['a list of records without any', (json) => (json.records = []), 'records: expected one record or more'],
    [
      'a version that is none',
      (json) => (json.versions.openblas = 3),
      'versions.openblas: expected a string',
    ],
    ['versions missing', (json) => (json.versions = {}), 'versions.lapackIntBits: expected 32 or 64'],
    ['a bound below 0', (json) => (json.records[0].items[0].bound = -1), 'bound: expected a number ≥ 0'],
    [
      'a source with more',
      (json) => (json.records[0].source.x = 1),
      'source: expected matrix, a, b, factors',
    ],
    [
      'a text for a flag',
      (json) => (json.records[0].source = { a: 'A', b: 'B', transposeA: 'no' }),
      'transposeA: expected true or false',
    ],
    ['an item too few', (json) => json.records[0].items.pop(), 'records[0].items: expected 2'],
    [
      'a text for a number',
      (json) => (json.records[0].items[1].bound = '0'),
      'items[1].bound: expected a number',
    ],
    ['a value too few', (json) => json.records[0].items[0].clusters.pop(), 'as many singular values'],
    [
      'a probe too few',
      (json) => json.records[0].items[0].clusters[1].left.pop(),
      'clusters[1].left: expected 2',
    ],
    ['no matrix', (json) => (json.records[0].source = { a: 'A' }), 'records[0].source: expected factors, or'],
  ])('%s is an error that says where', (_, change, says) => {
    const json = JSON.parse(text);
    change(json);
    checkError(
      errorOf(() => parseGolden('g.json', JSON.stringify(json))),
      'ERR_SVD_FILE',
      'g.json',
      says,
    );
  });
});

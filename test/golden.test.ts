import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../lib/cli/run.ts';
import { compareSpectrum } from '../lib/golden/compare.ts';
import { goldenJson, parseGolden } from '../lib/golden/file.ts';
import { norm, probe, recordSpectrum, type SpectrumRecord } from '../lib/golden/record.ts';
import { FactoredMatrix, svd, transpose, versions } from '../lib/index.ts';
import * as bounds from '../lib/testing/bounds.ts';
import type { Report } from '../lib/testing/index.ts';
import { writeSafetensors } from '../lib/weights/index.ts';
import { checkError, errorOf } from './support/checks.ts';
import { Capture, cli } from './support/cli.ts';
import { kernels, runUnder } from './support/kernels.ts';
import {
  array,
  orthogonal,
  productWithSpectrum,
  randomMatrix,
  randomProduct,
  rankDeficient,
  withSpectrum,
} from './support/matrices.ts';
import {
  copy,
  type Factors,
  flipU,
  flipV,
  rotateU,
  rotateV,
  shiftS,
  swapVectors,
} from './support/variants.ts';

const failedNames = ({ checks }: Report): string[] =>
  checks.filter(({ pass }) => !pass).map(({ name }) => name);
const holds = { pass: true, undetermined: false };
const fails = { pass: false, undetermined: false };

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

// ------------------------------------------------------------------------------------------------- the commands

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'factored-svd-golden-'));
  const { A, B } = randomProduct(10, [14, 3, 11], 'float32', [2]);
  const tall = randomMatrix(11, [12, 5]);
  await writeSafetensors(weights(), {
    A,
    B,
    tall,
    singular: rankDeficient(12, 6, 5, 3),
    text: randomMatrix(1, [3]),
  });
  const changed = array(
    Array.from(B.data, (b, e) => (e === 40 ? b + 0.01 : b)),
    B.shape,
    'float32',
  );
  await writeSafetensors(join(folder, 'changed.safetensors'), { A, B: changed });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const weights = () => join(folder, 'weights.safetensors');
const at = (name: string) => join(folder, name);

async function golden(name: string, ...argv: string[]): Promise<string> {
  const done = await cli('golden', ...argv, '--out', at(name));
  expect(done).toMatchObject({ code: 0, stdout: '' });
  return at(name);
}

const product = ['--a', 'A', '--b', 'B'];

describe('factored-svd golden', () => {
  test('writes a small JSON file that names the matrix, the versions and the kernel', async () => {
    const path = await golden('small.json', weights(), ...product);
    const file = JSON.parse(readFileSync(path, 'utf8'));
    expect(file).toMatchObject({
      format: 'factored-svd golden 1',
      versions: { ...versions() },
      records: [
        { file: 'weights.safetensors', source: { a: 'A', b: 'B' }, shape: [2, 14, 11], dtype: 'float32' },
      ],
    });
    expect(file.records[0].items).toHaveLength(2);
    expect(statSync(path).size / 6).toBeLessThan(250); // bytes a singular value, the head included
  });

  test('prints the same without --out', async () => {
    const path = await golden('tall.json', weights(), '--matrix', 'tall');
    const { stdout } = await cli('golden', weights(), '--matrix', 'tall');
    const [printed, written] = [stdout, readFileSync(path, 'utf8')].map((text) => JSON.parse(text));
    expect(printed.records[0].items).toEqual(written.records[0].items);
  });

  test('leaves nothing behind but the file, and what was there when it fails', async () => {
    mkdirSync(at('atomic'), { recursive: true });
    const path = await golden('atomic/golden.json', weights(), ...product);
    const before = readFileSync(path, 'utf8');
    const done = await cli('golden', weights(), '--matrix', 'missing', '--out', path);
    expect(done).toMatchObject({ code: 1 });
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(readdirSync(at('atomic'))).toEqual(['golden.json']);
  });

  test('says what the record leaves undetermined', async () => {
    const done = await cli('golden', weights(), '--matrix', 'singular', '--out', at('singular.json'));
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(
      /of 2 singular values \(in 1 of 4 clusters\) the singular vectors are not determined/,
    );
  });

  test('does not record what is no decomposition', async () => {
    const { U, S, Vh } = svd(randomMatrix(13, [4, 4]));
    await writeSafetensors(at('wrong.safetensors'), { U: array([...U.data].fill(1), [4, 4]), S, Vh });
    const done = await cli('golden', at('wrong.safetensors'), '--factors', '--out', at('wrong.json'));
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/not recorded: 1 of \d+ checks failed\b.*\n- columns of U orthonormal: /);
    expect(existsSync(at('wrong.json'))).toBe(false);
  });

  test.each([
    [[], 'or say --factors'],
    [['--a', 'A'], 'name both factors'],
    [['--factors', '--matrix', 'tall'], '--factors cannot be combined'],
    [['--matrix', 'tall', '--a', 'A'], '--matrix cannot be combined'],
  ])('wrong usage %j ends with 2', async (options, says) => {
    const done = await cli('golden', weights(), ...options);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toContain(says);
  });

  test('does not overwrite its input', async () => {
    const done = await cli('golden', weights(), ...product, '--out', weights());
    expect(done).toMatchObject({
      code: 2,
      stderr: `factored-svd: --out would overwrite the input file ${weights()}\n`,
    });
  });
});

describe('factored-svd compare', () => {
  test('0 when the record holds, with how near it came to its bounds', async () => {
    const path = await golden('holds.json', weights(), ...product);
    for (const files of [[], [weights()]]) {
      const done = await cli('compare', path, ...files);
      expect(done).toMatchObject({ code: 0, stderr: '' });
      expect(done.stdout).toMatch(/^recorded with factored-svd .*, OpenBLAS .* \(kernel \w+\)$/m);
      expect(done.stdout).toMatch(
        /^ok: .*weights.safetensors, A · B: all \d+ checks hold; nearest to its bound: /m,
      );
    }
  });

  test('1 when it does not, and the report says where', async () => {
    const path = await golden('fails.json', weights(), ...product);
    const done = await cli('compare', path, at('changed.safetensors'));
    expect(done).toMatchObject({ code: 1, stderr: `factored-svd: ${path} does not hold\n` });
    expect(done.stdout).toMatch(
      /^FAILED: .*changed.safetensors, A · B: \d+ of \d+ checks failed\n- singular values, batch item \[1\]/m,
    );
    expect(done.stdout).not.toContain('batch item [0]');
  });

  test('factors that svd --out wrote hold, and fail with one sign changed', async () => {
    const path = await golden('factors.json', weights(), ...product);
    expect(await cli('svd', weights(), ...product, '--out', at('factors.safetensors'))).toMatchObject({
      code: 0,
    });
    expect(await cli('compare', path, at('factors.safetensors'), '--factors')).toMatchObject({ code: 0 });
    const { A, B } = randomProduct(10, [14, 3, 11], 'float32', [2]);
    const { U, S, Vh, bound } = new FactoredMatrix(A, B).svd();
    const flipped = array(
      Array.from(U.data, (u, e) => (e % 3 === 1 ? -u : u)),
      U.shape,
      'float32',
    );
    await writeSafetensors(at('flipped.safetensors'), { U: flipped, S, Vh, bound: bound as never });
    const done = await cli('compare', path, at('flipped.safetensors'), '--factors');
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(/- pairing of left and right singular vectors, batch item \[0\], S\[1\]: /);
  });

  test('2 when it could not compare', async () => {
    const path = await golden('errors.json', weights(), ...product);
    writeFileSync(at('broken.json'), readFileSync(path, 'utf8').slice(0, -20));
    const recorded = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(at('no-records.json'), JSON.stringify({ ...recorded, records: [] }));
    const two = [recorded.records[0], { ...recorded.records[0], file: 'other' }];
    writeFileSync(at('two.json'), JSON.stringify({ ...recorded, records: two }));
    const cases: [string[], RegExp][] = [
      [[at('missing.json')], /could not compare: .*missing.json: cannot open: .*\[ERR_SVD_FILE\]/],
      [[at('broken.json')], /could not compare: .*broken.json: not a golden file: /],
      [[path, at('missing.safetensors')], /could not compare: .*cannot open/],
      [[at('no-records.json')], /could not compare: .*records: expected one record or more \[ERR_SVD_FILE\]/],
      [[at('two.json'), at('factors.safetensors')], /could not compare: .*has no record of .*factors/],
      [[path, weights(), '--matrix', 'nothing'], /no tensor "nothing"/],
      [[path, weights(), '--a', 'A'], /name both factors/],
      [[path, weights(), '--format', 'xml'], /Allowed choices are text, tap, json, github/],
    ];
    for (const [argv, says] of cases) {
      const done = await cli('compare', ...argv);
      expect(done).toMatchObject({ code: 2, stdout: '' });
      expect(done.stderr).toMatch(says);
    }
  });

  test('2 when the report cannot be written', async () => {
    const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('ENOSPC')) });
    const path = await golden('unwritten.json', weights(), ...product);
    const stderr = new Capture();
    expect(await run(['compare', path], { stdout: full, stderr })).toBe(2);
    expect(stderr.text).toBe('factored-svd: could not compare: ENOSPC\n');
  });

  test('--help says what the exit codes mean', async () => {
    for (const argv of [['--help'], ['compare', '--help']])
      expect((await cli(...argv)).stdout).toMatch(/0 (every|the) record holds, 1 .* not, 2 it could not/);
  });

  test('2 when what was determined no longer is', async () => {
    const { A, B } = randomProduct(10, [14, 3, 11], 'float32', [2]);
    const { U, S, Vh } = new FactoredMatrix(A, B).svd();
    await writeSafetensors(at('loose.safetensors'), { U, S, Vh }, { bound: '[1, 1]' });
    const path = await golden('loose.json', weights(), ...product);
    const done = await cli('compare', path, at('loose.safetensors'), '--factors');
    expect(done.code).toBe(2);
    expect(done.stdout).toMatch(/^UNDETERMINED: /m);
    expect(done.stderr).toMatch(/could not compare: .* is undetermined/);
  });

  test('several files, each with its own record', async () => {
    const path = await golden('both.json', weights(), at('changed.safetensors'), ...product);
    const done = await cli('compare', path);
    expect(done.code).toBe(0);
    expect(done.stdout.match(/^ok: /gm)).toHaveLength(2);
    expect(await cli('compare', path, at('changed.safetensors'))).toMatchObject({ code: 0 });
    const other = await cli('compare', path, at('factors.safetensors'));
    expect(other.stderr).toMatch(/has no record of .*; it has weights.safetensors, changed.safetensors/);
  });

  test('--format json', async () => {
    const path = await golden('json.json', weights(), ...product);
    const done = await cli('compare', path, at('changed.safetensors'), '--format', 'json');
    const report = JSON.parse(done.stdout);
    expect(report).toMatchObject({ outcome: 'fails', golden: path, comparedWith: { ...versions() } });
    expect(report.records[0]).toMatchObject({ title: 'A · B', pass: false, undetermined: false });
    expect(report.records[0].checks).toContainEqual(
      expect.objectContaining({ name: 'singular values', pass: false, batchIndex: [1] }),
    );
  });

  test('--format tap', async () => {
    const path = await golden('tap.json', weights(), '--matrix', 'singular');
    const { stdout } = await cli('compare', path, '--format', 'tap');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, 2)).toEqual(['TAP version 14', `1..${lines.length - 2}`]);
    expect(lines.slice(2).every((line, i) => line.startsWith(`ok ${i + 1} - `))).toBe(true);
    expect(lines.at(-1)).toMatch(/, cluster S\[3…4\] # SKIP undetermined when it was recorded$/);
    const wrong = await cli('compare', path, '--matrix', 'tall', '--format', 'tap');
    expect(wrong.stdout).toMatch(
      /\nnot ok 2 - .*: same dtype and shapes\n {2}---\n {2}message: ".*"\n {2}value: 1\n {2}bound: 0\n/,
    );
  });

  test('--format github annotates the golden file', async () => {
    const path = await golden('github.json', weights(), ...product);
    const done = await cli('compare', path, at('changed.safetensors'), '--format', 'github');
    const [annotation, ...others] = done.stdout.split('\n').filter((line) => line.startsWith('::'));
    expect(others).toEqual([]);
    expect(annotation).toMatch(
      /^::error file=.*github\.json,title=.*changed\.safetensors%2C A · B::\d+ of \d+ checks failed%0A- /,
    );
    const held = await cli('compare', path, '--format', 'github');
    expect(held.stdout).not.toContain('::');
  });
});

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

describe.runIf(kernels.length > 1)('between kernels of OpenBLAS for other processors', () => {
  test('a record made under one holds under the others, and still notices a change', async () => {
    const { A, B } = randomProduct(15, [96, 16, 80], 'float64', [2]);
    await writeSafetensors(at('large.safetensors'), { A, B });
    await writeSafetensors(at('large-changed.safetensors'), {
      A,
      B: array(
        Array.from(B.data, (b, e) => b * (e === 5 ? 1 + 1e-9 : 1)),
        B.shape,
      ),
    });
    const [first, ...others] = kernels;
    const out = at('large.json');
    expect(runUnder(first, 'golden', at('large.safetensors'), ...product, '--out', out)).toMatchObject({
      status: 0,
    });
    for (const kernel of others) {
      const { status, stdout } = runUnder(kernel, 'compare', out);
      expect({ status, stdout }).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(`kernel ${first}`),
      });
      expect(stdout).toContain(`kernel ${kernel}`);
      expect(runUnder(kernel, 'compare', out, at('large-changed.safetensors'))).toMatchObject({ status: 1 });
    }
  });
});

describe('examples/ci', () => {
  const example = fileURLToPath(new URL('../examples/ci', import.meta.url));
  const root = fileURLToPath(new URL('..', import.meta.url));

  /** A script of its package.json, in a copy where this package and vitest are installed. */
  function npmRun(script: string) {
    const copied = at('example');
    if (!existsSync(copied)) {
      cpSync(example, copied, { recursive: true, filter: (path) => !path.includes('node_modules') });
      mkdirSync(join(copied, 'node_modules/.bin'), { recursive: true });
      symlinkSync(root, join(copied, 'node_modules/factored-svd'));
      symlinkSync(join(root, 'node_modules/vitest'), join(copied, 'node_modules/vitest'));
      symlinkSync(join(root, 'dist/command.js'), join(copied, 'node_modules/.bin/factored-svd'));
      symlinkSync(join(root, 'node_modules/vitest/vitest.mjs'), join(copied, 'node_modules/.bin/vitest'));
    }
    const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST|NODE_ENV|npm_)/.test(name));
    const env = { ...Object.fromEntries(own), NO_COLOR: '1' };
    return spawnSync('npm', ['run', script], { cwd: copied, env, encoding: 'utf8', timeout: 60_000 });
  }

  test('its tests pass', { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = npmRun('test');
    expect({ status, output: stdout + stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/Tests +5 passed \(5\)/);
  });

  test('its golden file holds, and can be recorded anew', { timeout: 60_000 }, () => {
    expect(npmRun('compare')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('ok: weights/attention'),
    });
    expect(npmRun('golden')).toMatchObject({ status: 0 });
    expect(npmRun('compare')).toMatchObject({ status: 0 });
  });
});

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../lib/cli/run.ts';
import { FactoredMatrix, svd, versions } from '../../lib/index.ts';
import { writeSafetensors } from '../../lib/weights/index.ts';
import { Capture, cli } from '../support/cli.ts';
import { array, randomMatrix, randomProduct, rankDeficient } from '../support/matrices.ts';
import { kernels, runUnder } from '../support/openblas-kernels.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const weights = () => at('weights.safetensors');

beforeAll(async () => {
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
  await writeSafetensors(at('changed.safetensors'), { A, B: changed });
});

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
    [[weights(), '--update'], 'or say --factors'],
    [['--matrix', 'tall', '--leading', '3'], '--leading is of checkpoints'],
    [['--a', 'A'], 'name both factors'],
    [['--factors', '--matrix', 'tall'], '--factors cannot be combined'],
    [['--matrix', 'tall', '--a', 'A'], '--matrix cannot be combined'],
  ])('wrong usage %j ends with 2', async (options, says) => {
    const done = await cli('golden', weights(), ...options);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toContain(says);
  });

  test('replaces a golden file, no other', async () => {
    const file = at('precious.txt');
    for (const [argv, text] of [
      [product, 'precious'],
      [[...product, '--update'], '{"format": "mine"}'],
      [['--update', '--leading', '0'], 'precious'],
    ] as const) {
      writeFileSync(file, text);
      const done = await cli('golden', weights(), ...argv, '--out', file);
      expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining('is no golden file') });
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
    writeFileSync(file, '');
    await golden('precious.txt', weights(), ...product);
    await golden('precious.txt', weights(), '--matrix', 'tall');
    expect(JSON.parse(readFileSync(file, 'utf8')).records[0].source).toEqual({ matrix: 'tall' });
    expect(await cli('golden', weights(), '--out', file, '--update')).toMatchObject({ code: 0 });
    const refused = await cli('golden', weights(), ...product, '--out', file);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already: update') });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty('tensors');
    await golden('precious.txt', weights(), ...product, '--update');
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
      [[path, weights(), '--format', 'xml'], /Allowed choices are text, tap, json, junit, github/],
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

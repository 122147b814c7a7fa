import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import ndarray from 'ndarray';
import { beforeAll, describe, expect, test } from 'vitest';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { openWeights, writeNpy, writeNpz, writeSafetensors } from '../../lib/weights/index.ts';
import { match } from '../../lib/weights/patterns.ts';
import { cli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

const matrix = (rows: number, columns: number, seed: number) =>
  ndarray(
    Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 12.9898 * i)),
    [rows, columns],
  );
const [V0, O0, V1, O1] = [matrix(6, 3, 1), matrix(3, 5, 2), matrix(6, 3, 3), matrix(3, 5, 4)];
const first = { 'blocks.0.attn.W_V': V0, 'blocks.0.attn.W_O': O0 };
const second = { 'blocks.1.attn.W_V': V1, 'blocks.1.attn.W_O': O1, bias: ndarray(new Float32Array(4)) };
const both = { ...first, ...second };

/** The same tensors in every form. */
const forms = {
  safetensors: 'w.safetensors',
  npz: 'w.npz',
  folder: 'model',
  index: 'model/model.safetensors.index.json',
};

beforeAll(async () => {
  await writeSafetensors(at(forms.safetensors), both);
  await writeNpz(at(forms.npz), both);
  await writeNpy(at('V0.npy'), V0);
  mkdirSync(at('model'));
  await writeSafetensors(at('model/one.safetensors'), first);
  await writeSafetensors(at('model/two.safetensors'), second);
  writeFileSync(at('model/config.json'), '{}');
  const weight_map = Object.fromEntries(
    Object.keys(both).map((name) => [name, name in first ? 'one.safetensors' : 'two.safetensors']),
  );
  writeFileSync(at(forms.index), JSON.stringify({ metadata: { total_size: 1 }, weight_map }));
});

async function jsonLines(...argv: string[]) {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const valuesOf = (report: { items: { S: number[] }[] }) => report.items.map(({ S }) => S);

describe.each(Object.entries(forms))('%s', (_, name) => {
  test('inspect lists what matches', async () => {
    const { code, stdout } = await cli('inspect', at(name), '*.W_V', 'bias');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^blocks\.0\.attn\.W_V +F64 +\[6, 3\] +144/m);
    expect(stdout).toMatch(/^bias +F32 +\[4\] +16/m);
    expect(stdout).not.toContain('W_O');
    expect(stdout).toMatch(/^3 of 5 tensors, 304 bytes$/m);
    const all = await cli('inspect', at(name));
    expect(all.stdout).toMatch(/^5 tensors, 544 bytes$/m);
  });

  test('svd decomposes every match, and reports on each', async () => {
    const reports = await jsonLines('svd', at(name), '--matrix', 'blocks.*.attn.W_V');
    expect(reports.map(({ title }) => title)).toEqual(['M = blocks.0.attn.W_V', 'M = blocks.1.attn.W_V']);
    expect(reports.map(valuesOf)).toEqual([[[...svd(V0).S.data]], [[...svd(V1).S.data]]]);
  });

  test('svd pairs the factors by what their stars stand for', async () => {
    const reports = await jsonLines('svd', at(name), '--a', '*.attn.W_V', '--b', '*.attn.W_O');
    expect(reports.map(({ title }) => title)).toEqual([
      'M = blocks.0.attn.W_V [6, 3] · blocks.0.attn.W_O [3, 5]',
      'M = blocks.1.attn.W_V [6, 3] · blocks.1.attn.W_O [3, 5]',
    ]);
    expect(reports.map(valuesOf)).toEqual([
      [[...new FactoredMatrix(V0, O0).svd().S.data]],
      [[...new FactoredMatrix(V1, O1).svd().S.data]],
    ]);
  });

  test('golden and compare take it', async () => {
    const golden = at(`${name.replace('/', '-')}.json`);
    expect(await cli('golden', at(name), '--matrix', 'blocks.0.*V', '--out', golden)).toMatchObject({
      code: 0,
    });
    expect(await cli('compare', golden)).toMatchObject({ code: 0 });
  });
});

test('inspect tells the shard of every tensor', async () => {
  const { stdout } = await cli('inspect', at('model'));
  expect(stdout).toMatch(/^tensor +dtype +shape +bytes +file$/m);
  expect(stdout).toMatch(/^blocks\.1\.attn\.W_O +F64 +\[3, 5\] +120 +two\.safetensors$/m);
  const [report] = [JSON.parse((await cli('inspect', at('model'), 'bias', '--json')).stdout)];
  expect(report.tensors).toEqual([
    { name: 'bias', dtype: 'F32', shape: [4], byteLength: 16, file: 'two.safetensors' },
  ]);
});

test('a file with one tensor needs no name', async () => {
  const [report] = await jsonLines('svd', at('V0.npy'));
  expect(report.title).toBe('M = V0');
  expect(valuesOf(report)).toEqual([[...svd(V0).S.data]]);
});

test('a factor that stands alone goes with each of the others', async () => {
  const reports = await jsonLines(
    'svd',
    at(forms.npz),
    '--a',
    'blocks.[01].attn.W_V',
    '--b',
    'blocks.0.attn.W_O',
  );
  expect(reports).toHaveLength(2);
});

test('a pattern for one tensor is its name, also where its factors are written', async () => {
  const out = at('out.safetensors');
  expect((await cli('svd', at(forms.npz), '--matrix', '*0*V', '--out', out)).code).toBe(0);
  await using factors = await openWeights(out);
  expect(factors.names.sort()).toEqual(['S', 'U', 'Vh']);
  expect(factors.metadata.title).toBe('M = blocks.0.attn.W_V');
});

test.each<[string[], number, RegExp]>([
  [
    ['svd', 'w.npz', '--matrix', '*W_*', '--out', 'new'],
    2,
    /--out takes the factors of one matrix: the patterns name 4 matrices \("blocks.0.attn.W_V", /,
  ],
  [
    ['svd', 'model', '--matrix', '*0*V', '--out', 'model/two.safetensors'],
    2,
    /--out would overwrite the input file .*two.safetensors/,
  ],
  [
    ['svd', 'model', '--matrix', '*0*V', '--out', forms.index],
    2,
    /--out would overwrite the input file .*index.json/,
  ],
  [
    ['svd', 'model', '--matrix', '*0*V', '--out', 'model/config.json'],
    2,
    /--out would overwrite the input file .*config.json/,
  ],
  [
    ['svd', 'w.npz', '--matrix', '*.W_X'],
    1,
    /no tensor matches "\*.W_X"; nearest names: .*\[ERR_SVD_FILE\]$/,
  ],
  [['svd', 'w.npz', '--a', '*.W_V', '--b', '*'], 1, /do not name pairs.*\[ERR_SVD_ARGUMENT\]$/],
  [['svd', 'w.npz', '--a', '*.W_V', '--b', 'blocks.?.attn.W_O'], 1, /do not name pairs/],
  [['svd', 'w.npz', '--matrix', 'bias'], 1, /bias has shape \[4\]: expected a matrix/],
  [['inspect', 'w.npz', 'W_X'], 1, /no tensor "W_X"; nearest names/],
  [['inspect', 'w.npz', '*X'], 1, /no tensor matches "\*X"/],
  [
    ['golden', 'w.npz', '--matrix', '*.W_V'],
    1,
    /the patterns name 2 matrices .*: name one \[ERR_SVD_ARGUMENT\]$/,
  ],
])('%j is refused', async (argv, code, message) => {
  const before = readFileSync(at('model/two.safetensors'));
  const paths = new Set(['w.npz', 'model', 'model/two.safetensors', 'model/config.json', forms.index, 'new']);
  const result = await cli(...argv.map((word) => (paths.has(word) ? at(word) : word)));
  expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
  expect(result.stderr.trimEnd()).toMatch(message);
  expect(readFileSync(at('model/two.safetensors'))).toEqual(before);
});

test('patterns are those of fnmatch', () => {
  const cases: [pattern: string, name: string, stars: string[] | undefined][] = [
    ['a', 'a', []],
    ['a', 'ab', undefined],
    ['*', '', ['']],
    ['*', 'a.b/c', ['a.b/c']],
    ['a*c', 'abcbc', ['bcb']],
    ['a*b*c', 'axbybc', ['x', 'yb']],
    ['*a*', 'bab', ['b', 'b']],
    ['**', 'ab', ['', 'ab']],
    ['ab*ba', 'aba', undefined],
    ['?.?', 'é.x', []],
    ['?', '😀', []],
    ['?', '', undefined],
    ['[a-c]x', 'bx', []],
    ['[!a-c]x', 'bx', undefined],
    ['[!a-c]x', 'dx', []],
    ['[]]', ']', []],
    ['[a-]', '-', []],
    ['[a', '[a', []],
    ['a.b', 'axb', undefined],
    ['(a|b)+', '(a|b)+', []],
  ];
  for (const [pattern, name, stars] of cases)
    expect([pattern, name, match(pattern, name)]).toEqual([pattern, name, stars]);
});

test('no pattern takes long, whatever the name', () => {
  const start = performance.now();
  expect(match(`${'*a'.repeat(20)}*b`, 'a'.repeat(100_000))).toBeUndefined();
  expect(performance.now() - start).toBeLessThan(5000);
});

test('of several matrices one that cannot be decomposed is named, and the others are reported on', async () => {
  const bad = ndarray(Float64Array.of(1, Number.NaN), [1, 2]);
  await writeSafetensors(at('bad.safetensors'), { 'a.1': V0, 'a.2': bad, 'a.3': V1 });
  const { code, stdout, stderr } = await cli('svd', at('bad.safetensors'), '--matrix', 'a.*', '--json');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^factored-svd: a\.2: .*NaN.*\[ERR_SVD_NON_FINITE\]\n.*1 of 3 were not decomposed/);
  const titles = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).title);
  expect(titles).toEqual(['M = a.1', 'M = a.3']);
});

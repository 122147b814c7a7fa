import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import ndarray from 'ndarray';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../lib/cli/run.ts';
import { writeNpy, writeSafetensors } from '../../lib/weights/index.ts';
import { Capture, cli } from '../support/cli.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fileBytes } from '../support/weight-files.ts';

const at = temporaryFolder();
const matrix = (seed: number) => randomMatrix(seed, [24, 16], 'float32');
const bias = ndarray(Float32Array.of(1, 2, 3));

const write = (name: string, tensors: Record<string, ReturnType<typeof ndarray>>) =>
  writeSafetensors(at(name), tensors as never);

async function report(...argv: string[]) {
  const { code, stdout, stderr } = await cli('diff', ...argv, '--json');
  return { code, stderr, report: JSON.parse(stdout) };
}

beforeAll(async () => {
  await write('a', { one: matrix(1), two: matrix(2), bias });
  await write('same', { bias, two: matrix(2), one: matrix(1) });
  await write('renamed', { 'model.one': matrix(1), 'model.two': matrix(2), 'model.bias': bias });
  await write('moved', { one: matrix(1), other: matrix(2), bias });
  await write('changed', {
    one: matrix(3),
    two: randomMatrix(2, [24, 17], 'float32'),
    more: ndarray(Float32Array.of(4, 5, 6)),
  });
});

describe('factored-svd diff', () => {
  test('of the same numbers is 0, whatever their order', async () => {
    for (const other of ['a', 'same']) {
      const { code, stdout, stderr } = await cli('diff', at('a'), at(other));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^All 3 tensors are the same$/m);
    }
  });

  test('names what is missing, added, of another shape, and what has changed, and is 1', async () => {
    const { code, stderr, report: found } = await report(at('a'), at('changed'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^factored-svd: 4 tensors differ: /);
    const kinds = Object.fromEntries(
      found.differences.map((d: { name: string; kinds: string[] }) => [d.name, d.kinds]),
    );
    expect(kinds).toEqual({ one: ['bulk'], two: ['shape'], bias: ['missing'], more: ['added'] });
  });

  test('finds a common beginning of names, and the same bytes under another name', async () => {
    const { report: prefixed } = await report(at('a'), at('renamed'));
    expect(prefixed).toMatchObject({ prefix: { of: 'B', text: 'model.' }, outcome: 'differs' });
    expect(prefixed.differences.map((d: { kinds: string[] }) => d.kinds)).toEqual([
      ['renamed'],
      ['renamed'],
      ['renamed'],
    ]);
    const { report: moved } = await report(at('a'), at('moved'));
    expect(moved.differences).toMatchObject([
      { name: 'two', other: 'other', kinds: ['renamed'], readings: [] },
    ]);
  });

  test('--include and --exclude choose; a pattern of nothing is refused', async () => {
    expect((await cli('diff', '--include', 'bi*', '--exclude', 'o*', at('a'), at('same'))).code).toBe(0);
    const none = await cli('diff', '--include', 'o*', '--exclude', '*', at('a'), at('changed'));
    expect(none).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('leave nothing to compare'),
    });
    const { code, stderr } = await cli('diff', '--include', 'nothing*', at('a'), at('changed'));
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('nothing in A or B matches'),
    });
  });

  test('what cannot be opened is 2', async () => {
    const { code, stderr } = await cli('diff', at('a'), at('absent'));
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('could not compare') });
  });

  test('the shards together have every tensor once', async () => {
    const names = [];
    for (const i of [1, 2, 3])
      names.push(
        ...(await report(at('a'), at('changed'), '--shard', `${i}/3`)).report.differences.map(
          (d: { name: string }) => d.name,
        ),
      );
    expect(names.sort()).toEqual(['bias', 'more', 'one', 'two']);
  });

  test('a part without a difference says that it is a part, and so does one without a tensor', async () => {
    const said = async (shard: string) => {
      const { code, stdout } = await cli('diff', at('a'), at('same'), '--shard', shard);
      return { code, conclusion: stdout.trimEnd().split('\n').pop() };
    };
    expect(await said('1/2')).toEqual({ code: 0, conclusion: 'All 2 tensors of this part are the same' });
    expect(await said('2/2')).toEqual({ code: 0, conclusion: 'The tensor of this part is the same' });
    expect(await said('9/9')).toEqual({ code: 0, conclusion: 'No tensor is of this part' });
  });

  test('output that cannot be written is 2, whatever is compared', async () => {
    const full = () =>
      new Writable({
        write: (_chunk, _encoding, done) => done(new Error('ENOSPC: no space left on device')),
      });
    for (const other of ['same', 'changed']) {
      const stderr = new Capture();
      const code = await run(['diff', at('a'), at(other)], { stdout: full(), stderr });
      expect({ code, stderr: stderr.text }).toEqual({ code: 2, stderr: expect.stringContaining('ENOSPC') });
    }
  });

  test('arrays of two .npy files are compared whatever the files are called', async () => {
    await writeNpy(at('x.npy'), matrix(1));
    await writeNpy(at('y.npy'), matrix(1));
    await writeNpy(at('z.npy'), matrix(3));
    expect((await cli('diff', at('x.npy'), at('y.npy'))).code).toBe(0);
    const { code, report: found } = await report(at('x.npy'), at('z.npy'));
    expect(code).toBe(1);
    expect(found.differences).toMatchObject([{ name: 'x', other: 'z', kinds: ['bulk'] }]);
  });

  test('--directions writes what stands out', async () => {
    const b = matrix(1);
    b.set(3, 4, b.get(3, 4) + 2);
    await write('edited', { one: b, two: matrix(2), bias });
    const out = at('directions.safetensors');
    const { code } = await cli('diff', at('a'), at('edited'), '--directions', out);
    expect(code).toBe(1);
    const { stdout } = await cli('inspect', out);
    expect(stdout).toMatch(/^one\.U .*\[24, 1\]/m);
    expect((await cli('diff', at('a'), at('edited'), '--directions', at('a'))).code).toBe(2);
  });
});

describe('a budget', () => {
  const budget = (content: unknown) => {
    writeFileSync(at('budget.json'), JSON.stringify(content));
    return cli('diff', at('a'), at('changed'), '--budget', at('budget.json'));
  };

  test('is 0 where everything is within it, by the first rule that matches', async () => {
    const { code, stdout } = await budget([
      { pattern: 'one', change: 10, kinds: ['bulk'] },
      { pattern: 'o*', change: 0, kinds: [] },
      { pattern: '*', kinds: ['missing', 'added', 'shape'] },
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/4 differences within the budget/);
  });

  test.each([
    [
      'a change that is too large',
      [
        { pattern: 'one', change: 0.1 },
        { pattern: '*', kinds: ['missing', 'added', 'shape'] },
      ],
    ],
    ['a kind that is not allowed', [{ pattern: '*', kinds: ['cast', 'missing', 'added', 'shape'] }]],
    ['what no rule names', []],
    ['a rule that does not name what is missing', { rules: [], default: { change: 10 } }],
  ])('%s is 1', async (_, content) => {
    const { code, stderr } = await budget(content);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('not within the budget') });
  });

  test.each([
    [{ rule: [] }, 'not "rule"'],
    [[{ pattern: '*', chnage: 1 }], 'not "chnage"'],
    [[{ pattern: '*', kinds: ['trained'] }], 'rules[0].kinds[0]: expected one of'],
    [[{ pattern: '*', change: -1 }], 'rules[0].change: expected a number ≥ 0'],
    [[{ change: 1 }], 'rules[0].pattern: expected a string'],
    [[{ pattern: 'onee', change: 1 }], 'the rule "onee" is of nothing in A or B; nearest names: "one"'],
  ])('%j is refused, and is 2', async (content, why) => {
    const { code, stderr } = await budget(content);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) });
  });
});

test('a budget that says something twice is refused', async () => {
  const judged = (text: string) => {
    writeFileSync(at('budget.json'), text);
    return cli('diff', at('a'), at('same'), '--budget', at('budget.json'));
  };
  const { code, stderr } = await judged('[{ "pattern": "*", "change": 0, "change" : 5 }]');
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('a member twice') });
  const strings =
    '{ "rules": [{ "pattern": "*", "change": 0 }, { "pattern": "[!\\":]*", "change": 0 }], "default": {} }';
  expect((await judged(strings)).code).toBe(0);
});

describe('other files of two folders', () => {
  const folder = async (name: string, files: Record<string, number>) => {
    mkdirSync(at(name), { recursive: true });
    for (const [file, seed] of Object.entries(files))
      await writeSafetensors(`${at(name)}/${file}`, { [`w${file[0]}`]: matrix(seed) } as never);
    return at(name);
  };

  test('are compared by their bytes', async () => {
    const first = await folder('folder-a', {
      'model.safetensors': 1,
      'kept.safetensors': 2,
      'other.safetensors': 3,
      'gone.safetensors': 4,
    });
    const second = await folder('folder-b', {
      'model.safetensors': 1,
      'kept.safetensors': 2,
      'other.safetensors': 5,
      'new.safetensors': 4,
    });
    const { code, stderr, report: found } = await report(first, second);
    expect(found).toMatchObject({ outcome: 'differs', same: 1, differences: [] });
    expect(found.files).toEqual([
      { name: 'gone.safetensors', kind: 'missing' },
      { name: 'new.safetensors', kind: 'added' },
      { name: 'other.safetensors', kind: 'bytes' },
    ]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'factored-svd: The tensor is the same, but 3 other files differ\n',
    });
    expect((await cli('diff', first, second)).stdout).toMatch(/^other.safetensors +other bytes$/m);
    expect((await cli('diff', first, first)).code).toBe(0);
    expect((await cli('diff', `${first}/model.safetensors`, `${second}/model.safetensors`)).code).toBe(0);
    expect((await cli('diff', first, second, '--include', 'wm')).code).toBe(0);
  });

  test('so is model.safetensors beside an index', async () => {
    const folders = await Promise.all(
      [1, 2].map((seed) => folder(`indexed-${seed}`, { 'shard.safetensors': 1, 'model.safetensors': seed })),
    );
    for (const one of folders)
      writeFileSync(
        `${one}/model.safetensors.index.json`,
        JSON.stringify({ weight_map: { ws: 'shard.safetensors' } }),
      );
    const { code, report: found } = await report(...folders);
    expect({ code, files: found.files }).toEqual({
      code: 1,
      files: [{ name: 'model.safetensors', kind: 'bytes' }],
    });
    const judged = async (kinds: string[]) => {
      writeFileSync(at('files.json'), JSON.stringify([{ pattern: 'model*', kinds }]));
      return (await cli('diff', ...folders, '--budget', at('files.json'))).code;
    };
    expect(await judged(['bytes'])).toBe(0);
    expect(await judged(['cast'])).toBe(2);
    const equal = ['diff', folders[0], folders[0], '--budget', at('files.json')];
    expect((await cli(...equal)).code).toBe(0);
    expect((await cli(...equal, '--include', 'ws')).code).toBe(0);
  });
});

describe('--out', () => {
  test('keeps what is finished, and --resume goes on from there without computing it again', async () => {
    const out = at('journal');
    const first = await report(at('a'), at('changed'), '--out', out);
    const { code, stderr } = await cli('diff', at('a'), at('changed'), '--out', out);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('is there already') });
    const journal = readFileSync(out, 'utf8').replace('"relative":', '"relative":1e3,"was":');
    writeFileSync(out, journal);
    const again = await report(at('a'), at('changed'), '--out', out, '--resume');
    const reading = ({ differences }: typeof again.report) =>
      differences.find((d: { name: string }) => d.name === 'one').readings[0].reading;
    expect(reading(again.report).relative).toBe(1000);
    expect({ ...reading(again.report), relative: 0, was: 0 }).toEqual({
      ...reading(first.report),
      relative: 0,
      was: 0,
    });
  });

  test('of other weights, or damaged, is refused', async () => {
    const out = at('other-journal');
    await report(at('a'), at('changed'), '--out', out);
    const other = await cli('diff', at('a'), at('moved'), '--out', out, '--resume');
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('is of something else') });
    writeFileSync(out, readFileSync(out, 'utf8').replace('"kind":"bulk"', '"kind":"odd"'));
    const damaged = await cli('diff', at('a'), at('changed'), '--out', out, '--resume');
    expect(damaged).toMatchObject({ code: 2, stderr: expect.stringContaining('expected one of') });
  });

  test('--resume without it, or with --directions, is a contradiction', async () => {
    for (const argv of [['--resume'], ['--resume', '--out', at('x'), '--directions', at('y')]])
      expect((await cli('diff', at('a'), at('changed'), ...argv)).code).toBe(2);
  });
});

describe('what is not compared as numbers', () => {
  const raw = (dtype: string, bytes: number[], length: number) =>
    fileBytes(
      JSON.stringify({ t: { dtype, shape: [length], data_offsets: [0, bytes.length] } }),
      Uint8Array.from(bytes),
    );

  test('integers are compared by their bytes; a budget cannot judge them unless it says so', async () => {
    writeFileSync(at('ints'), raw('I8', [1, 2, 3], 3));
    writeFileSync(at('other-ints'), raw('I8', [1, 2, 4], 3));
    expect((await cli('diff', at('ints'), at('ints'))).code).toBe(0);
    const { code, stdout } = await cli('diff', at('ints'), at('other-ints'));
    expect(code).toBe(1);
    expect(stdout).toContain('I8: compared by bytes alone');
    writeFileSync(at('loose.json'), '[{ "pattern": "*" }]');
    expect((await cli('diff', at('ints'), at('other-ints'), '--budget', at('loose.json'))).code).toBe(2);
    writeFileSync(at('bytes.json'), '[{ "pattern": "*", "kinds": ["bytes"] }]');
    expect((await cli('diff', at('ints'), at('other-ints'), '--budget', at('bytes.json'))).code).toBe(0);
  });

  test('what no array holds cannot be compared', async () => {
    writeFileSync(at('complex'), raw('C64', [1, 2, 3, 4, 5, 6, 7, 8], 1));
    writeFileSync(at('other-complex'), raw('C64', [1, 2, 3, 4, 5, 6, 7, 9], 1));
    expect((await cli('diff', at('complex'), at('other-complex'))).code).toBe(2);
    expect((await cli('diff', at('complex'), at('complex'))).code).toBe(0); // the same file
  });

  test('NaN are counted by tensor', async () => {
    const b = matrix(1);
    b.set(0, 0, Number.NaN);
    await write('nan', { one: b, two: matrix(2), bias });
    const { code, stdout } = await cli('diff', at('a'), at('nan'));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^one .*0 NaN or infinities in A, 1 in B: not compared$/m);
    expect((await cli('diff', at('a'), at('nan'), '--budget', at('loose.json'))).code).toBe(2);
  });

  test('names are shown escaped', async () => {
    await write('red', { '\u001b[31mred': bias });
    const { stdout, stderr } = await cli('diff', at('a'), at('red'));
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stdout).toContain('\\u001b[31mred');
  });
});

describe('two adapters', () => {
  const module = (seed: number, change = 0) => {
    const [down, up] = [randomMatrix(seed, [4, 20], 'float32'), randomMatrix(seed + 1, [12, 4], 'float32')];
    for (let j = 0; j < 20; j++) down.set(2, j, (1 + change) * down.get(2, j));
    return { down, up };
  };
  const adapter = (name: string, modules: Record<string, ReturnType<typeof module>>) =>
    write(
      name,
      Object.fromEntries(
        Object.entries(modules).flatMap(([key, { down, up }]) => [
          [`lora_unet_${key}.lora_down.weight`, down],
          [`lora_unet_${key}.lora_up.weight`, up],
        ]),
      ),
    );

  test('are compared by what they add, whatever its factors are', async () => {
    const other = module(5);
    for (let i = 0; i < 12; i++) other.up.set(i, 0, other.up.get(i, 0) * 2);
    for (let j = 0; j < 20; j++) other.down.set(0, j, other.down.get(0, j) / 2);
    await adapter('first', { same: module(1), changed: module(3), refactored: module(5), gone: module(7) });
    await adapter('second', { same: module(1), changed: module(3, 0.5), refactored: other, more: module(7) });
    const { code, report: found } = await report(at('first'), at('second'));
    expect({ code, adapters: found.adapters, same: found.same }).toEqual({
      code: 1,
      adapters: true,
      same: 1,
    });
    const kinds = found.differences.map((d: { name: string; kinds: string[] }) => [
      d.name.split('_')[2],
      d.kinds,
    ]);
    expect(Object.fromEntries(kinds)).toEqual({
      changed: ['spikes'],
      refactored: [expect.stringMatching(/equal|cast-like/)],
      gone: ['missing'],
      more: ['added'],
    });
    const [{ readings }] = found.differences.filter((d: { name: string }) => d.name.includes('changed'));
    expect(readings[0].reading).toMatchObject({ energy: 1, spikes: { count: 1 } });
    expect((await cli('diff', at('first'), at('first'))).code).toBe(0);
  });
});

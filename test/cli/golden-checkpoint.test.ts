import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { cli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const { config, tensors } = tinyLlama({ layers: 6 });
const model = () => at('model');
const tuned = () => at('tuned');
const golden = () => at('golden.json');

beforeAll(async () => {
  writeCheckpoint(model(), config, tensors);
  const twice = Object.entries(tensors).map(([name, x]) => [name, { ...x, data: x.data.map((v) => 2 * v) }]);
  writeCheckpoint(tuned(), config, Object.fromEntries(twice));
  expect(await cli('golden', model(), '--out', golden())).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe('factored-svd golden and compare of a checkpoint', () => {
  test('0 where nothing has changed; those that hold are only counted', async () => {
    const done = await cli('compare', golden());
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toMatch(/\n\nok: 30 of 30 hold, 30 with the same bytes\n$/);
  });

  test('1 with a line for every tensor that does not hold', async () => {
    const done = await cli('compare', golden(), tuned());
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(
      /^FAILED: .*tuned, model.layers.0.self_attn.q_proj.weight: 5 of \d checks failed$/m,
    );
    expect(done.stdout).toMatch(/\nFAILED: 0 of 30 hold, 0 with the same bytes\n$/);
  });

  test('--within says how far apart', async () => {
    expect(await cli('compare', golden(), tuned(), '--within', '1.7')).toMatchObject({ code: 0 });
    expect(await cli('compare', golden(), tuned(), '--within', '0.3')).toMatchObject({ code: 1 });
  });

  test('an existing record is replaced with --update only', async () => {
    const out = at('update.json');
    await cli('golden', model(), '--out', out);
    const before = readFileSync(out, 'utf8');
    const refused = await cli('golden', tuned(), '--out', out);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/is there already: update/) });
    expect(readFileSync(out, 'utf8')).toBe(before);
    expect(await cli('golden', tuned(), '--out', out, '--update')).toMatchObject({ code: 0 });
    expect(await cli('compare', out)).toMatchObject({ code: 0 });
    expect(await cli('compare', out, model())).toMatchObject({ code: 1 });
  });

  test('circuits, as the options opened them', async () => {
    const out = at('circuits.json');
    expect(await cli('golden', model(), '--circuits', 'OV', '--fold', '--out', out)).toMatchObject({
      code: 0,
    });
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({
      kinds: ['OV'],
      state: { foldNorms: true },
    });
    expect((await cli('compare', out)).stdout).toMatch(/ok: 1 of 1 hold, 1 with the same bytes\n$/);
    const done = await cli('compare', out, tuned());
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(/^FAILED: .*tuned, OV of layer 5: \d+ of \d+ checks failed$/m);
  });

  test('prints the record without --out', async () => {
    const { code, stdout } = await cli('golden', model(), '--include', '*norm*', '--leading', '0');
    expect({ code, tensors: JSON.parse(stdout).tensors.length }).toEqual({ code: 0, tensors: 6 });
  });

  test.each<[string[], string]>([
    [['golden', '--update'], '--update: only with --out'],
    [['golden', '--full', '--leading', '3'], '--full keeps all'],
    [['golden', '--fold'], '--fold is of --circuits'],
    [['golden', '--rotary-offset', '1'], '--rotary-offset is of --circuits'],
    [['golden', '--circuits', 'OV', '--include', 'x'], '--include cannot be combined with --circuits'],
    [['golden', '--circuits', 'XY'], 'Expected OV, QK or OV,QK'],
    [['golden', '--leading', '-1'], 'Expected an integer'],
  ])('wrong usage %j ends with 2', async ([command, ...options], says) => {
    const done = await cli(command, model(), ...options);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toContain(says);
  });

  test('2 for what the record has not', async () => {
    for (const [argv, says] of [
      [['--matrix', 'x'], 'no matrix of it can be named'],
      [[model(), tuned()], 'is of one checkpoint'],
      [['--within', 'x'], 'Expected a number'],
      [[at('nothing')], 'cannot open'],
    ] as const) {
      const done = await cli('compare', golden(), ...argv);
      expect(done).toMatchObject({ code: 2, stdout: '' });
      expect(done.stderr).toContain(says);
    }
  });
});

const [hostile, weird] = ['a<b>&"|`*\u0007\ud800\n::error::x', 'ok'];

describe('reports', () => {
  const summary = () => at('summary.md');
  afterEach(() => {
    delete process.env.GITHUB_STEP_SUMMARY;
  });

  beforeAll(async () => {
    const x = { shape: [3, 3], data: new Float64Array(9).fill(1) };
    const names = [hostile, weird].map(
      (name) => JSON.parse(JSON.stringify(name).replace('\\ud800', '')) as string,
    );
    const all = (by: number) =>
      Object.fromEntries(names.map((name) => [name, { ...x, data: x.data.map((v) => v * by) }]));
    writeCheckpoint(at('hostile'), undefined, all(1));
    writeCheckpoint(at('hostile-now'), undefined, { ...all(2), ok: x });
    expect(await cli('golden', at('hostile'), '--out', at('hostile.json'))).toMatchObject({ code: 0 });
  });

  const hasPython = spawnSync('python3', ['--version']).status === 0;
  test.runIf(hasPython)(
    '--format junit is XML with a case for each tensor, whatever their names',
    async () => {
      const { stdout } = await cli('compare', at('hostile.json'), at('hostile-now'), '--format', 'junit');
      writeFileSync(at('junit.xml'), stdout);
      const program = `
import sys, json, xml.etree.ElementTree as E
root = E.parse(sys.argv[1]).getroot()
print(json.dumps([root.tag, root.attrib, [[c.attrib['name'], [[f.tag, f.attrib['message'], f.text] for f in c]] for c in root.iter('testcase')]]))`;
      const [tag, counts, cases] = JSON.parse(
        execFileSync('python3', ['-c', program, at('junit.xml')], { encoding: 'utf8' }),
      );
      expect([tag, counts]).toEqual([
        'testsuites',
        { name: 'factored-svd compare', tests: '2', failures: '1', errors: '0', skipped: '0' },
      ]);
      expect(cases).toEqual([
        [
          'a<b>&"|`*\\u0007\\u000a::error::x',
          [['failure', '5 of 8 checks failed', expect.stringContaining('\n- singular values: ')]],
        ],
        ['ok', []],
      ]);
    },
  );

  test('--format junit escapes what XML has a meaning for', async () => {
    const { stdout } = await cli('compare', at('hostile.json'), at('hostile-now'), '--format', 'junit');
    expect(stdout).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites /);
    expect(stdout).toContain('name="a&#60;b&#62;&#38;&#34;|`*\\u0007\\u000a::error::x">');
    expect(stdout).not.toMatch(/[^\n -~\u0080-\ud7ff]/);
  });

  test('--format github says no more than ten times, and counts the rest', async () => {
    const many = await cli('compare', golden(), tuned(), '--format', 'github');
    const annotations = many.stdout.split('\n').filter((line) => line.startsWith('::'));
    expect(annotations).toHaveLength(10);
    expect(annotations[8]).toMatch(/^::error file=.*golden\.json,title=.*tuned%2C model/);
    expect(annotations[9]).toMatch(/,title=and 21 more::- model\.layers\.1\..*%0A- model/);
    const one = await cli('compare', at('hostile.json'), at('hostile-now'), '--format', 'github');
    expect(one.stdout.split('\n').filter((line) => line.startsWith('::'))).toHaveLength(1);
  });

  test('--format github appends a table to the summary of the step, no more than fits', async () => {
    process.env.GITHUB_STEP_SUMMARY = summary();
    writeFileSync(summary(), 'before\n');
    await cli('compare', at('hostile.json'), at('hostile-now'), '--format', 'github');
    const text = readFileSync(summary(), 'utf8');
    expect(text).toMatch(
      /^before\n### .*hostile\.json\n\nFAILED: 1 of 2 hold, 1 with the same bytes\n\n\| \| what \| found \|\n/,
    );
    const rows = text.split('\n').filter((line) => line.startsWith('| FAILED'));
    expect(rows).toHaveLength(1);
    expect(rows[0]).toContain('a&#60;b&#62;&#38;"&#124;&#96;&#42;');
    expect(rows[0].match(/(?<!&#\d*)\|/g)).toHaveLength(4);
    await cli('compare', at('hostile.json'), '--format', 'github');
    expect(readFileSync(summary(), 'utf8').slice(text.length)).toMatch(/^### .*\n\nok: 2 of 2 hold/);

    writeFileSync(summary(), 'a line without an end');
    await cli('compare', at('hostile.json'), '--format', 'github');
    expect(readFileSync(summary(), 'utf8')).toMatch(/^a line without an end\n### /);

    appendFileSync(summary(), 'x'.repeat(2 ** 20 - readFileSync(summary()).length - 900));
    await cli('compare', golden(), tuned(), '--format', 'github');
    const full = readFileSync(summary(), 'utf8');
    expect(Buffer.byteLength(full)).toBeLessThanOrEqual(2 ** 20);
    expect(full).toMatch(/\n\(The rest is in the log\.\)\n$/);
    appendFileSync(summary(), 'x'.repeat(2 ** 20 - Buffer.byteLength(full)));
    await cli('compare', golden(), '--format', 'github');
    expect(readFileSync(summary()).length).toBe(2 ** 20);
  });

  test('no summary in another format, or where it has no file', async () => {
    process.env.GITHUB_STEP_SUMMARY = at('none.md');
    await cli('compare', golden());
    expect(existsSync(at('none.md'))).toBe(false);
    process.env.GITHUB_STEP_SUMMARY = '';
    expect(await cli('compare', golden(), '--format', 'github')).toMatchObject({ code: 0 });
  });

  test('--format json and tap have every tensor', async () => {
    const json = JSON.parse((await cli('compare', golden(), tuned(), '--format', 'json')).stdout);
    expect(json).toMatchObject({ outcome: 'fails', golden: golden() });
    expect(json.records).toHaveLength(30);
    const { stdout } = await cli('compare', golden(), '--format', 'tap');
    expect(stdout).toMatch(/^TAP version 14\n1\.\.90\nok 1 - .*model, model\.layers\.0.*: dtype\n/);
  });
});

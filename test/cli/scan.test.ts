import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../lib/weights/index.ts';
import { built } from '../support/built.ts';
import { cli } from '../support/cli.ts';
import { randomMatrix } from '../support/matrices.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const fixture = fileURLToPath(new URL('../fixtures/scan.safetensors', import.meta.url));
const scan = (...argv: string[]) => cli('scan', ...argv);
const names = (csv: string) =>
  csv
    .trim()
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(',')[0]);
let weights: string;
const tensors = {
  'l.0.q': randomMatrix(1, [30, 20]),
  'l.0.k': randomMatrix(2, [12, 20]),
  'l.0.norm': randomMatrix(3, [20]),
  'l.1.q': randomMatrix(4, [30, 24]),
  'l.1.experts': randomMatrix(5, [3, 24, 20]),
};
beforeAll(async () => {
  weights = at('weights.safetensors');
  await writeSafetensors(weights, tensors);
});

describe('scan', () => {
  test('shows every matrix, those of a stack each, and why the others have no spectrum', async () => {
    const { code, stdout, stderr } = await scan(fixture);
    for (const says of [
      /^scan.safetensors: 8 matrices, and 2 tensors without a spectrum$/m,
      /^spiked +F64 +\[24, 60\] +60.32 +40.03 .* 2 +0.2944 +2.077$/m,
      /^experts\[1\] +BF16 +\[20, 24\]/m,
      /^convolution +F32 +\[12, 18\]/m,
      /^norm +F32 +\[17\] .* 1 +0 +a vector$/m,
      /^broken +BF16 +\[20, 12\] .* 1 +2 +not all of it is finite$/m,
      /^SNR: of Spectrum/m,
    ])
      expect(stdout).toMatch(says);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/: "norm", "broken"\n$/) });
  });

  test('is 0 where everything is finite, whatever cannot be decomposed', async () => {
    const kinds = {
      m: tensors['l.0.q'],
      v: randomMatrix(1, [4]),
      e: randomMatrix(1, [0, 4]),
      s: randomMatrix(1, []),
    };
    await writeSafetensors(at('kinds'), kinds);
    const { code, stdout } = await scan(at('kinds'));
    expect(code).toBe(0);
    for (const reason of ['a vector', 'empty', 'a number']) expect(stdout).toContain(reason);
    const header = Buffer.from(
      '{"i":{"dtype":"I8","shape":[2,2],"data_offsets":[0,4]},"f":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[4,8]}}',
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(at('integers'), Buffer.concat([length, header, Buffer.alloc(8)]));
    const other = await scan(at('integers'));
    expect(other).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/f +F8_E4M3 +\[2, 2\] .*F8_E4M3 is no float of 16/),
    });
  });

  test('as JSON and CSV has all columns, and the same numbers', async () => {
    const [json, csv] = [await scan(weights, '--json'), await scan(weights, '--csv')];
    const { tensors: rows, units, done } = JSON.parse(json.stdout);
    expect([units, done, rows.length]).toEqual([5, 5, 7]);
    const [head, ...lines] = csv.stdout
      .trim()
      .split('\r\n')
      .map((line) => line.split(','));
    expect(lines.length).toBe(7);
    for (const [i, line] of lines.entries())
      for (const [j, key] of head.entries()) {
        const value =
          key === 'shape'
            ? rows[i].shape.join('x')
            : key === 'rows'
              ? rows[i].matrix?.[0]
              : key === 'cols'
                ? rows[i].matrix?.[1]
                : rows[i][key];
        expect(line[j]).toBe(value === undefined ? '' : String(value));
      }
  });

  test('takes patterns and sizes, and sorts', async () => {
    const csv = async (...argv: string[]) => names((await scan(weights, '--csv', ...argv)).stdout);
    expect(await csv('--include', '*.q', '--include', 'l.0.*')).toEqual([
      'l.0.q',
      'l.0.k',
      'l.0.norm',
      'l.1.q',
    ]);
    expect(await csv('--exclude', '*norm', '--exclude', 'l.1.experts')).toEqual(['l.0.q', 'l.0.k', 'l.1.q']);
    expect(await csv('--min-size', '20', '--exclude', '*experts')).toEqual(['l.0.q', 'l.1.q']);
    const by = ['--include', 'l.0.*', '--sort', 'norm'];
    expect(await csv(...by)).toEqual(['l.0.q', 'l.0.k', 'l.0.norm']);
    expect(await csv(...by, '--reverse')).toEqual(['l.0.norm', 'l.0.k', 'l.0.q']);
    expect((await csv('--sort', 'sigma1')).at(-1)).toBe('l.0.norm');
    const { stdout } = await scan(weights, '--columns', 'largest,edge');
    expect(stdout).toMatch(/^matrix +dtype +shape +largest +noise edge$/m);
  });

  test('refuses options that mean nothing, before any work', async () => {
    const cases: [string[], RegExp][] = [
      [['--reverse'], /--reverse needs --sort/],
      [['--resume'], /--resume needs --out/],
      [['--json', '--csv'], /cannot be used with/],
      [['--columns', 'norm,size'], /There is no column size/],
      [['--sort', 'size'], /Allowed choices are norm, /],
      [['--min-size', '0'], /Expected a positive integer/],
      [['--shard', '3/2'], /i counts from 1 to n/],
      [['--out', weights], /--out would overwrite the input file/],
      [[fixture], /expected one checkpoint, or journals/],
    ];
    for (const [argv, says] of cases)
      expect(await scan(weights, ...argv)).toEqual({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(says),
      });
    for (const [argv, says] of [
      [['--include', 'l.9.*'], /no tensor matches "l.9.\*"/],
      [['--out', at('missing/journal')], /ENOENT/],
    ] as const)
      expect(await scan(weights, ...argv)).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(says),
      });
  });

  test('shows names from outside as what they are', async () => {
    const nasty = ['=cmd', 'a,"b"', '\u001b[31m', '::error::x'];
    await writeSafetensors(
      at('nasty'),
      Object.fromEntries(nasty.map((name) => [name, randomMatrix(1, [2, 2])])),
    );
    const [text, csv] = [await scan(at('nasty')), await scan(at('nasty'), '--csv')];
    for (const { stdout } of [text, csv]) {
      expect(stdout).not.toContain('\u001b');
      expect(stdout).not.toMatch(/^::error/m);
    }
    expect(csv.stdout).toContain('"""=cmd""",');
    expect(csv.stdout).toContain('"""a,\\""b\\""""",');
  });
});

describe('scan --report', () => {
  test('writes a page, of a checkpoint or of journals, and over none of them', async () => {
    const [page, out] = [at('page.html'), at('paged')];
    const done = await scan(weights, '--csv', '--out', out, '--report', page);
    expect(done).toMatchObject({ code: 0, stderr: expect.stringMatching(/^wrote a page of 7 rows to /) });
    const html = readFileSync(page);
    expect(html.toString()).toContain('<h1>Scan of weights.safetensors</h1>');
    expect(await scan(out, '--csv', '--report', page)).toEqual(done);
    expect(readFileSync(page)).toEqual(html);
    const cases: [string[], RegExp][] = [
      [[weights, '--report', weights], /--report would overwrite the input file/],
      [[weights, '--out', at('same'), '--report', at('same')], /--report would overwrite the journal/],
      [[out, '--report', out], /--report would overwrite the journal/],
    ];
    for (const [argv, says] of cases)
      expect(await scan(...argv)).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
    expect(existsSync(at('same'))).toBe(false);
  });
});

describe('a journal of scan', () => {
  test('goes on where it was, is of one scan, and shows all again without the weights', async () => {
    const out = at('journal');
    const fresh = await scan(weights, '--csv', '--out', out);
    const bytes = readFileSync(out);
    expect(await scan(weights, '--out', out)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is there already'),
    });
    const lines = bytes.toString().split('\n');
    writeFileSync(out, `${lines.slice(0, 4).join('\n')}\n${lines[4].slice(0, 50)}`); // two records and half of one
    const half = await scan(out);
    expect(half).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^weights.safetensors, 2 of 5 parts: 2 matrices/),
    });
    expect(await scan(weights, '--csv', '--out', out, '--resume')).toEqual(fresh);
    expect(await scan(out, '--csv')).toEqual(fresh);
    expect(await scan(weights, '--out', out, '--resume', '--exclude', '*norm')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/units 5, not 4; exclude.0 is missing, not "\*norm"/),
    });
    await writeSafetensors(at('other/../weights-2.safetensors'), {
      ...tensors,
      'l.0.q': randomMatrix(9, [30, 20]),
    });
    expect(await scan(at('weights-2.safetensors'), '--out', out, '--resume')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is of something else: weights/),
    });
  });

  test('of every shard make the whole, and nothing else does', async () => {
    const whole = await scan(weights, '--json');
    const parts = ['1/3', '2/3', '3/3'].map((shard) => at(`part-${shard[0]}`));
    for (const [i, out] of parts.entries()) await scan(weights, '--shard', `${i + 1}/3`, '--out', out);
    expect(await scan(...parts, '--json')).toEqual(whole);
    expect(await scan(...parts.reverse(), '--json')).toEqual(whole);
    expect((await scan(parts[0])).stdout).toMatch(/^weights.safetensors, shard 3 of 3, \d of 5 parts: /);
    for (const form of ['--csv', '--json']) {
      expect((await scan(parts[0], form)).stderr).toMatch(
        /is not the whole scan: shard 3 of 3, \d of 5 parts\n$/,
      );
      expect((await scan(...parts, form)).stderr).toBe(whole.stderr);
    }
    await scan(weights, '--out', at('other-journal'), '--exclude', '*norm');
    const cases: [string[], number, RegExp][] = [
      [parts.slice(1), 1, /have \d of 5 parts: a shard is missing/],
      [[...parts, parts[0]], 1, /as another journal has it/],
      [[parts[0], at('other-journal')], 1, /is of another scan: exclude/],
      [[parts[0], weights], 2, /is no journal, but/],
      [[parts[0], '--shard', '1/2'], 2, /--shard cannot be chosen/],
      [[parts[0], '--exclude', 'x'], 2, /--exclude cannot be chosen/],
      [[parts[0], '--min-size', '3'], 2, /--min-size cannot be chosen/],
    ];
    for (const [argv, code, says] of cases)
      expect(await scan(...argv)).toEqual({ code, stdout: '', stderr: expect.stringMatching(says) });
  });

  test('that is damaged is refused with the line', async () => {
    const [head, opened, first] = readFileSync(at('part-1'), 'utf8').split('\n');
    const cases: [string[], RegExp][] = [
      [[head.replace('"units":5', '"units":"5"')], /line 1: is not as scan writes it/],
      [[head.replace('scan 1', 'scan 2')], /expected "factored-svd scan 1"/],
      [
        [head, opened, first.replace(/"dtype":"\w+"/, '"dtype":1')],
        /line 3: rows\[0\]: dtype: expected a string/,
      ],
      [
        [head, opened, first.replace('"norm":', '"norm":"",""' + ':')],
        /line 3: rows\[0\]: norm: expected a number/,
      ],
    ];
    for (const [lines, says] of cases) {
      writeFileSync(at('damaged'), `${lines.join('\n')}\n`);
      expect(await scan(at('damaged'))).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(says) });
    }
  });

  test('of a process that was killed goes on', { timeout: patience(30_000) }, async () => {
    const many = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`m.${i}`, randomMatrix(i, [120, 120])] as const),
    );
    await writeSafetensors(at('many'), many);
    const out = at('killed');
    const child = spawn(process.execPath, [built('command.js'), 'scan', at('many'), '--out', out], {
      stdio: 'ignore',
    });
    const records = () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').length - 3 : 0);
    while (child.exitCode === null && records() < 2) await new Promise((go) => setTimeout(go, 1));
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const resumed = await scan(at('many'), '--csv', '--out', out, '--resume');
    expect(resumed).toEqual(await scan(at('many'), '--csv'));
  });
});

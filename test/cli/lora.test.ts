import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pair } from '../../lib/adapters/extract.ts';
import { openAdapter, writeAdapter } from '../../lib/adapters/index.ts';
import { extractResumably } from '../../lib/adapters/resumable.ts';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { formed, normOfSum, randomAdapter } from '../support/adapters.ts';
import { built } from '../support/built.ts';
import { cli } from '../support/cli.ts';
import { productWithSpectrum, randomMatrix } from '../support/matrices.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const shapes = { 'm.q_proj': [12, 6, 10], 'm.k_proj': [8, 6, 10] } as const;

beforeAll(async () => {
  await writeAdapter(at('one'), randomAdapter(1, shapes, 'float32'), { format: 'peft' });
  await writeAdapter(at('two'), randomAdapter(2, shapes, 'float32'), { format: 'peft' });
  const W = randomMatrix(3, [12, 10]);
  const D = formed(productWithSpectrum(4, 12, 10, [3, 2]));
  const changed = { data: W.data.map((x, i) => x + D[Math.floor(i / 10)][i % 10]), shape: [12, 10] };
  const vector = { data: Float32Array.of(1, 2), shape: [2] };
  await writeSafetensors(at('base.safetensors'), { 'm.q.weight': W, 'm.k.weight': W, 'm.b': vector });
  await writeSafetensors(at('tuned.safetensors'), {
    'm.q.weight': changed,
    'm.k.weight': W,
    'm.b': { ...vector, data: Float32Array.of(1, 3) },
  });
});

const parsed = (run: { code: number; stdout: string; stderr: string }) => {
  expect(run.stderr).toBe('');
  expect(run.code).toBe(0);
  return JSON.parse(run.stdout);
};

describe('lora resize', () => {
  test('writes an adapter of smaller ranks, and says how far each module is from the first', async () => {
    const out = at('small');
    const { modules } = parsed(await cli('lora', 'resize', at('one'), '--rank', '2', '--out', out, '--json'));
    const [before, after] = [await openAdapter(at('one')), await openAdapter(out)];
    for (const { name, shape, rankBefore, rank, error } of modules) {
      const [M, N] = [before, after].map((x) => formed(x.modules.get(name)!));
      expect({ shape, rankBefore, rank }).toEqual({
        shape: [M.length, M[0].length],
        rankBefore: 6,
        rank: 2,
      });
      expect(Math.abs(normOfSum([M, N], [1, -1]) / normOfSum([M], [1]) - error)).toBeLessThan(1e-6);
    }
    const text = await cli('lora', 'resize', at('one'), '--fro', '0.9', '--rank', '4', '--out', out);
    expect(text.stdout).toMatch(/module +shape +from +rank.*\nm\.q_proj +\[12, 10\]/);
    expect(text.stdout).toMatch(/2 modules of .*one.*\n.*of all together.*\nwritten to .*small.*, peft\n$/s);
  });

  test('refuses to overwrite what it reads, whatever it is called, and leaves it as it was', async () => {
    const file = at('one/adapter_model.safetensors');
    const bytes = readFileSync(file);
    for (const out of [at('one'), at('one/'), at('two/../one')]) {
      const { code, stderr } = await cli('lora', 'resize', at('one'), '--rank', '2', '--out', out);
      expect([code, stderr]).toEqual([2, expect.stringContaining('--out would overwrite the input file')]);
    }
    const kohya = ['--format', 'kohya', '--out', file];
    const run = await cli('lora', 'resize', at('one'), '--rank', '2', ...kohya);
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('would overwrite')]);
    expect(readFileSync(file)).toEqual(bytes);
  });

  test('to kohya, in bfloat16, with a prefix', async () => {
    const out = at('kohya.safetensors');
    const choices = ['--format', 'kohya', '--dtype', 'bfloat16', '--split', 'up', '--prefix', 'lora_te1_'];
    const { stdout } = await cli('lora', 'resize', at('one'), '--energy', '0.9', '--out', out, ...choices);
    expect(stdout).toMatch(/rounding to bfloat16 comes on top, at most 0\.00\d+ of a module/);
    const adapter = await openAdapter(out);
    expect(adapter.format).toBe('kohya');
    expect([...adapter.modules.keys()]).toEqual(['lora_te1_m_q_proj', 'lora_te1_m_k_proj']);
    expect(adapter.info.get('lora_te1_m_q_proj')!.dtype).toBe('bfloat16');
  });

  test.each([
    [[], 'say what is kept'],
    [['--ratio', '2', '--fro', '0.5'], 'give one of --ratio'],
    [['--rank', '0'], 'positive integer'],
    [['--ratio', '0.5'], 'a number ≥ 1'],
    [['--rank', '1', '--format', 'lycoris'], 'peft'],
    [['--rank', '1', '--dtype', 'int8'], 'float32'],
  ])('%j is wrong usage', async (options, text) => {
    const { code, stderr } = await cli('lora', 'resize', at('one'), '--out', at('no'), ...options);
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
    expect(existsSync(at('no'))).toBe(false);
  });

  test('what is no adapter fails before anything is written', async () => {
    const { code, stderr } = await cli(
      'lora',
      'resize',
      at('base.safetensors'),
      '--rank',
      '1',
      '--out',
      at('no'),
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_SVD_FILE')]);
    expect(existsSync(at('no'))).toBe(false);
  });
});

describe('lora merge', () => {
  test('is the weighted sum', async () => {
    const out = at('merged');
    const run = await cli('lora', 'merge', at('one'), at('two'), '--weights=-0.5,2', '--out', out, '--json');
    expect(parsed(run).modules.map(({ rank }: { rank: number }) => rank)).toEqual([10, 8]);
    const all = await Promise.all([at('one'), at('two'), out].map((path) => openAdapter(path)));
    for (const name of Object.keys(shapes)) {
      const [M, N, sum] = all.map((x) => formed(x.modules.get(name)!));
      expect(normOfSum([M, N, sum], [-0.5, 2, -1]) / normOfSum([sum], [1])).toBeLessThan(1e-6);
    }
  });

  test.each([
    [['--weights', '1'], '1 for 2 adapters'],
    [['--weights', '1,x'], 'Expected numbers'],
    [['--cumulative', '0.5', '--fro', '0.5'], 'give one of'],
  ])('%j is wrong usage', async (options, text) => {
    const { code, stderr } = await cli('lora', 'merge', at('one'), at('two'), '--out', at('no'), ...options);
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
  });
});

describe('lora extract', () => {
  test('gives back what was planted, and says what is left out', async () => {
    const out = at('extracted');
    const args = ['lora', 'extract', at('base.safetensors'), at('tuned.safetensors'), '--rank', '2'];
    const found = parsed(await cli(...args, '--out', out, '--json'));
    expect(found).toMatchObject({
      format: 'peft',
      unchanged: ['m.k.weight'],
      leftOut: { 'm.b': '[2], no matrix: changed by 1.00' },
      modules: [{ name: 'm.q', shape: [12, 10], rank: 2 }],
    });
    const adapter = await openAdapter(out);
    const D = formed(productWithSpectrum(4, 12, 10, [3, 2]));
    expect(normOfSum([D, formed(adapter.modules.get('m.q')!)], [1, -1])).toBeLessThan(1e-5);
    expect(readdirSync(at()).filter((name) => name.includes('partial'))).toEqual([]);
    const text = await cli(...args, '--include', '*.k.*', '--out', at('none'));
    expect(text.stdout).toMatch(/^0 modules of .*\n1 tensors are the same in both\nnothing was written\n$/s);
    expect(existsSync(at('none'))).toBe(false);
  });

  test('one that was stopped goes on with --resume, and not without it', async () => {
    const args = ['lora', 'extract', at('base.safetensors'), at('tuned.safetensors'), '--out', at('again')];
    mkdirSync(at('again.partial'));
    writeFileSync(at('again.partial/journal.jsonl'), '{"format":"factored-svd lora extract 1"}\n');
    const refused = await cli(...args, '--rank', '2');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('resume it')]);
    const other = await cli(...args, '--rank', '2', '--resume');
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('is of something else')]);
  });

  test('a finished tensor of which one element has changed since is not gone on with', async () => {
    const { data, shape } = randomMatrix(7, [200, 150]);
    const file = at('grown.safetensors');
    const tuned = async (at: number, by: number) =>
      writeSafetensors(file, { 'w.weight': { data: data.map((x, i) => x + (i === at ? by : 0)), shape } });
    await writeSafetensors(at('from.safetensors'), { 'w.weight': { data, shape } });
    await tuned(3, 1);
    const pair = async (): Promise<Pair> => ({
      base: await openWeights(at('from.safetensors')),
      tuned: await openWeights(file),
    });
    const run = async () => {
      const both = await pair();
      await using _ = both.base;
      await using __ = both.tuned;
      return await extractResumably(both, ['w.weight'], { rank: 1 }, at('kept'), { resume: true });
    };
    const { report } = await run();
    expect((await run()).report).toEqual(report);
    for (let place = 9001; place < 9003; place++) {
      await tuned(place, 1e-3);
      await expect(run()).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    }
  });

  test('what has no place in the format is found before any work', async () => {
    const W = randomMatrix(5, [9, 6]);
    const more = { data: W.data.map((x) => x + 1), shape: [9, 6] };
    mkdirSync(at('gpt'));
    mkdirSync(at('gpt-tuned'));
    writeFileSync(at('gpt/config.json'), '{"model_type":"gpt2"}');
    const names = ['wte.weight', 'h.0.c_attn.weight', 'lm_head.weight'];
    const all = (x: Parameters<typeof writeSafetensors>[1][string], of = names) =>
      Object.fromEntries(names.map((n) => [n, of.includes(n) ? x : W]));
    const run = async (changed: string[], ...options: string[]) => {
      await writeSafetensors(at('gpt/model.safetensors'), all(W));
      await writeSafetensors(at('gpt-tuned/model.safetensors'), all(more, changed));
      const args = ['lora', 'extract', at('gpt'), at('gpt-tuned'), '--rank', '1', '--out', at('gpt-out')];
      const { code, stderr } = await cli(...args, ...options);
      expect(existsSync(at('gpt-out.partial'))).toBe(false);
      return [code, stderr];
    };
    const kohya = ['--format', 'kohya'];
    expect(await run(names.slice(0, 1), ...kohya)).toEqual([
      1,
      expect.stringMatching(/"wte.weight" is an embedding/),
    ]);
    expect(await run(names.slice(1, 2), ...kohya)).toEqual([
      1,
      expect.stringMatching(/"h.0.c_attn.weight" is/),
    ]);
    expect(await run(names)).toEqual([
      1,
      expect.stringMatching(/"h.0.c_attn.weight" is.*"lm_head.weight" is not/),
    ]);
    expect(await run(names.slice(2), ...kohya)).toEqual([0, '']);
  });

  test.each(['resize', 'extract'])(
    '%s: a file where the folder should be is seen before any work',
    async (what) => {
      writeFileSync(at('file'), 'x');
      const inputs = what === 'resize' ? [at('one')] : [at('base.safetensors'), at('tuned.safetensors')];
      for (const out of [at('file'), at('file/below')]) {
        const { code, stderr } = await cli('lora', what, ...inputs, '--rank', '1', '--out', out);
        expect([code, stderr]).toEqual([1, expect.stringMatching(/cannot write.*ERR_SVD_FILE/)]);
        expect(existsSync(`${out}.partial`)).toBe(false);
      }
      expect(readFileSync(at('file'), 'utf8')).toBe('x');
    },
  );

  test('killed in the middle and resumed ends with the same bytes', {
    timeout: patience(30_000),
  }, async () => {
    const matrices = (seed: number) =>
      Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`m.${i}.weight`, randomMatrix(seed + i, [90, 90])] as const),
      );
    await writeSafetensors(at('from'), matrices(1));
    await writeSafetensors(at('to'), matrices(100));
    const args = ['lora', 'extract', at('from'), at('to'), '--rank', '3', '--out'];
    expect((await cli(...args, at('whole'))).code).toBe(0);
    const child = spawn(process.execPath, [built('command.js'), ...args, at('killed')], { stdio: 'ignore' });
    const partial = at('killed.partial');
    const done = () => (existsSync(partial) ? readdirSync(partial).length - 1 : 0);
    while (child.exitCode === null && done() < 3) await new Promise((go) => setTimeout(go, 1));
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(existsSync(at('killed'))).toBe(false);
    writeFileSync(join(partial, '0.safetensors'), 'damaged'); // computed again
    const { code, stderr } = await cli(...args, at('killed'), '--resume');
    expect([code, stderr]).toEqual([0, '']);
    for (const name of readdirSync(at('whole')))
      expect(readFileSync(at(`killed/${name}`)).equals(readFileSync(at(`whole/${name}`)))).toBe(true);
    expect(existsSync(partial)).toBe(false);
  });

  test.each([
    [[], 'give one of --rank, --energy and --tol'],
    [['--rank', '1', '--tol', '1'], 'give one of'],
    [['--rank', '1', '--format', 'kohya', '--out', 'BASE'], 'would overwrite the input file'],
  ])('%j is wrong usage', async (options, text) => {
    const [base, tuned] = [at('base.safetensors'), at('tuned.safetensors')];
    const own = options.map((option) => (option === 'BASE' ? base : option));
    const { code, stderr } = await cli('lora', 'extract', base, tuned, '--out', at('no'), ...own);
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
  });
});

test('lora inspect lists modules with their singular values', async () => {
  const { stdout } = await cli('lora', 'inspect', at('one'));
  expect(stdout).toMatch(/m\.q_proj +\[12, 10\] +6 +6 +1 +float32 /);
  const { format, modules } = parsed(await cli('lora', 'inspect', at('one'), '--json'));
  expect([format, modules.length, modules[0].S.length]).toEqual(['peft', 2, 6]);
});

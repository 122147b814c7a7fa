import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { summarizeSpectrum } from '../../lib/cli/svd.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { built } from '../support/built.ts';
import { cli } from '../support/cli.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const model = () => at('model');
const layers = 4;

beforeAll(() => {
  const { config, tensors } = tinyLlama({ layers, dHead: 4 });
  writeCheckpoint(model(), config, tensors, { dtype: 'BF16', shards: 3 });
  // Large enough that a process can be stopped within it.
  const large = tinyLlama({ layers: 12, heads: 8, kvHeads: 8, dHead: 16, dModel: 96 });
  writeCheckpoint(at('large'), large.config, large.tensors);
});
beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (/^(SLURM|OMPI|PMI|JOB_)/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(`${folder}/${name}`, 'base64')]),
  );

describe('factored-svd circuits', () => {
  test('--json has every head with its spectrum', async () => {
    const { code, stdout, stderr } = await cli('circuits', model(), '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      checkpoint: model(),
      model: { modelType: 'llama', layers, heads: 4, kvHeads: 2, dModel: 10, dHead: 4 },
      state: { foldNorms: false, rotaryOffset: 0 },
      kinds: ['OV', 'QK'],
      layers: [0, layers],
    });
    expect(report.items).toHaveLength(2 * layers * 4);
    await using checkpoint = await openCheckpoint(model());
    for (const kind of ['OV', 'QK'] as const)
      for await (const { layer, svd } of checkpoint.decompose(kind))
        for (let head = 0; head < 4; head++) {
          const item = report.items.find(
            (one: { kind: string; layer: number; head: number }) =>
              one.kind === kind && one.layer === layer && one.head === head,
          );
          const S = [...svd.S.data.subarray(4 * head, 4 * head + 4)];
          expect(item).toEqual({
            kind,
            layer,
            head,
            S,
            bound: svd.bound.data[head],
            ...summarizeSpectrum(S),
          });
        }
  });

  test('prints a row for every head, and writes nothing without --out', async () => {
    const before = readdirSync(at());
    const { code, stdout } = await cli('circuits', model(), '--kind', 'QK', '--layers', '1-2', '--fold');
    expect(code).toBe(0);
    expect(stdout).toMatch(/: llama, 4 layers of 4 heads \(2 of keys and values\), width 10, 4 a head$/m);
    expect(stdout).toMatch(/^QK of layers 1-2, norms folded, [\d.]+ s$/m);
    expect(stdout).toMatch(/^kind +layer +head +singular values +effective rank +condition$/m);
    expect(stdout.match(/^QK +[12] +[0-3] /gm)).toHaveLength(8);
    expect(readdirSync(at())).toEqual(before);
  });

  test('--rank keeps leading triplets, and the residual is what they leave', async () => {
    const whole = JSON.parse((await cli('circuits', model(), '--json')).stdout);
    const { stdout } = await cli('circuits', model(), '--json', '--rank', '2');
    for (const [i, { S, norm, residual, bound }] of JSON.parse(stdout).items.entries()) {
      const { S: all, norm: full } = whole.items[i];
      expect(S).toHaveLength(2);
      expect(Math.abs(norm - full)).toBeLessThanOrEqual(4 * bound);
      expect(Math.abs(residual * norm - Math.hypot(all[2], all[3]))).toBeLessThanOrEqual(4 * bound);
    }
    expect((await cli('circuits', model(), '--rank', '2')).stdout).toContain(
      'residual: that of the truncation',
    );
  });

  test('--out writes one file for each kind and layer, that golden takes, and a second run only reads', async () => {
    const out = at('run');
    const first = await cli('circuits', model(), '--out', out, '--json');
    expect(first.code).toBe(0);
    expect(readdirSync(out)).toHaveLength(2 * layers + 1);
    expect((await cli('golden', `${out}/OV.layer-002.safetensors`, '--factors')).code).toBe(0);
    const before = contents(out);
    const second = await cli('circuits', model(), '--out', out, '--json');
    expect(contents(out)).toEqual(before);
    const [a, b] = [first, second].map(({ stdout }) => JSON.parse(stdout));
    expect([a.kept, b.kept]).toEqual([0, 2 * layers]);
    expect(b.items).toEqual(a.items);
    const { stdout } = await cli('circuits', model(), '--out', out);
    expect(stdout).toContain('8 of 8 files were there');
    expect(stdout).toContain(`are in ${out}`);
  });

  test('shards and merge: the bytes of one run', async () => {
    for (const i of [1, 2]) {
      vi.stubEnv('SLURM_ARRAY_TASK_ID', String(i));
      vi.stubEnv('SLURM_ARRAY_TASK_MIN', '1');
      vi.stubEnv('SLURM_ARRAY_TASK_COUNT', '2');
      const { code, stdout, stderr } = await cli('circuits', model(), '--out', at(`shard-${i}`));
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: `factored-svd: shard ${i} of 2, as SLURM_ARRAY_TASK_ID says (--shard 1/1 does everything)\n`,
      });
      expect(stdout).toContain(`, shard ${i} of 2, `);
    }
    const alone = await cli('merge', at('shard-1'), '--out', at('merged'));
    expect(alone).toMatchObject({ code: 1, stdout: '' });
    expect(alone.stderr).toMatch(/is one of 2 shards, of which 1 is missing: 2 \[ERR_SVD_FILE\]\n$/);
    const merged = await cli('merge', at('shard-1'), at('shard-2'), '--out', at('merged'));
    expect(merged).toEqual({
      code: 0,
      stdout: `merged 2 shards, 8 files, into ${at('merged')}\n`,
      stderr: '',
    });
    expect(contents(at('merged'))).toEqual(contents(at('run')));
  });

  test('a declared layout', async () => {
    const layout = {
      heads: 4,
      kvHeads: 2,
      dModel: 10,
      dHead: 4,
      layer: 'model.layers.N.',
      attention: {
        q: 'self_attn.q_proj',
        k: 'self_attn.k_proj',
        v: 'self_attn.v_proj',
        o: 'self_attn.o_proj',
      },
    };
    writeFileSync(at('layout.json'), JSON.stringify(layout));
    const { stdout } = await cli('circuits', model(), '--layout', at('layout.json'), '--json');
    const { items, model: found } = JSON.parse(stdout);
    expect(found.modelType).toBe('declared');
    expect(items).toEqual(JSON.parse((await cli('circuits', model(), '--json')).stdout).items);
  });
});

describe('nothing is written when', () => {
  const cases: [argv: string[], code: number, message: RegExp][] = [
    [['MODEL', '--kind', 'VO'], 2, /--kind.*Expected OV, QK or OV,QK/],
    [['MODEL', '--layers', '3-1'], 2, /--layers.*Expected a layer/],
    [['MODEL', '--layers', 'all'], 2, /Expected a layer/],
    [['MODEL', '--rank', '0'], 2, /Expected a positive integer/],
    [['MODEL', '--shard', '3/2'], 2, /--shard 3\/2: i counts from 1 to n, that is to 2/],
    [['MODEL', '--rotary-offset', 'x'], 2, /Expected a number/],
    [['MODEL', '--rotary-offset', '2', '--kind', 'OV'], 2, /only QK is rotated/],
    [['MODEL', '--stack', 'both'], 2, /Allowed choices are/],
    [[], 2, /missing required argument 'checkpoint'/],
    [['/no/such/model'], 1, /no\/such\/model: .*\[ERR_SVD_FILE\]/],
    [
      ['MODEL', '--layers', '2-4'],
      1,
      /--layers 2-4: the checkpoint has the layers 0 to 3 \[ERR_SVD_ARGUMENT\]/,
    ],
    [['MODEL', '--rank', '5'], 1, /a circuit has 4 singular values \[ERR_SVD_ARGUMENT\]/],
    [['MODEL', '--center'], 1, /centerWriting.*\[ERR_SVD_ARGUMENT\]/],
    [['MODEL', '--stack', 'encoder'], 1, /one attention for each layer \[ERR_SVD_ARGUMENT\]/],
    [['MODEL', '--layout', '/no/such.json'], 1, /no\/such.json: cannot open/],
    [['MODEL', '--layout', 'MODEL/model.safetensors.index.json'], 1, /layout: .* \[ERR_SVD_ARGUMENT\]/],
  ];
  test.each(cases)('%j', async (argv, code, message) => {
    const words = argv.map((word) => word.replace('MODEL', model()));
    const before = contents(model());
    const done = await cli('circuits', ...words, '--out', at('never'));
    expect(done).toMatchObject({ code, stdout: '' });
    expect(done.stderr).toMatch(/^factored-svd: /);
    expect(done.stderr).toMatch(message);
    expect(existsSync(at('never'))).toBe(false);
    expect(contents(model())).toEqual(before);
  });

  test('the folder is that of the checkpoint, a file, or of another run', async () => {
    const before = contents(model());
    const same = await cli('circuits', model(), '--out', `${model()}/.`);
    expect(same).toMatchObject({ code: 1, stdout: '' });
    expect(same.stderr).toContain('is the checkpoint itself');
    expect(contents(model())).toEqual(before);
    writeFileSync(at('file'), '');
    expect((await cli('circuits', model(), '--out', at('file'))).stderr).toContain('is not a folder');
    mkdirSync(at('other'));
    expect((await cli('circuits', model(), '--out', at('other'), '--rank', '1')).code).toBe(0);
    const other = contents(at('other'));
    const refused = await cli('circuits', model(), '--out', at('other'));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /circuits.json: is of another run: rank 1, not all\. .*\[ERR_SVD_FILE\]\n$/,
    );
    expect(contents(at('other'))).toEqual(other);
  });

  test('the environment contradicts itself', async () => {
    vi.stubEnv('SLURM_PROCID', '5');
    vi.stubEnv('SLURM_NTASKS', '2');
    const done = await cli('circuits', model(), '--out', at('never'));
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toMatch(/SLURM_PROCID is 5, but counts from 0, and SLURM_NTASKS is 2/);
    expect(existsSync(at('never'))).toBe(false);
  });
});

describe('a process that is stopped', () => {
  const command = (out: string) => [built('command.js'), 'circuits', at('large'), '--out', out];

  /** Stops a run after some milliseconds, unless it ends before. Its exit code, and how long it then took to end. */
  async function stopped(out: string, milliseconds: number, signal: NodeJS.Signals) {
    const child = spawn(process.execPath, command(out), { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    let sent = Number.NaN;
    const timer = setTimeout(() => {
      sent = performance.now();
      child.kill(signal);
    }, milliseconds);
    const code = await ended;
    clearTimeout(timer);
    return { code, took: performance.now() - sent };
  }

  let reference: Record<string, string>;
  let duration: number;
  beforeAll(() => {
    const start = performance.now();
    const { status } = spawnSync(process.execPath, command(at('reference')), { timeout: patience(30_000) });
    duration = performance.now() - start;
    expect(status).toBe(0);
    reference = contents(at('reference'));
  });

  test('ten times at random ends with the bytes of a run that was not', {
    timeout: patience(60_000),
  }, async () => {
    const out = at('killed');
    for (let i = 0; i < 10; i++) {
      await stopped(out, (0.3 + 0.6 * ((i * 0.618) % 1)) * duration, 'SIGKILL');
      if (!existsSync(out)) continue;
      for (const [name, bytes] of Object.entries(contents(out)))
        if (name.endsWith('.safetensors')) expect(bytes === reference[name], name).toBe(true);
    }
    const { status } = spawnSync(process.execPath, command(out), { timeout: patience(30_000) });
    expect(status).toBe(0);
    expect(Object.keys(contents(out))).toEqual(Object.keys(reference));
    expect(contents(out)).toEqual(reference);
  });

  test('by Ctrl-C ends within a second and leaves what is finished', {
    timeout: patience(30_000),
  }, async () => {
    const out = at('interrupted');
    const { code, took } = await stopped(out, 0.6 * duration, 'SIGINT');
    if (code !== 0) {
      expect(code).toBe(130);
      expect(took).toBeLessThan(patience(1000));
    }
    for (const [name, bytes] of Object.entries(existsSync(out) ? contents(out) : {})) {
      expect(name).not.toMatch(/\.tmp$/);
      if (name.endsWith('.safetensors')) expect(bytes === reference[name], name).toBe(true);
    }
  });
});

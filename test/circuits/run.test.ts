import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CheckpointOptions, openCheckpoint } from '../../lib/circuits/index.ts';
import { mergeShards, planOf, readRun, runCircuits, type Shard } from '../../lib/circuits/run/index.ts';
import type { PlanOptions } from '../../lib/circuits/run/plan.ts';
import { layersOf } from '../../lib/circuits/run/shard.ts';
import { norm, versions } from '../../lib/index.ts';
import { writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyLlama, writeCheckpoint } from './support/checkpoints.ts';

const at = temporaryFolder();
const layers = 5;

beforeAll(() => {
  const { config, tensors } = tinyLlama({ layers, dHead: 4 });
  writeCheckpoint(at('model'), config, tensors, { dtype: 'BF16', shards: 3 });
  // The same in all but one row of one tensor.
  const name = 'model.layers.3.self_attn.q_proj.weight';
  const { shape, data } = tensors[name];
  const changed = { ...tensors, [name]: { shape, data: data.map((x, i) => (i < 10 ? -x : x)) } };
  writeCheckpoint(at('changed'), config, changed, { dtype: 'BF16', shards: 3 });
  writeCheckpoint(at('other-config'), { ...config, rope_theta: 500 }, tensors, { dtype: 'BF16', shards: 3 });
});

interface Running extends Partial<PlanOptions>, CheckpointOptions {
  model?: string;
  shard?: Shard | undefined;
  signal?: AbortSignal;
}

async function run(out: string | undefined, { model = 'model', shard, signal, ...options }: Running = {}) {
  const { foldNorms, biases, ...rest } = options;
  await using checkpoint = await openCheckpoint(at(model), { foldNorms, biases });
  const plan = await planOf(checkpoint, { kinds: ['OV', 'QK'], ...rest });
  return await runCircuits(checkpoint, plan, { shard, out: out === undefined ? out : at(out), signal });
}

/** Every file of a folder with its bytes. */
const contents = (name: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(at(name))
      .sort()
      .map((file) => [file, readFileSync(at(`${name}/${file}`), 'base64')]),
  );

/** When every file was last written, as far as the file system tells. */
const age = (name: string) =>
  Object.fromEntries(readdirSync(at(name)).map((file) => [file, statSync(at(`${name}/${file}`)).mtimeMs]));

function backdate(name: string) {
  for (const file of readdirSync(at(name))) utimesSync(at(`${name}/${file}`), 1000, 1000);
}

describe('a run', () => {
  test('keeps what decompose finds, to the bit, and reads it back', async () => {
    const { spectra, kept } = await run('whole');
    expect(kept).toBe(0);
    const found = await readRun(at('whole'));
    expect(found.plan).toMatchObject({
      checkpoint: { modelType: 'llama', layers, heads: 4, kvHeads: 2, dModel: 10, dHead: 4 },
      state: { foldNorms: false, centerWriting: false, biases: false, rotaryOffset: 0, qkNormGains: false },
      kinds: ['OV', 'QK'],
      layers: [0, layers],
      rank: null,
    });
    await using checkpoint = await openCheckpoint(at('model'));
    for (const kind of ['OV', 'QK'] as const)
      for await (const { layer, svd } of checkpoint.decompose(kind)) {
        const read = await found.svd(kind, layer);
        for (const name of ['U', 'S', 'Vh'] as const) {
          expect(read[name].shape).toEqual(svd[name].shape);
          expect(read[name].data).toEqual(svd[name].data);
        }
        expect(read.versions).toEqual(versions());
        expect(read.bound).toEqual([...svd.bound.data]);
        const { A, B } = await checkpoint.circuit(kind, { layers: [layer, layer + 1] });
        const [a, b] = [norm(A), norm(B)] as { data: Float64Array }[];
        const products = Array.from(a.data, (x, head) => x * b.data[head]);
        const relative = read.factorNorm.map((x, head) => Math.abs(x / products[head] - 1));
        expect(Math.max(...relative)).toBeLessThan(1e-6);
        const same = spectra.find((one) => one.kind === kind && one.layer === layer)!;
        expect(same.S.data).toEqual(svd.S.data);
        const { S, ...rest } = await found.spectra(kind, layer);
        expect(rest).toEqual((({ S: _, ...others }) => others)(same));
        expect(S.data).toEqual(same.S.data);
      }
  });

  test('of leading triplets keeps what they leave, and the singular value that follows', async () => {
    const { spectra } = await run('rank', { rank: 2, kinds: ['QK'], layers: [1, 3] });
    const { spectra: all } = await run(undefined, { kinds: ['QK'], layers: [1, 3] });
    expect(spectra.map(({ kind, layer }) => [kind, layer])).toEqual([
      ['QK', 1],
      ['QK', 2],
    ]);
    const found = await readRun(at('rank'));
    for (const [i, part] of spectra.entries()) {
      const { next, truncationError, bound } = await found.svd('QK', part.layer);
      for (let head = 0; head < 4; head++) {
        const [third, fourth] = all[i].S.data.subarray(4 * head + 2);
        expect(Math.abs(next![head] - third)).toBeLessThanOrEqual(2 * bound[head]);
        const error = Math.abs(truncationError![head] - Math.hypot(third, fourth));
        expect(error).toBeLessThanOrEqual(4 * bound[head]);
      }
    }
  });

  test('without a folder writes nothing', async () => {
    const before = readdirSync(at());
    await run(undefined);
    expect(readdirSync(at())).toEqual(before);
  });

  test('says nothing of time or place', async () => {
    mkdirSync(at('elsewhere'));
    const { config, tensors } = tinyLlama({ layers, dHead: 4 });
    writeCheckpoint(at('elsewhere/copy'), config, tensors, { dtype: 'BF16', shards: 3 });
    await run('moved', { model: 'elsewhere/copy' });
    expect(contents('moved')).toEqual(contents('whole'));
  });

  test('only QK is rotated', async () => {
    const { spectra } = await run(undefined, { rotaryOffset: 3 });
    const { spectra: plain } = await run(undefined);
    for (const [i, { kind, S }] of spectra.entries())
      if (kind === 'OV') expect(S.data).toEqual(plain[i].S.data);
      else expect(S.data).not.toEqual(plain[i].S.data);
  });
});

describe('shards', () => {
  test('take every layer once, in their order, evenly', () => {
    for (const total of [0, 1, 5, 32])
      for (const count of [1, 2, 3, 7, 40]) {
        const parts = Array.from({ length: count }, (_, i) =>
          layersOf({ index: i + 1, count }, [3, 3 + total]),
        );
        expect(parts[0][0]).toBe(3);
        expect(parts.at(-1)![1]).toBe(3 + total);
        for (let i = 1; i < count; i++) expect(parts[i][0]).toBe(parts[i - 1][1]);
        const sizes = parts.map(([from, to]) => to - from);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
  });

  test.each([2, 3, 7])('%i of them, run apart and merged, are the bytes of one run', async (count) => {
    const folders = Array.from({ length: count }, (_, i) => `apart-${count}-${i}`);
    for (const [i, folder] of folders.entries()) await run(folder, { shard: { index: i + 1, count } });
    const merged = await mergeShards(folders.map(at).reverse(), at(`merged-${count}`));
    expect(merged).toMatchObject({ shards: count, files: 2 * layers });
    expect(merged.kernels).toHaveLength(1);
    expect(contents(`merged-${count}`)).toEqual(contents('whole'));
  });

  test('may share a folder, and be merged into it', async () => {
    for (const index of [2, 1]) await run('shared', { shard: { index, count: 2 } });
    expect(readdirSync(at('shared'))).toHaveLength(2 * layers + 2);
    await expect(readRun(at('shared'))).rejects.toThrow(
      /holds shard 1 of 2, shard 2 of 2, not a whole run: factored-svd merge makes one/,
    );
    await mergeShards([at('shared')], at('shared'));
    expect(contents('shared')).toMatchObject(contents('whole'));
    expect((await readRun(at('shared'))).parts).toHaveLength(2 * layers);
  });

  test('a merge that was done is done again without harm', async () => {
    await mergeShards([at('apart-2-0'), at('apart-2-1')], at('merged-2'));
    expect(contents('merged-2')).toEqual(contents('whole'));
  });

  describe('are refused, and nothing is written:', () => {
    const [first, second] = [{ shard: { index: 1, count: 2 } }, { shard: { index: 2, count: 2 } }];
    const cases: [what: string, runs: Running[], message: RegExp][] = [
      ['a missing one', [first], /is one of 2 shards, of which 1 is missing: 2$/],
      ['one that is there twice', [first, first, second], /is shard 1 of 2, and so is .*refused-1-0/],
      [
        'one of another number',
        [first, { shard: { index: 2, count: 3 } }],
        /is shard 2 of 3, not one of 2 as /,
      ],
      ['one of another rank', [first, { ...second, rank: 2 }], /of another run: rank 2, not all as /],
      [
        'one of another state',
        [first, { ...second, foldNorms: true }],
        /another run: foldNorms true, not false/,
      ],
      ['one of other weights', [first, { ...second, model: 'changed' }], /another tensors of the checkpoint/],
      ['a whole run', [first, {}], /holds a whole run, not shards of one/],
    ];
    test.each(cases.map((one, i) => [...one, i] as const))('%s', async (_, runs, message, number) => {
      const folders = runs.map((_, i) => `refused-${number}-${i}`);
      for (const [i, folder] of folders.entries()) await run(folder, runs[i]);
      await expect(mergeShards(folders.map(at), at(`refused-${number}`))).rejects.toMatchObject({
        code: 'ERR_SVD_FILE',
        message: expect.stringMatching(message),
      });
      expect(existsSync(at(`refused-${number}`))).toBe(false);
    });

    test('one that is not finished', async () => {
      const manifest = at('apart-3-1/circuits.shard-2-of-3.json');
      const text = readFileSync(manifest, 'utf8');
      writeFileSync(manifest, text.replace(/,\n[^\n]*QK.layer-002[^\n]*/, ''));
      const folders = [0, 1, 2].map((i) => at(`apart-3-${i}`));
      await expect(mergeShards(folders, at('unfinished'))).rejects.toThrow(
        /2-of-3.json: is not finished: QK.layer-002.safetensors missing/,
      );
      writeFileSync(manifest, text);
      expect(existsSync(at('unfinished'))).toBe(false);
    });

    test('a file that is not as it was written', async () => {
      for (const i of [0, 1]) await run(`damaged-${i}`, { shard: { index: i + 1, count: 2 } });
      const file = at('damaged-1/OV.layer-004.safetensors');
      const bytes = readFileSync(file);
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(file, bytes);
      const merge = () => mergeShards([at('damaged-0'), at('damaged-1')], at('damaged'));
      await expect(merge()).rejects.toThrow(/OV.layer-004.safetensors: is not as it was written/);
      rmSync(file);
      await expect(merge()).rejects.toThrow(/OV.layer-004.safetensors: is missing/);
      expect(existsSync(at('damaged'))).toBe(false);
    });

    test('where another run or file stands', async () => {
      await run('taken', { rank: 1 });
      const before = contents('taken');
      const shards = [at('apart-2-0'), at('apart-2-1')];
      await expect(mergeShards(shards, at('taken'))).rejects.toThrow(/of another run: rank 1, not all/);
      expect(contents('taken')).toEqual(before);
      mkdirSync(at('stranger'));
      writeFileSync(at('stranger/QK.layer-001.safetensors'), 'mine');
      await expect(mergeShards(shards, at('stranger'))).rejects.toThrow(/is another file/);
      expect(readdirSync(at('stranger'))).toEqual(['QK.layer-001.safetensors']);
    });
  });
});

describe('a run that is begun again', () => {
  test('keeps what is finished as it is, and computes only the rest', async () => {
    await run('again');
    backdate('again');
    const removed = ['OV.layer-001.safetensors', 'QK.layer-004.safetensors'];
    for (const file of removed) rmSync(at(`again/${file}`));
    const { kept } = await run('again');
    expect(kept).toBe(2 * layers - removed.length);
    expect(contents('again')).toEqual(contents('whole'));
    const fresh = Object.entries(age('again'))
      .filter(([, time]) => time !== 1_000_000)
      .map(([file]) => file);
    expect(fresh.sort()).toEqual([...removed, 'circuits.json'].sort());
  });

  test('writes nothing where all is finished', async () => {
    backdate('again');
    expect((await run('again')).kept).toBe(2 * layers);
    expect(new Set(Object.values(age('again')))).toEqual(new Set([1_000_000]));
  });

  test('mends a file that is damaged, cut short, or was never listed', async () => {
    await run('mended');
    const [damaged, short] = ['OV.layer-000', 'QK.layer-002'].map((name) => at(`mended/${name}.safetensors`));
    const bytes = readFileSync(damaged);
    bytes[bytes.length - 2] ^= 64;
    writeFileSync(damaged, bytes);
    writeFileSync(short, readFileSync(short).subarray(0, -8));
    const manifest = readFileSync(at('mended/circuits.json'), 'utf8');
    writeFileSync(at('mended/circuits.json'), manifest.replace(/[^\n]*OV.layer-003[^\n]*\n/, ''));
    expect((await run('mended')).kept).toBe(2 * layers - 3);
    expect(contents('mended')).toEqual(contents('whole'));
  });

  test('goes on without its manifest, and after an abort', async () => {
    await run('lost');
    rmSync(at('lost/circuits.json'));
    expect((await run('lost')).kept).toBe(0);
    const abort = new AbortController();
    const running = run('aborted', { signal: abort.signal });
    while (!existsSync(at('aborted/OV.layer-001.safetensors'))) await new Promise(setImmediate);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(readdirSync(at('aborted')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await run('aborted');
    expect([contents('lost'), contents('aborted')]).toEqual([contents('whole'), contents('whole')]);
  });

  test('takes what shards left in the folder', async () => {
    await run('begun', { shard: { index: 1, count: 2 } });
    expect((await run('begun')).kept).toBe(4);
    expect(contents('begun')).toMatchObject(contents('whole'));
  });

  const others: [what: string, options: Running, message: RegExp][] = [
    ['rank', { rank: 2 }, /rank all, not 2/],
    ['kinds', { kinds: ['OV'] }, /kinds \[OV,QK\], not \[OV\]/],
    ['layers', { layers: [0, 4] }, /layers 0-4, not 0-3/],
    ['state', { foldNorms: true, biases: true }, /foldNorms false, not true; biases false, not true/],
    ['rotation', { rotaryOffset: 2 }, /rotaryOffset 0, not 2/],
    ['weights', { model: 'changed' }, /another tensors of the checkpoint \(names, shapes or values\)/],
    ['config.json', { model: 'other-config' }, /another config\.json/],
    ['rank, in a shard', { rank: 2, shard: { index: 1, count: 2 } }, /rank all, not 2/],
  ];
  test.each(others)('is refused with another %s, and nothing changes', async (_, options, message) => {
    const before = contents('whole');
    await expect(run('whole', options)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      message: expect.stringMatching(message),
    });
    expect(contents('whole')).toEqual(before);
  });

  test('does not write over what is not of it', async () => {
    for (const [name, write] of [
      ['text', () => writeFileSync(at('text/OV.layer-002.safetensors'), 'mine')],
      ['tensors', () => writeSafetensors(at('tensors/OV.layer-002.safetensors'), {})],
    ] as const) {
      mkdirSync(at(name));
      await write();
      await expect(run(name)).rejects.toThrow(/OV.layer-002.safetensors: stands where this run would write/);
      expect(readdirSync(at(name))).toEqual(['OV.layer-002.safetensors']);
    }
    await expect(run('text/OV.layer-002.safetensors')).rejects.toThrow(/is not a folder/);
  });
});

describe('what a checkpoint does not have is refused before anything is written:', () => {
  test.each<[Running, RegExp]>([
    [{ layers: [0, layers + 1] }, /0 ≤ from < to ≤ 5/],
    [{ rank: 5 }, /rank 5: a circuit has 4 singular values/],
  ])('%j', async (options, message) => {
    await expect(run('never', options)).rejects.toMatchObject({
      code: 'ERR_SVD_ARGUMENT',
      message: expect.stringMatching(message),
    });
    expect(existsSync(at('never'))).toBe(false);
  });
});

describe('readRun refuses', () => {
  test('a folder without a run, and one that is not finished', async () => {
    await expect(readRun(at('model'))).rejects.toThrow(/holds no run of factored-svd circuits/);
    mkdirSync(at('open'));
    const manifest = readFileSync(at('whole/circuits.json'), 'utf8');
    writeFileSync(at('open/circuits.json'), manifest.replace(/"files": \[[^\]]*\]/, '"files": []'));
    await expect(readRun(at('open'))).rejects.toThrow(
      /is not finished: OV.layer-000.safetensors and 9 more missing/,
    );
  });

  test('files that are not as they were written', async () => {
    await run('broken');
    const file = at('broken/OV.layer-003.safetensors');
    renameSync(at('broken/OV.layer-002.safetensors'), file);
    const found = await readRun(at('broken'));
    await expect(found.svd('OV', 3)).rejects.toThrow(/OV.layer-003.safetensors: is not as it was written/);
    await expect(found.svd('OV', 2)).rejects.toThrow(/OV.layer-002.safetensors: is missing/);
    await expect(found.svd('OV', 9)).rejects.toThrow(/has no OV of layer 9/);
  });

  const manifest = (change: (json: Record<string, unknown>) => void) => {
    const json = JSON.parse(readFileSync(at('whole/circuits.json'), 'utf8'));
    change(json);
    return JSON.stringify(json);
  };
  test.each<[what: string, text: () => string, message: RegExp]>([
    ['no JSON', () => '{', /not a manifest of circuits: /],
    ['no object', () => '[]', /the file: expected an object/],
    ['another format', () => '{"format":"x"}', /format: expected "factored-svd circuits 1"/],
    [
      'a path for a file',
      () => manifest((m) => Object.assign(m, { files: [{ file: '../x', sha256: '0'.repeat(64) }] })),
      /files\[0\].file: expected a file of this run, not "..\/x"/,
    ],
    [
      'no hash',
      () => manifest((m) => Object.assign(m, { files: [{ file: 'OV.layer-000.safetensors', sha256: 'x' }] })),
      /files\[0\].sha256: expected a SHA-256/,
    ],
    [
      'too many layers',
      () =>
        manifest((m) => {
          Object.assign(m.checkpoint as object, { layers: 2 ** 50 });
          Object.assign(m, { layers: [0, 2 ** 50] });
        }),
      /layers: expected at most/,
    ],
    [
      'another kind',
      () => manifest((m) => Object.assign(m, { kinds: ['VO'] })),
      /kinds\[0\]: expected OV or QK/,
    ],
    [
      'a shard',
      () => manifest((m) => Object.assign(m, { shard: [1, 2], files: [] })),
      /should be called circuits.shard-1-of-2/,
    ],
    [
      'no shard',
      () => manifest((m) => Object.assign(m, { shard: [3, 2], files: [] })),
      /shard: expected \[i, n\]/,
    ],
  ])('a manifest with %s', async (what, text, message) => {
    const folder = at(`manifest ${what}`);
    mkdirSync(folder);
    writeFileSync(`${folder}/circuits.json`, text());
    await expect(readRun(folder)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      message: expect.stringMatching(message),
    });
    await expect(run(basename(folder))).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(['circuits.json']);
  });
});

test('of two runs that begin at once in one folder, at most one is kept, and the other is told', async () => {
  for (let i = 0; i < 5; i++) {
    const name = `race-${i}`;
    const results = await Promise.allSettled([run(name, { rank: 2 }), run(name, { rank: 3 })]);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'ERR_SVD_FILE' });
    const ranks = [2, 3];
    const kept = results.findIndex(({ status }) => status === 'fulfilled');
    if (kept >= 0) expect((await run(name, { rank: ranks[kept] })).kept).toBe(2 * layers);
  }
});

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ExtractOptions, extract, writeAdapter } from '../../lib/adapters/index.ts';
import { narrow } from '../../lib/array/elements.ts';
import { epsilon } from '../../lib/array/tensor.ts';
import { svd } from '../../lib/index.ts';
import { openWeights, writeNpz, writeSafetensors } from '../../lib/weights/index.ts';
import { formed, normOfSum } from '../support/adapters.ts';
import { array, productWithSpectrum, randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

type Stored = Parameters<typeof writeSafetensors>[1][string];

const rows = (x: { data: ArrayLike<number>; shape: readonly number[] }): number[][] =>
  Array.from({ length: x.shape[0] }, (_, i) =>
    Array.from(x.data).slice((i * x.data.length) / x.shape[0], ((i + 1) * x.data.length) / x.shape[0]),
  );

const sum = (x: number[][], y: number[][], w = 1): number[][] =>
  x.map((row, i) => row.map((v, j) => v + w * y[i][j]));

const half = (x: number[][]): Stored => ({
  data: narrow(Float64Array.from(x.flat()), 'bfloat16').data,
  shape: [x.length, x[0].length],
  dtype: 'bfloat16',
});

/** A folder of two shards with their index. */
async function sharded(name: string, shards: Record<string, Stored>[]): Promise<string> {
  mkdirSync(at(name), { recursive: true });
  const files = shards.map((_, i) => `model-0000${i + 1}-of-0000${shards.length}.safetensors`);
  for (const [i, tensors] of shards.entries()) await writeSafetensors(at(`${name}/${files[i]}`), tensors);
  const map = shards.flatMap((tensors, i) => Object.keys(tensors).map((key) => [key, files[i]]));
  writeFileSync(
    at(`${name}/model.safetensors.index.json`),
    JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
  );
  return at(name);
}

const sigma = [4, 2, 1];
const planted = formed(productWithSpectrum(1, 16, 12, sigma));
const conv = formed(productWithSpectrum(2, 6, 18, [1, 0.5]));
const base = {
  q: rows(randomMatrix(3, [16, 12])),
  k: rows(randomMatrix(4, [16, 12])),
  conv: rows(randomMatrix(5, [6, 18])),
  embed: rows(randomMatrix(6, [20, 8])),
};
const row = rows(randomMatrix(7, [1, 8]))[0];
const embedded = base.embed.map((x, i) => x.map((v, j) => v + (i === 3 ? row[j] : 0)));
const f64 = (x: number[][], shape = [x.length, x[0].length]) => array(x.flat(), shape);
const vector = Float32Array.of(1, 2, 3);

/** A base, and one in which q, a convolution and an embedding are changed by matrices of low rank, and a bias. */
async function checkpoints(): Promise<[string, string]> {
  const common = { 'k.weight': half(base.k) };
  const from = await sharded('base', [
    { 'q.weight': f64(base.q), 'conv.weight': f64(base.conv, [6, 2, 3, 3]), ...common },
    { 'embed_tokens.weight': f64(base.embed), 'q.bias': { data: vector, shape: [3] } },
  ]);
  const to = await sharded('tuned', [
    { 'embed_tokens.weight': f64(embedded), 'q.weight': f64(sum(base.q, planted)) },
    {
      'conv.weight': f64(sum(base.conv, conv), [6, 2, 3, 3]),
      ...common,
      'q.bias': { data: Float32Array.of(1, 2, 4), shape: [3] },
    },
  ]);
  return [from, to];
}

describe('extract', () => {
  test('gives back what was planted, of sharded checkpoints, and says what it left', async () => {
    const [from, to] = await checkpoints();
    const { adapter, report, unchanged, leftOut } = await extract(from, to, { rank: 3 });
    expect(unchanged).toEqual(['k.weight']);
    expect([...leftOut]).toEqual([['q.bias', '[3], no matrix: changed by 1.00']]);
    expect([...adapter.modules.keys()].sort()).toEqual(['conv', 'embed_tokens', 'q']);
    const expected = { q: planted, conv, embed_tokens: sum(embedded, base.embed, -1) };
    for (const [name, M] of Object.entries(expected)) {
      const left = normOfSum([M, formed(adapter.modules.get(name)!)], [1, -1]);
      expect(left).toBeLessThanOrEqual(1e3 * epsilon('float64'));
      expect(report.get(name)!.error).toBeLessThanOrEqual(1e3 * epsilon('float64'));
    }
    expect(adapter.info.get('conv')).toMatchObject({ weightShape: [6, 2, 3, 3], rank: 3, scale: 1 });
    expect(adapter.info.get('embed_tokens')).toMatchObject({ embedding: true, transposed: true });
    expect(adapter.info.get('q')).toMatchObject({ embedding: false, transposed: false });
    expect(report.get('q')).toMatchObject({ rank: 3, rankBefore: 12 });
    expect(report.get('q')!.sigma).toBeCloseTo(4, 12);
  });

  test('to a smaller rank, a share of energy, a tolerance: what the singular values say', async () => {
    const [from, to] = await checkpoints();
    const include = 'q.weight';
    const ranks: [ExtractOptions, number][] = [
      [{ rank: 2 }, 2],
      [{ rank: 99 }, 12],
      [{ energy: 19.9 / 21 }, 2],
      [{ energy: 20.1 / 21 }, 3],
      [{ tol: 1.01 }, 2],
      [{ tol: Math.sqrt(5) + 0.01 }, 1],
    ];
    for (const [options, rank] of ranks) {
      const { report } = await extract(from, to, { ...options, include });
      expect([...report.keys()]).toEqual(['q']);
      const q = report.get('q')!;
      expect(q.rank).toBe(rank);
      const lost = Math.hypot(...sigma.slice(rank)) / Math.hypot(...sigma);
      expect(Math.abs(q.error - lost)).toBeLessThan(1e-12);
      expect(Math.abs(q.retained ** 2 + lost ** 2 - 1)).toBeLessThan(1e-12);
    }
    const none = await extract(from, to, { tol: 10, include });
    expect(none.adapter.modules.size).toBe(0);
    expect(none.leftOut.get('q.weight')).toMatch(/within tol/);
  });

  test('of bfloat16: the difference of what is stored, exactly', async () => {
    const stored = { a: half(base.q), b: half(sum(base.q, planted)) };
    await writeSafetensors(at('a.safetensors'), { 'w.weight': stored.a });
    await writeSafetensors(at('b.safetensors'), { 'w.weight': stored.b });
    await using a = await openWeights(at('a.safetensors'));
    await using b = await openWeights(at('b.safetensors'));
    const M = sum(rows(await b.read('w.weight')), rows(await a.read('w.weight')), -1);
    const { adapter, report } = await extract(a, b, { rank: 12 });
    const left = normOfSum([M, formed(adapter.modules.get('w')!)], [1, -1]);
    expect(left).toBeLessThanOrEqual(50 * epsilon('float32') * normOfSum([M], [1]));
    expect(report.get('w')!.sigma).toBeCloseTo(svd(M).S.get(0), 5);
    expect(await a.read('w.weight')).toBeDefined(); // it is still open
  });

  test('of two dtypes with the same numbers nothing has changed; of an npz it works as well', async () => {
    const wide = narrow(Float64Array.from(base.q.flat()), 'float32').data as Float32Array;
    await writeNpz(at('a.npz'), { w: { data: wide, shape: [16, 12] } });
    await writeSafetensors(at('same.safetensors'), { w: { data: Float64Array.from(wide), shape: [16, 12] } });
    const same = await extract(at('a.npz'), at('same.safetensors'), { rank: 1 });
    expect(same).toMatchObject({ unchanged: ['w'] });
    await writeNpz(at('b.npz'), { w: f64(sum(rows({ data: wide, shape: [16, 12] }), planted)) });
    const { adapter } = await extract(at('a.npz'), at('b.npz'), { rank: 3 });
    expect(normOfSum([planted, formed(adapter.modules.get('w')!)], [1, -1])).toBeLessThan(1e-12);
  });

  test('linear weights of GPT-2 are [in, out], and their adapter says so', async () => {
    const [from, to] = [at('gpt2'), at('gpt2-tuned')];
    const names = ['h.0.attn.c_attn.weight', 'wte.weight', 'lm_head.weight'];
    const all = (x: number[][]) => Object.fromEntries(names.map((name) => [name, f64(x)]));
    await sharded('gpt2', [all(base.q)]);
    await sharded('gpt2-tuned', [all(sum(base.q, planted))]);
    const flags = async () => {
      const { adapter } = await extract(from, to, { rank: 3 });
      return [...adapter.info.values()].map(({ transposed }) => transposed);
    };
    expect(await flags()).toEqual([false, true, false]);
    writeFileSync(at('gpt2/config.json'), '{ "model_type": "gpt2" }');
    expect(await flags()).toEqual([true, true, false]);
  });

  test('without a config weights of GPT-2 are known by a c_attn of [n, 3n]', async () => {
    for (const [shape, transposed] of [
      [[4, 12], true],
      [[12, 4], false],
    ] as const) {
      const stored = (w: number): Record<string, Stored> => ({
        'h.0.c_attn.weight': { data: Float64Array.from({ length: 48 }, (_, i) => i * w), shape },
        'h.0.c_proj.weight': { data: Float64Array.from({ length: 16 }, (_, i) => i * w), shape: [4, 4] },
      });
      await writeSafetensors(at('a.safetensors'), stored(1));
      await writeSafetensors(at('b.safetensors'), stored(2));
      const { adapter } = await extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 });
      expect([...adapter.info.values()].map((info) => info.transposed)).toEqual([transposed, transposed]);
    }
  });

  test('what is written of GPT-2 adds the change to its weights as PEFT adds it, the square ones too', async () => {
    const square = rows(randomMatrix(8, [12, 12]));
    const change = formed(productWithSpectrum(9, 12, 12, [2, 1]));
    const names = { 'h.0.attn.c_attn': [base.k, planted], 'h.0.attn.c_proj': [square, change] } as const;
    const tensors = (w: number) =>
      Object.fromEntries(
        Object.entries(names).map(([name, [x, y]]) => [`${name}.weight`, f64(sum(x, y, w))] as const),
      );
    const [from, to] = [await sharded('conv1d', [tensors(0)]), await sharded('conv1d-tuned', [tensors(1)])];
    writeFileSync(at('conv1d/config.json'), '{ "model_type": "gpt2" }');
    const { adapter } = await extract(from, to, { rank: 3 });
    await writeAdapter(at('conv1d-adapter'), adapter);
    const config = JSON.parse(readFileSync(at('conv1d-adapter/adapter_config.json'), 'utf8'));
    expect(config.fan_in_fan_out).toBe(true);
    await using file = await openWeights(at('conv1d-adapter/adapter_model.safetensors'));
    for (const [name, [, expected]] of Object.entries(names)) {
      const [A, B] = [
        await file.read(`base_model.model.${name}.lora_A.weight`),
        await file.read(`base_model.model.${name}.lora_B.weight`),
      ];
      expect([A.shape, B.shape]).toEqual([
        [3, expected.length],
        [expected[0].length, 3],
      ]); // [rank, in] and [out, rank]
      // transpose(B·A), as PEFT's get_delta_weight with fan_in_fan_out
      const added = expected.map((row, i) =>
        row.map((_, j) => [0, 1, 2].reduce((s, k) => s + B.get(j, k) * A.get(k, i), 0)),
      );
      expect(normOfSum([added, expected], [1, -1])).toBeLessThan(1e-5);
    }
  });

  test('names and shapes are checked before anything is read', async () => {
    const [from, to] = await checkpoints();
    const grown = {
      'q.weight': f64(base.q),
      'embed_tokens.weight': f64([...base.embed, row]),
      'new.weight': f64(base.q),
    };
    await writeSafetensors(at('grown.safetensors'), grown);
    await using open = await openWeights(at('grown.safetensors'));
    let reads = 0;
    open.readStored = (...args) => {
      reads++;
      return Object.getPrototypeOf(open).readStored.apply(open, args);
    };
    await expect(extract(from, open, { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      message: expect.stringMatching(/"conv.weight", "k.weight", "q.bias"/),
    });
    await expect(extract(from, open, { rank: 1, include: ['q.weight', 'new*'] })).rejects.toThrow(
      /base: lacks what .*grown.safetensors.*"new.weight"/,
    );
    await expect(extract(from, open, { rank: 1, include: ['q.weight', 'embed*'] })).rejects.toMatchObject({
      code: 'ERR_SVD_SHAPE',
      message: expect.stringContaining('"embed_tokens.weight" [20, 8] and [21, 8]'),
    });
    expect(reads).toBe(0);
    const wrong: object[] = [{}, { rank: 1, tol: 1 }, { rank: 0 }, { energy: 2 }, { rank: 1, include: 3 }];
    for (const options of wrong)
      await expect(extract(from, to, options)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
    await expect(extract(from, to, { rank: 1, exclude: 'nothing.*' })).rejects.toThrow(/no tensor matches/);
    await expect(extract(at('nowhere'), to, { rank: 1 })).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await extract(from, open, { rank: 1, include: 'q.weight' });
    expect(reads).toBe(1);
  });

  test('two matrices that would be one module are refused before anything is read; a vector is none', async () => {
    const both = (x: number[][], bias = 0): Record<string, Stored> => ({
      a: f64(x),
      'a.weight': f64(x),
      b: { data: Float32Array.of(bias), shape: [1] },
      'b.weight': f64(x),
    });
    await writeSafetensors(at('a.safetensors'), both(base.q));
    await writeSafetensors(at('b.safetensors'), both(sum(base.q, planted), 1));
    await expect(extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      message: expect.stringContaining('"a" and "a.weight" would both be module "a"'),
    });
    const { report, leftOut } = await extract(at('a.safetensors'), at('b.safetensors'), {
      rank: 1,
      exclude: 'a',
    });
    expect([...report.keys()].sort()).toEqual(['a', 'b']);
    expect([...leftOut.keys()]).toEqual(['b']);
  });

  test('a difference that overflows is told from numbers that are not finite', async () => {
    const full = (x: number, first = x): Record<string, Stored> => ({
      'w.weight': { data: new Float32Array(20).fill(x).fill(first, 0, 1), shape: [5, 4] },
    });
    await writeSafetensors(at('a.safetensors'), full(3e38));
    await writeSafetensors(at('b.safetensors'), full(-3e38));
    await expect(extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_OVERFLOW',
      message: expect.stringContaining('"w.weight"'),
    });
    await writeSafetensors(at('b.safetensors'), full(-3e38, Infinity));
    await expect(extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_NON_FINITE',
    });
  });

  test('tensors of more than five dimensions are left out, with the reason', async () => {
    const tensor = (fill: number): Stored => ({
      data: new Float32Array(64).fill(fill),
      shape: [2, 2, 2, 2, 2, 2],
    });
    await writeSafetensors(at('a.safetensors'), {
      'w.weight': tensor(0),
      five: { ...tensor(0), shape: [2, 2, 2, 2, 4] },
    });
    await writeSafetensors(at('b.safetensors'), {
      'w.weight': tensor(1),
      five: { ...tensor(1), shape: [2, 2, 2, 2, 4] },
    });
    const { leftOut, report } = await extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 });
    expect([...report.keys()]).toEqual(['five']);
    expect(leftOut.get('w.weight')).toMatch(/more than 5 dimensions: changed by 8/);
  });

  test('NaN is named; integers and stacks that differ are left out; abort rejects with its reason', async () => {
    const bad = Float32Array.of(1, 2, Number.NaN, 4);
    const stack = new Float32Array(2 * 20 * 20);
    const a = {
      'w.weight': { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      ids: { data: BigInt64Array.of(1n, 2n), shape: [2], dtype: 'int64' },
      experts: { data: stack, shape: [2, 20, 20] },
    } as const;
    const b = {
      'w.weight': { data: bad, shape: [2, 2] },
      ids: { data: BigInt64Array.of(1n, 3n), shape: [2], dtype: 'int64' },
      experts: { data: stack.map((_, i) => (i === 7 ? 2 : 0)), shape: [2, 20, 20] },
    } as const;
    await writeSafetensors(at('a.safetensors'), a);
    await writeSafetensors(at('b.safetensors'), b);
    await expect(extract(at('a.safetensors'), at('b.safetensors'), { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_NON_FINITE',
      message: expect.stringMatching(/tensor "w.weight": difference: element \[1, 0\]/),
    });
    const { leftOut } = await extract(at('a.safetensors'), at('b.safetensors'), {
      rank: 1,
      exclude: '*.weight',
    });
    expect(Object.fromEntries(leftOut)).toEqual({
      ids: 'I64 and I64, which are no floats',
      experts: '[2, 20, 20], no matrix: changed by 2.00',
    });
    const reason = new Error('enough');
    await expect(
      extract(at('a.safetensors'), at('b.safetensors'), { rank: 1, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });
});

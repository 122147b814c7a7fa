import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Adapter, type AdapterFormat, infoOf, type ModuleInfo } from '../../lib/adapters/adapter.ts';
import { openAdapter, resize, writeAdapter } from '../../lib/adapters/index.ts';
import { dist, FactoredMatrix } from '../../lib/index.ts';
import { openSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { readAll } from '../support/weight-files.ts';
import { factors, peftConfig, small, writeFixture, writePeft } from './files.ts';

const at = temporaryFolder();
let files = 0;
const next = (name = '') => at(`${files++}${name}`);

/** Numbers of any size, the same for the same seed. */
function noise(count: number, seed: number, scale = 1): Float64Array {
  let state = seed * 2654435761 + 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * scale;
  });
}

/** An adapter with one module of the shape, and whatever else is said of it. */
function adapterOf(
  format: AdapterFormat,
  modules: Record<string, { shape: number[]; rank: number; info?: Partial<ModuleInfo>; seed?: number }>,
  parts: Partial<ConstructorParameters<typeof Adapter>[0]> = {},
): Adapter {
  return new Adapter({
    format,
    ...parts,
    modules: Object.entries(modules).map(([name, { shape, rank, info, seed = 1 }]) => {
      const [rows, cols] = [shape[0], shape.slice(1).reduce((a, b) => a * b)];
      const matrix = new FactoredMatrix(
        { data: noise(rows * rank, seed), shape: [rows, rank] },
        { data: noise(rank * cols, seed + 1), shape: [rank, cols] },
      );
      return [name, { matrix, info: infoOf(matrix, { weightShape: shape, ...info }) }];
    }),
  });
}

/** ‖a − b‖_F/‖a‖_F of one module of both. */
const difference = (a: Adapter, name: string, b: Adapter, other = name) => {
  const [x, y] = [a.modules.get(name)!, b.modules.get(other)!];
  return (dist(x, y) as number) / ((x as FactoredMatrix).norm() as number);
};

/** Of one rounding; every element of A and B may be off by that, so that their product is by about twice as much. */
const roundings = { float64: 2 ** -53, float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 } as const;
const dtypes = Object.keys(roundings) as (keyof typeof roundings)[];

const shapes = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
  fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 1, max: 6 }),
    fc.constantFrom(1, 3),
    fc.constantFrom(1, 2),
  ),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constant(2), fc.constant(1), fc.constant(2), fc.constant(2)),
);

describe('what is written', () => {
  it('opens again, and is the same up to the rounding of its dtype', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.integer({ min: 1, max: 14 }),
        fc.constantFrom('peft', 'kohya'),
        fc.constantFrom(...dtypes),
        fc.constantFrom('even', 'up'),
        fc.integer({ min: 0, max: 1000 }),
        async (shape, rank, format, dtype, split, seed) => {
          const adapter = adapterOf(format, { 'm.x': { shape, rank, seed } });
          const path = next();
          const rounding = await writeAdapter(path, adapter, { format, dtype, split });
          const said = rounding.get('m.x')!;
          const again = await openAdapter(path);
          const taken = difference(adapter, 'm.x', again);
          expect(taken).toBeLessThanOrEqual(1.01 * said + 64 * 2 ** -53);
          expect(said).toBeLessThanOrEqual(4 * taken + 64 * 2 ** -53); // and no more than it must be
          expect(again.format).toBe(format);
          expect(again.info.get('m.x')).toMatchObject({ weightShape: shape, scale: 1, dtype });
          // σ₁ carries the error of a product of rounded factors; smaller ones only share it.
          const terms = Math.min(
            rank,
            shape[0],
            shape.slice(1).reduce((a, b) => a * b),
          );
          expect(difference(adapter, 'm.x', again)).toBeLessThan(
            (2.5 * roundings[dtype] + 64 * 2 ** -53) * Math.sqrt(terms) +
              (dtype === 'float16' ? 2 ** -14 : 0),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('and something else is not within that bound', () => {
    const [a, b] = [1, 3].map((seed) => adapterOf('peft', { m: { shape: [6, 5], rank: 3, seed } }));
    expect(difference(a, 'm', b)).toBeGreaterThan(0.1);
  });

  it("splits singular values evenly, or has them in the up factor, as 'split' says", async () => {
    const adapter = adapterOf('kohya', { lora_unet_m: { shape: [7, 5], rank: 3 } });
    const S = adapter.modules.get('lora_unet_m')!.svdvals().data;
    const norms = async (split: 'even' | 'up') => {
      const path = next();
      await writeAdapter(path, adapter, { split, dtype: 'float64' });
      const down = (await readAll(path)).arrays.get('lora_unet_m.lora_down.weight')!;
      return [0, 1, 2].map((k) => Math.hypot(...down.data.subarray(5 * k, 5 * k + 5)));
    };
    for (const [k, norm] of (await norms('even')).entries()) expect(norm).toBeCloseTo(Math.sqrt(S[k]), 12);
    for (const norm of await norms('up')) expect(norm).toBeCloseTo(1, 12);
  });

  it('has the dtypes of the modules where none is asked for', async () => {
    const adapter = adapterOf('kohya', {
      lora_unet_a: { shape: [3, 2], rank: 1, info: { dtype: 'bfloat16' } },
      lora_unet_b: { shape: [3, 2], rank: 1, info: { dtype: 'float64' } },
    });
    const path = next();
    await writeAdapter(path, adapter);
    await using file = await openSafetensors(path);
    expect([...file.tensors].map(([name, { dtype }]) => [name, dtype])).toEqual([
      ['lora_unet_b.lora_down.weight', 'F64'],
      ['lora_unet_b.lora_up.weight', 'F64'],
      ['lora_unet_a.alpha', 'F32'],
      ['lora_unet_b.alpha', 'F32'],
      ['lora_unet_a.lora_down.weight', 'BF16'],
      ['lora_unet_a.lora_up.weight', 'BF16'],
    ]);
  });
});

describe('a folder for PEFT', () => {
  it('has the names, shapes and config that PEFT has', async () => {
    const adapter = adapterOf('peft', {
      'model.layers.0.self_attn.q_proj': { shape: [6, 5], rank: 2 },
      'model.layers.0.self_attn.v_proj': { shape: [4, 5], rank: 3 },
      'model.layers.1.self_attn.v_proj': { shape: [4, 5], rank: 2 },
      'model.conv': { shape: [4, 3, 2, 2], rank: 2 },
      'model.embed_tokens': { shape: [9, 5], rank: 2, info: { embedding: true, transposed: true } },
    });
    const folder = next();
    await writeAdapter(folder, adapter);
    expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    await using file = await openSafetensors(`${folder}/adapter_model.safetensors`);
    expect(Object.fromEntries([...file.tensors].map(([name, { shape }]) => [name, shape]))).toEqual({
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [2, 5],
      'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': [6, 2],
      'base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight': [3, 5],
      'base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight': [4, 3],
      'base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight': [2, 5],
      'base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight': [4, 2],
      'base_model.model.model.conv.lora_A.weight': [2, 3, 2, 2],
      'base_model.model.model.conv.lora_B.weight': [4, 2, 1, 1],
      'base_model.model.model.embed_tokens.lora_embedding_A': [2, 9],
      'base_model.model.model.embed_tokens.lora_embedding_B': [5, 2],
    });
    expect(file.metadata).toEqual({ format: 'pt' });
    expect(JSON.parse(readFileSync(`${folder}/adapter_config.json`, 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      r: 2,
      lora_alpha: 2,
      use_rslora: false,
      fan_in_fan_out: false,
      rank_pattern: { 'model.layers.0.self_attn.v_proj': 3 },
      alpha_pattern: { 'model.layers.0.self_attn.v_proj': 3 },
      target_modules: [...adapter.modules.keys()],
    });
    const again = await openAdapter(folder);
    for (const name of adapter.modules.keys()) expect(difference(adapter, name, again)).toBeLessThan(1e-6);
  });

  it('keeps what the config that was read says of the base, and its list of modules', async () => {
    const keys = [
      'base_model.model.a.q_proj.lora_A.weight',
      'base_model.model.a.q_proj.lora_B.weight',
    ] as const;
    const config = {
      ...peftConfig,
      target_modules: ['q_proj'],
      use_rslora: true,
      modules_to_save: ['score'],
    };
    const score = { shape: [2, 3], values: small(6), dtype: 'BF16' as const };
    const source = writePeft(next(), config, { ...factors(keys), 'base_model.model.score.weight': score });
    const folder = next();
    const adapter = await openAdapter(source);
    await writeAdapter(folder, adapter);
    const again = await openAdapter(folder);
    expect(again.config).toEqual({ ...config, use_rslora: false, lora_alpha: 2 });
    expect(again.replaced).toEqual(adapter.replaced);
    expect(difference(adapter, 'a.q_proj', again)).toBeLessThan(1e-6);
  });

  it('has weights that are kept as [in, out] as their transposes, all or none', async () => {
    const info = { transposed: true };
    const all = adapterOf('peft', { c_attn: { shape: [6, 5], rank: 2, info } });
    const folder = next();
    await writeAdapter(folder, all);
    const again = await openAdapter(folder);
    expect(again.config?.fan_in_fan_out).toBe(true);
    expect(again.info.get('c_attn')).toMatchObject({ weightShape: [6, 5], transposed: true });
    expect(difference(all, 'c_attn', again)).toBeLessThan(1e-6);
    const some = adapterOf('peft', {
      a: { shape: [6, 5], rank: 2, info },
      b: { shape: [6, 5], rank: 2 },
    });
    await expect(writeAdapter(next(), some)).rejects.toThrow(/1 of 2 linear weights are \[in, out\]/);
  });

  it('gives modules whose names end alike their own ranks', async () => {
    const adapter = adapterOf('peft', {
      'a.b': { shape: [6, 5], rank: 3 },
      'x.a.b': { shape: [6, 5], rank: 2 },
      'y.a.b': { shape: [6, 5], rank: 2 },
    });
    const folder = next();
    await writeAdapter(folder, adapter);
    const again = await openAdapter(folder);
    expect([...again.info.values()].map(({ rank }) => rank)).toEqual([3, 2, 2]);
    expect(again.config?.rank_pattern).toEqual({ '^a\\.b': 3 });
  });

  it.each([
    ['integers, which come first in an object', { 2: 1, '10.2': 3, x: 2, z: 2 }],
    ['the same within others', { 0: 2, 2: 4, '2.2': 3, '2.2.2': 1, 'a.2': 2 }],
    ['names that are a pattern for others', { 'a.b': 1, axb: 2, ayb: 3, z: 2 }],
  ])('keeps the ranks of modules whose names are %s', async (_, ranks) => {
    const shape = [6, 5];
    const entries = Object.entries(ranks).map(([name, rank]) => [name, { shape, rank }]);
    const folder = next();
    await writeAdapter(folder, adapterOf('peft', Object.fromEntries(entries)));
    const { info } = await openAdapter(folder);
    expect(Object.fromEntries([...info].map(([name, { rank }]) => [name, rank]))).toEqual(ranks);
  });

  it('refuses what its own config could not say, before anything is written', async () => {
    const name = 'a.'.repeat(600);
    const adapter = adapterOf('peft', { [name]: { shape: [3, 2], rank: 1 }, b: { shape: [3, 2], rank: 2 } });
    const folder = next();
    await expect(writeAdapter(folder, adapter, { names: { b: `${name}b` } })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SVD_ARGUMENT', message: expect.stringContaining('rank_pattern') }),
    );
    expect(existsSync(folder)).toBe(false);
  });

  it('is written over another, whose config does not stay beside tensors of this one', async () => {
    const folder = next();
    await writeAdapter(folder, adapterOf('peft', { a: { shape: [6, 5], rank: 3 } }));
    const adapter = adapterOf('peft', { a: { shape: [6, 5], rank: 2, seed: 5 } });
    await writeAdapter(folder, adapter);
    expect(difference(adapter, 'a', await openAdapter(folder))).toBeLessThan(1e-6);
    expect(readdirSync(folder)).toHaveLength(2);
  });
});

describe('a file for kohya', () => {
  it('has the names, shapes and metadata that kohya has', async () => {
    const adapter = adapterOf(
      'kohya',
      { lora_unet_q: { shape: [6, 5], rank: 2 }, lora_unet_conv: { shape: [4, 3, 3, 3], rank: 3 } },
      { metadata: { ss_network_dim: '64', sshs_model_hash: 'x', ss_output_name: 'y' } },
    );
    const path = next();
    await writeAdapter(path, adapter, { dtype: 'float16' });
    await using file = await openSafetensors(path);
    expect(Object.fromEntries([...file.tensors].map(([name, { shape }]) => [name, shape]))).toEqual({
      'lora_unet_q.alpha': [],
      'lora_unet_q.lora_down.weight': [2, 5],
      'lora_unet_q.lora_up.weight': [6, 2],
      'lora_unet_conv.alpha': [],
      'lora_unet_conv.lora_down.weight': [3, 3, 3, 3],
      'lora_unet_conv.lora_up.weight': [4, 3, 1, 1],
    });
    expect((await file.read('lora_unet_conv.alpha')).data).toEqual(Float32Array.of(3));
    expect(file.metadata).toEqual({
      ss_network_module: 'networks.lora',
      ss_network_dim: 'Dynamic',
      ss_network_alpha: 'Dynamic',
      ss_output_name: 'y',
    });
  });

  it.each<[AdapterFormat, string, object, string]>([
    ['kohya', 'lora_te1_text_model_encoder', {}, 'lora_te1_text_model_encoder'],
    ['peft', 'down_blocks.0.attn1.to_q', {}, 'lora_unet_down_blocks_0_attn1_to_q'],
    ['peft', 'text_model.encoder.q_proj', {}, 'lora_te_text_model_encoder_q_proj'],
    ['peft', 'encoder.q_proj', { prefix: 'lora_te2_' }, 'lora_te2_encoder_q_proj'],
    ['diffusers', 'unet.mid_block.to_out.0', {}, 'lora_unet_mid_block_to_out_0'],
    ['diffusers', 'text_encoder.text_model.q_proj', {}, 'lora_te_text_model_q_proj'],
    ['diffusers', 'text_encoder_2.text_model.q_proj', {}, 'lora_te2_text_model_q_proj'],
    ['peft', 'a.b', { names: { 'a.b': 'lora_unet_other' } }, 'lora_unet_other'],
  ])('calls modules as kohya does: %s %s, %j', async (format, name, options, expected) => {
    const path = next();
    await writeAdapter(path, adapterOf(format, { [name]: { shape: [3, 2], rank: 1 } }), {
      format: 'kohya',
      ...options,
    });
    expect([...(await openAdapter(path)).modules.keys()]).toEqual([expected]);
  });

  it('is read as it was after a resize', async () => {
    const keys = ['lora_unet_a.lora_down.weight', 'lora_unet_a.lora_up.weight'] as const;
    const source = writeFixture(next(), {
      ...factors(keys, { rank: 4, out: 6, inputs: [5], dtype: 'F16' }),
      'lora_unet_a.alpha': { shape: [], values: [1] },
    });
    const { adapter } = await resize(await openAdapter(source), { rank: 2 });
    const path = next();
    await writeAdapter(path, adapter);
    const again = await openAdapter(path);
    expect(again.info.get('lora_unet_a')).toMatchObject({ rank: 2, alpha: 2, scale: 1, dtype: 'float16' });
    expect(difference(adapter, 'lora_unet_a', again)).toBeLessThan(3 * 2 ** -11);
  });
});

describe('what a format cannot say is refused, and nothing is written', () => {
  const one = (info: Partial<ModuleInfo> = {}, name = 'a.b', format: AdapterFormat = 'peft') =>
    adapterOf(format, { [name]: { shape: [3, 2], rank: 1, info } });
  const whole = { data: Float32Array.of(1), shape: [1], dtype: 'float32' } as const;

  it.each<[string, Adapter, object, RegExp]>([
    [
      'names of kohya for PEFT',
      one({}, 'lora_unet_a', 'kohya'),
      { format: 'peft' },
      /names\["lora_unet_a"\]/,
    ],
    [
      'several models for PEFT',
      adapterOf('diffusers', {
        'unet.a': { shape: [3, 2], rank: 1 },
        'text_encoder.a': { shape: [3, 2], rank: 1 },
      }),
      { format: 'peft' },
      /several models, "unet\." and "text_encoder\."/,
    ],
    ['an embedding for kohya', one({ embedding: true, transposed: true }), { format: 'kohya' }, /embedding/],
    ['[in, out] for kohya', one({ transposed: true }), { format: 'kohya' }, /\[in, out\]/],
    [
      'a whole tensor for kohya',
      adapterOf('peft', { a: { shape: [3, 2], rank: 1 } }, { replaced: [['score.weight', whole]] }),
      { format: 'kohya' },
      /"score\.weight"/,
    ],
    [
      'two modules of one name',
      adapterOf('peft', { 'a.b': { shape: [3, 2], rank: 1 }, a_b: { shape: [3, 2], rank: 1 } }),
      { format: 'kohya' },
      /"a\.b" and "a_b" would both be called "lora_unet_a_b"/,
    ],
    ['a name for no module', one(), { names: { x: 'y' } }, /no module "x"/],
    ['a prefix for PEFT', one(), { prefix: 'x' }, /prefix/],
    ['no modules', adapterOf('peft', {}), {}, /no modules/],
    ['an unknown option', one(), { rank: 3 }, /no option 'rank'/],
    ['an unknown dtype', one(), { dtype: 'int8' }, /dtype/],
  ])('%s', async (_, adapter, options, message) => {
    const path = next();
    await expect(writeAdapter(path, adapter, options)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SVD_ARGUMENT', message: expect.stringMatching(message) }),
    );
    expect(existsSync(path)).toBe(false);
  });

  it.each(['peft', 'kohya'] as const)('numbers beyond the range of float16, in %s', async (format) => {
    const matrix = new FactoredMatrix([[3e6], [1]], [[2e6, 1]]);
    const modules = [['m', { matrix, info: infoOf(matrix) }]] as const;
    const path = next();
    await writeAdapter(path, adapterOf(format, { m: { shape: [3, 2], rank: 1 } }), { format });
    const before = await openAdapter(path);
    await expect(
      writeAdapter(path, new Adapter({ format, modules }), { format, dtype: 'float16' }),
    ).rejects.toThrow(expect.objectContaining({ code: 'ERR_SVD_OVERFLOW' }));
    const after = await openAdapter(path);
    expect(difference(before, 'm', after)).toBeLessThan(1e-15);
    if (format === 'peft') expect(readdirSync(path)).toHaveLength(2);
  });

  it.each(['even', 'up'] as const)('a module that float16 would round to 0, split %s', async (split) => {
    const times = (scale: number) => {
      const matrix = new FactoredMatrix([[scale], [0]], [[scale, scale]]);
      return new Adapter({ format: 'peft', modules: [['m', { matrix, info: infoOf(matrix) }]] });
    };
    const path = next();
    await expect(writeAdapter(`${path}/in/it`, times(1e-9), { dtype: 'float16', split })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SVD_OVERFLOW',
        message: expect.stringMatching(/module "m".*rounded to 0/),
      }),
    );
    expect(existsSync(path)).toBe(false);
    for (const scale of [0, 1e-3]) await writeAdapter(next(), times(scale), { dtype: 'float16', split });
  });

  it('an abort rejects with its reason, and what was there stays', async () => {
    const folder = next();
    const adapter = adapterOf('peft', { a: { shape: [3, 2], rank: 1 } });
    await writeAdapter(folder, adapter);
    const reason = new Error('enough');
    const controller = new AbortController();
    const more = adapterOf('peft', { a: { shape: [3, 2], rank: 1 }, b: { shape: [3, 2], rank: 1 } });
    const onProgress = () => controller.abort(reason);
    await expect(writeAdapter(folder, more, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect((await openAdapter(folder)).modules.size).toBe(1);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('a folder where there is a file', async () => {
    const path = next();
    writeFileSync(path, '');
    await expect(writeAdapter(path, one())).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SVD_FILE' }),
    );
  });
});

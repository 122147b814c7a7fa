import { describe, expect, it } from 'vitest';
import { type Adapter, openAdapter } from '../../lib/adapters/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { factors, peftConfig, productOf, small, writeFixture, writePeft } from './files.ts';

const at = temporaryFolder();

/** The matrix of a module, formed. */
function formed(adapter: Adapter, name: string): number[][] {
  const { AB } = adapter.modules.get(name)!;
  const [rows, cols] = AB.shape;
  return Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => AB.get(i, j)));
}

const transposed = (M: number[][]) => M[0].map((_, j) => M.map((row) => row[j]));

const pair = (stem: string, ends: readonly [string, string]): [string, string] => [
  stem + ends[0],
  stem + ends[1],
];
const AB = ['.lora_A.weight', '.lora_B.weight'] as const;
const downUp = ['.lora_down.weight', '.lora_up.weight'] as const;

describe('a folder that PEFT wrote', () => {
  const q = pair('base_model.model.model.layers.0.self_attn.q_proj', AB);
  const v = pair('base_model.model.model.layers.0.self_attn.v_proj', AB);
  const tensors = { ...factors(q), ...factors(v, { out: 5, from: 2 }) };

  it('has alpha/r · B·A for every module, by its name in the base model', async () => {
    const adapter = await openAdapter(writePeft(at('peft'), peftConfig, tensors));
    expect(adapter.format).toBe('peft');
    expect([...adapter.modules.keys()]).toEqual([
      'model.layers.0.self_attn.q_proj',
      'model.layers.0.self_attn.v_proj',
    ]);
    expect(formed(adapter, 'model.layers.0.self_attn.q_proj')).toEqual(productOf(tensors, q, 2));
    expect(formed(adapter, 'model.layers.0.self_attn.v_proj')).toEqual(productOf(tensors, v, 2));
    expect(adapter.info.get('model.layers.0.self_attn.v_proj')).toEqual({
      rank: 2,
      alpha: 4,
      scale: 2,
      weightShape: [5, 4],
      embedding: false,
      transposed: false,
      dtype: 'float32',
      keys: v,
    });
    expect(adapter.metadata).toEqual({ format: 'pt' });
    expect(adapter.config).toEqual(peftConfig);
  });

  it('is the same by the name of its file', async () => {
    const folder = writePeft(at('by-file'), peftConfig, tensors);
    const adapter = await openAdapter(`${folder}/adapter_model.safetensors`);
    expect(formed(adapter, 'model.layers.0.self_attn.q_proj')).toEqual(productOf(tensors, q, 2));
  });

  it('may have the name of the adapter in its keys', async () => {
    const named = pair('base_model.model.a.b', ['.lora_A.default.weight', '.lora_B.default.weight']);
    const tensors = factors(named);
    const adapter = await openAdapter(writePeft(at('named'), peftConfig, tensors));
    expect(formed(adapter, 'a.b')).toEqual(productOf(tensors, named, 2));
  });

  it('is scaled by alpha/√r where use_rslora says so, √r of the rank of the module', async () => {
    const config = { ...peftConfig, use_rslora: true, r: 4, lora_alpha: 6, rank_pattern: { v_proj: 9 } };
    const tensors = { ...factors(q, { rank: 4, dtype: 'F64' }), ...factors(v, { rank: 9, dtype: 'F64' }) };
    const adapter = await openAdapter(writePeft(at('rslora'), config, tensors));
    expect(formed(adapter, 'model.layers.0.self_attn.q_proj')).toEqual(productOf(tensors, q, 3));
    expect(formed(adapter, 'model.layers.0.self_attn.v_proj')).toEqual(productOf(tensors, v, 2));
  });

  it('takes ranks and alphas of the first pattern that matches, each of its own', async () => {
    const config = {
      ...peftConfig,
      rank_pattern: { '^model.layers.0.self_attn.v_proj': 3, v_proj: 7 },
      alpha_pattern: { 'self_attn.(k_proj|v_proj)': 12 },
    };
    const tensors = { ...factors(q), ...factors(v, { rank: 3 }) };
    const adapter = await openAdapter(writePeft(at('patterns'), config, tensors));
    expect(adapter.info.get('model.layers.0.self_attn.q_proj')).toMatchObject({ alpha: 4, scale: 2 });
    expect(adapter.info.get('model.layers.0.self_attn.v_proj')).toMatchObject({ alpha: 12, scale: 4 });
  });

  it('has what is added to a weight that is kept as [in, out]: the transpose (fan_in_fan_out)', async () => {
    const c = pair('base_model.model.h.0.attn.c_attn', AB);
    const tensors = factors(c);
    const adapter = await openAdapter(
      writePeft(at('gpt2'), { ...peftConfig, fan_in_fan_out: true }, tensors),
    );
    expect(formed(adapter, 'h.0.attn.c_attn')).toEqual(transposed(productOf(tensors, c, 2)));
    expect(adapter.info.get('h.0.attn.c_attn')).toMatchObject({ weightShape: [4, 3], transposed: true });
  });

  it('has what is added to an embedding, [tokens, dim]: (B·A)ᵀ', async () => {
    const e = pair('base_model.model.embed', ['.lora_embedding_A', '.lora_embedding_B']);
    const tensors = factors(e, { inputs: [7], out: 3 });
    const adapter = await openAdapter(writePeft(at('embedding'), peftConfig, tensors));
    expect(formed(adapter, 'embed')).toEqual(transposed(productOf(tensors, e, 2)));
    expect(adapter.info.get('embed')).toMatchObject({ weightShape: [7, 3], embedding: true });
  });

  it('keeps whole tensors of the model that it replaces', async () => {
    const score = { shape: [2, 3], values: small(6) };
    const config = { ...peftConfig, modules_to_save: ['score'] };
    const folder = writePeft(at('saved'), config, {
      ...tensors,
      'base_model.model.score.weight': score,
    });
    const { modules, replaced } = await openAdapter(folder);
    expect(modules.size).toBe(2);
    expect(replaced.get('score.weight')).toEqual({
      data: Float32Array.from(score.values),
      shape: [2, 3],
      dtype: 'float32',
    });
  });
});

describe.each([
  [[2], 1],
  [[3, 3], 2],
  [[1, 2, 2], 3],
])('convolutions with a kernel %j', (kernel, ones) => {
  it.each([
    ['peft', AB],
    ['kohya', downUp],
  ] as const)('are [out, in·…kernel] matrices (%s)', async (kind, ends) => {
    const [stem, name] =
      kind === 'peft' ? ['base_model.model.conv', 'conv'] : ['lora_unet_conv', 'lora_unet_conv'];
    const keys = pair(stem, ends);
    const tensors = factors(keys, { inputs: [2, ...kernel], ones });
    const path = at(`conv-${kind}-${ones}`);
    const adapter = await openAdapter(
      kind === 'peft'
        ? writePeft(path, { ...peftConfig, lora_alpha: 2 }, tensors)
        : writeFixture(path, tensors),
    );
    expect(formed(adapter, name)).toEqual(productOf(tensors, keys, 1));
    expect(adapter.info.get(name)?.weightShape).toEqual([3, 2, ...kernel]);
  });
});

describe('a file of kohya', () => {
  const name = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q';
  const keys = pair(name, downUp);
  const alpha = (value: number, dtype: 'F32' | 'F16' | 'I64' = 'F32', shape: number[] = []) => ({
    [`${name}.alpha`]: { shape, values: [value], dtype },
  });

  it.each([
    ['F32', []],
    ['F16', []],
    ['I64', [1]],
  ] as const)('has alpha/rank · up·down; alpha may be %s of shape %j', async (dtype, shape) => {
    const tensors = factors(keys);
    const file = writeFixture(at(`kohya-${dtype}.safetensors`), {
      ...tensors,
      ...alpha(1, dtype, [...shape]),
    });
    const adapter = await openAdapter(file);
    expect(adapter.format).toBe('kohya');
    expect(formed(adapter, name)).toEqual(productOf(tensors, keys, 0.5));
    expect(adapter.info.get(name)).toMatchObject({ rank: 2, alpha: 1, scale: 0.5 });
  });

  it('has scale 1 where alpha is missing', async () => {
    const tensors = factors(keys);
    const adapter = await openAdapter(writeFixture(at('no-alpha.safetensors'), tensors));
    expect(formed(adapter, name)).toEqual(productOf(tensors, keys, 1));
    expect(adapter.info.get(name)).toMatchObject({ rank: 2, alpha: 2, scale: 1 });
  });

  it.each(['F16', 'BF16', 'F64'] as const)('may be stored as %s', async (dtype) => {
    const tensors = factors(keys, { dtype });
    const adapter = await openAdapter(
      writeFixture(at(`stored-${dtype}.safetensors`), { ...tensors, ...alpha(4) }),
    );
    expect(formed(adapter, name)).toEqual(productOf(tensors, keys, 2));
    expect(adapter.info.get(name)?.dtype).toBe({ F16: 'float16', BF16: 'bfloat16', F64: 'float64' }[dtype]);
    expect(adapter.modules.get(name)?.A.data).toBeInstanceOf(dtype === 'F64' ? Float64Array : Float32Array);
  });
});

describe('a file of diffusers', () => {
  it.each([
    ['unet.mid_block.attn1.to_q', '.lora_A.weight', '.lora_B.weight', 'unet.mid_block.attn1.to_q'],
    ['unet.mid_block.attn1.to_q', '.lora.down.weight', '.lora.up.weight', 'unet.mid_block.attn1.to_q'],
    [
      'text_encoder.text_model.encoder.layers.0.self_attn.q_proj',
      '.lora_linear_layer.down.weight',
      '.lora_linear_layer.up.weight',
      'text_encoder.text_model.encoder.layers.0.self_attn.q_proj',
    ],
    [
      'unet.mid_block.attn1.processor.to_out',
      '_lora.down.weight',
      '_lora.up.weight',
      'unet.mid_block.attn1.to_out.0',
    ],
    [
      'text_encoder.layers.0.self_attn.to_out',
      '_lora.down.weight',
      '_lora.up.weight',
      'text_encoder.layers.0.self_attn.out_proj',
    ],
  ])('%s%s', async (stem, down, up, name) => {
    const keys = pair(stem, [down, up]);
    const tensors = factors(keys);
    const adapter = await openAdapter(writeFixture(at(`diffusers-${name}-${down}`), tensors));
    expect(adapter.format).toBe('diffusers');
    expect(formed(adapter, name)).toEqual(productOf(tensors, keys, 1));
  });

  it('may have alpha as tensors', async () => {
    const keys = pair('unet.to_q', AB);
    const tensors = factors(keys);
    const file = writeFixture(at('alphas'), { ...tensors, 'unet.to_q.alpha': { shape: [], values: [6] } });
    expect(formed(await openAdapter(file), 'unet.to_q')).toEqual(productOf(tensors, keys, 3));
  });

  it('may have the configs of its models in its metadata', async () => {
    const [unet, te] = [pair('unet.to_q', AB), pair('text_encoder.q_proj', AB)];
    const tensors = { ...factors(unet), ...factors(te, { rank: 3 }) };
    const file = writeFixture(at('metadata'), tensors, {
      lora_adapter_metadata: JSON.stringify({
        'unet.r': 2,
        'unet.lora_alpha': 8,
        'text_encoder.r': 2,
        'text_encoder.lora_alpha': 6,
        'text_encoder.rank_pattern': { q_proj: 3 },
      }),
    });
    const adapter = await openAdapter(file);
    expect(formed(adapter, 'unet.to_q')).toEqual(productOf(tensors, unet, 4));
    expect(formed(adapter, 'text_encoder.q_proj')).toEqual(productOf(tensors, te, 2));
  });
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CheckpointOptions, openCheckpoint } from '../../lib/circuits/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { seeded, writeCheckpoint } from './support/checkpoints.ts';
import { t5, whisper } from './support/models/encoders.ts';
import { gpt2, gptNeoX } from './support/models/gpt.ts';
import { llamaLike } from './support/models/llama.ts';
import type { Model } from './support/models/model.ts';
import { transformerLens } from './support/models/transformer-lens.ts';
import { worst } from './support/worst.ts';

const at = temporaryFolder();

describe('a layout that is declared', () => {
  const gpt = gpt2({ layers: 2 });
  const neox = gptNeoX();
  const llama = llamaLike({ type: 'llama', config: {} });
  const lens = transformerLens({ kvHeads: 2 });
  const layernorm = (name: string) => ({ name, kind: 'layer' as const });

  it.each<[string, Model, NonNullable<CheckpointOptions['layout']>]>([
    [
      'conv1d',
      gpt,
      {
        heads: 3,
        dModel: 15,
        layer: 'h.N.',
        attention: { qkv: 'attn.c_attn', o: 'attn.c_proj', stored: 'conv1d' },
        norm: layernorm('ln_1'),
        embedding: 'wte',
      },
    ],
    [
      'packed by groups',
      neox,
      {
        layers: 3,
        heads: 3,
        dModel: 15,
        layer: 'gpt_neox.layers.N.attention.',
        attention: { qkv: 'query_key_value', o: 'dense', order: 'groups' },
      },
    ],
    [
      'separate',
      llama,
      {
        heads: 6,
        kvHeads: 2,
        dModel: 11,
        dHead: 4,
        layer: 'model.layers.N.',
        attention: {
          q: 'self_attn.q_proj',
          k: 'self_attn.k_proj',
          v: 'self_attn.v_proj',
          o: 'self_attn.o_proj',
        },
        norm: { name: 'input_layernorm', kind: 'rms' },
        embedding: 'model.embed_tokens',
        unembedding: 'lm_head',
      },
    ],
    [
      'one matrix for each head',
      lens,
      {
        heads: 4,
        kvHeads: 2,
        dModel: 10,
        dHead: 3,
        layer: 'blocks.N.',
        attention: {
          q: 'attn.W_Q',
          k: 'attn.W_K',
          v: 'attn.W_V',
          o: 'attn.W_O',
          stored: 'heads',
          biasNames: { q: 'attn.b_Q', k: 'attn.b_K', v: 'attn.b_V', o: 'attn.b_O' },
        },
        norm: layernorm('ln1'),
        embedding: 'embed.W_E',
      },
    ],
  ])('%s', async (title, subject, layout) => {
    const path = writeCheckpoint(at(`declared ${title}`), { model_type: 'of my own' }, subject.tensors, {
      shards: 2,
    });
    for (const state of [{}, { biases: true, ...(layout.norm && { foldNorms: true }) }]) {
      await using model = await openCheckpoint(path, { layout, ...state });
      const { layers, heads, kvHeads, dModel, dHead } = subject;
      expect(model).toMatchObject({ modelType: 'declared', layers, heads, kvHeads, dModel, dHead });
      if (layout.embedding) expect(model.embedding).toBe(subject.embedding);
      expect(worst(model, subject, state)).toBeLessThan(1);
    }
  });
});

describe.each([4, 2, 1])("a file in TransformerLens' names, %i keys", (kvHeads) => {
  const subject = transformerLens({ kvHeads });
  it('has the circuits of its forward pass', async () => {
    const folder = writeCheckpoint(at(`lens ${kvHeads}`), undefined, subject.tensors);
    const states = [{}, { foldNorms: true, biases: true, centerWriting: true }];
    for (const path of [folder, join(folder, 'model.safetensors')])
      for (const state of states) {
        await using model = await openCheckpoint(path, state);
        expect(model).toMatchObject({ modelType: 'transformer_lens', layers: 2, heads: 4, kvHeads });
        expect([model.embedding, model.unembedding]).toEqual(['embed.W_E', 'unembed.W_U']);
        expect(worst(model, subject, state)).toBeLessThan(1);
      }
  });
});

describe('sizes that config.json leaves out', () => {
  it.each<[string, Model, string[]]>([
    [
      'gemma',
      llamaLike({
        type: 'gemma',
        heads: 16,
        kvHeads: 16,
        dHead: 256,
        dModel: 3,
        layers: 1,
        plus: 1,
        tied: true,
        config: {},
      }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'gemma3',
      llamaLike({
        type: 'gemma3',
        wrapped: true,
        prefix: 'language_model.model.',
        qkNorm: true,
        plus: 1,
        tied: true,
        heads: 8,
        kvHeads: 4,
        dHead: 256,
        dModel: 3,
        layers: 1,
        config: {},
      }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'mixtral',
      llamaLike({ type: 'mixtral', heads: 32, kvHeads: 8, dHead: 1, dModel: 32, config: {} }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'qwen2',
      llamaLike({ type: 'qwen2', heads: 32, kvHeads: 32, dHead: 1, dModel: 32, bias: 'qkv', config: {} }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    ['t5', t5('decoder'), ['num_decoder_layers']],
  ])('%s', async (_, { config, tensors, layers, heads, kvHeads, dHead, options, title }, absent) => {
    const isAbsent = ([key]: [string, unknown]) => !absent.includes(key);
    const without = (x: object) => Object.fromEntries(Object.entries(x).filter(isAbsent));
    const text = config.text_config as object | undefined;
    const shorter = text ? { ...config, text_config: without(text) } : without(config);
    const whole = title.startsWith('t5') ? { ...shorter, num_layers: 3 } : shorter;
    await using model = await openCheckpoint(writeCheckpoint(at(`absent ${title}`), whole, tensors), options);
    expect(model).toMatchObject({ layers, heads, kvHeads, dHead });
  });
});

it('float64 stays float64', async () => {
  const subject = whisper('cross');
  const path = writeCheckpoint(at('float64'), subject.config, subject.tensors, { dtype: 'F64' });
  await using model = await openCheckpoint(path, { stack: 'cross', foldNorms: true, biases: true });
  expect(model.OV.svdvals().dtype).toBe('float64');
  const question = { foldNorms: true, biases: true };
  expect(worst(model, subject, question)).toBeLessThan(2 ** -20);
});

describe('what a head writes may be wider than what it reads', () => {
  const shapes = { W_Q: [2, 5, 3], W_K: [2, 5, 3], W_V: [2, 5, 3], W_O: [2, 3, 7] };
  const named = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [`blocks.0.attn.${name}`, shape]),
  );

  it('in a file with the names of TransformerLens, which has the sizes in its shapes', async () => {
    await using model = await openCheckpoint(writeCheckpoint(at('wide'), undefined, seeded(named)));
    expect([model.dModel, model.dOut]).toEqual([5, 7]);
    expect([model.OV.shape, model.QK.shape]).toEqual([
      [1, 2, 5, 7],
      [1, 2, 5, 5],
    ]);
    for await (const { svd } of model.decompose('OV')) expect(svd.Vh.shape).toEqual([2, 3, 7]);
  });

  it('where a layout says so, and not otherwise', async () => {
    const path = writeCheckpoint(at('declared-wide'), undefined, seeded(named));
    const attention = { q: 'W_Q', k: 'W_K', v: 'W_V', o: 'W_O', stored: 'heads' } as const;
    const layout = { heads: 2, dModel: 5, dHead: 3, layer: 'blocks.N.attn.', attention };
    await using model = await openCheckpoint(path, { layout: { ...layout, dOut: 7 } });
    expect(model.OV.shape).toEqual([1, 2, 5, 7]);
    await expect(openCheckpoint(path, { layout })).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
  });
});

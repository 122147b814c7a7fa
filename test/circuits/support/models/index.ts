import { inverseFrequencies } from '../reference.ts';
import { bert, t5, whisper } from './encoders.ts';
import { bloom, falcon } from './falcon.ts';
import { gpt2, gptJ, gptNeo, gptNeoX, opt } from './gpt.ts';
import { llamaLike, phi, phi3 } from './llama.ts';
import type { Model } from './model.ts';

const inGlobalLayers = (pattern: number, local: number[], global: number[]) => (layer: number) =>
  (layer + 1) % pattern === 0 ? global : local;

const gemmaNorms = (front: string, d: number) => ({
  [`${front}pre_feedforward_layernorm.weight`]: [d],
  [`${front}post_feedforward_layernorm.weight`]: [d],
});

const gemma3 = { heads: 4, kvHeads: 2, qkNorm: true, plus: 1, tied: true, layers: 7, perLayer: gemmaNorms };

const vision = (prefix: string) => ({
  ...Object.fromEntries(
    ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((name) => [
      `${prefix}vision_model.encoder.layers.0.self_attn.${name}.weight`,
      [6, 6],
    ]),
  ),
  'multi_modal_projector.mm_input_projection_weight': [6, 11],
});

const moe = (front: string, d: number) => ({
  [`${front}block_sparse_moe.gate.weight`]: [2, d],
  [`${front}block_sparse_moe.experts.0.w1.weight`]: [d, d],
});

/**
 * A tiny checkpoint of every family and its variants, with what stands in the way in real files (masks, frequencies, positions,
 * other norms, other towers), and its attention as the modelling code of transformers 4.57 computes it.
 */
export const everyModel: readonly Model[] = [
  gpt2(),
  gpt2({ prefix: 'transformer.', layers: 2 }),
  gptNeo(),
  gptNeoX(),
  gptNeoX({ bias: false }),
  gptJ(),
  opt(),
  opt({ prefix: 'decoder.', bias: false }),
  opt({ postNorm: true }),
  opt({ affine: false }),
  bert(),
  bert({ prefix: '', oldNames: true }),
  bert({ type: 'roberta' }),
  llamaLike({
    type: 'llama',
    layers: 12,
    config: {},
    decoys: {
      'model.layers.0.self_attn.rotary_emb.inv_freq': { shape: [2], data: new Float64Array(2), dtype: 'F32' },
    },
  }),
  llamaLike({
    type: 'llama',
    title: 'llama, attention_bias, no key for its sizes',
    bias: 'qkvo',
    kvHeads: 6,
    dModel: 24,
    config: { attention_bias: true, head_dim: undefined, num_key_value_heads: undefined },
  }),
  llamaLike({
    type: 'mistral',
    config: { head_dim: null, rope_theta: 70 },
    dModel: 24,
    frequencies: () => inverseFrequencies(4, 70),
  }),
  llamaLike({
    type: 'mistral',
    title: 'mistral, as many keys as it has by default',
    heads: 16,
    kvHeads: 8,
    config: { num_key_value_heads: undefined },
  }),
  llamaLike({
    type: 'mistral',
    title: 'mistral, num_key_value_heads: null',
    kvHeads: 6,
    config: { num_key_value_heads: null },
  }),
  llamaLike({ type: 'mixtral', config: {}, perLayer: moe, frequencies: () => inverseFrequencies(4, 1e6) }),
  llamaLike({ type: 'qwen2', dModel: 24, bias: 'qkv', config: { head_dim: undefined } }),
  llamaLike({ type: 'qwen3', qkNorm: true, config: {} }),
  llamaLike({
    type: 'qwen3',
    title: 'qwen3, heads as wide as by default, with biases',
    heads: 2,
    kvHeads: 1,
    dHead: 128,
    dModel: 6,
    qkNorm: true,
    bias: 'qkvo',
    config: { head_dim: undefined, attention_bias: true },
  }),
  llamaLike({ type: 'gemma', plus: 1, tied: true, config: {} }),
  llamaLike({ type: 'gemma2', plus: 1, tied: true, perLayer: gemmaNorms, config: {} }),
  llamaLike({
    type: 'gemma3_text',
    ...gemma3,
    config: { rope_theta: 900, rope_local_base_freq: 50, rope_scaling: { rope_type: 'linear', factor: 8 } },
    frequencies: inGlobalLayers(
      6,
      inverseFrequencies(4, 50),
      inverseFrequencies(4, 900).map((f) => f / 8),
    ),
  }),
  llamaLike({
    type: 'gemma3_text',
    title: 'gemma3_text, layer_types and rope_parameters',
    ...gemma3,
    layers: 3,
    config: {
      layer_types: ['full_attention', 'sliding_attention', 'full_attention'],
      rope_parameters: {
        full_attention: { rope_type: 'linear', rope_theta: 900, factor: 4 },
        sliding_attention: { rope_type: 'default', rope_theta: 30 },
      },
    },
    frequencies: (layer) =>
      layer === 1 ? inverseFrequencies(4, 30) : inverseFrequencies(4, 900).map((f) => f / 4),
  }),
  ...['language_model.model.', 'model.language_model.'].map((prefix) =>
    llamaLike({
      type: 'gemma3',
      title: `gemma3, '${prefix}'`,
      ...gemma3,
      wrapped: true,
      prefix,
      once: vision(prefix === 'model.language_model.' ? 'model.vision_tower.' : 'vision_tower.'),
      config: { sliding_window_pattern: 2 },
      frequencies: inGlobalLayers(2, inverseFrequencies(4), inverseFrequencies(4, 1e6)),
    }),
  ),
  phi(),
  phi({ kvHeads: 1 }),
  phi({ qkLayerNorm: true }),
  phi3(),
  falcon({
    title: 'falcon, 7b: one key, num_kv_heads as many as heads',
    heads: 5,
    order: 'multi-query',
    config: { model_type: 'falcon', num_hidden_layers: 2, num_attention_heads: 5, num_kv_heads: 5 },
  }),
  falcon({
    title: 'falcon, 40b: new_decoder_architecture',
    heads: 6,
    groups: 2,
    order: 'new',
    norm: 'ln_attn',
    config: {
      model_type: 'falcon',
      num_hidden_layers: 2,
      num_attention_heads: 6,
      num_kv_heads: 2,
      new_decoder_architecture: true,
      multi_query: true,
    },
  }),
  falcon({
    title: 'falcon, 11b: one norm for attention and MLP',
    heads: 6,
    groups: 3,
    order: 'new',
    bias: true,
    config: {
      model_type: 'falcon',
      num_hidden_layers: 2,
      num_attention_heads: 6,
      num_kv_heads: 3,
      new_decoder_architecture: true,
      num_ln_in_parallel_attn: 1,
    },
  }),
  falcon({
    title: 'falcon, rw-1b: head by head, ALiBi',
    heads: 3,
    order: 'old',
    bias: true,
    alibi: true,
    config: {
      model_type: 'falcon',
      num_hidden_layers: 2,
      num_attention_heads: 3,
      multi_query: false,
      parallel_attn: false,
    },
  }),
  falcon({
    title: 'RefinedWebModel',
    heads: 5,
    order: 'multi-query',
    config: { model_type: 'RefinedWebModel', n_layer: 2, n_head: 5, multi_query: true, parallel_attn: true },
  }),
  falcon({
    title: 'RefinedWeb, n_head_kv',
    heads: 6,
    groups: 2,
    order: 'new',
    norm: 'ln_attn',
    config: { model_type: 'RefinedWeb', n_layer: 2, n_head: 6, n_head_kv: 2 },
  }),
  bloom(),
  bloom({ prefix: '' }),
  ...(['encoder', 'decoder', 'cross'] as const).flatMap((stack) => [
    t5(stack, { tied: stack !== 'cross' }),
    whisper(stack),
  ]),
];

import {
  conv1d,
  inverseFrequencies,
  layerNorm,
  linear,
  rotateEveryTwo,
  rotateHalf,
  split,
  unchanged,
} from '../reference.ts';
import {
  biased,
  decoy,
  equal,
  everywhere,
  headByHead,
  type Model,
  plain,
  separate,
  tensorsOf,
  V,
} from './model.ts';

// GPT-2 and what was made after it.

export function gpt2({ prefix = '', layers = 12 } = {}): Model {
  const sizes = equal(3, 5);
  const d = sizes.dModel;
  const at = (n: number) => `${prefix}h.${n}.`;
  const tensors = tensorsOf(
    layers,
    { [`${prefix}wte.weight`]: [V, d], [`${prefix}wpe.weight`]: [4, d], ...biased(`${prefix}ln_f`, d) },
    (n) => ({
      ...biased(`${at(n)}ln_1`, d),
      [`${at(n)}attn.c_attn.weight`]: [d, 3 * d],
      [`${at(n)}attn.c_attn.bias`]: [3 * d],
      ...biased(`${at(n)}attn.c_proj`, d, d),
      ...biased(`${at(n)}ln_2`, d),
      [`${at(n)}mlp.c_fc.weight`]: [d, 2 * d],
      [`${at(n)}mlp.c_fc.bias`]: [2 * d],
    }),
    everywhere(layers, (n) => ({
      [`${at(n)}attn.bias`]: decoy(n % 2 ? 'F32' : 'U8', 1, 1, 4, 4),
      [`${at(n)}attn.masked_bias`]: decoy('F32'),
    })),
  );
  return {
    title: `gpt2, names behind '${prefix}'`,
    config: { model_type: 'gpt2', n_layer: layers, n_head: 3, n_embd: d },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: `${prefix}wte.weight`,
    unembedding: `${prefix}wte.weight`,
    attention: (n) => {
      const [qkv, out] = ['c_attn', 'c_proj'].map((name) => conv1d(tensors, `${at(n)}attn.${name}`));
      return {
        norm: layerNorm(tensors, `${at(n)}ln_1`),
        project: (x) => {
          const all = qkv(x);
          const [q, k, v] = [0, 1, 2].map((i) => split(all.slice(i * d, (i + 1) * d), 5));
          return { q, k, v };
        },
        output: (z) => out(z.flat()),
      };
    },
  };
}

export function gptNeo(): Model {
  const sizes = equal(3, 5);
  const [d, layers] = [sizes.dModel, 2];
  const at = (n: number) => `transformer.h.${n}.`;
  const names = (n: number) =>
    ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((p) => `${at(n)}attn.attention.${p}`);
  const tensors = tensorsOf(
    layers,
    { 'transformer.wte.weight': [V, d], 'transformer.wpe.weight': [4, d] },
    (n) => {
      const [q, k, v, o] = names(n);
      const weights = { ...plain(q, d, d), ...plain(k, d, d), ...plain(v, d, d), ...biased(o, d, d) };
      return { ...biased(`${at(n)}ln_1`, d), ...weights, ...biased(`${at(n)}ln_2`, d) };
    },
    everywhere(layers, (n) => ({
      [`${at(n)}attn.attention.bias`]: decoy('BOOL', 1, 1, 4, 4),
      [`${at(n)}attn.attention.masked_bias`]: decoy('F32'),
    })),
  );
  return {
    title: 'gpt_neo',
    config: { model_type: 'gpt_neo', num_layers: layers, num_heads: 3, hidden_size: d },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: 'transformer.wte.weight',
    unembedding: 'transformer.wte.weight',
    attention: (n) => ({ norm: layerNorm(tensors, `${at(n)}ln_1`), ...separate(tensors, names(n), 5) }),
  };
}

export function gptNeoX({ bias = true } = {}): Model {
  const sizes = equal(3, 5);
  const [d, layers] = [sizes.dModel, 3];
  const at = (n: number) => `gpt_neox.layers.${n}.`;
  const weight = bias ? biased : plain;
  const tensors = tensorsOf(
    layers,
    {
      'gpt_neox.embed_in.weight': [V, d],
      'embed_out.weight': [V, d],
      ...biased('gpt_neox.final_layer_norm', d),
    },
    (n) => ({
      ...biased(`${at(n)}input_layernorm`, d),
      ...biased(`${at(n)}post_attention_layernorm`, d),
      ...weight(`${at(n)}attention.query_key_value`, 3 * d, d),
      ...weight(`${at(n)}attention.dense`, d, d),
    }),
    everywhere(layers, (n) => ({
      [`${at(n)}attention.bias`]: decoy('BOOL', 1, 1, 4, 4),
      [`${at(n)}attention.masked_bias`]: decoy('F32'),
      [`${at(n)}attention.rotary_emb.inv_freq`]: decoy('F32', 1),
    })),
  );
  return {
    title: `gpt_neox${bias ? '' : ', attention_bias: false'}`,
    config: {
      model_type: 'gpt_neox',
      num_hidden_layers: layers,
      num_attention_heads: 3,
      hidden_size: d,
      rotary_pct: 0.8,
      rotary_emb_base: 500,
      ...(!bias && { attention_bias: false }),
    },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: 'gpt_neox.embed_in.weight',
    unembedding: 'embed_out.weight',
    attention: (n) => {
      const out = linear(tensors, `${at(n)}attention.dense`);
      return {
        norm: layerNorm(tensors, `${at(n)}input_layernorm`),
        project: headByHead(linear(tensors, `${at(n)}attention.query_key_value`), 5),
        rotate: rotateHalf(inverseFrequencies(4, 500)),
        output: (z) => out(z.flat()),
      };
    },
  };
}

export function gptJ(): Model {
  const sizes = equal(3, 7);
  const [d, layers] = [sizes.dModel, 2];
  const at = (n: number) => `transformer.h.${n}.`;
  const names = (n: number) => ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((p) => `${at(n)}attn.${p}`);
  const tensors = tensorsOf(
    layers,
    { 'transformer.wte.weight': [V, d], ...biased('lm_head', V, d), ...biased('transformer.ln_f', d) },
    (n) => ({
      ...biased(`${at(n)}ln_1`, d),
      ...Object.assign({}, ...names(n).map((name) => plain(name, d, d))),
      ...biased(`${at(n)}mlp.fc_in`, 2 * d, d),
    }),
    everywhere(layers, (n) => ({
      [`${at(n)}attn.bias`]: decoy('BOOL', 1, 1, 4, 4),
      [`${at(n)}attn.masked_bias`]: decoy('F32'),
    })),
  );
  return {
    title: 'gptj',
    config: { model_type: 'gptj', n_layer: layers, n_head: 3, n_embd: d, rotary_dim: 4 },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: 'transformer.wte.weight',
    unembedding: 'lm_head.weight',
    attention: (n) => ({
      norm: layerNorm(tensors, `${at(n)}ln_1`),
      ...separate(tensors, names(n), 7),
      rotate: rotateEveryTwo(inverseFrequencies(4)),
    }),
  };
}

export function opt({ prefix = 'model.decoder.', postNorm = false, affine = true, bias = true } = {}): Model {
  const sizes = equal(3, 5);
  const [d, layers] = [sizes.dModel, 2];
  const at = (n: number) => `${prefix}layers.${n}.`;
  const names = (n: number) =>
    ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((p) => `${at(n)}self_attn.${p}`);
  const weight = bias ? biased : plain;
  const narrow = postNorm ? 9 : d;
  const tensors = tensorsOf(
    layers,
    {
      [`${prefix}embed_tokens.weight`]: [V, narrow],
      [`${prefix}embed_positions.weight`]: [6, d],
      ...(postNorm && {
        ...plain(`${prefix}project_in`, d, narrow),
        ...plain(`${prefix}project_out`, narrow, d),
      }),
      ...(affine && !postNorm && biased(`${prefix}final_layer_norm`, d)),
    },
    (n) => ({
      ...(affine && {
        ...biased(`${at(n)}final_layer_norm`, d),
        ...biased(`${at(n)}self_attn_layer_norm`, d),
      }),
      ...Object.assign({}, ...names(n).map((name) => weight(name, d, d))),
      ...weight(`${at(n)}fc1`, 2 * d, d),
    }),
  );
  return {
    title: `opt${postNorm ? ', 350m' : affine ? '' : ', norms without tensors'}${bias ? '' : ', no biases'}, '${prefix}'`,
    config: {
      model_type: 'opt',
      num_hidden_layers: layers,
      num_attention_heads: 3,
      hidden_size: d,
      ...(postNorm && { do_layer_norm_before: false, word_embed_proj_dim: narrow }),
      ...(!affine && { layer_norm_elementwise_affine: false }),
      ...(!bias && { enable_bias: false }),
    },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: `${prefix}embed_tokens.weight`,
    unembedding: `${prefix}embed_tokens.weight`,
    attention: (n) => ({
      norm: postNorm ? unchanged : layerNorm(tensors, `${at(n)}self_attn_layer_norm`),
      ...separate(tensors, names(n), 5),
    }),
  };
}

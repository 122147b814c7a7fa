import type { CheckpointOptions } from '../../../../lib/circuits/index.ts';
import { layerNorm, rmsNorm, unchanged } from '../reference.ts';
import { biased, decoy, equal, type Model, plain, type Shapes, separate, tensorsOf, V } from './model.ts';

// Models with an encoder.

export function bert({
  type = 'bert',
  prefix = `${type}.`,
  oldNames = false,
}: {
  type?: string;
  prefix?: string;
  oldNames?: boolean;
} = {}): Model {
  const sizes = equal(3, 5);
  const [d, layers] = [sizes.dModel, 2];
  const at = (n: number) => `${prefix}encoder.layer.${n}.`;
  const names = (n: number) =>
    ['self.query', 'self.key', 'self.value', 'output.dense'].map((p) => `${at(n)}attention.${p}`);
  const norm = (name: string): Shapes =>
    oldNames ? { [`${name}.gamma`]: [d], [`${name}.beta`]: [d] } : biased(name, d);
  const head = type === 'bert' ? 'cls.predictions.decoder' : 'lm_head.decoder';
  const withHead = prefix !== '';
  const tensors = tensorsOf(
    layers,
    {
      [`${prefix}embeddings.word_embeddings.weight`]: [V, d],
      ...norm(`${prefix}embeddings.LayerNorm`),
      ...(withHead && biased(head, V, d)),
    },
    (n) => ({
      ...Object.assign({}, ...names(n).map((name) => biased(name, d, d))),
      ...norm(`${at(n)}attention.output.LayerNorm`),
      ...norm(`${at(n)}output.LayerNorm`),
      ...biased(`${at(n)}intermediate.dense`, 2 * d, d),
    }),
    { [`${prefix}embeddings.position_ids`]: decoy('I64', 1, 6) },
  );
  return {
    title: `${type}, '${prefix}'${oldNames ? ', norms with gamma and beta' : ''}`,
    config: { model_type: type, num_hidden_layers: layers, num_attention_heads: 3, hidden_size: d },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: `${prefix}embeddings.word_embeddings.weight`,
    unembedding: withHead ? `${head}.weight` : `${prefix}embeddings.word_embeddings.weight`,
    attention: (n) => ({ norm: unchanged, ...separate(tensors, names(n), 5) }),
  };
}

type Stack = NonNullable<CheckpointOptions['stack']>;

export function t5(stack: Stack, { tied = true } = {}): Model {
  const [heads, dHead, d] = [3, 5, 14];
  const depth = { encoder: 2, decoder: 3, cross: 3 };
  const front = { encoder: 'encoder', decoder: 'decoder', cross: 'decoder' }[stack];
  const at = (n: number, place = front) => `${place}.block.${n}.layer.`;
  const [k, module] = {
    encoder: [0, 'SelfAttention'],
    decoder: [0, 'SelfAttention'],
    cross: [1, 'EncDecAttention'],
  }[stack] as [number, string];
  const shapes = (place: string) => ({
    ...plain(`${place}.q`, heads * dHead, d),
    ...plain(`${place}.k`, heads * dHead, d),
    ...plain(`${place}.v`, heads * dHead, d),
    ...plain(`${place}.o`, d, heads * dHead),
  });
  const tensors = tensorsOf(
    3,
    {
      'shared.weight': [V, d],
      ...plain('decoder.final_layer_norm', d),
      ...(!tied && { 'lm_head.weight': [V, d] }),
    },
    (n) => ({
      ...(n < depth.encoder && {
        ...shapes(`${at(n, 'encoder')}0.SelfAttention`),
        ...plain(`${at(n, 'encoder')}0.layer_norm`, d),
        ...plain(`${at(n, 'encoder')}1.layer_norm`, d),
      }),
      ...shapes(`${at(n, 'decoder')}0.SelfAttention`),
      ...shapes(`${at(n, 'decoder')}1.EncDecAttention`),
      ...Object.assign({}, ...[0, 1, 2].map((i) => plain(`${at(n, 'decoder')}${i}.layer_norm`, d))),
      ...(n === 0 && { [`${at(0, 'decoder')}0.SelfAttention.relative_attention_bias.weight`]: [8, heads] }),
    }),
  );
  return {
    title: `t5, ${stack}`,
    config: {
      model_type: 't5',
      num_layers: 2,
      num_decoder_layers: 3,
      num_heads: heads,
      d_kv: dHead,
      d_model: d,
      ...(!tied && { tie_word_embeddings: false }),
    },
    tensors,
    options: { stack },
    layers: depth[stack],
    heads,
    kvHeads: heads,
    dHead,
    dModel: d,
    centred: false,
    embedding: 'shared.weight',
    unembedding: tied ? 'shared.weight' : 'lm_head.weight',
    attention: (n) => ({
      norm: rmsNorm(tensors, `${at(n)}${k}.layer_norm`),
      cross: stack === 'cross',
      ...separate(
        tensors,
        [...'qkvo'].map((part) => `${at(n)}${k}.${module}.${part}`),
        dHead,
      ),
    }),
  };
}

export function whisper(stack: Stack): Model {
  const d = 12;
  const depth = { encoder: 3, decoder: 2, cross: 2 };
  const heads = { encoder: 2, decoder: 3, cross: 3 }[stack];
  const front = stack === 'encoder' ? 'encoder' : 'decoder';
  const module = stack === 'cross' ? 'encoder_attn' : 'self_attn';
  const at = (n: number, place = front) => `model.${place}.layers.${n}.`;
  const shapes = (place: string) => ({
    ...biased(`${place}.q_proj`, d, d),
    ...plain(`${place}.k_proj`, d, d),
    ...biased(`${place}.v_proj`, d, d),
    ...biased(`${place}.out_proj`, d, d),
    ...biased(`${place}_layer_norm`, d),
  });
  const tensors = tensorsOf(
    3,
    { 'model.decoder.embed_tokens.weight': [V, d], 'model.encoder.embed_positions.weight': [4, d] },
    (n) => ({
      ...shapes(`${at(n, 'encoder')}self_attn`),
      ...biased(`${at(n, 'encoder')}final_layer_norm`, d),
      ...(n < 2 && {
        ...shapes(`${at(n, 'decoder')}self_attn`),
        ...shapes(`${at(n, 'decoder')}encoder_attn`),
        ...biased(`${at(n, 'decoder')}final_layer_norm`, d),
      }),
    }),
  );
  return {
    title: `whisper, ${stack}`,
    config: {
      model_type: 'whisper',
      encoder_layers: 3,
      decoder_layers: 2,
      encoder_attention_heads: 2,
      decoder_attention_heads: 3,
      d_model: d,
    },
    tensors,
    options: { stack },
    layers: depth[stack],
    heads,
    kvHeads: heads,
    dHead: d / heads,
    dModel: d,
    centred: true,
    // An encoder reads sound and writes for the decoder.
    embedding: stack === 'encoder' ? undefined : 'model.decoder.embed_tokens.weight',
    unembedding: stack === 'encoder' ? undefined : 'model.decoder.embed_tokens.weight',
    attention: (n) => ({
      norm: layerNorm(tensors, `${at(n)}${module}_layer_norm`),
      cross: stack === 'cross',
      ...separate(
        tensors,
        ['q_proj', 'k_proj', 'v_proj', 'out_proj'].map((part) => `${at(n)}${module}.${part}`),
        d / heads,
      ),
    }),
  };
}

import type { Tensors } from '../checkpoints.ts';
import {
  inverseFrequencies,
  layerNorm,
  linear,
  repeat,
  rmsNorm,
  rotateHalf,
  split,
  type Vector,
} from '../reference.ts';
import { biased, type Model, plain, type Shapes, separate, tensorsOf, V } from './model.ts';

// Llama and what was made after it, and Phi.

/** How a model of Llama's kind departs from it. */
interface LlamaLike {
  readonly type: string;
  readonly title?: string;
  readonly layers?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly dHead?: number;
  readonly dModel?: number;
  readonly prefix?: string;
  /** Which of q, k, v, o have a bias. */
  readonly bias?: string;
  readonly qkNorm?: boolean;
  /** Norm weights are 1 + w. */
  readonly plus?: number;
  readonly tied?: boolean;
  readonly once?: Shapes;
  readonly perLayer?: (front: string, d: number) => Shapes;
  readonly decoys?: Tensors;
  readonly frequencies?: (layer: number) => Vector;
  /** In place of the sizes' own keys. */
  readonly config: Record<string, unknown>;
  readonly wrapped?: boolean;
}

export function llamaLike({
  type,
  title = type,
  layers = 2,
  heads = 6,
  kvHeads = 2,
  dHead = 4,
  dModel: d = 11,
  prefix = 'model.',
  bias = '',
  qkNorm = false,
  plus = 0,
  tied = false,
  once,
  perLayer,
  decoys,
  frequencies = () => inverseFrequencies(dHead),
  config,
  wrapped = false,
}: LlamaLike): Model {
  const at = (n: number) => `${prefix}layers.${n}.`;
  const names = (n: number) => ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((p) => `${at(n)}self_attn.${p}`);
  const tensors = tensorsOf(
    layers,
    {
      [`${prefix}embed_tokens.weight`]: [V, d],
      ...plain(`${prefix}norm`, d),
      ...(!tied && { 'lm_head.weight': [V, d] }),
      ...once,
    },
    (n) => {
      const shapes = [
        [heads * dHead, d],
        [kvHeads * dHead, d],
        [kvHeads * dHead, d],
        [d, heads * dHead],
      ];
      const weights = names(n).map((name, i) =>
        (bias.includes('qkvo'[i]) ? biased : plain)(name, ...shapes[i]),
      );
      return {
        ...plain(`${at(n)}input_layernorm`, d),
        ...plain(`${at(n)}post_attention_layernorm`, d),
        ...Object.assign({}, ...weights),
        ...(qkNorm && {
          ...plain(`${at(n)}self_attn.q_norm`, dHead),
          ...plain(`${at(n)}self_attn.k_norm`, dHead),
        }),
        ...plain(`${at(n)}mlp.gate_proj`, 2 * d, d),
        ...perLayer?.(at(n), d),
      };
    },
    decoys,
  );
  const text = {
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    hidden_size: d,
    head_dim: dHead,
    ...config,
  };
  return {
    title,
    config: wrapped ? { model_type: type, text_config: text } : { model_type: type, ...text },
    tensors,
    layers,
    heads,
    kvHeads,
    dHead,
    dModel: d,
    centred: false,
    qkNormGains: qkNorm,
    embedding: `${prefix}embed_tokens.weight`,
    unembedding: tied ? `${prefix}embed_tokens.weight` : 'lm_head.weight',
    attention: (n) => ({
      norm: rmsNorm(tensors, `${at(n)}input_layernorm`, plus),
      ...separate(tensors, names(n), dHead, heads / kvHeads),
      ...(qkNorm && {
        qNorm: rmsNorm(tensors, `${at(n)}self_attn.q_norm`, plus),
        kNorm: rmsNorm(tensors, `${at(n)}self_attn.k_norm`, plus),
      }),
      rotate: rotateHalf(frequencies(n)),
    }),
  };
}

/** `_compute_llama3_parameters`. */
export function llama3Frequencies(
  frequencies: Vector,
  { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings: context }: Llama3,
): number[] {
  return frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < context / high_freq_factor) return frequency;
    if (wavelength > context / low_freq_factor) return frequency / factor;
    const smooth = (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

export interface Llama3 {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

export function phi({ qkLayerNorm = false, kvHeads = 3 } = {}): Model {
  const [heads, dHead, layers] = [3, 7, 2];
  const d = heads * dHead;
  const at = (n: number) => `model.layers.${n}.`;
  const names = (n: number) => ['q_proj', 'k_proj', 'v_proj', 'dense'].map((p) => `${at(n)}self_attn.${p}`);
  const tensors = tensorsOf(
    layers,
    {
      'model.embed_tokens.weight': [V, d],
      ...biased('lm_head', V, d),
      ...biased('model.final_layernorm', d),
    },
    (n) => {
      const [q, k, v, o] = names(n);
      return {
        ...biased(`${at(n)}input_layernorm`, d),
        ...biased(q, d, d),
        ...biased(k, kvHeads * dHead, d),
        ...biased(v, kvHeads * dHead, d),
        ...biased(o, d, d),
        ...(qkLayerNorm && {
          ...biased(`${at(n)}self_attn.q_layernorm`, dHead),
          ...biased(`${at(n)}self_attn.k_layernorm`, dHead),
        }),
        ...biased(`${at(n)}mlp.fc1`, 2 * d, d),
      };
    },
  );
  return {
    title: `phi${qkLayerNorm ? ', qk_layernorm' : ''}${kvHeads < heads ? ', grouped heads' : ''}`,
    config: {
      model_type: 'phi',
      num_hidden_layers: layers,
      num_attention_heads: heads,
      hidden_size: d,
      ...(kvHeads < heads && { num_key_value_heads: kvHeads }),
      ...(qkLayerNorm && { qk_layernorm: true }),
      partial_rotary_factor: 0.6,
      rope_theta: 300,
    },
    tensors,
    layers,
    heads,
    kvHeads,
    dHead,
    dModel: d,
    centred: true,
    qkNormGains: qkLayerNorm,
    embedding: 'model.embed_tokens.weight',
    unembedding: 'lm_head.weight',
    attention: (n) => ({
      norm: layerNorm(tensors, `${at(n)}input_layernorm`),
      ...separate(tensors, names(n), dHead, heads / kvHeads),
      ...(qkLayerNorm && {
        qNorm: layerNorm(tensors, `${at(n)}self_attn.q_layernorm`),
        kNorm: layerNorm(tensors, `${at(n)}self_attn.k_layernorm`),
      }),
      rotate: rotateHalf(inverseFrequencies(4, 300)), // int(7 · 0.6) = 4
    }),
  };
}

export function phi3({ config = {}, frequencies = inverseFrequencies(4) } = {}): Model {
  const [heads, kvHeads, dHead, layers] = [6, 2, 5, 3];
  const d = heads * dHead;
  const at = (n: number) => `model.layers.${n}.`;
  const tensors = tensorsOf(
    layers,
    { 'model.embed_tokens.weight': [V, d], 'lm_head.weight': [V, d], ...plain('model.norm', d) },
    (n) => ({
      ...plain(`${at(n)}input_layernorm`, d),
      ...plain(`${at(n)}post_attention_layernorm`, d),
      ...plain(`${at(n)}self_attn.qkv_proj`, (heads + 2 * kvHeads) * dHead, d),
      ...plain(`${at(n)}self_attn.o_proj`, d, heads * dHead),
      ...plain(`${at(n)}mlp.gate_up_proj`, 2 * d, d),
    }),
  );
  return {
    title: 'phi3',
    config: {
      model_type: 'phi3',
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      hidden_size: d,
      partial_rotary_factor: 0.8,
      ...config,
    },
    tensors,
    layers,
    heads,
    kvHeads,
    dHead,
    dModel: d,
    centred: false,
    embedding: 'model.embed_tokens.weight',
    unembedding: 'lm_head.weight',
    attention: (n) => {
      const [qkv, out] = ['qkv_proj', 'o_proj'].map((name) => linear(tensors, `${at(n)}self_attn.${name}`));
      return {
        norm: rmsNorm(tensors, `${at(n)}input_layernorm`),
        project: (x) => {
          const all = qkv(x);
          const [first, second] = [heads * dHead, (heads + kvHeads) * dHead];
          return {
            q: split(all.slice(0, first), dHead),
            k: repeat(split(all.slice(first, second), dHead), heads / kvHeads),
            v: repeat(split(all.slice(second), dHead), heads / kvHeads),
          };
        },
        rotate: rotateHalf(frequencies),
        output: (z) => out(z.flat()),
      };
    },
  };
}

import {
  type Attention,
  inverseFrequencies,
  layerNorm,
  linear,
  repeat,
  rotateHalf,
  split,
} from '../reference.ts';
import { biased, decoy, equal, everywhere, headByHead, type Model, plain, tensorsOf, V } from './model.ts';

// Models that keep queries, keys and values of a head or a group together.

/** Falcon's three orders; `split` as `_split_heads` of its modelling code. */
export function falcon({
  title,
  heads,
  order,
  groups = 1,
  config,
  norm = 'input_layernorm',
  bias = false,
  alibi = false,
}: {
  title: string;
  heads: number;
  order: 'new' | 'multi-query' | 'old';
  /** Of the new order. */
  groups?: number;
  config: Record<string, unknown>;
  norm?: string;
  bias?: boolean;
  alibi?: boolean;
}): Model {
  const [dHead, layers] = [4, 2];
  const d = heads * dHead;
  const kvHeads = { new: groups, 'multi-query': 1, old: heads }[order];
  const at = (n: number) => `transformer.h.${n}.`;
  const weight = bias ? biased : plain;
  const tensors = tensorsOf(
    layers,
    { 'transformer.word_embeddings.weight': [V, d], ...biased('transformer.ln_f', d) },
    (n) => ({
      ...biased(`${at(n)}${norm}`, d),
      ...(norm === 'ln_attn' && biased(`${at(n)}ln_mlp`, d)),
      ...weight(`${at(n)}self_attention.query_key_value`, (heads + 2 * kvHeads) * dHead, d),
      ...weight(`${at(n)}self_attention.dense`, d, d),
      ...weight(`${at(n)}mlp.dense_h_to_4h`, 2 * d, d),
    }),
    everywhere(layers, (n) => ({ [`${at(n)}self_attention.rotary.inv_freq`]: decoy('F32', 2) })),
  );
  return {
    title,
    config: { hidden_size: d, bias, alibi, ...config },
    tensors,
    layers,
    heads,
    kvHeads,
    dHead,
    dModel: d,
    centred: true,
    embedding: 'transformer.word_embeddings.weight',
    unembedding: 'transformer.word_embeddings.weight',
    attention: (n) => {
      const [qkv, out] = ['query_key_value', 'dense'].map((name) =>
        linear(tensors, `${at(n)}self_attention.${name}`),
      );
      const project: Attention['project'] = (x) => {
        const all = split(qkv(x), dHead);
        if (order === 'old') return headByHead(qkv, dHead)(x);
        if (order === 'multi-query') {
          const shared = (i: number) => repeat([all.at(i)!], heads);
          return { q: all.slice(0, -2), k: shared(-2), v: shared(-1) };
        }
        const size = heads / groups + 2;
        const group = (g: number) => all.slice(g * size, (g + 1) * size);
        const each = Array.from({ length: groups }, (_, g) => group(g));
        return {
          q: each.flatMap((rows) => rows.slice(0, -2)),
          k: each.flatMap((rows) => repeat([rows.at(-2)!], size - 2)),
          v: each.flatMap((rows) => repeat([rows.at(-1)!], size - 2)),
        };
      };
      return {
        norm: layerNorm(tensors, `${at(n)}${norm}`),
        project,
        ...(!alibi && { rotate: rotateHalf(inverseFrequencies(dHead)) }),
        output: (z) => out(z.flat()),
      };
    },
  };
}

export function bloom({ prefix = 'transformer.' } = {}): Model {
  const sizes = equal(3, 5);
  const [d, layers] = [sizes.dModel, 2];
  const at = (n: number) => `${prefix}h.${n}.`;
  const tensors = tensorsOf(
    layers,
    {
      [`${prefix}word_embeddings.weight`]: [V, d],
      ...biased(`${prefix}word_embeddings_layernorm`, d),
      ...biased(`${prefix}ln_f`, d),
    },
    (n) => ({
      ...biased(`${at(n)}input_layernorm`, d),
      ...biased(`${at(n)}post_attention_layernorm`, d),
      ...biased(`${at(n)}self_attention.query_key_value`, 3 * d, d),
      ...biased(`${at(n)}self_attention.dense`, d, d),
    }),
  );
  return {
    title: `bloom, '${prefix}'`,
    config: { model_type: 'bloom', n_layer: layers, n_head: 3, [prefix ? 'hidden_size' : 'n_embed']: d },
    tensors,
    layers,
    ...sizes,
    centred: true,
    embedding: `${prefix}word_embeddings.weight`,
    unembedding: `${prefix}word_embeddings.weight`,
    attention: (n) => {
      const [qkv, out] = ['query_key_value', 'dense'].map((name) =>
        linear(tensors, `${at(n)}self_attention.${name}`),
      );
      return {
        norm: layerNorm(tensors, `${at(n)}input_layernorm`),
        project: headByHead(qkv, 5),
        output: (z) => out(z.flat()),
      };
    },
  };
}

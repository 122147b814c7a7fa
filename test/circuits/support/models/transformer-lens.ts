import { layerNorm, repeat, type Vector } from '../reference.ts';
import { type Model, tensorsOf, V } from './model.ts';

// The names and shapes of TransformerLens.

/** A file in TransformerLens' names, without config.json. */
export function transformerLens({ kvHeads = 4 } = {}): Model {
  const [heads, dHead, d, layers] = [4, 3, 10, 2];
  const at = (n: number) => `blocks.${n}.attn.`;
  const count = { Q: heads, K: kvHeads, V: kvHeads };
  const tensors = tensorsOf(
    layers,
    { 'embed.W_E': [V, d], 'unembed.W_U': [d, V], 'ln_final.w': [d] },
    (n) => ({
      ...Object.fromEntries(
        (['Q', 'K', 'V'] as const).flatMap((part) => [
          [`${at(n)}W_${part}`, [count[part], d, dHead]],
          [`${at(n)}b_${part}`, [count[part], dHead]],
        ]),
      ),
      [`${at(n)}W_O`]: [heads, dHead, d],
      [`${at(n)}b_O`]: [d],
      [`blocks.${n}.ln1.w`]: [d],
      [`blocks.${n}.ln1.b`]: [d],
    }),
  );
  return {
    title: `TransformerLens, ${kvHeads} keys`,
    config: { model_type: 'transformer_lens' },
    tensors,
    layers,
    heads,
    kvHeads,
    dHead,
    dModel: d,
    centred: true,
    embedding: 'embed.W_E',
    unembedding: 'unembed.W_U',
    attention: (n) => {
      // einsum('pos d, head d D -> pos head D') + b
      const heads3 = (part: 'Q' | 'K' | 'V') => (x: Vector) =>
        Array.from({ length: count[part] }, (_, h) =>
          Array.from({ length: dHead }, (_, j) =>
            x.reduce(
              (sum, value, i) => sum + value * tensors[`${at(n)}W_${part}`].data[(h * d + i) * dHead + j],
              tensors[`${at(n)}b_${part}`].data[h * dHead + j],
            ),
          ),
        );
      return {
        norm: layerNorm(tensors, `blocks.${n}.ln1`, ['w', 'b']),
        project: (x) => ({
          q: heads3('Q')(x),
          k: repeat(heads3('K')(x), heads / kvHeads),
          v: repeat(heads3('V')(x), heads / kvHeads),
        }),
        output: (z) =>
          Array.from({ length: d }, (_, i) =>
            z.reduce(
              (sum, head, h) =>
                head.reduce(
                  (inner, value, j) => inner + value * tensors[`${at(n)}W_O`].data[(h * dHead + j) * d + i],
                  sum,
                ),
              tensors[`${at(n)}b_O`].data[i],
            ),
          ),
      };
    },
  };
}

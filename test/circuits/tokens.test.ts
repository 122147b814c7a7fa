import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { tokensOf } from '../../lib/circuits/tokens.ts';
import { transpose } from '../../lib/index.ts';
import { checkError, matrixAt, rejectionOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  type CheckpointTensor,
  seeded,
  type Tensors,
  tinyLlama,
  writeCheckpoint,
} from './support/checkpoints.ts';

const folder = temporaryFolder();
const vocabulary = 23;
const { config, tensors } = tinyLlama({ vocabulary });
const d = config.hidden_size;
const llama = writeCheckpoint(folder('llama'), config, tensors, { dtype: 'BF16', shards: 3 });
writeFileSync(`${llama}/tokenizer.json`, JSON.stringify({ model: { vocab: { '▁zero': 0, three: 3 } } }));

/** The ids in the order of their inner products, largest first, by plain loops. */
function order({ data, shape: [vocab, width] }: CheckpointTensor, direction: readonly number[]) {
  return Array.from({ length: vocab }, (_, id) => ({
    id,
    score: direction.reduce((sum, x, i) => sum + x * data[id * width + i], 0),
  })).sort((a, b) => b.score - a.score || a.id - b.id);
}

// The numbers of the checkpoints and integers: sums of their products are exact.
const directions = (seed: number, n: number, width = d): number[][] =>
  matrixAt(randomMatrix(seed, [n, width])).map((row) => row.map((x) => Math.round(8 * x)));

describe('the tokens at both ends of a direction', () => {
  test('through embedding and unembedding are those of the formed products', async () => {
    await using model = await openCheckpoint(llama);
    const given = directions(1, 5);
    for (const [side, name] of [
      ['read', 'model.embed_tokens.weight'],
      ['write', 'lm_head.weight'],
    ] as const) {
      const found = await tokensOf(model, given, { k: 4, side });
      expect(found.length).toBe(5);
      found.forEach(({ top, bottom }, i) => {
        const all = order(tensors[name], given[i]);
        const plain = (list: typeof top) => list.map(({ id, score }) => ({ id, score }));
        expect(plain(top).map(({ score }) => score)).toEqual(all.slice(0, 4).map(({ score }) => score));
        expect(plain(top)).toEqual(all.slice(0, 4));
        expect(plain(bottom).map(({ score }) => score)).toEqual(
          all
            .slice(-4)
            .reverse()
            .map(({ score }) => score),
        );
      });
    }
    const negative = await tokensOf(model, [given[0].map((x) => -x)], { k: 4 });
    const positive = await tokensOf(model, given[0], { k: 4 });
    const mirrored = negative[0].bottom.map((entry) => ({ ...entry, score: -entry.score + 0 }));
    expect(mirrored, 'the bottom of −x is the top of x').toEqual(positive[0].top);
  });

  test('have the names of the tokenizer, and ids where it has none', async () => {
    await using model = await openCheckpoint(llama);
    const [{ top }] = await tokensOf(model, directions(2, 1), { k: vocabulary });
    const named = Object.fromEntries(top.map(({ id, token }) => [id, token]));
    expect(named).toMatchObject({ 0: ' zero', 3: 'three', 7: '7' });
    expect(top.length).toBe(vocabulary);
    expect(await tokensOf(model, directions(2, 1), { k: 0 })).toEqual([{ top: [], bottom: [] }]);
    expect((await tokensOf(model, directions(2, 1), { k: 99 }))[0].bottom.length).toBe(vocabulary);
    expect((await tokensOf(model, directions(2, 1)))[0].top.length).toBe(10);
  });

  test('of many directions in one view, in row-major order, as of each alone', async () => {
    await using model = await openCheckpoint(llama);
    for await (const { svd } of model.decompose('OV', { layers: [0, 1] })) {
      const read = await tokensOf(model, transpose(svd.U) as Tensor, { k: 3, side: 'read' });
      expect(read.length).toBe(4 * 3);
      const one = transpose(svd.U).pick(2, 1, null) as Tensor;
      expect(await tokensOf(model, one, { k: 3, side: 'read' })).toEqual([read[2 * 3 + 1]]);
    }
  });

  test("of TransformerLens' unembedding, whose columns are tokens, square or not", async () => {
    for (const vocab of [9, 6]) {
      const lens: Tensors = seeded({
        'blocks.0.attn.W_Q': [2, 6, 3],
        'blocks.0.attn.W_K': [2, 6, 3],
        'blocks.0.attn.W_V': [2, 6, 3],
        'blocks.0.attn.W_O': [2, 3, 6],
        'embed.W_E': [vocab, 6],
        'unembed.W_U': [6, vocab],
      });
      await using model = await openCheckpoint(
        writeCheckpoint(folder(`lens${vocab}`), undefined, lens, { dtype: 'F64' }),
      );
      const [direction] = directions(3, 1, 6);
      const { data } = lens['unembed.W_U'];
      const columns = Float64Array.from(
        { length: data.length },
        (_, e) => data[(e % 6) * vocab + Math.floor(e / 6)],
      );
      const write = order({ shape: [vocab, 6], data: columns }, direction);
      const found = await tokensOf(model, direction, { k: vocab });
      expect(found[0].top.map(({ score }) => score)).toEqual(write.map(({ score }) => score));
      const [{ top }] = await tokensOf(model, direction, { k: 1, side: 'read' });
      expect(top[0].score).toBe(order(lens['embed.W_E'], direction)[0].score);
    }
  });

  test('with biases the constant of a direction adds to every score', async () => {
    await using model = await openCheckpoint(llama, { biases: true });
    const [direction] = directions(4, 1);
    const [plain] = await tokensOf(model, direction, { k: 3 });
    const [shifted] = await tokensOf(model, [...direction, 100], { k: 3 });
    expect(shifted.top.map(({ score }) => score - 100)).toEqual(plain.top.map(({ score }) => score));
  });

  test('progress grows to 1, and aborting rejects with the reason', async () => {
    await using model = await openCheckpoint(llama);
    const told: number[] = [];
    await tokensOf(model, directions(5, 2), { onProgress: ({ done }) => told.push(done) });
    expect(told.at(-1)).toBe(1);
    const reason = new Error('enough');
    const running = tokensOf(model, directions(5, 2), { signal: AbortSignal.abort(reason) });
    expect(await rejectionOf(running)).toBe(reason);
  });

  test('what does not fit, and what is not there', async () => {
    await using model = await openCheckpoint(llama);
    checkError(
      await rejectionOf(tokensOf(model, [[1, 2, 3]])),
      'ERR_SVD_SHAPE',
      'directions of shape [1, 3], but "lm_head.weight" has 10 numbers for each token',
    );
    checkError(await rejectionOf(tokensOf(model, new Array(d).fill(Number.NaN))), 'ERR_SVD_NON_FINITE');
    const bare = tinyLlama();
    await using without = await openCheckpoint(writeCheckpoint(folder('bare'), bare.config, bare.tensors));
    for (const side of ['read', 'write'] as const)
      checkError(
        await rejectionOf(tokensOf(without, directions(6, 1), { side })),
        'ERR_SVD_FILE',
        'embedding',
      );
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../lib/circuits/index.ts';
import { dist } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyLlama, writeCheckpoint } from './support/checkpoints.ts';

const at = temporaryFolder();

describe('a checkpoint with grouped heads, in shards of bfloat16', () => {
  let model: Checkpoint;
  beforeAll(async () => {
    const { config, tensors } = tinyLlama();
    model = await openCheckpoint(writeCheckpoint(at('llama'), config, tensors, { dtype: 'BF16', shards: 3 }));
  });

  it('has the sizes of its config', () => {
    const { modelType, layers, heads, kvHeads, dModel, dHead } = model;
    expect({ modelType, layers, heads, kvHeads, dModel, dHead }).toEqual({
      modelType: 'llama',
      layers: 3,
      heads: 4,
      kvHeads: 2,
      dModel: 10,
      dHead: 3,
    });
  });

  it('has OV and QK of all heads, which svd decomposes and dist compares with the decomposition', () => {
    for (const kind of ['OV', 'QK'] as const) {
      const M = model[kind];
      expect(M.shape).toEqual([3, 4, 10, 10]);
      const { U, S, Vh } = M.svd();
      expect(U.shape).toEqual([3, 4, 10, 3]);
      for (const error of dist(M, { U, S, Vh }).data) expect(error).toBeLessThan(1e-5);
    }
  });

  it('decomposes layer by layer to the same singular values', async () => {
    for (const kind of ['OV', 'QK'] as const) {
      const S = model[kind].svdvals();
      for await (const { layer, svd } of model.decompose(kind)) {
        expect(svd.U.shape).toEqual([4, 10, 3]);
        for (let head = 0; head < 4; head++)
          for (let i = 0; i < 3; i++) expect(svd.S.get(head, i)).toBeCloseTo(S.get(layer, head, i), 5);
      }
    }
  });
});

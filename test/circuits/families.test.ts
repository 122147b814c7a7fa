import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, type CheckpointOptions, openCheckpoint } from '../../lib/circuits/index.ts';
import { checkError, checkSvd, rejectionOf } from '../support/checks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeCheckpoint } from './support/checkpoints.ts';
import { everyModel } from './support/models/index.ts';
import { disagreement } from './support/reference.ts';
import { worst, worstRotated } from './support/worst.ts';

const at = temporaryFolder();
const kinds = ['OV', 'QK'] as const;

describe.each(everyModel.map((model, i) => [model.title, model, i] as const))('%s', (_, subject, i) => {
  const { config, tensors, layers, heads, kvHeads, dModel, dHead, options, attention, centred } = subject;
  let path: string;
  const opened: Checkpoint[] = [];
  const open = async (more: CheckpointOptions = {}) => {
    const model = await openCheckpoint(path, { ...options, ...more });
    opened.push(model);
    return model;
  };
  beforeAll(() => {
    path = writeCheckpoint(at(String(i)), config, tensors, { dtype: i % 2 ? 'F16' : 'BF16', shards: 3 });
  });
  afterAll(async () => {
    for (const model of opened) await model.close();
  });

  it('has the sizes and names of its model', async () => {
    const model = await open();
    expect(model).toMatchObject({ modelType: config.model_type, layers, heads, kvHeads, dModel, dHead });
    expect([model.embedding, model.unembedding]).toEqual([subject.embedding, subject.unembedding]);
    expect(model.qkNormGains).toBe(subject.qkNormGains ?? false);
  });

  it.each<CheckpointOptions>([
    {},
    { foldNorms: true },
    { biases: true },
    { foldNorms: true, biases: true, ...(centred && { centerWriting: true }) },
  ])('has the circuits of its forward pass with %o', async (state) => {
    const model = await open(state);
    expect(model.state).toMatchObject(state);
    expect(worst(model, subject, state)).toBeLessThan(1);
  });

  if (!centred)
    it('has no writing to centre', async () => {
      const error = await rejectionOf(openCheckpoint(path, { ...options, centerWriting: true }));
      checkError(error, 'ERR_SVD_ARGUMENT', 'centerWriting', String(config.model_type));
    });

  if (attention(0).rotate)
    it('has the scores of queries and keys at other positions', async () => {
      const model = await open();
      for (const offset of [3, -2, 0]) expect(await worstRotated(model, subject, offset)).toBeLessThan(1);
      const state = { foldNorms: true, biases: true };
      expect(await worstRotated(await open(state), subject, 5, state)).toBeLessThan(1);
    });
  else
    it('does not rotate', async () => {
      const error = await rejectionOf((await open()).circuit('QK', { rotaryOffset: 1 }));
      checkError(error, 'ERR_SVD_ARGUMENT', 'rotaryOffset', String(config.model_type));
    });

  it('is the same read and decomposed by layers', async () => {
    const model = await open({ foldNorms: true });
    for (const kind of kinds) {
      const layer = layers - 1;
      const part = await model.circuit(kind, { layers: [layer, layers] });
      const sizes = [dModel, heads, dHead] as const;
      expect(disagreement(part, [0], attention(layer), kind, sizes, { foldNorms: true })).toBeLessThan(1);
      for await (const { layer: n, svd } of model.decompose(kind, { layers: [layer, layers] })) {
        expect(n).toBe(layer);
        checkSvd(part.at(0), svd);
      }
    }
  });
});

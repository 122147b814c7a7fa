import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeCheckpoint } from './support/checkpoints.ts';
import { everyModel } from './support/models/index.ts';
import { llama3Frequencies, llamaLike } from './support/models/llama.ts';
import { inverseFrequencies } from './support/reference.ts';
import { worst, worstRotated } from './support/worst.ts';

const at = temporaryFolder();

describe('rotations that are scaled', () => {
  const llama3 = {
    factor: 4,
    low_freq_factor: 1,
    high_freq_factor: 3,
    original_max_position_embeddings: 120, // so that of 4 frequencies 1 is kept, 1 is between, 2 are divided
  };
  const opened = async (title: string, config: Record<string, unknown>, frequencies: readonly number[]) => {
    const subject = llamaLike({ type: 'llama', dHead: 8, config, frequencies: () => frequencies });
    return {
      subject,
      model: await openCheckpoint(writeCheckpoint(at(title), subject.config, subject.tensors)),
    };
  };
  const plain = inverseFrequencies(8);

  it.each<[string, Record<string, unknown>, readonly number[]]>([
    ['linear', { rope_scaling: { type: 'linear', factor: 2 } }, plain.map((f) => f / 2)],
    [
      'linear, by its newer name',
      { rope_scaling: { rope_type: 'linear', factor: 2 } },
      plain.map((f) => f / 2),
    ],
    ['llama3', { rope_scaling: { rope_type: 'llama3', ...llama3 } }, llama3Frequencies(plain, llama3)],
    [
      'llama3 among rope_parameters',
      { rope_parameters: { rope_type: 'llama3', rope_theta: 500, ...llama3 } },
      llama3Frequencies(inverseFrequencies(8, 500), llama3),
    ],
    ['default', { rope_theta: 50, rope_scaling: { rope_type: 'default' } }, inverseFrequencies(8, 50)],
    ['null', { rope_scaling: null }, plain],
  ])('%s', async (title, config, frequencies) => {
    const { model, subject } = await opened(title, config, frequencies);
    for (const offset of [9, -1]) expect(await worstRotated(model, subject, offset)).toBeLessThan(1);
    await model.close();
  });

  it('llama3 keeps, blends and divides', () => {
    const shares = llama3Frequencies(plain, llama3).map((f, i) => f / plain[i]);
    expect(shares).toEqual([1, expect.closeTo(0.59, 2), 0.25, 0.25]);
  });

  it.each(['yarn', 'longrope', 'su', 'dynamic'])(
    '%s is refused, but only where QK is rotated',
    async (type) => {
      const config = { rope_scaling: { type, factor: 2 } };
      const { model, subject } = await opened(type, config, plain);
      expect(worst(model, subject, {})).toBeLessThan(1);
      checkError(
        await rejectionOf(model.circuit('QK', { rotaryOffset: 1 })),
        'ERR_SVD_ARGUMENT',
        'rotaryOffset',
        type,
      );
      await model.close();
    },
  );

  it('a scaling of some layers alone is refused before anything is read', async () => {
    const subject = everyModel.find(({ title }) => title === 'gemma3_text')!;
    const config = { ...subject.config, rope_scaling: { rope_type: 'yarn', factor: 8 } };
    await using model = await openCheckpoint(writeCheckpoint(at('some'), config, subject.tensors));
    checkError(await rejectionOf(model.circuit('QK', { rotaryOffset: 1 })), 'ERR_SVD_ARGUMENT', 'yarn');
    const local = await model.circuit('QK', { rotaryOffset: 1, layers: [0, 5] }); // layer 5 is the first that is global
    expect(local.shape[0]).toBe(5);
  });
});

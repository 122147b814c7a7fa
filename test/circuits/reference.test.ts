import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeCheckpoint } from './support/checkpoints.ts';
import { t5 } from './support/models/encoders.ts';
import { gpt2, gptNeoX } from './support/models/gpt.ts';
import { everyModel } from './support/models/index.ts';
import { llamaLike } from './support/models/llama.ts';
import type { Model } from './support/models/model.ts';
import {
  type Attention,
  inverseFrequencies,
  layerNorm,
  type Question,
  rmsNorm,
  rotateEveryTwo,
  rotateHalf,
} from './support/reference.ts';
import { worst, worstRotated } from './support/worst.ts';

const at = temporaryFolder();

describe('the reference is strict: it refuses', () => {
  const llama = llamaLike({ type: 'llama', config: {} });
  const gemma = everyModel.find(({ title }) => title === 'gemma3_text')!;
  const neox = gptNeoX();
  const cross = t5('cross');
  const gpt = gpt2({ layers: 2 });
  const folded = { foldNorms: true };
  const projected =
    (of: (heads: ReturnType<Attention['project']>) => ReturnType<Attention['project']>) =>
    (attention: Attention): Attention => ({ ...attention, project: (x) => of(attention.project(x)) });
  const normed =
    (norm: (attention: Attention, n: number) => Attention['norm']) =>
    (attention: Attention, n: number): Attention => ({ ...attention, norm: norm(attention, n) });
  const zero = (d: number) => new Array<number>(d).fill(0);

  it.each<[string, Model, Question, (attention: Attention, layer: number) => Attention]>([
    ['queries for keys', gpt, {}, projected(({ q, k, v }) => ({ q: k, k: q, v }))],
    ['keys for values', gpt, {}, projected(({ q, k, v }) => ({ q, k: v, v: k }))],
    ['the next head', gpt, {}, projected(({ q, k, v }) => ({ q: [...q.slice(1), q[0]], k, v }))],
    [
      'q, k, v one after the other, where they take turns',
      neox,
      {},
      projected(({ q, k, v }) => {
        const rows = q.flatMap((_, h) => [q[h], k[h], v[h]]);
        return { q: rows.slice(0, 3), k: rows.slice(3, 6), v: rows.slice(6) };
      }),
    ],
    [
      'keys that heads share in turn',
      llama,
      {},
      projected(({ q, k, v }) => ({ q, k: k.map((_, h) => k[(h % 2) * 3]), v })),
    ],
    ['another layer', gpt, {}, (_, n) => gpt.attention(1 - n)],
    ['no norm', gpt, folded, normed(() => (x) => x)],
    ['the norm of the MLP', gpt, folded, normed((_, n) => layerNorm(gpt.tensors, `h.${n}.ln_2`))],
    ['the mean', gpt, folded, normed((_, n) => rmsNorm(gpt.tensors, `h.${n}.ln_1`))],
    [
      'a norm without its bias',
      gpt,
      { ...folded, biases: true },
      normed(({ norm }) => (x) => {
        const bias = norm(zero(x.length));
        return norm(x).map((value, i) => value - bias[i]);
      }),
    ],
    [
      'w for 1 + w',
      gemma,
      folded,
      normed(
        ({ norm }) =>
          (x) =>
            norm(x).map((value, i) => value - x[i]),
      ),
    ],
    [
      'queries and keys without their norms',
      gemma,
      {},
      (attention) => ({ ...attention, qNorm: (x) => x, kNorm: (x) => x }),
    ],
    ['normed keys from elsewhere', cross, folded, (attention) => ({ ...attention, cross: false })],
  ])('%s', async (title, subject, question, mistaken) => {
    const path = writeCheckpoint(at(`mistake ${title}`), subject.config, subject.tensors);
    await using model = await openCheckpoint(path, { ...subject.options, ...question });
    expect(worst(model, subject, question)).toBeLessThan(1);
    expect(worst(model, subject, question, (n) => mistaken(subject.attention(n), n))).toBeGreaterThan(1000);
  });

  it.each<[string, Model, (n: number) => Attention['rotate']]>([
    ['pairs of neighbours', llama, () => rotateEveryTwo(inverseFrequencies(4))],
    ['a turn the other way', llama, () => rotateHalf(inverseFrequencies(4).map((f) => -f))],
    ['all of a head', neox, () => rotateHalf(inverseFrequencies(2, 500))],
    ['the rotation of local layers in all', gemma, () => rotateHalf(inverseFrequencies(4, 50))],
  ])('%s', async (title, subject, rotate) => {
    const path = writeCheckpoint(at(`turn ${title}`), subject.config, subject.tensors);
    await using model = await openCheckpoint(path);
    expect(await worstRotated(model, subject, 2)).toBeLessThan(1);
    const wrong = { ...subject, attention: (n: number) => ({ ...subject.attention(n), rotate: rotate(n) }) };
    expect(await worstRotated(model, wrong, 2)).toBeGreaterThan(1000);
  });
});

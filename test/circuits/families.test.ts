import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, type CheckpointOptions, openCheckpoint } from '../../lib/circuits/index.ts';
import { checkError, checkSvd, rejectionOf } from '../support/checks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { writeCheckpoint } from './support/checkpoints.ts';
import { t5, whisper } from './support/models/encoders.ts';
import { gpt2, gptNeoX } from './support/models/gpt.ts';
import { everyModel } from './support/models/index.ts';
import { llama3Frequencies, llamaLike } from './support/models/llama.ts';
import type { Model } from './support/models/model.ts';
import { transformerLens } from './support/models/transformer-lens.ts';
import {
  type Attention,
  disagreement,
  inverseFrequencies,
  layerNorm,
  type Question,
  rmsNorm,
  rotateEveryTwo,
  rotateHalf,
} from './support/reference.ts';

const at = temporaryFolder();
const kinds = ['OV', 'QK'] as const;

/** How far the circuits of a checkpoint are from a reference; 1 is what rounding to float32 allows. */
function worst(model: Checkpoint, subject: Model, question: Question, attention = subject.attention): number {
  const { dModel, heads, dHead, layers } = subject;
  const each = kinds.flatMap((kind) =>
    Array.from({ length: layers }, (_, n) =>
      disagreement(model[kind], [n], attention(n), kind, [dModel, heads, dHead], question),
    ),
  );
  return Math.max(...each);
}

/** The same of QK rotated. */
async function worstRotated(
  model: Checkpoint,
  subject: Model,
  rotaryOffset: number,
  question: Question = {},
) {
  const { dModel, heads, dHead, layers } = subject;
  const QK = await model.circuit('QK', { rotaryOffset });
  const each = Array.from({ length: layers }, (_, n) =>
    disagreement(QK, [n], subject.attention(n), 'QK', [dModel, heads, dHead], { ...question, rotaryOffset }),
  );
  return Math.max(...each);
}

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
    { foldNorms: true, biases: true },
    ...(centred ? [{ centerWriting: true }, { foldNorms: true, biases: true, centerWriting: true }] : []),
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

describe('a layout that is declared', () => {
  const gpt = gpt2({ layers: 2 });
  const neox = gptNeoX();
  const llama = llamaLike({ type: 'llama', config: {} });
  const lens = transformerLens({ kvHeads: 2 });
  const layernorm = (name: string) => ({ name, kind: 'layer' as const });

  it.each<[string, Model, NonNullable<CheckpointOptions['layout']>]>([
    [
      'conv1d',
      gpt,
      {
        heads: 3,
        dModel: 15,
        layer: 'h.N.',
        attention: { qkv: 'attn.c_attn', o: 'attn.c_proj', stored: 'conv1d' },
        norm: layernorm('ln_1'),
        embedding: 'wte',
      },
    ],
    [
      'packed by groups',
      neox,
      {
        layers: 3,
        heads: 3,
        dModel: 15,
        layer: 'gpt_neox.layers.N.attention.',
        attention: { qkv: 'query_key_value', o: 'dense', order: 'groups' },
      },
    ],
    [
      'separate',
      llama,
      {
        heads: 6,
        kvHeads: 2,
        dModel: 11,
        dHead: 4,
        layer: 'model.layers.N.',
        attention: {
          q: 'self_attn.q_proj',
          k: 'self_attn.k_proj',
          v: 'self_attn.v_proj',
          o: 'self_attn.o_proj',
        },
        norm: { name: 'input_layernorm', kind: 'rms' },
        embedding: 'model.embed_tokens',
        unembedding: 'lm_head',
      },
    ],
    [
      'one matrix for each head',
      lens,
      {
        heads: 4,
        kvHeads: 2,
        dModel: 10,
        dHead: 3,
        layer: 'blocks.N.',
        attention: {
          q: 'attn.W_Q',
          k: 'attn.W_K',
          v: 'attn.W_V',
          o: 'attn.W_O',
          stored: 'heads',
          biasNames: { q: 'attn.b_Q', k: 'attn.b_K', v: 'attn.b_V', o: 'attn.b_O' },
        },
        norm: layernorm('ln1'),
        embedding: 'embed.W_E',
      },
    ],
  ])('%s', async (title, subject, layout) => {
    const path = writeCheckpoint(at(`declared ${title}`), { model_type: 'of my own' }, subject.tensors, {
      shards: 2,
    });
    for (const state of [{}, { biases: true, ...(layout.norm && { foldNorms: true }) }]) {
      await using model = await openCheckpoint(path, { layout, ...state });
      const { layers, heads, kvHeads, dModel, dHead } = subject;
      expect(model).toMatchObject({ modelType: 'declared', layers, heads, kvHeads, dModel, dHead });
      if (layout.embedding) expect(model.embedding).toBe(subject.embedding);
      expect(worst(model, subject, state)).toBeLessThan(1);
    }
  });
});

describe.each([4, 2, 1])("a file in TransformerLens' names, %i keys", (kvHeads) => {
  const subject = transformerLens({ kvHeads });
  it('has the circuits of its forward pass', async () => {
    const folder = writeCheckpoint(at(`lens ${kvHeads}`), undefined, subject.tensors);
    const states = [{}, { foldNorms: true, biases: true, centerWriting: true }];
    for (const path of [folder, join(folder, 'model.safetensors')])
      for (const state of states) {
        await using model = await openCheckpoint(path, state);
        expect(model).toMatchObject({ modelType: 'transformer_lens', layers: 2, heads: 4, kvHeads });
        expect([model.embedding, model.unembedding]).toEqual(['embed.W_E', 'unembed.W_U']);
        expect(worst(model, subject, state)).toBeLessThan(1);
      }
  });
});

describe('sizes that config.json leaves out', () => {
  it.each<[string, Model, string[]]>([
    [
      'gemma',
      llamaLike({
        type: 'gemma',
        heads: 16,
        kvHeads: 16,
        dHead: 256,
        dModel: 3,
        layers: 1,
        plus: 1,
        tied: true,
        config: {},
      }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'gemma3',
      llamaLike({
        type: 'gemma3',
        wrapped: true,
        prefix: 'language_model.model.',
        qkNorm: true,
        plus: 1,
        tied: true,
        heads: 8,
        kvHeads: 4,
        dHead: 256,
        dModel: 3,
        layers: 1,
        config: {},
      }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'mixtral',
      llamaLike({ type: 'mixtral', heads: 32, kvHeads: 8, dHead: 1, dModel: 32, config: {} }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    [
      'qwen2',
      llamaLike({ type: 'qwen2', heads: 32, kvHeads: 32, dHead: 1, dModel: 32, bias: 'qkv', config: {} }),
      ['num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ],
    ['t5', t5('decoder'), ['num_decoder_layers']],
  ])('%s', async (_, { config, tensors, layers, heads, kvHeads, dHead, options, title }, absent) => {
    const isAbsent = ([key]: [string, unknown]) => !absent.includes(key);
    const without = (x: object) => Object.fromEntries(Object.entries(x).filter(isAbsent));
    const text = config.text_config as object | undefined;
    const shorter = text ? { ...config, text_config: without(text) } : without(config);
    const whole = title.startsWith('t5') ? { ...shorter, num_layers: 3 } : shorter;
    await using model = await openCheckpoint(writeCheckpoint(at(`absent ${title}`), whole, tensors), options);
    expect(model).toMatchObject({ layers, heads, kvHeads, dHead });
  });
});

it('float64 stays float64', async () => {
  const subject = whisper('cross');
  const path = writeCheckpoint(at('float64'), subject.config, subject.tensors, { dtype: 'F64' });
  await using model = await openCheckpoint(path, { stack: 'cross', foldNorms: true, biases: true });
  expect(model.OV.svdvals().dtype).toBe('float64');
  const question = { foldNorms: true, biases: true };
  expect(worst(model, subject, question)).toBeLessThan(2 ** -20);
});

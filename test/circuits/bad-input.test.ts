import {
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type CheckpointOptions, openCheckpoint } from '../../lib/circuits/index.ts';
import type { SvdErrorCode } from '../../lib/index.ts';
import { checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type CheckpointTensor, type Tensors, tinyLlama, writeCheckpoint } from './support/checkpoints.ts';
import { bert, t5 } from './support/models/encoders.ts';
import { falcon } from './support/models/falcon.ts';
import { gpt2, gptJ, gptNeoX, opt } from './support/models/gpt.ts';
import { llamaLike, phi } from './support/models/llama.ts';
import type { Model } from './support/models/model.ts';
import { transformerLens } from './support/models/transformer-lens.ts';

const at = temporaryFolder();
let folder: string;
let count = 0;
beforeEach(() => {
  folder = at(`${count++}`);
});

const descriptors = () => readdirSync('/proc/self/fd').length;

/** That the checkpoint is refused when it is opened, for what `says` says, and leaves nothing open. */
async function refused(
  path: string,
  code: SvdErrorCode,
  says: readonly (string | RegExp)[],
  options?: CheckpointOptions,
): Promise<void> {
  const before = process.platform === 'linux' ? descriptors() : 0;
  const error = await rejectionOf(openCheckpoint(path, options));
  checkError(error, code, ...says);
  expect(error.message.split('\n')).toHaveLength(1);
  if (process.platform === 'linux') expect(descriptors()).toBe(before);
}

const llama = llamaLike({ type: 'llama', config: {} });
const without = (tensors: Tensors, ...names: string[]): Tensors =>
  Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.includes(name)));
const tensor = (shape: number[], dtype?: CheckpointTensor['dtype']): CheckpointTensor => ({
  shape,
  data: new Float64Array(shape.reduce((n, m) => n * m, 1)).fill(dtype === 'I64' ? 1 : 0.5),
  dtype,
});

describe('files', () => {
  const shard = (i: number) => join(folder, `model-0000${i}-of-00003.safetensors`);
  const index = () => join(folder, 'model.safetensors.index.json');
  const weightMap = (): Record<string, string> => JSON.parse(readFileSync(index(), 'utf8')).weight_map;
  const writeMap = (weight_map: object) =>
    writeFileSync(index(), JSON.stringify({ metadata: {}, weight_map }));
  beforeEach(() => {
    writeCheckpoint(folder, llama.config, llama.tensors, { shards: 3 });
  });

  it('a shard that is missing', async () => {
    unlinkSync(shard(2));
    await refused(folder, 'ERR_SVD_FILE', [/00002-of-00003/, /ENOENT|no such/]);
  });
  it('a shard that is cut short', async () => {
    truncateSync(shard(2), readFileSync(shard(2)).length - 1);
    await refused(folder, 'ERR_SVD_FILE', [/00002-of-00003/]);
  });
  it('a shard that is empty', async () => {
    truncateSync(shard(3), 0);
    await refused(folder, 'ERR_SVD_FILE', [/00003-of-00003/]);
  });
  it.each(['../elsewhere.safetensors', '/etc/passwd', 'C:\\x.safetensors', ''])(
    'an index that names %j',
    async (file) => {
      writeMap({ ...weightMap(), 'model.norm.weight': file });
      await refused(folder, 'ERR_SVD_FILE', ['model.safetensors.index.json', 'outside the folder']);
    },
  );
  it('an index that names a tensor that no shard has', async () => {
    writeMap({ ...weightMap(), 'model.layers.0.self_attn.x': 'model-00001-of-00003.safetensors' });
    await refused(folder, 'ERR_SVD_FILE', ['model.layers.0.self_attn.x', 'no shard has it']);
  });
  it('a tensor in two shards', async () => {
    writeFileSync(shard(2), readFileSync(shard(1)));
    await refused(folder, 'ERR_SVD_FILE', ['is also in']);
  });
  it('an index that is not JSON', async () => {
    writeFileSync(index(), '{"weight_map":');
    await refused(folder, 'ERR_SVD_FILE', ['bad index']);
  });
  it('nothing at all', async () => {
    await refused(join(folder, 'nowhere'), 'ERR_SVD_FILE', ['nowhere']);
  });
});

describe('config.json', () => {
  const config = () => join(folder, 'config.json');
  beforeEach(() => {
    writeCheckpoint(folder, llama.config, llama.tensors);
  });

  it('missing', async () => {
    unlinkSync(config());
    await refused(folder, 'ERR_SVD_FILE', [
      'config.json',
      'TransformerLens',
      'model.norm.weight',
      'layout: {',
    ]);
  });
  it.each<[string, string, string | RegExp]>([
    ['not JSON', '{"model_type": ', 'is not JSON'],
    ['empty', '', 'is not JSON'],
    ['a list', '[1]', 'expected an object'],
    ['null', 'null', 'expected an object'],
    ['a number for model_type', '{"model_type": 7}', /model_type.*expected a string.*7/],
    ['a list for model_type', '{"model_type": ["llama"]}', /model_type.*expected a string/],
    ['no model_type', '{"hidden_size": 7}', /model_type.*missing.*model\.norm\.weight.*layout: \{/],
    ['null for model_type', '{"model_type": null}', /model_type.*missing/],
    ...['__proto__', 'constructor', 'toString', 'mamba', 'Llama', ''].map(
      (name) =>
        [
          `${name} for model_type`,
          JSON.stringify({ model_type: name }),
          /not one of the models that are known \(gpt2, .*model\.norm\.weight.*layout: \{/,
        ] as [string, string, RegExp],
    ),
    ['a name on several lines', JSON.stringify({ model_type: 'a\nb\u001b[31m' }), /not one of/],
    [
      'a text for a count',
      JSON.stringify({ ...llama.config, num_hidden_layers: '2' }),
      /num_hidden_layers.*positive integer.*'2'/,
    ],
    [
      'half a head',
      JSON.stringify({ ...llama.config, num_attention_heads: 1.5 }),
      /num_attention_heads.*positive integer.*1\.5/,
    ],
    [
      'no heads',
      JSON.stringify({ ...llama.config, num_attention_heads: 0 }),
      /num_attention_heads.*positive integer.*0/,
    ],
    [
      'fewer than no layers',
      JSON.stringify({ ...llama.config, num_hidden_layers: -1 }),
      /num_hidden_layers.*positive integer.*-1/,
    ],
    [
      'infinitely many layers',
      '{"model_type": "llama", "num_hidden_layers": 1e999}',
      /num_hidden_layers.*positive integer.*Infinity/,
    ],
    [
      'a text for a flag',
      JSON.stringify({ ...llama.config, attention_bias: 'yes' }),
      /attention_bias.*true or false.*'yes'/,
    ],
  ])('%s', async (_, text, says) => {
    writeFileSync(config(), text);
    await refused(folder, 'ERR_SVD_FILE', ['config.json', says]);
  });
  it('huge', async () => {
    truncateSync(config(), 2 ** 40);
    await refused(folder, 'ERR_SVD_FILE', ['config.json', 'bytes; at most']);
  });
  it('no regular file', async () => {
    rmSync(config());
    symlinkSync('/dev/zero', config());
    await refused(folder, 'ERR_SVD_FILE', ['config.json', 'not a regular file']);
    rmSync(config());
  });
  it('a gemma3 whose text_config is a text', async () => {
    writeFileSync(config(), '{"model_type": "gemma3", "text_config": "x"}');
    await refused(folder, 'ERR_SVD_FILE', [/text_config.*expected an object/]);
  });
});

describe('a config that contradicts the tensors', () => {
  const [q, k, o] = ['q', 'k', 'o'].map((part) => `model.layers.1.self_attn.${part}_proj`);
  const gemma3 = llamaLike({ type: 'gemma3_text', plus: 1, qkNorm: true, tied: true, config: {} });
  const oldFalcon = { title: '', heads: 4, order: 'multi-query' as const };

  it.each<[string, Model, Record<string, unknown>, Tensors | undefined, (string | RegExp)[]]>([
    [
      'more layers than there are',
      llama,
      { num_hidden_layers: 3 },
      undefined,
      ['model.layers.2.', '3 layers'],
    ],
    [
      'fewer layers than there are',
      llama,
      { num_hidden_layers: 1 },
      undefined,
      ['model.layers.1.', '1 layer'],
    ],
    [
      'a layer in the middle missing',
      llama,
      { num_hidden_layers: 2 },
      without(llama.tensors, `${q}.weight`),
      [`${q}.weight`],
    ],
    ['a thousand million layers', llama, { num_hidden_layers: 1e9 }, undefined, ['model.layers.2.']],
    [
      'more heads',
      llama,
      { num_attention_heads: 8 },
      undefined,
      ['self_attn.q_proj.weight', '[24, 11]', '[32, 11]'],
    ],
    [
      'another number of keys',
      llama,
      { num_key_value_heads: 3 },
      undefined,
      ['self_attn.k_proj.weight', '[8, 11]', '[12, 11]'],
    ],
    ['keys that heads cannot share evenly', llama, { num_key_value_heads: 4 }, undefined, ['6 heads', '4']],
    ['a width of heads that does not divide', llama, { head_dim: undefined }, undefined, ['11', '6']],
    [
      'another width',
      llama,
      { hidden_size: 12 },
      undefined,
      ['self_attn.q_proj.weight', '[24, 11]', '[24, 12]'],
    ],
    [
      'an output of another width',
      llama,
      {},
      {
        ...llama.tensors,
        'model.layers.0.self_attn.o_proj.weight': tensor([7, 24]),
        'model.layers.1.self_attn.o_proj.weight': tensor([7, 24]),
      },
      ['o_proj.weight', '[7, 24]', '[11, 24]'],
    ],
    [
      'a layer of another width',
      llama,
      {},
      { ...llama.tensors, [`${o}.weight`]: tensor([11, 20]) },
      [`${o}.weight`, '[11, 20]', '[11, 24]'],
    ],
    [
      'a tensor with an axis too many',
      llama,
      {},
      { ...llama.tensors, [`${q}.weight`]: tensor([1, 24, 11]) },
      [`${q}.weight`, '[1, 24, 11]'],
    ],
    ['biases that it does not have', llama, { attention_bias: true }, undefined, ['bias', 'q_proj']],
    [
      'biases that it has',
      llama,
      {},
      { ...llama.tensors, 'model.layers.0.self_attn.q_proj.bias': tensor([24]) },
      ['self_attn.q_proj.bias', 'no such bias'],
    ],
    [
      'a bias in one layer alone',
      llama,
      {},
      { ...llama.tensors, [`${k}.bias`]: tensor([8]) },
      [`${k}.bias`, 'no such bias'],
    ],
    [
      'a bias of another length',
      gpt2({ layers: 1 }),
      {},
      { ...gpt2({ layers: 1 }).tensors, 'h.0.attn.c_attn.bias': tensor([44]) },
      ['h.0.attn.c_attn.bias', '[44]', '[45]'],
    ],
    [
      'no norm',
      llama,
      {},
      without(llama.tensors, 'model.layers.0.input_layernorm.weight'),
      ['input_layernorm.weight'],
    ],
    [
      'a norm of another length',
      llama,
      {},
      { ...llama.tensors, 'model.layers.1.input_layernorm.weight': tensor([12]) },
      ['layers.1.input_layernorm.weight', '[12]', '[11]'],
    ],
    [
      'a norm with weights that it has not',
      opt({ affine: false }),
      { layer_norm_elementwise_affine: true },
      undefined,
      ['self_attn_layer_norm'],
    ],
    [
      'no norm of queries',
      gemma3,
      {},
      without(gemma3.tensors, 'model.layers.0.self_attn.q_norm.weight'),
      ['q_norm'],
    ],
    ['a layout of layers that is none', gemma3, { layer_types: 'all' }, undefined, ['layer_types']],
    ['types of too few layers', gemma3, { layer_types: ['full_attention'] }, undefined, ['layer_types', '2']],
    [
      'types of layers that there are not',
      gemma3,
      { layer_types: ['full_attention', 'linear_attention'] },
      undefined,
      ['layer_types', 'linear_attention'],
    ],
    ['turns of more numbers than a head has', gptJ(), { rotary_dim: 8 }, undefined, ['rotary', '8', '7']],
    [
      'more than all of a head turned',
      phi(),
      { partial_rotary_factor: 1.5 },
      undefined,
      ['rotary', '10', '7'],
    ],
    [
      'a file of the new order under the old',
      falcon({ ...oldFalcon, heads: 6, order: 'new', groups: 2, config: {} }),
      { model_type: 'falcon', num_hidden_layers: 2, num_attention_heads: 6 },
      undefined,
      ['query_key_value.weight', '[40, 24]', '[32, 24]'],
    ],
    [
      'another model',
      llama,
      { model_type: 'gpt2' },
      undefined,
      ['attn.c_attn.weight', 'model.embed_tokens.weight'],
    ],
    ['the stack of an encoder alone', bert(), { model_type: 't5' }, undefined, ['SelfAttention.q.weight']],
  ])('%s', async (_, { config, tensors, options }, change, others, says) => {
    writeCheckpoint(folder, { ...config, ...change }, others ?? tensors, { shards: 2 });
    await refused(folder, 'ERR_SVD_FILE', says, options);
  });

  it.each([['5.5', { model_type: 'llama', num_attention_heads: 2, hidden_size: 11, num_hidden_layers: 2 }]])(
    'heads of %s numbers',
    async (_, config) => {
      writeCheckpoint(folder, config, llama.tensors);
      await refused(folder, 'ERR_SVD_FILE', ['11', '2 heads']);
    },
  );
});

describe('weights that are not floats', () => {
  const name = 'model.layers.0.self_attn.q_proj';
  it('integers in the place of floats', async () => {
    writeCheckpoint(folder, llama.config, { ...llama.tensors, [`${name}.weight`]: tensor([24, 11], 'U8') });
    await refused(folder, 'ERR_SVD_FILE', [`${name}.weight`, 'U8', 'quantized']);
  });
  it.each([
    ['GPTQ', ['qweight', 'qzeros', 'scales']],
    ['compressed-tensors', ['weight_packed', 'weight_scale']],
  ])('%s: tensors by other names', async (_, parts) => {
    const packed = Object.fromEntries(parts.map((part) => [`${name}.${part}`, tensor([2, 2], 'I64')]));
    writeCheckpoint(folder, llama.config, { ...without(llama.tensors, `${name}.weight`), ...packed });
    await refused(folder, 'ERR_SVD_FILE', ['q_proj', parts[0], 'quantized']);
  });
  it('bitsandbytes: half as many bytes', async () => {
    const packed = {
      [`${name}.weight`]: tensor([132, 1], 'U8'),
      [`${name}.weight.absmax`]: tensor([5], 'F32'),
    };
    writeCheckpoint(folder, llama.config, { ...llama.tensors, ...packed });
    await refused(folder, 'ERR_SVD_FILE', [`${name}.weight`, 'U8', 'quantized']);
  });
});

describe('numbers that are none', () => {
  const spoilt = (name: string, i: number, value: number): Tensors => {
    const data = Float64Array.from(llama.tensors[name].data);
    data[i] = value;
    return { ...llama.tensors, [name]: { shape: llama.tensors[name].shape, data } };
  };

  it('in a norm: when it is folded', async () => {
    const name = 'model.layers.1.input_layernorm.weight';
    writeCheckpoint(folder, llama.config, spoilt(name, 3, Number.NaN));
    await refused(folder, 'ERR_SVD_NON_FINITE', [name, 'NaN', '[3]'], { foldNorms: true });
    await using model = await openCheckpoint(folder);
    expect(model.OV.svdvals().shape).toEqual([2, 6, 4]);
  });

  it.each([
    ['q_proj', 'QK', 4],
    ['v_proj', 'OV', 3],
  ] as const)('in %s: the layer and the first head', async (part, kind, head) => {
    const row = part === 'q_proj' ? 4 * 4 : 4; // heads 3, 4 and 5 read the second key
    writeCheckpoint(
      folder,
      llama.config,
      spoilt(`model.layers.1.self_attn.${part}.weight`, row * 11, Number.NaN),
    );
    await using model = await openCheckpoint(folder);
    const layers = model.decompose(kind);
    expect((await layers.next()).value?.layer).toBe(0);
    const error = await rejectionOf(layers.next());
    checkError(error, 'ERR_SVD_NON_FINITE', folder, `layer 1, head ${head}`);
    expect(error.batchIndex).toEqual([1, head]);
    const whole = errorOf(() => model[kind].svd());
    checkError(whole, 'ERR_SVD_NON_FINITE');
    expect(whole.batchIndex).toEqual([1, head]);
  });

  it('one more than a float16 can hold', async () => {
    writeCheckpoint(folder, llama.config, spoilt('model.layers.0.self_attn.o_proj.weight', 0, Infinity));
    await using model = await openCheckpoint(folder);
    checkError(await rejectionOf(model.decompose('OV').next()), 'ERR_SVD_NON_FINITE', 'layer 0, head 0');
  });
});

describe('a layout that is declared wrongly', () => {
  const right = {
    heads: 6,
    kvHeads: 2,
    dModel: 11,
    dHead: 4,
    layer: 'model.layers.N.',
    attention: { q: 'self_attn.q_proj', k: 'self_attn.k_proj', v: 'self_attn.v_proj', o: 'self_attn.o_proj' },
  };
  const { attention } = right;
  const norm = { name: 'input_layernorm', kind: 'rms' };
  const packed = { qkv: 'self_attn.q_proj', o: 'self_attn.o_proj' };
  beforeEach(() => {
    writeCheckpoint(folder, { model_type: 'x' }, llama.tensors);
  });

  it('is not, here', async () => {
    const model = await openCheckpoint(folder, {
      layout: { ...right, norm: { name: 'input_layernorm', kind: 'rms' } },
    });
    await model.close();
  });

  it.each<[string, unknown, (string | RegExp)[]]>([
    ['a text', 'gpt2', ['layout']],
    ['null', null, ['layout']],
    ['a list', [], ['layout']],
    ['an unknown key', { ...right, head: 6 }, ["'head'", 'heads']],
    ['no heads', { ...right, heads: undefined }, ['heads', 'undefined']],
    ['heads as a text', { ...right, heads: '6' }, ['heads', "'6'"]],
    ['no width', { ...right, dModel: 0 }, ['dModel', '0']],
    ['half a key', { ...right, kvHeads: 1.5 }, ['kvHeads', '1.5']],
    ['a width of heads that is null', { ...right, dHead: null }, ['dHead', 'null']],
    ['no layers', { ...right, layers: 0 }, ['layers', '0']],
    ['no N', { ...right, layer: 'model.layers.0.' }, ['layer', 'N']],
    ['an N within a word', { ...right, layer: 'model.Norm.' }, ['layer', 'N']],
    ['two N', { ...right, layer: 'model.N.layers.N.' }, ['layer', 'N']],
    ['no layer', { ...right, layer: 7 }, ['layer', '7']],
    ['no attention', { ...right, attention: undefined }, ['attention']],
    ['attention as a list', { ...right, attention: [] }, ['attention']],
    [
      'an unknown key of attention',
      { ...right, attention: { ...attention, bias: 'q' } },
      ['attention', "'bias'"],
    ],
    ['no output', { ...right, attention: { ...attention, o: undefined } }, ['attention.o']],
    ['a query that is a number', { ...right, attention: { ...attention, q: 1 } }, ['attention.q', '1']],
    ['one tensor and three', { ...right, attention: { ...attention, ...packed } }, ['attention', 'qkv']],
    ['an order of three', { ...right, attention: { ...attention, order: 'groups' } }, ['attention', 'order']],
    ['an unknown order', { ...right, attention: { ...packed, order: 'kqv' } }, ['attention.order', "'kqv'"]],
    [
      'unknown storage',
      { ...right, attention: { ...attention, stored: 'rows' } },
      ['attention.stored', "'rows'"],
    ],
    ['one tensor by heads', { ...right, attention: { ...packed, stored: 'heads' } }, ['qkv']],
    [
      'names of biases that are no object',
      { ...right, attention: { ...attention, biasNames: 'b' } },
      ['biasNames'],
    ],
    [
      'unknown names of biases',
      { ...right, attention: { ...attention, biasNames: { x: 'b' } } },
      ['biasNames', "'x'"],
    ],
    [
      'a bias that is a number',
      { ...right, attention: { ...attention, biasNames: { q: 1 } } },
      ['biasNames.q', '1'],
    ],
    ['a norm that is a text', { ...right, norm: 'rms' }, ['norm', "'rms'"]],
    ['an unknown norm', { ...right, norm: { ...norm, kind: 'batch' } }, ['norm.kind', "'batch'"]],
    ['an unknown key of a norm', { ...right, norm: { ...norm, eps: 1 } }, ['norm', "'eps'"]],
    ['a norm named by a number', { ...right, norm: { ...norm, name: 1 } }, ['norm.name', '1']],
    ['plusOne that is 1', { ...right, norm: { ...norm, plusOne: 1 } }, ['norm.plusOne', '1']],
    ['a norm of queries alone', { ...right, qkNorm: { q: norm } }, ['qkNorm.k']],
    ['norms that are a text', { ...right, qkNorm: 'rms' }, ['qkNorm']],
    ['an unknown key of norms', { ...right, qkNorm: { q: norm, k: norm, v: norm } }, ['qkNorm', "'v'"]],
    ['centred as a text', { ...right, centred: 'yes' }, ['centred', "'yes'"]],
    ['an embedding that is a number', { ...right, embedding: 1 }, ['embedding', '1']],
    ['an unembedding that is a list', { ...right, unembedding: [] }, ['unembedding']],
  ])('%s', async (_, layout, says) => {
    await refused(folder, 'ERR_SVD_ARGUMENT', says, { layout: layout as CheckpointOptions['layout'] });
  });

  it.each<[string, unknown, (string | RegExp)[]]>([
    [
      'a tensor that is not there',
      { ...right, attention: { ...attention, q: 'self_attn.Q' } },
      ['model.layers.0.self_attn.Q'],
    ],
    [
      'layers that are not there',
      { ...right, layer: 'layers.N.' },
      ['layers.0.self_attn.o_proj', 'model.norm.weight'],
    ],
    ['more layers than there are', { ...right, layers: 3 }, ['model.layers.2.']],
    ['fewer layers than there are', { ...right, layers: 1 }, ['model.layers.1.']],
    ['other heads', { ...right, heads: 4, kvHeads: 2 }, ['q_proj.weight', '[24, 11]', '[16, 11]']],
    ['keys that do not divide', { ...right, kvHeads: 4 }, ['6 heads', '4']],
    ['no width of heads, where it is not dModel / heads', { ...right, dHead: undefined }, ['11', '6']],
    [
      'storage the other way round',
      { ...right, attention: { ...attention, stored: 'conv1d' } },
      ['q_proj.weight', '[24, 11]'],
    ],
    ['one tensor that is three', { ...right, attention: packed }, ['q_proj.weight', '[24, 11]', '[40, 11]']],
    ['a norm that is not there', { ...right, norm: { name: 'ln_1', kind: 'layer' } }, ['ln_1']],
    ['a bias that is not there', { ...right, attention: { ...attention, biasNames: { q: 'b_Q' } } }, ['b_Q']],
    ['an embedding that is not there', { ...right, embedding: 'wte' }, ['"wte"']],
    ['an unembedding that is not there', { ...right, unembedding: 'wte' }, ['"wte"']],
  ])('%s', async (_, layout, says) => {
    await refused(folder, 'ERR_SVD_FILE', says, { layout: layout as CheckpointOptions['layout'] });
  });
});

describe('options and arguments', () => {
  it.each<[string, unknown, (string | RegExp)[]]>([
    ['foldNorm', { foldNorm: true }, ["'foldNorm'", 'foldNorms']],
    ['fold_ln', { fold_ln: true }, ["'fold_ln'"]],
    ['centreWriting', { centreWriting: true }, ["'centreWriting'", 'centerWriting']],
    ['a flag that is 1', { foldNorms: 1 }, ['foldNorms', '1']],
    ['a text for a flag', { biases: 'yes' }, ['biases', "'yes'"]],
    ['an unknown stack', { stack: 'both' }, ['stack', "'both'"]],
    ['the stack of a model that has one', { stack: 'encoder' }, ['stack', 'llama']],
    ['centred writing under RMSNorm', { centerWriting: true }, ['centerWriting', 'llama']],
    ['no object', 7, ['7']],
  ])('%s', async (_, options, says) => {
    writeCheckpoint(folder, llama.config, llama.tensors);
    await refused(folder, 'ERR_SVD_ARGUMENT', says, options as CheckpointOptions);
  });

  it.each<[unknown, string]>([
    [undefined, 'path'],
    [null, 'path'],
    [7, 'path'],
    [{}, 'path'],
  ])('the path %j', async (path, says) => {
    checkError(await rejectionOf(openCheckpoint(path as string)), 'ERR_SVD_ARGUMENT', says);
  });

  it('a surplus argument', async () => {
    writeCheckpoint(folder, llama.config, llama.tensors);
    const open = openCheckpoint as (...args: unknown[]) => Promise<unknown>;
    checkError(await rejectionOf(open(folder, {}, 1)), 'ERR_SVD_ARGUMENT');
  });

  it('of circuit and decompose', async () => {
    const { config, tensors } = tinyLlama();
    await using model = await openCheckpoint(writeCheckpoint(folder, config, tensors));
    const wrong: [unknown, unknown, (string | RegExp)[]][] = [
      ['VO', {}, ["'VO'", "'OV' or 'QK'"]],
      [undefined, {}, ["'OV' or 'QK'"]],
      ['OV', { layer: 1 }, ["'layer'", 'layers']],
      ['OV', { layers: 1 }, ['layers']],
      ['OV', { layers: [0] }, ['layers']],
      ['OV', { layers: [1, 1] }, ['layers', '[1, 1]']],
      ['OV', { layers: [2, 1] }, ['layers', '[2, 1]']],
      ['OV', { layers: [0, 4] }, ['layers', '[0, 4]', '3']],
      ['OV', { layers: [-1, 2] }, ['layers', '[-1, 2]']],
      ['OV', { layers: [0.5, 2] }, ['layers']],
      ['OV', { rotaryOffset: 1 }, ['rotaryOffset', 'QK']],
      ['QK', { rotaryOffset: Number.NaN }, ['rotaryOffset', 'NaN']],
      ['QK', { rotaryOffset: '1' }, ['rotaryOffset', "'1'"]],
      ['QK', { signal: {} }, ['signal']],
    ];
    const { circuit, decompose } = model as unknown as Record<
      string,
      (...args: unknown[]) => Promise<unknown>
    >;
    for (const [kind, options, says] of wrong) {
      checkError(await rejectionOf(circuit.call(model, kind, options)), 'ERR_SVD_ARGUMENT', ...says);
      checkError(
        errorOf(() => decompose.call(model, kind, options)),
        'ERR_SVD_ARGUMENT',
        ...says,
      );
    }
    for (const rank of [-1, 1.5, '2'])
      checkError(
        errorOf(() => decompose.call(model, 'OV', { rank })),
        'ERR_SVD_ARGUMENT',
        'rank',
      );
    checkError(await rejectionOf(circuit.call(model, 'OV', {}, 1)), 'ERR_SVD_ARGUMENT');
  });

  it('an odd number of dimensions does not turn in pairs', async () => {
    const { config, tensors } = gptNeoX();
    await using model = await openCheckpoint(
      writeCheckpoint(folder, { ...config, rotary_pct: 0.6 }, tensors),
    );
    const error = await rejectionOf(model.circuit('QK', { rotaryOffset: 1 }));
    checkError(error, 'ERR_SVD_ARGUMENT', 'rotaryOffset', '3 numbers');
  });

  it('stops when its signal says so', async () => {
    const { config, tensors } = tinyLlama();
    await using model = await openCheckpoint(writeCheckpoint(folder, config, tensors));
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    expect(await rejectionOf(model.circuit('OV', { signal }))).toBe(reason);
    expect(await rejectionOf(model.decompose('OV', { signal }).next())).toBe(reason);
  });
});

it('a closed checkpoint reads no more, and what was read stays', async () => {
  writeCheckpoint(folder, llama.config, llama.tensors, { shards: 3 });
  const before = descriptors();
  const model = await openCheckpoint(folder);
  const S = model.OV.svdvals();
  await model.close();
  await model.close();
  expect(descriptors()).toBe(before);
  expect(model.OV.svdvals()).toEqual(S);
  checkError(
    errorOf(() => model.QK),
    'ERR_SVD_FILE',
    folder,
    'closed',
  );
  checkError(await rejectionOf(model.circuit('QK')), 'ERR_SVD_FILE', folder, 'closed');
  checkError(await rejectionOf(model.decompose('QK').next()), 'ERR_SVD_FILE', folder, 'closed');
});

it('a file in names like those of TransformerLens, of other shapes', async () => {
  const { tensors } = transformerLens();
  writeCheckpoint(folder, undefined, { ...tensors, 'blocks.1.attn.W_O': tensor([4, 10, 3]) });
  await refused(folder, 'ERR_SVD_FILE', ['blocks.1.attn.W_O', '[4, 10, 3]', '[4, 3, 10]']);
});

it('T5 without a decoder, of which the decoder is asked for', async () => {
  const { config, tensors } = t5('encoder');
  const encoder = Object.fromEntries(
    Object.entries(tensors).filter(([name]) => !name.startsWith('decoder.')),
  );
  writeCheckpoint(folder, config, encoder);
  await refused(folder, 'ERR_SVD_FILE', ['decoder.block.0.layer.0.SelfAttention.q.weight']);
  const model = await openCheckpoint(folder, { stack: 'encoder' });
  await model.close();
});

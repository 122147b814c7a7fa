import type { Config } from '../weights/config.ts';

// How the model families keep their attention: one entry for each, by the `model_type` of config.json. Names, orders and
// defaults are those of the models' own code in transformers. A tensor is named without `.weight`.

/** Which of Q, K, V and O have a bias: `'qkvo'`, `'qvo'`, … */
type Biases = string;

/** The norm in front of the attention, or of queries and keys. */
export interface Norm {
  /** Without a name it has no weights. */
  readonly name?: string;
  /** LayerNorm takes the mean away and has a bias; RMSNorm does neither. */
  readonly kind: 'layer' | 'rms';
  /** The weight is 1 + w. */
  readonly plusOne?: boolean;
}

/**
 * The rows (of `conv1d` the columns) of the three projections in one tensor: all of Q, then K, then V; or by groups of heads that
 * share a key: their queries, the key, the value. With as many keys as heads that is head by head.
 */
export type Order = 'Q|K|V' | 'groups';

/** The tensors of one attention, behind the prefix of its layer. */
export type Attention = {
  readonly o: string;
  /** `linear`: [out, in]. `conv1d`: [in, out]. `heads`: [heads, in, out], as TransformerLens keeps them. */
  readonly stored: 'linear' | 'conv1d' | 'heads';
  /** Where it is missing, those that the file has. */
  readonly bias?: Biases;
  /** Their names, where they are not those of the weights with another ending. */
  readonly biasNames?: Readonly<Partial<Record<'q' | 'k' | 'v' | 'o', string>>>;
} & (
  | { readonly q: string; readonly k: string; readonly v: string }
  | { readonly qkv: string; readonly order: Order }
);

/** Norms of queries and keys within a head. */
export interface QkNorm {
  /** Of the queries. */
  readonly q: Norm;
  /** Of the keys. */
  readonly k: Norm;
}

/** How queries and keys are rotated by their positions. */
export interface Rotary {
  /** How many of the dHead numbers are rotated. */
  readonly dims: number;
  /** Which two form a pair: k and k + dims/2, or 2k and 2k + 1. */
  readonly pairs: 'halves' | 'adjacent';
  /** The parameters of a layer. */
  readonly of: (layer: number) => { readonly config: Config; readonly theta: number };
}

/** What a family's entry says, for one config. */
export interface Family {
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; as many as queries where it is missing. */
  readonly kvHeads?: number;
  /** dModel / heads where it is missing. */
  readonly dHead?: number;
  readonly dModel: number;
  /** Width of what is written, where it is another one. */
  readonly dOut?: number;
  /** What may stand in front of all names, in the order in which they are tried. */
  readonly prefixes: readonly string[];
  /** In front of the names of layer N, with `N` in the place of its number. */
  readonly layer: string;
  readonly attention: Attention;
  /** What is folded into Q, K and V; missing where the stream is read as it is (post-norm). */
  readonly norm?: Norm | undefined;
  /** K and V read another stream, which this norm does not touch. */
  readonly cross?: boolean;
  /** Norms of queries and keys within a head. */
  readonly qkNorm?: QkNorm | undefined;
  readonly rotary?: Rotary | undefined;
  /** Whether LayerNorm, which does not see the mean of the stream, reads what the attention writes. */
  readonly centred: boolean;
  /** Behind the prefix. */
  readonly embedding?: string;
  /** As it stands in the file; the embedding where it has none. */
  readonly unembedding?: string;
}

/** Which attention of a model that has several. */
export type Stack = 'encoder' | 'decoder' | 'cross';
export const stacks = ['encoder', 'decoder', 'cross'] as const satisfies readonly Stack[];

const layerNorm = (name: string | undefined): Norm => ({ ...(name && { name }), kind: 'layer' });
const rmsNorm = (name: string, plusOne = false): Norm => ({ name, kind: 'rms', plusOne });
const bothNorms = (norm: (name: string) => Norm, q: string, k: string) => ({ q: norm(q), k: norm(k) });

const separate = (names: string, bias: Biases): Attention => {
  const [q, k, v, o] = names.split(' ');
  return { q, k, v, o, stored: 'linear', bias };
};
const packed = (qkv: string, o: string, order: Order, bias: Biases): Attention => ({
  qkv,
  o,
  order,
  stored: 'linear',
  bias,
});

/** Sizes by the names that most families use, with the defaults of one. */
const sizes = (c: Config, layers: number, heads: number, dModel: number) => ({
  layers: c.count(['num_hidden_layers', 'n_layer'], layers),
  heads: c.count(['num_attention_heads', 'n_head'], heads),
  dModel: c.count(['hidden_size', 'n_embd'], dModel),
});

/** Sizes by the older names, which are their own in GPT-2 and GPT-J. */
const olderSizes = (c: Config, layers: number, heads: number, dModel: number) => ({
  layers: c.count(['n_layer', 'num_hidden_layers'], layers),
  heads: c.count(['n_head', 'num_attention_heads'], heads),
  dModel: c.count(['n_embd', 'hidden_size'], dModel),
});

/** `num_key_value_heads`; `null` stands for as many as heads. */
const kvHeads = (c: Config, heads: number, absent = heads): number =>
  c.count('num_key_value_heads', c.has('num_key_value_heads') ? heads : absent);

const rotary = (c: Config, dims: number, pairs: Rotary['pairs'] = 'halves', theta = 10_000): Rotary => ({
  dims,
  pairs,
  of: () => ({ config: c, theta }),
});

/** Llama and what was made after it. */
function llamaLike(
  c: Config,
  { defaults, kv, head, bias = '', plusOne = false, theta = 10_000 }: LlamaLike,
): Family {
  const size = sizes(c, ...defaults);
  const dHead = c.count('head_dim', head ?? size.dModel / size.heads);
  return {
    ...size,
    kvHeads: kvHeads(c, size.heads, kv),
    dHead,
    prefixes: ['model.', ''],
    layer: 'layers.N.',
    attention: separate('self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.o_proj', bias),
    norm: rmsNorm('input_layernorm', plusOne),
    rotary: rotary(c, dHead, 'halves', theta),
    centred: false,
    embedding: 'embed_tokens',
    unembedding: 'lm_head',
  };
}

interface LlamaLike {
  readonly defaults: readonly [layers: number, heads: number, dModel: number];
  /** Default of `num_key_value_heads`; as many as heads where it is missing. */
  readonly kv?: number;
  /** Default of `head_dim`; dModel / heads where it is missing. */
  readonly head?: number;
  readonly bias?: Biases;
  readonly plusOne?: boolean;
  readonly theta?: number;
}

const byAttentionBias = (c: Config): Biases => (c.flag('attention_bias', false) ? 'qkvo' : '');

/** Every `globalEvery`-th layer looks at all positions and has a rotation of its own. */
function gemma3(c: Config): Family {
  const every = c.count('sliding_window_pattern', 6);
  const types = c.texts('layer_types', ['full_attention', 'sliding_attention']);
  const isGlobal = (layer: number) => (types ? types[layer] === 'full_attention' : (layer + 1) % every === 0);
  const own = c.part('rope_parameters');
  const plain = new (c.constructor as typeof Config)(c.path, {});
  const local = own.has('sliding_attention')
    ? { config: own.part('sliding_attention'), theta: 10_000 }
    : { config: plain, theta: c.number('rope_local_base_freq', 10_000) };
  const global = { config: own.has('full_attention') ? own.part('full_attention') : c, theta: 1_000_000 };
  const like = llamaLike(c, {
    defaults: [26, 8, 2304],
    kv: 4,
    head: 256,
    bias: byAttentionBias(c),
    plusOne: true,
  });
  if (types && types.length !== like.layers)
    c.fail('layer_types', `expected ${like.layers}, one for each layer, found ${types.length}`);
  return {
    ...like,
    prefixes: ['model.', 'language_model.model.', 'model.language_model.', ''],
    qkNorm: bothNorms((name) => rmsNorm(name, true), 'self_attn.q_norm', 'self_attn.k_norm'),
    rotary: { ...like.rotary!, of: (layer) => (isGlobal(layer) ? global : local) },
  };
}

const bert = (c: Config, prefix: string, unembedding: string): Family => ({
  ...sizes(c, 12, 12, 768),
  prefixes: [prefix, ''],
  layer: 'encoder.layer.N.attention.',
  attention: separate('self.query self.key self.value output.dense', 'qkvo'),
  centred: true,
  embedding: 'embeddings.word_embeddings',
  unembedding,
});

/** The entries, by `model_type`. */
export const families: Readonly<Record<string, (c: Config, stack: Stack) => Family>> = {
  gpt2: (c) => ({
    ...olderSizes(c, 12, 12, 768),
    prefixes: ['transformer.', ''],
    layer: 'h.N.',
    attention: { qkv: 'attn.c_attn', o: 'attn.c_proj', order: 'Q|K|V', stored: 'conv1d', bias: 'qkvo' },
    norm: layerNorm('ln_1'),
    centred: true,
    embedding: 'wte',
    unembedding: 'lm_head',
  }),

  gpt_neo: (c) => ({
    layers: c.count(['num_layers', 'num_hidden_layers'], 24),
    heads: c.count(['num_heads', 'num_attention_heads'], 16),
    dModel: c.count('hidden_size', 2048),
    prefixes: ['transformer.', ''],
    layer: 'h.N.',
    attention: separate(
      'attn.attention.q_proj attn.attention.k_proj attn.attention.v_proj attn.attention.out_proj',
      'o',
    ),
    norm: layerNorm('ln_1'),
    centred: true,
    embedding: 'wte',
    unembedding: 'lm_head',
  }),

  gpt_neox: (c) => {
    const size = sizes(c, 44, 64, 6144);
    return {
      ...size,
      prefixes: ['gpt_neox.', ''],
      layer: 'layers.N.',
      attention: packed(
        'attention.query_key_value',
        'attention.dense',
        'groups',
        c.flag('attention_bias', true) ? 'qkvo' : '',
      ),
      norm: layerNorm('input_layernorm'),
      rotary: rotary(
        c,
        Math.floor((size.dModel / size.heads) * rotaryShare(c, 'rotary_pct', 0.25)),
        'halves',
        c.number('rotary_emb_base', 10_000),
      ),
      centred: true,
      embedding: 'embed_in',
      unembedding: 'embed_out',
    };
  },

  gptj: (c) => {
    const size = olderSizes(c, 28, 16, 4096);
    return {
      ...size,
      prefixes: ['transformer.', ''],
      layer: 'h.N.',
      attention: separate('attn.q_proj attn.k_proj attn.v_proj attn.out_proj', ''),
      norm: layerNorm('ln_1'),
      rotary: rotary(
        c,
        c.count('rotary_dim', c.has('rotary_dim') ? size.dModel / size.heads : 64),
        'adjacent',
      ),
      centred: true,
      embedding: 'wte',
      unembedding: 'lm_head',
    };
  },

  opt: (c) => {
    const named = c.flag('layer_norm_elementwise_affine', true) ? 'self_attn_layer_norm' : undefined;
    return {
      ...sizes(c, 12, 12, 768),
      prefixes: ['model.decoder.', 'decoder.', ''],
      layer: 'layers.N.',
      attention: separate(
        'self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.out_proj',
        c.flag('enable_bias', true) ? 'qkvo' : '',
      ),
      norm: c.flag('do_layer_norm_before', true) ? layerNorm(named) : undefined,
      centred: true,
      embedding: 'embed_tokens',
      unembedding: 'lm_head',
    };
  },

  bert: (c) => bert(c, 'bert.', 'cls.predictions.decoder'),
  roberta: (c) => bert(c, 'roberta.', 'lm_head.decoder'),

  llama: (c) => llamaLike(c, { defaults: [32, 32, 4096], bias: byAttentionBias(c) }),
  mistral: (c) => llamaLike(c, { defaults: [32, 32, 4096], kv: 8 }),
  mixtral: (c) => llamaLike(c, { defaults: [32, 32, 4096], kv: 8, theta: 1_000_000 }),
  qwen2: (c) => llamaLike(c, { defaults: [32, 32, 4096], kv: 32, bias: 'qkv' }),
  qwen3: (c) => ({
    ...llamaLike(c, { defaults: [32, 32, 4096], kv: 32, head: 128, bias: byAttentionBias(c) }),
    qkNorm: bothNorms(rmsNorm, 'self_attn.q_norm', 'self_attn.k_norm'),
  }),
  gemma: (c) =>
    llamaLike(c, { defaults: [28, 16, 3072], kv: 16, head: 256, bias: byAttentionBias(c), plusOne: true }),
  gemma2: (c) =>
    llamaLike(c, { defaults: [26, 8, 2304], kv: 4, head: 256, bias: byAttentionBias(c), plusOne: true }),
  gemma3_text: gemma3,
  gemma3: (c) => gemma3(c.part('text_config')),

  phi: (c) => {
    const size = sizes(c, 24, 32, 2048);
    const dHead = c.count('head_dim', size.dModel / size.heads);
    return {
      ...size,
      kvHeads: kvHeads(c, size.heads),
      dHead,
      prefixes: ['model.', ''],
      layer: 'layers.N.',
      attention: separate('self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.dense', 'qkvo'),
      norm: layerNorm('input_layernorm'),
      qkNorm: c.flag('qk_layernorm', false)
        ? bothNorms(layerNorm, 'self_attn.q_layernorm', 'self_attn.k_layernorm')
        : undefined,
      rotary: rotary(c, Math.floor(dHead * rotaryShare(c, 'partial_rotary_factor', 0.5))),
      centred: true,
      embedding: 'embed_tokens',
      unembedding: 'lm_head',
    };
  },

  phi3: (c) => {
    const size = sizes(c, 32, 32, 3072);
    const dHead = c.count('head_dim', size.dModel / size.heads);
    return {
      ...size,
      kvHeads: kvHeads(c, size.heads),
      dHead,
      prefixes: ['model.', ''],
      layer: 'layers.N.',
      attention: packed('self_attn.qkv_proj', 'self_attn.o_proj', 'Q|K|V', ''),
      norm: rmsNorm('input_layernorm'),
      rotary: rotary(c, Math.floor(dHead * rotaryShare(c, 'partial_rotary_factor', 1))),
      centred: false,
      embedding: 'embed_tokens',
      unembedding: 'lm_head',
    };
  },

  falcon: (c) => falcon(c, c.flag('new_decoder_architecture', false)),
  RefinedWeb: (c) => falcon(c, c.has('n_head_kv')),
  RefinedWebModel: (c) => falcon(c, c.has('n_head_kv')),

  bloom: (c) => ({
    layers: c.count(['n_layer', 'num_hidden_layers'], 2),
    heads: c.count(['n_head', 'num_attention_heads'], 8),
    dModel: c.count(['n_embed', 'hidden_size'], 64),
    prefixes: ['transformer.', ''],
    layer: 'h.N.',
    attention: packed('self_attention.query_key_value', 'self_attention.dense', 'groups', 'qkvo'),
    norm: c.flag('apply_residual_connection_post_layernorm', false)
      ? undefined // the stream is the normed one
      : layerNorm('input_layernorm'),
    centred: true,
    embedding: 'word_embeddings',
    unembedding: 'lm_head',
  }),

  t5: (c, stack) => {
    const layers = c.count(['num_layers', 'num_hidden_layers'], 6);
    const k = stack === 'cross' ? 1 : 0;
    const attention = stack === 'cross' ? 'EncDecAttention' : 'SelfAttention';
    return {
      layers: stack === 'encoder' ? layers : c.count('num_decoder_layers', layers),
      heads: c.count(['num_heads', 'num_attention_heads'], 8),
      dHead: c.count(['d_kv', 'head_dim'], 64),
      dModel: c.count(['d_model', 'hidden_size'], 512),
      prefixes: [''],
      layer: `${stack === 'encoder' ? 'encoder' : 'decoder'}.block.N.layer.${k}.`,
      attention: separate(`${attention}.q ${attention}.k ${attention}.v ${attention}.o`, ''),
      norm: rmsNorm('layer_norm'),
      cross: stack === 'cross',
      centred: false,
      embedding: 'shared',
      unembedding: 'lm_head',
    };
  },

  whisper: (c, stack) => {
    const side = stack === 'encoder' ? 'encoder' : 'decoder';
    const attention = stack === 'cross' ? 'encoder_attn' : 'self_attn';
    return {
      layers: c.count(`${side}_layers`, 4),
      heads: c.count(`${side}_attention_heads`, 6),
      dModel: c.count(['d_model', 'hidden_size'], 384),
      prefixes: ['model.', ''],
      layer: `${side}.layers.N.`,
      attention: separate(
        `${attention}.q_proj ${attention}.k_proj ${attention}.v_proj ${attention}.out_proj`,
        'qvo',
      ),
      norm: layerNorm(`${attention}_layer_norm`),
      cross: stack === 'cross',
      centred: true,
      ...(side === 'decoder' && { embedding: 'decoder.embed_tokens', unembedding: 'proj_out' }),
    };
  },
};

/** Of several stacks; the other families have one attention. */
export const severalStacks: ReadonlySet<string> = new Set(['t5', 'whisper']);

function falcon(c: Config, isNew: boolean): Family {
  const heads = c.count(['num_attention_heads', 'n_head'], 71);
  const dModel = c.count(['n_embed', 'hidden_size'], 4544);
  const multiQuery = c.flag('multi_query', true);
  const oneNorm = !isNew || c.count('num_ln_in_parallel_attn', 2) === 1;
  return {
    layers: c.count(['num_hidden_layers', 'n_layer'], 32),
    heads,
    kvHeads: isNew ? c.count(['num_kv_heads', 'n_head_kv'], heads) : multiQuery ? 1 : heads,
    dModel,
    prefixes: ['transformer.', ''],
    layer: 'h.N.',
    attention: packed(
      'self_attention.query_key_value',
      'self_attention.dense',
      !isNew && multiQuery ? 'Q|K|V' : 'groups',
      c.flag('bias', false) ? 'qkvo' : '',
    ),
    norm: layerNorm(oneNorm ? 'input_layernorm' : 'ln_attn'),
    rotary: c.flag('alibi', false) ? undefined : rotary(c, dModel / heads),
    centred: true,
    embedding: 'word_embeddings',
    unembedding: 'lm_head',
  };
}

/** Which share of a head is rotated; newer files keep it with the other parameters of the rotation. */
function rotaryShare(c: Config, name: string, absent: number): number {
  return c.number(name, c.part('rope_parameters').number('partial_rotary_factor', absent));
}

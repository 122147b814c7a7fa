import { isPlain } from '../arguments/options.ts';
import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { fileError } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import type { Attention, Family, Norm, Order, QkNorm } from './families.ts';
import { countLayers, nameIn, parts, seen, tensorOf, weightEndings } from './layout.ts';

/**
 * Where a checkpoint of another kind keeps its attention. Names stand behind `layer`, with or without `.weight`.
 *
 * @example
 * {
 *   heads: 4, kvHeads: 2, dModel: 32, dHead: 8,
 *   layer: 'blocks.N.', // N: the number of the layer
 *   attention: { q: 'attn.q', k: 'attn.k', v: 'attn.v', o: 'attn.out', stored: 'linear' },
 *   norm: { name: 'norm1', kind: 'layer' },
 * }
 */
export interface DeclaredLayout {
  /** As many as there are in the file where it is missing. */
  readonly layers?: number | undefined;
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys and values; as many as queries where it is missing. */
  readonly kvHeads?: number | undefined;
  /** Width of the stream. */
  readonly dModel: number;
  /** Width of what is written, where it is another one. */
  readonly dOut?: number | undefined;
  /** Width of a head; dModel / heads where it is missing. */
  readonly dHead?: number | undefined;
  /** In front of the names of a layer, with `N` in the place of its number. */
  readonly layer: string;
  /**
   * Names of the tensors: `q`, `k`, `v` and `o`, or `qkv` with its `order` and `o`. `stored`: `'linear'` for [out, in], `'conv1d'`
   * for [in, out], `'heads'` for [heads, in, out]. A bias is used where the file has one.
   */
  readonly attention: DeclaredAttention;
  /** The norm whose weight `foldNorms` folds in. */
  readonly norm?: Norm | undefined;
  /** Norms of queries and keys within a head. */
  readonly qkNorm?: QkNorm | undefined;
  /** Whether what is written is read through LayerNorm, which does not see its mean: default where `norm` is of that kind. */
  readonly centred?: boolean | undefined;
  /** The embedding, [vocabulary, dModel]. */
  readonly embedding?: string | undefined;
  /** The unembedding, if it is not the embedding. */
  readonly unembedding?: string | undefined;
}

/** The names of the projections, of layer 0 behind `layer`. */
export type DeclaredAttention = DeclaredOutput & (DeclaredSeparate | DeclaredPacked);

/** What all of them have. */
export interface DeclaredOutput {
  /** Tensor of the output projection. */
  readonly o: string;
  /** How all of them are stored; default `'linear'`. */
  readonly stored?: Attention['stored'] | undefined;
  /** Names of the biases, where they are not those of the weights with `.bias` for `.weight`. */
  readonly biasNames?: Attention['biasNames'] | undefined;
}

/** Of three tensors. */
export interface DeclaredSeparate {
  /** Tensor of the queries. */
  readonly q: string;
  /** Tensor of the keys. */
  readonly k: string;
  /** Tensor of the values. */
  readonly v: string;
}

/** Of one tensor. */
export interface DeclaredPacked {
  /** Tensor of queries, keys and values. */
  readonly qkv: string;
  /** How they take turns in it; default `'Q|K|V'`. */
  readonly order?: Order | undefined;
}

const declaredKeys = new Set(
  'layers heads kvHeads dModel dOut dHead layer attention norm qkNorm centred embedding unembedding'.split(
    ' ',
  ),
);
const attentionKeys = new Set('q k v qkv order o stored biasNames'.split(' '));

/** A declared layout as an entry of the table. `ERR_SVD_ARGUMENT` for what it must not be. */
export function declaredFamily(declared: DeclaredLayout, weights: Weights): Family {
  const wrong = (problem: string): never => {
    throw svdError('ERR_SVD_ARGUMENT', `openCheckpoint: layout: ${problem}`);
  };
  const mustBeCount = (
    name: 'layers' | 'heads' | 'kvHeads' | 'dModel' | 'dOut' | 'dHead',
    optional: boolean,
  ) => {
    const n = declared[name];
    if (n === undefined && optional) return;
    if (!Number.isSafeInteger(n) || (n as number) < 1)
      wrong(`${name}: expected a positive integer, got ${shown(n)}`);
  };
  const mustKnow = (x: object, known: ReadonlySet<string>, of: string) => {
    for (const key of Object.keys(x))
      if (!known.has(key)) wrong(`${of}there is no ${shown(key)}; it has ${[...known].join(', ')}`);
  };
  const mustBeText = (x: unknown, name: string, what: string) => {
    if (x !== undefined && typeof x !== 'string') wrong(`${name}: expected ${what}, got ${shown(x)}`);
  };
  const mustBeFlag = (x: unknown, name: string) => {
    if (x !== undefined && typeof x !== 'boolean') wrong(`${name}: expected true or false, got ${shown(x)}`);
  };
  const mustBeNorm = (norm: Norm | undefined, name: string) => {
    if (norm === undefined) return;
    if (norm === null || typeof norm !== 'object')
      wrong(`${name}: expected { name, kind }, got ${shown(norm)}`);
    mustKnow(norm, new Set(['name', 'kind', 'plusOne']), `${name}: `);
    if (norm.kind !== 'layer' && norm.kind !== 'rms')
      wrong(`${name}.kind: expected 'layer' or 'rms', got ${shown(norm.kind)}`);
    mustBeText(norm.name, `${name}.name`, 'the name of a norm');
    mustBeFlag(norm.plusOne, `${name}.plusOne`);
  };
  mustKnow(declared, declaredKeys, '');
  mustBeCount('heads', false);
  mustBeCount('dModel', false);
  for (const name of ['layers', 'kvHeads', 'dOut', 'dHead'] as const) mustBeCount(name, true);
  const { layer, attention, norm, qkNorm } = declared;
  if (
    typeof layer !== 'string' ||
    nameIn(layer, 0) === layer ||
    nameIn(nameIn(layer, 0), 0) !== nameIn(layer, 0)
  )
    wrong(
      `layer: expected a string with one N in the place of the layer's number, such as 'blocks.N.', got ${shown(layer)}`,
    );
  if (attention === null || typeof attention !== 'object')
    wrong(`attention: expected { q, k, v, o, stored }, got ${shown(attention)}`);
  mustKnow(attention, attentionKeys, 'attention: ');
  const given: Readonly<Record<string, unknown>> = { ...attention };
  const twice = ['q', 'k', 'v'].find((name) => 'qkv' in given && name in given);
  if (twice) wrong(`attention: expected qkv, or q, k and v; got qkv and ${twice}`);
  if ('order' in given && !('qkv' in given))
    wrong('attention.order: only projections in one tensor, qkv, have one');
  const biasNames = given.biasNames ?? {};
  if (!isPlain(biasNames)) wrong(`attention.biasNames: expected { q, k, v, o }, got ${shown(biasNames)}`);
  mustKnow(biasNames as object, new Set(parts), 'attention.biasNames: ');
  for (const [part, name] of Object.entries(biasNames as object))
    mustBeText(name, `attention.biasNames.${part}`, 'the name of a tensor');
  for (const name of 'qkv' in given ? ['qkv', 'o'] : ['q', 'k', 'v', 'o'])
    if (typeof given[name] !== 'string')
      wrong(`attention.${name}: expected the name of a tensor, got ${shown(given[name])}`);
  const { stored = 'linear', order = 'Q|K|V' } = attention as { stored?: string; order?: string };
  if (!['linear', 'conv1d', 'heads'].includes(stored))
    wrong(`attention.stored: expected 'linear', 'conv1d' or 'heads', got ${shown(stored)}`);
  if ('qkv' in attention && order !== 'Q|K|V' && order !== 'groups')
    wrong(`attention.order: expected 'Q|K|V' or 'groups', got ${shown(order)}`);
  if ('qkv' in attention && stored === 'heads') wrong("attention: qkv in one tensor is 'linear' or 'conv1d'");
  mustBeNorm(norm, 'norm');
  if (qkNorm !== undefined) {
    if (!isPlain(qkNorm)) wrong(`qkNorm: expected { q, k }, got ${shown(qkNorm)}`);
    mustKnow(qkNorm, new Set(['q', 'k']), 'qkNorm: ');
    for (const part of ['q', 'k'] as const) {
      if (qkNorm[part] === undefined) wrong(`qkNorm.${part}: expected { name, kind }, got undefined`);
      mustBeNorm(qkNorm[part], `qkNorm.${part}`);
    }
  }
  mustBeFlag(declared.centred, 'centred');
  for (const name of ['embedding', 'unembedding'] as const)
    mustBeText(declared[name], name, 'the name of a tensor');
  const entry = { ...attention, stored, ...('qkv' in attention && { order }) } as Attention;
  const layers = declared.layers ?? weightLayers(weights, layer + tensorOf(entry, 'o'));
  if (layers === 0)
    throw fileError(
      weights.path,
      `no tensor ${quote(nameIn(layer + tensorOf(entry, 'o'), 0))}; ${seen(weights)}`,
    );
  for (const name of [declared.embedding, declared.unembedding])
    if (name !== undefined && !hasVocabulary(weights, name, declared.dModel))
      throw fileError(
        weights.path,
        `no tensor ${quote(name)} of a vocabulary, [vocabulary, ${declared.dModel}]; ${seen(weights)}`,
      );
  return {
    layers,
    heads: declared.heads,
    ...(declared.kvHeads !== undefined && { kvHeads: declared.kvHeads }),
    ...(declared.dHead !== undefined && { dHead: declared.dHead }),
    dModel: declared.dModel,
    ...(declared.dOut !== undefined && { dOut: declared.dOut }),
    prefixes: [''],
    layer,
    attention: entry,
    norm,
    qkNorm,
    centred: declared.centred ?? norm?.kind === 'layer',
    ...(declared.embedding !== undefined && { embedding: declared.embedding }),
    ...(declared.unembedding !== undefined && { unembedding: declared.unembedding }),
  };
}

const hasVocabulary = (weights: Weights, name: string, dModel: number): boolean =>
  weightEndings.some((ending) => {
    const shape = weights.tensors.get(name + ending)?.shape;
    return shape?.length === 2 && shape.includes(dModel);
  });

const weightLayers = (weights: Weights, pattern: string): number =>
  Math.max(...weightEndings.map((ending) => countLayers(weights, pattern + ending)));

/** A file in TransformerLens' names, which has its sizes in the shapes of its tensors; `undefined` if it is another. */
export function transformerLens(weights: Weights): Family | undefined {
  const shape = weights.tensors.get('blocks.0.attn.W_Q')?.shape;
  if (shape?.length !== 3) return undefined;
  const [heads, dModel, dHead] = shape;
  const dOut = weights.tensors.get('blocks.0.attn.W_O')?.shape.at(-1) ?? dModel;
  const kvHeads = weights.tensors.get('blocks.0.attn.W_K')?.shape[0] ?? heads;
  const norm = weights.tensors.has('blocks.0.ln1.w');
  const layerNorm = weights.tensors.has('blocks.0.ln1.b');
  return {
    layers: countLayers(weights, 'blocks.N.attn.W_O'),
    heads,
    kvHeads,
    dModel,
    dOut,
    dHead,
    prefixes: [''],
    layer: 'blocks.N.',
    attention: {
      q: 'attn.W_Q',
      k: 'attn.W_K',
      v: 'attn.W_V',
      o: 'attn.W_O',
      stored: 'heads',
      biasNames: Object.fromEntries(
        (['q', 'k', 'v', 'o'] as const)
          .map((part) => [part, `attn.b_${part.toUpperCase()}`] as const)
          .filter(([, name]) => weights.tensors.has(`blocks.0.${name}`)),
      ),
    },
    norm: norm ? { name: 'ln1', kind: layerNorm ? 'layer' : 'rms' } : undefined,
    centred: layerNorm || !norm,
    embedding: 'embed.W_E',
    unembedding: 'unembed.W_U',
  };
}

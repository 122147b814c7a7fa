import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { isReadable, readableDtypes } from '../weights/dtypes.ts';
import { fileError, shapeText } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import type { Attention, Family, Norm, Order, Rotary } from './families.ts';

/** Q, K, V or O. */
export type Part = 'q' | 'k' | 'v' | 'o';
export const parts = ['q', 'k', 'v', 'o'] as const satisfies readonly Part[];

/** Where one projection of all layers stands. Names have `N` in the place of the layer's number. */
export interface Place {
  readonly weight: string;
  readonly bias: string | undefined;
  readonly stored: Attention['stored'];
  /** Heads in the tensor, those of other projections included. */
  readonly total: number;
  /** In heads: where the first stands, the distance to the next group and to the next head in it. */
  readonly first: number;
  readonly perGroup: number;
  readonly perHead: number;
}

/** A norm whose tensors were found. */
export interface FoundNorm {
  readonly kind: Norm['kind'];
  readonly plusOne: boolean;
  readonly weight: string | undefined;
  readonly bias: string | undefined;
}

/** Where the attention of a checkpoint stands, checked against its tensors. */
export interface Layout {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dModel: number;
  readonly dHead: number;
  /** Width of what is written; dModel in all but unusual models. */
  readonly dOut: number;
  readonly places: Readonly<Record<Part, Place>>;
  readonly norm: FoundNorm | undefined;
  /** Keys and values read what the norm has not touched. */
  readonly cross: boolean;
  readonly qkNorm: { readonly q: FoundNorm; readonly k: FoundNorm } | undefined;
  readonly rotary: Rotary | undefined;
  readonly centred: boolean;
  /** Names of whole tensors. */
  readonly embedding: string | undefined;
  readonly unembedding: string | undefined;
}

/** The name of a layer's tensor. */
export const nameIn = (pattern: string, layer: number): string => pattern.replace(layerNumber, String(layer));

/** The place of the layer's number in the pattern of a name. */
const layerNumber = /(?<![A-Za-z])N(?![A-Za-z])/;

const weightEndings = ['', '.weight', '.w'];
const biasEndings = ['.bias', '.b'];

/**
 * Finds the tensors of a family in a checkpoint, and checks that all layers have them in the shapes that its sizes ask for.
 *
 * @throws `ERR_SVD_FILE` for what is missing, too much, of another shape or no float
 */
export function findLayout(weights: Weights, family: Family): Layout {
  const { layers, heads, kvHeads = heads, dModel } = family;
  const fail = (problem: string): never => {
    throw fileError(weights.path, problem);
  };
  if (heads % kvHeads !== 0) fail(`${heads} heads cannot share ${kvHeads} heads of keys and values evenly`);
  const dHead = family.dHead ?? dModel / heads;
  if (!Number.isInteger(dHead)) fail(`a width of ${dModel} does not divide by ${heads} heads`);
  const prefix = prefixOf(weights, family);
  const find = finder(weights, prefix + family.layer);
  const places = Object.fromEntries(
    parts.map((part) => [part, placeOf(part, family, kvHeads, find, fail)]),
  ) as Record<Part, Place>;
  checkLayerCount(weights, places.o.weight, layers);
  const dOut = lastOf(weights, nameIn(places.o.weight, 0), places.o.stored);
  const layout: Layout = {
    layers,
    heads,
    kvHeads,
    dModel,
    dHead,
    dOut,
    places,
    norm: family.norm && foundNorm(family.norm, find, fail),
    cross: family.cross ?? false,
    qkNorm: family.qkNorm && {
      q: foundNorm(family.qkNorm.q, find, fail),
      k: foundNorm(family.qkNorm.k, find, fail),
    },
    rotary: family.rotary,
    centred: family.centred,
    ...embeddings(weights, prefix, family),
  };
  for (let layer = 0; layer < layers; layer++) checkLayer(weights, layout, layer);
  return layout;
}

/** Finds a tensor of layer 0 by its name with one of several endings; its name with `N`. */
type Finder = (name: string, endings: readonly string[]) => string | undefined;

const finder =
  (weights: Weights, front: string): Finder =>
  (name, endings) =>
    endings.map((ending) => front + name + ending).find((full) => weights.tensors.has(nameIn(full, 0)));

/** The tensor of a projection, without its layer's prefix. */
const tensorOf = (attention: Attention, part: Part): string =>
  part === 'o' ? attention.o : 'qkv' in attention ? attention.qkv : attention[part];

/** The first prefix with which the query projection of layer 0 is there. */
function prefixOf(weights: Weights, { prefixes, layer, attention }: Family): string {
  const name = tensorOf(attention, 'q');
  const found = prefixes.find((prefix) => finder(weights, prefix + layer)(name, weightEndings));
  if (found !== undefined) return found;
  const wanted = prefixes.map((prefix) => quote(`${nameIn(prefix + layer, 0)}${name}.weight`)).join(' or ');
  throw fileError(weights.path, `expected a tensor ${wanted}; ${seen(weights)}${packedHint(weights)}`);
}

/** Formats of packed weights, by names of theirs. */
function packedHint(weights: Weights): string {
  const packed = weights.names.find((name) =>
    /\.(qweight|qzeros|weight_packed|weight_scale_inv|SCB|absmax)$/.test(name),
  );
  return packed === undefined
    ? ''
    : `. Its weights are quantized (${quote(packed)}), and only floats can be decomposed`;
}

/** Some of the names of a checkpoint, for messages. */
export function seen({ names }: Weights): string {
  const some = names.slice(0, 6).map(quote).join(', ');
  return names.length > 6 ? `it has ${some}, … (${names.length} in all)` : `it has ${some}`;
}

function placeOf(
  part: Part,
  { heads, attention }: Family,
  kvHeads: number,
  find: Finder,
  fail: (problem: string) => never,
): Place {
  const name = tensorOf(attention, part);
  const weight = find(name, weightEndings);
  if (weight === undefined) return fail(`layer 0 has no tensor ${quote(name)}`);
  const biasName = attention.biasNames?.[part];
  const bias = biasName === undefined ? find(name, biasEndings) : find(biasName, ['']);
  const expected = attention.bias === undefined ? bias !== undefined : attention.bias.includes(part);
  if (expected !== (bias !== undefined))
    fail(
      expected
        ? `layer 0 has no bias of ${quote(name)}, which its config says it has`
        : `layer 0 has the tensor ${quote(nameIn(bias!, 0))}, but its config says that there is no such bias`,
    );
  return { weight, bias, stored: attention.stored, ...positions(part, attention, heads, kvHeads) };
}

/** Where the heads of a projection stand in its tensor, in heads. */
function positions(part: Part, attention: Attention, heads: number, kvHeads: number) {
  const shared = heads / kvHeads;
  if (part === 'o') return { total: heads, first: 0, perGroup: shared, perHead: 1 };
  const isQuery = part === 'q';
  if (!('qkv' in attention))
    return isQuery
      ? { total: heads, first: 0, perGroup: shared, perHead: 1 }
      : { total: kvHeads, first: 0, perGroup: 1, perHead: 0 };
  const total = heads + 2 * kvHeads;
  const perHead = isQuery ? 1 : 0;
  if (attention.order === 'Q|K|V') {
    const first = { q: 0, k: heads, v: heads + kvHeads }[part];
    return { total, first, perGroup: isQuery ? shared : 1, perHead };
  }
  return { total, first: { q: 0, k: shared, v: shared + 1 }[part], perGroup: shared + 2, perHead };
}

function foundNorm(
  { name, kind, plusOne = false }: Norm,
  find: Finder,
  fail: (problem: string) => never,
): FoundNorm {
  if (name === undefined) return { kind, plusOne, weight: undefined, bias: undefined };
  const weight = find(name, ['.weight', '.w', '.gamma']);
  if (weight === undefined) fail(`layer 0 has no tensor ${quote(`${name}.weight`)}`);
  return {
    kind,
    plusOne,
    weight,
    bias: kind === 'layer' ? find(name, [...biasEndings, '.beta']) : undefined,
  };
}

/** The highest layer that has such a tensor must be the last. */
function checkLayerCount(weights: Weights, pattern: string, layers: number): void {
  const found = countLayers(weights, pattern);
  if (found > layers)
    throw fileError(
      weights.path,
      `has the tensor ${quote(nameIn(pattern, found - 1))}, but its config says that there are ${layers} layers`,
    );
}

/** One more than the highest number of a layer that has such a tensor. */
export function countLayers({ names }: Weights, pattern: string): number {
  const [before, after = ''] = pattern.split(layerNumber);
  let layers = 0;
  for (const name of names) {
    if (!name.startsWith(before) || !name.endsWith(after)) continue;
    const number = name.slice(before.length, name.length - after.length);
    if (/^\d{1,6}$/.test(number)) layers = Math.max(layers, Number(number) + 1);
  }
  return layers;
}

/** The tensors of the vocabulary, where they are there. */
function embeddings(weights: Weights, prefix: string, { embedding, unembedding }: Family) {
  const find = (names: readonly string[]) =>
    names
      .flatMap((name) => weightEndings.map((ending) => name + ending))
      .find((name) => weights.tensors.get(name)?.shape.length === 2);
  const into = embedding === undefined ? undefined : find([prefix + embedding, embedding]);
  const out = unembedding === undefined ? undefined : find([unembedding, prefix + unembedding]);
  return { embedding: into, unembedding: out ?? into };
}

function lastOf(weights: Weights, name: string, stored: Attention['stored']): number {
  const shape = weights.tensors.get(name)?.shape ?? [];
  return (stored === 'linear' ? shape[0] : shape.at(-1)) ?? 0;
}

/** The shape of a projection's tensor. */
export function expectedShape({ dModel, dHead, dOut, heads }: Layout, part: Part, place: Place): number[] {
  const inner = place.total * dHead;
  if (part === 'o') {
    if (place.stored === 'linear') return [dOut, inner];
    return place.stored === 'conv1d' ? [inner, dOut] : [heads, dHead, dOut];
  }
  if (place.stored === 'linear') return [inner, dModel];
  return place.stored === 'conv1d' ? [dModel, inner] : [place.total, dModel, dHead];
}

function checkLayer(weights: Weights, layout: Layout, layer: number): void {
  const mustHave = (pattern: string, shapes: readonly number[][]) => {
    const name = nameIn(pattern, layer);
    const info = weights.tensors.get(name);
    if (info === undefined)
      throw fileError(weights.path, `no tensor ${quote(name)}; expected ${layout.layers} layers`);
    if (!isReadable(info.dtype as never))
      throw fileError(
        weights.path,
        `tensor ${quote(name)} has dtype ${info.dtype}: only ${readableDtypes.join(', ')} can be decomposed, quantized weights cannot`,
      );
    if (!shapes.some((shape) => shape.join() === info.shape.join()))
      throw fileError(
        weights.path,
        `tensor ${quote(name)} has shape ${shapeText(info.shape)}, expected ${shapes.map(shapeText).join(' or ')} (${layout.heads} heads of ${layout.dHead}, ${layout.kvHeads} of keys and values, width ${layout.dModel})`,
      );
  };
  for (const part of parts) {
    const place = layout.places[part];
    mustHave(place.weight, [expectedShape(layout, part, place)]);
    const inner = place.total * layout.dHead;
    if (place.bias !== undefined)
      mustHave(place.bias, part === 'o' ? [[layout.dOut]] : [[inner], [place.total, layout.dHead]]);
  }
  const vectors: [FoundNorm | undefined, number][] = [
    [layout.norm, layout.dModel],
    [layout.qkNorm?.q, layout.dHead],
    [layout.qkNorm?.k, layout.dHead],
  ];
  for (const [norm, length] of vectors)
    for (const pattern of [norm?.weight, norm?.bias])
      if (pattern !== undefined) mustHave(pattern, [[length]]);
}

// A layout that the caller declares.

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
  readonly qkNorm?: { readonly q: Norm; readonly k: Norm } | undefined;
  /** Whether what is written is read through LayerNorm, which does not see its mean: default where `norm` is of that kind. */
  readonly centred?: boolean | undefined;
  /** The embedding, [vocabulary, dModel]. */
  readonly embedding?: string | undefined;
  /** The unembedding, if it is not the embedding. */
  readonly unembedding?: string | undefined;
}

/** @inline */
type DeclaredAttention = {
  readonly o: string;
  readonly stored?: Attention['stored'] | undefined;
  readonly biasNames?: Attention['biasNames'] | undefined;
} & (
  | { readonly q: string; readonly k: string; readonly v: string }
  | { readonly qkv: string; readonly order?: Order | undefined }
);

const declaredKeys = new Set(
  'layers heads kvHeads dModel dHead layer attention norm qkNorm centred embedding unembedding'.split(' '),
);
const attentionKeys = new Set('q k v qkv order o stored biasNames'.split(' '));

/** A declared layout as an entry of the table. `ERR_SVD_ARGUMENT` for what it must not be. */
export function declaredFamily(declared: DeclaredLayout, weights: Weights): Family {
  const wrong = (problem: string): never => {
    throw svdError('ERR_SVD_ARGUMENT', `openCheckpoint: layout: ${problem}`);
  };
  const mustBeCount = (name: 'layers' | 'heads' | 'kvHeads' | 'dModel' | 'dHead', optional: boolean) => {
    const n = declared[name];
    if (n === undefined && optional) return;
    if (!Number.isSafeInteger(n) || (n as number) < 1)
      wrong(`${name}: expected a positive integer, got ${shown(n)}`);
  };
  const mustKnow = (x: object, known: ReadonlySet<string>, of: string) => {
    for (const key of Object.keys(x))
      if (!known.has(key)) wrong(`${of}there is no ${shown(key)}; it has ${[...known].join(', ')}`);
  };
  const mustBeNorm = (norm: Norm | undefined, name: string) => {
    if (norm === undefined) return;
    if (norm === null || typeof norm !== 'object')
      wrong(`${name}: expected { name, kind }, got ${shown(norm)}`);
    mustKnow(norm, new Set(['name', 'kind', 'plusOne']), `${name}: `);
    if (norm.kind !== 'layer' && norm.kind !== 'rms')
      wrong(`${name}.kind: expected 'layer' or 'rms', got ${shown(norm.kind)}`);
    if (norm.name !== undefined && typeof norm.name !== 'string') wrong(`${name}.name: expected a string`);
  };
  mustKnow(declared, declaredKeys, '');
  mustBeCount('heads', false);
  mustBeCount('dModel', false);
  for (const name of ['layers', 'kvHeads', 'dHead'] as const) mustBeCount(name, true);
  const { layer, attention, norm, qkNorm } = declared;
  if (typeof layer !== 'string' || nameIn(layer, 0) === layer)
    wrong(
      `layer: expected a string with N in the place of the layer's number, such as 'blocks.N.', got ${shown(layer)}`,
    );
  if (attention === null || typeof attention !== 'object')
    wrong(`attention: expected { q, k, v, o, stored }, got ${shown(attention)}`);
  mustKnow(attention, attentionKeys, 'attention: ');
  const names = 'qkv' in attention ? (['qkv', 'o'] as const) : (['q', 'k', 'v', 'o'] as const);
  for (const name of names)
    if (typeof (attention as Record<string, unknown>)[name] !== 'string')
      wrong(
        `attention.${name}: expected the name of a tensor, got ${shown((attention as Record<string, unknown>)[name])}`,
      );
  const { stored = 'linear', order = 'Q|K|V' } = attention as { stored?: string; order?: string };
  if (!['linear', 'conv1d', 'heads'].includes(stored))
    wrong(`attention.stored: expected 'linear', 'conv1d' or 'heads', got ${shown(stored)}`);
  if ('qkv' in attention && order !== 'Q|K|V' && order !== 'groups')
    wrong(`attention.order: expected 'Q|K|V' or 'groups', got ${shown(order)}`);
  if ('qkv' in attention && stored === 'heads') wrong("attention: qkv in one tensor is 'linear' or 'conv1d'");
  mustBeNorm(norm, 'norm');
  if (qkNorm !== undefined) {
    mustBeNorm(qkNorm?.q, 'qkNorm.q');
    mustBeNorm(qkNorm?.k, 'qkNorm.k');
  }
  const entry = { ...attention, stored, ...('qkv' in attention && { order }) } as Attention;
  const layers = declared.layers ?? weightLayers(weights, layer + tensorOf(entry, 'o'));
  if (layers === 0)
    throw fileError(
      weights.path,
      `no tensor ${quote(nameIn(layer + tensorOf(entry, 'o'), 0))}; ${seen(weights)}`,
    );
  return {
    layers,
    heads: declared.heads,
    ...(declared.kvHeads !== undefined && { kvHeads: declared.kvHeads }),
    ...(declared.dHead !== undefined && { dHead: declared.dHead }),
    dModel: declared.dModel,
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

const weightLayers = (weights: Weights, pattern: string): number =>
  Math.max(...weightEndings.map((ending) => countLayers(weights, pattern + ending)));

/** A file in TransformerLens' names, which has its sizes in the shapes of its tensors; `undefined` if it is another. */
export function transformerLens(weights: Weights): Family | undefined {
  const shape = weights.tensors.get('blocks.0.attn.W_Q')?.shape;
  if (shape?.length !== 3) return undefined;
  const [heads, dModel, dHead] = shape;
  const kvHeads = weights.tensors.get('blocks.0.attn.W_K')?.shape[0] ?? heads;
  const norm = weights.tensors.has('blocks.0.ln1.w');
  const layerNorm = weights.tensors.has('blocks.0.ln1.b');
  return {
    layers: countLayers(weights, 'blocks.N.attn.W_O'),
    heads,
    kvHeads,
    dModel,
    dHead,
    prefixes: [''],
    layer: 'blocks.N.',
    attention: {
      q: 'attn.W_Q',
      k: 'attn.W_K',
      v: 'attn.W_V',
      o: 'attn.W_O',
      stored: 'heads',
      biasNames: { q: 'attn.b_Q', k: 'attn.b_K', v: 'attn.b_V', o: 'attn.b_O' },
    },
    norm: norm ? { name: 'ln1', kind: layerNorm ? 'layer' : 'rms' } : undefined,
    centred: layerNorm || !norm,
    embedding: 'embed.W_E',
    unembedding: 'unembed.W_U',
  };
}

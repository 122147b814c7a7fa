import { quote } from '../array/escape.ts';
import { isReadable, readableDtypes } from '../weights/dtypes.ts';
import { fileError, shapeText } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import type { Attention, Family, Norm, Rotary } from './families.ts';

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
  /** Width of what is written. */
  readonly dOut: number;
  readonly dHead: number;
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

export const weightEndings = ['', '.weight', '.w'];
const biasEndings = ['.bias', '.b'];

/**
 * Finds the tensors of a family in a checkpoint, and checks that all layers have them in the shapes that its sizes ask for.
 *
 * @throws `ERR_SVD_FILE` for what is missing, too much, of another shape or no float
 */
export function findLayout(weights: Weights, family: Family): Layout {
  const { layers, heads, kvHeads = heads, dModel, dOut = dModel } = family;
  const fail = (problem: string): never => {
    throw fileError(weights.path, problem);
  };
  const prefix = prefixOf(weights, family);
  if (heads % kvHeads !== 0) fail(`${heads} heads cannot share ${kvHeads} heads of keys and values evenly`);
  const dHead = family.dHead ?? dModel / heads;
  if (!Number.isInteger(dHead)) fail(`a width of ${dModel} does not divide by ${heads} heads`);
  const turned = family.rotary?.dims ?? 0;
  if (turned > dHead)
    fail(`its config says that rotary positions turn ${turned} numbers of a head, which has ${dHead}`);
  const find = finder(weights, prefix + family.layer);
  const places = Object.fromEntries(
    parts.map((part) => [part, placeOf(part, family, kvHeads, find, fail)]),
  ) as Record<Part, Place>;
  checkLayerCount(weights, places.o.weight, layers);
  for (const part of parts)
    if (places[part].bias === undefined)
      mustHaveNoBias(weights, prefix + family.layer + tensorOf(family.attention, part));
  const layout: Layout = {
    layers,
    heads,
    kvHeads,
    dModel,
    dOut,
    dHead,
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
export const tensorOf = (attention: Attention, part: Part): string =>
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
  const named = attention.biasNames?.[part];
  const expected = named !== undefined || attention.bias?.includes(part);
  const found = named === undefined ? find(name, biasEndings) : find(named, ['']);
  if (expected && found === undefined)
    fail(`layer 0 has no bias ${quote(named ?? `${name}.bias`)}, which it is said to have`);
  const bias = expected === false ? undefined : found;
  return { weight, bias, stored: attention.stored, ...positions(part, attention, heads, kvHeads) };
}

/** That a bias which is not to be there is in no layer: it would be left out. */
function mustHaveNoBias(weights: Weights, name: string): void {
  for (const ending of biasEndings) {
    const layers = countLayers(weights, name + ending);
    if (layers > 0)
      throw fileError(
        weights.path,
        `has the tensor ${quote(nameIn(name + ending, layers - 1))}, but there is no such bias by its config, or in layer 0`,
      );
  }
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

/** The shape of a projection's tensor. */
export function expectedShape({ dModel, dOut, dHead, heads }: Layout, part: Part, place: Place): number[] {
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

/** The tensors of all layers that the layout names, each once. */
export function tensorNames({ layers, places, norm, qkNorm }: Layout): string[] {
  const patterns = [...parts.map((part) => places[part]), norm, qkNorm?.q, qkNorm?.k].flatMap((found) => [
    found?.weight,
    found?.bias,
  ]);
  const all = Array.from({ length: layers }, (_, layer) =>
    patterns.flatMap((pattern) => (pattern === undefined ? [] : nameIn(pattern, layer))),
  );
  return [...new Set(all.flat())];
}

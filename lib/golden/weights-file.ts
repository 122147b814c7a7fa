import { isPlain } from '../arguments/options.ts';
import { asyncDispose } from '../array/disposal.ts';
import type { Dtype } from '../array/elements.ts';
import { escapedJson } from '../array/escape.ts';
import { product } from '../array/tensor.ts';
import { circuitKinds } from '../circuits/attention.ts';
import { stacks } from '../circuits/families.ts';
import type { CircuitKind, DeclaredLayout } from '../circuits/index.ts';
import { version } from '../native/version.ts';
import type { Versions } from '../runtime.ts';
import { Journal } from '../weights/journal.ts';
import { JsonReader } from '../weights/json-reader.ts';
import { matricesOf } from '../weights/matrices.ts';
import type { Kept, Selection, TensorRecord } from './checkpoint.ts';
import { type CircuitRecord, type CircuitSource, circuitName, modelMembers } from './circuits.ts';
import {
  clusterJson,
  goldenJson,
  lines,
  parseItem,
  parseRecords,
  parseVersions,
  shortFloat32,
} from './file.ts';
import { format, type Golden, type ItemRecord } from './record.ts';
import type { Spectrum } from './spectra.ts';
import { decodeSums, encodeSums, type NonFinite, productProbes, sumCount } from './sums.ts';

/** What all golden files of weights say. */
interface OfWeights extends Selection {
  readonly versions: Versions;
  /** What was recorded, relative to the folder of the golden file, with `/`. */
  readonly checkpoint: string;
}

/** The record of all tensors of a checkpoint. */
export interface CheckpointGolden extends OfWeights {
  readonly tensors: readonly TensorRecord[];
}

/** The record of its circuits. */
export interface CircuitGolden extends OfWeights, CircuitSource {
  readonly circuits: readonly CircuitRecord[];
}

/** What a golden file may hold. */
export type AnyGolden = Golden | CheckpointGolden | CircuitGolden;

const formats = {
  tensors: 'factored-svd golden checkpoint 1',
  circuits: 'factored-svd golden circuits 1',
} as const;

/** What any golden file holds as JSON, checked. `ERR_SVD_FILE` with the place of the first member that is wrong. */
export function parseAny(path: string, json: unknown): AnyGolden {
  const reader = new JsonReader(path, 'golden file');
  const file = reader.object(json, 'the file');
  if (file.format === formats.tensors) return parseCheckpoint(reader, file);
  if (file.format === formats.circuits) return parseCircuits(reader, file);
  if (file.format !== format)
    reader.fail('format', `${JSON.stringify(format)} or another that factored-svd golden writes`);
  return parseRecords(path, json);
}

function parseHead(reader: JsonReader, file: Record<string, unknown>): OfWeights {
  const texts = (key: string) => reader.list(file[key], key, (x, at) => reader.text(x, at));
  return {
    versions: parseVersions(reader, file.versions),
    checkpoint: reader.text(file.checkpoint, 'checkpoint'),
    leading: reader.size(file.leading, 'leading'),
    full: reader.flag(file.full, 'full'),
    include: texts('include'),
    exclude: texts('exclude'),
  };
}

function parseCheckpoint(reader: JsonReader, file: Record<string, unknown>): CheckpointGolden {
  const tensors = reader.list(file.tensors, 'tensors', (x, at) => parseTensor(reader, x, at));
  if (tensors.length === 0) reader.fail('tensors', 'one record or more');
  if (new Set(tensors.map(({ name }) => name)).size < tensors.length)
    reader.fail('tensors', 'every name once');
  return { ...parseHead(reader, file), tensors };
}

function parseTensor(reader: JsonReader, value: unknown, at: string): TensorRecord {
  const given = reader.object(value, at);
  const shape = reader.list(given.shape, `${at}.shape`, (n, where) => reader.size(n, where));
  const dtype = reader.text(given.dtype, `${at}.dtype`);
  const matrices = matricesOf(shape);
  const { sha256, elements } = given;
  return {
    name: reader.text(given.name, `${at}.name`),
    dtype,
    shape,
    ...(sha256 !== undefined && { sha256: parseHash(reader, sha256, `${at}.sha256`) }),
    ...(elements !== undefined && {
      elements: parseElements(reader, elements, `${at}.elements`, sumCount(product(shape))),
    }),
    ...parseSpectra(reader, given, at, {
      count: matrices?.count ?? 0,
      p: matrices ? Math.min(matrices.rows, matrices.cols) : 0,
      dtype: dtype === 'F64' ? 'float64' : 'float32',
    }),
  };
}

function parseHash(reader: JsonReader, value: unknown, at: string): string {
  const text = reader.text(value, at);
  return /^[0-9a-f]{64}$/.test(text) ? text : reader.fail(at, '64 hexadecimal digits');
}

function parseElements(reader: JsonReader, value: unknown, at: string, count: number) {
  const { exponent, norm, largest, nonFinite, sums } = reader.object(value, at);
  return {
    ...(exponent !== undefined && { exponent: parseExponent(reader, exponent, `${at}.exponent`) }),
    norm: reader.nonNegative(norm, `${at}.norm`),
    largest: reader.nonNegative(largest, `${at}.largest`),
    ...(nonFinite !== undefined && { nonFinite: parseNonFinite(reader, nonFinite, `${at}.nonFinite`) }),
    sums: parseSums(reader, sums, `${at}.sums`, count),
  };
}

function parseExponent(reader: JsonReader, value: unknown, at: string): number {
  const exponent = reader.number(value, at);
  return Number.isInteger(exponent) && Math.abs(exponent) < 1024
    ? exponent
    : reader.fail(at, 'a power of two');
}

function parseNonFinite(reader: JsonReader, value: unknown, at: string): NonFinite {
  const given = reader.object(value, at);
  const size = (key: keyof NonFinite) => reader.size(given[key], `${at}.${key}`);
  return {
    nan: size('nan'),
    positive: size('positive'),
    negative: size('negative'),
    places: size('places'),
  };
}

function parseSums(reader: JsonReader, value: unknown, at: string, count: number): Float64Array {
  const sums = decodeSums(reader.text(value, at));
  return sums?.length === count ? sums : reader.fail(at, `${count} finite numbers as base64`);
}

function parseSpectra(
  reader: JsonReader,
  { spectra, items }: Record<string, unknown>,
  at: string,
  { count, p, dtype }: { count: number; p: number; dtype: Dtype },
): Pick<TensorRecord, 'spectra' | 'items'> {
  const whole = (list: readonly unknown[], key: string) =>
    list.length === count || reader.fail(`${at}.${key}`, `${count}, one for each matrix`);
  if (items !== undefined) {
    const all = reader.list(items, `${at}.items`, (x, where) => parseItem(reader, x, where, dtype));
    whole(all, 'items');
    for (const { clusters } of all)
      if (clusters.reduce((sum, { S }) => sum + S.length, 0) !== p)
        reader.fail(`${at}.items`, `${p} singular values for every matrix`);
    return { items: all };
  }
  if (spectra === undefined) return {};
  const all = reader.list(spectra, `${at}.spectra`, (x, where): Spectrum => {
    const { leading, last, nuclear, bound } = reader.object(x, where);
    const of = reader.list(leading, `${where}.leading`, (s, place) => reader.nonNegative(s, place));
    if (of.length > p) reader.fail(`${where}.leading`, `at most ${p} numbers`);
    const number = (value: unknown, key: string) => reader.nonNegative(value, `${where}.${key}`);
    return {
      leading: of,
      last: number(last, 'last'),
      nuclear: nuclear === null ? Number.POSITIVE_INFINITY : number(nuclear, 'nuclear'),
      bound: number(bound, 'bound'),
    };
  });
  whole(all, 'spectra');
  if (all.some(({ leading }) => leading.length !== all[0].leading.length))
    reader.fail(`${at}.spectra`, 'as many leading values for every matrix');
  return { spectra: all };
}

function parseCircuits(reader: JsonReader, file: Record<string, unknown>): CircuitGolden {
  const given = reader.object(file.model, 'model');
  const member = (name: string) =>
    name === 'modelType'
      ? reader.text(given[name], 'model.modelType')
      : reader.size(given[name], `model.${name}`);
  const model = Object.fromEntries(
    modelMembers.map((name) => [name, member(name)]),
  ) as CircuitSource['model'];
  const state = reader.object(file.state, 'state');
  const flag = (name: string) => reader.flag(state[name], `state.${name}`);
  if (state.stack !== undefined && !stacks.includes(state.stack as never))
    reader.fail('state.stack', stacks.join(', '));
  const kinds = reader.list(file.kinds, 'kinds', (x, at) => parseKind(reader, x, at));
  if (kinds.length === 0 || new Set(kinds).size < kinds.length) reader.fail('kinds', 'OV, QK or both');
  if (file.layout !== undefined && !isPlain(file.layout)) reader.fail('layout', 'an object');
  const heads = model.heads as number;
  const circuits = reader.list(file.circuits, 'circuits', (x, at) => parseCircuit(reader, x, at, heads));
  const expected = kinds.flatMap((kind) =>
    Array.from(
      { length: Math.min(model.layers as number, circuits.length + 1) },
      (_, layer) => `${kind} ${layer}`,
    ),
  );
  if (expected.join() !== circuits.map(({ kind, layer }) => `${kind} ${layer}`).join())
    reader.fail('circuits', 'every kind and layer in order');
  return {
    ...parseHead(reader, file),
    model,
    state: {
      foldNorms: flag('foldNorms'),
      centerWriting: flag('centerWriting'),
      biases: flag('biases'),
      ...(state.stack !== undefined && { stack: state.stack as 'encoder' }),
    },
    rotaryOffset: reader.number(file.rotaryOffset, 'rotaryOffset'),
    kinds,
    ...(file.layout !== undefined && { layout: file.layout as unknown as DeclaredLayout }),
    sha256: parseHash(reader, file.sha256, 'sha256'),
    circuits,
  };
}

function parseKind(reader: JsonReader, value: unknown, at: string): CircuitKind {
  return circuitKinds.find((kind) => kind === value) ?? reader.fail(at, "'OV' or 'QK'");
}

function parseCircuit(reader: JsonReader, value: unknown, at: string, heads: number): CircuitRecord {
  const given = reader.object(value, at);
  const shape = reader.list(given.shape, `${at}.shape`, (n, where) => reader.size(n, where));
  if (shape.length !== 3 || shape[0] !== heads) reader.fail(`${at}.shape`, `[${heads}, rows, cols]`);
  const { dtype } = given;
  if (dtype !== 'float32' && dtype !== 'float64') reader.fail(`${at}.dtype`, "'float32' or 'float64'");
  const norms = reader.list(given.norms, `${at}.norms`, (x, where) => reader.nonNegative(x, where));
  if (norms.length !== heads) reader.fail(`${at}.norms`, `${heads} numbers`);
  const first = Array.isArray(given.items) ? (given.items[0] as Partial<ItemRecord> | undefined) : undefined;
  const p = Array.isArray(first?.clusters)
    ? first.clusters.reduce((sum, cluster) => sum + (cluster?.S?.length ?? 0), 0)
    : Math.min(shape[1], shape[2]);
  return {
    kind: parseKind(reader, given.kind, `${at}.kind`),
    layer: reader.size(given.layer, `${at}.layer`),
    shape,
    dtype,
    norms,
    sums: parseSums(reader, given.sums, `${at}.sums`, heads * productProbes),
    ...parseSpectra(reader, given, at, { count: heads, p, dtype }),
  };
}

/** What `record` keeps in a journal until all is finished. @param head all that the records depend on */
export const keptTensors = (path: string, head: object): Promise<KeptJournal<TensorRecord>> =>
  kept(path, head, tensorJson, parseTensor, ({ name }) => name);

export const keptCircuits = (
  path: string,
  head: object,
  heads: number,
): Promise<KeptJournal<CircuitRecord>> =>
  kept(
    path,
    head,
    circuitJson,
    (reader, value, at) => parseCircuit(reader, value, at, heads),
    ({ kind, layer }) => circuitName(kind, layer),
  );

/** Closed when it is disposed of. */
export interface KeptJournal<T> extends Kept<T>, AsyncDisposable {}

async function kept<T>(
  path: string,
  head: object,
  json: (record: T) => string,
  read: (reader: JsonReader, value: unknown, at: string) => T,
  nameOf: (record: T) => string,
): Promise<KeptJournal<T>> {
  const journal = await Journal.open<unknown>(path, {
    format: 'factored-svd golden journal 1',
    factoredSvd: version,
    ...head,
  });
  const reader = new JsonReader(path, 'journal');
  return {
    get(name) {
      const value = journal.records.get(name);
      if (value === undefined) return undefined;
      const record = read(reader, value, name);
      return nameOf(record) === name ? record : reader.fail(name, 'its own record');
    },
    add: (name, record) => journal.add(name, JSON.parse(json(record))),
    [asyncDispose]: () => journal.close(),
  };
}

/** A golden file as JSON, a line for each tensor, or kind and layer. */
export function anyJson(golden: AnyGolden): string {
  if ('records' in golden) return goldenJson(golden);
  const { versions, checkpoint, leading, full, include, exclude } = golden;
  const head = { checkpoint, leading, full, include, exclude };
  if ('tensors' in golden)
    return fileJson(
      { format: formats.tensors, versions, ...head },
      'tensors',
      golden.tensors.map(tensorJson),
    );
  const { model, state, rotaryOffset, kinds, layout, sha256 } = golden;
  const source = { model, state, rotaryOffset, kinds, layout, sha256 };
  return fileJson(
    { format: formats.circuits, versions, ...head, ...source },
    'circuits',
    golden.circuits.map(circuitJson),
  );
}

function fileJson(head: object, name: string, parts: readonly string[]): string {
  const members = Object.entries(head)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}: ${escapedJson(value)}`);
  return `{\n${[...members, `"${name}": ${lines(parts)}`].join(',\n')}\n}\n`;
}

function tensorJson({ elements, spectra, items, ...rest }: TensorRecord): string {
  const dtype = rest.dtype === 'F64' ? 'float64' : 'float32';
  return escapedJson({
    ...rest,
    ...(elements && { elements: { ...elements, sums: encodeSums(elements.sums) } }),
    ...spectraPlain(spectra, items, dtype),
  });
}

const circuitJson = ({ sums, spectra, items, ...rest }: CircuitRecord): string =>
  escapedJson({ ...rest, sums: encodeSums(sums), ...spectraPlain(spectra, items, rest.dtype) });

/** In few digits. */
function spectraPlain(spectra: TensorRecord['spectra'], items: TensorRecord['items'], dtype: Dtype) {
  const short = (s: number) => (dtype === 'float32' ? shortFloat32(s) : s);
  return {
    spectra: spectra?.map(({ leading, last, ...rest }) => ({
      leading: leading.map(short),
      last: short(last),
      ...rest,
    })),
    items: items?.map(({ clusters, ...rest }) => ({
      ...rest,
      clusters: clusters.map((cluster) => JSON.parse(clusterJson(cluster, dtype))),
    })),
  };
}

import { mostDims } from '../array/describe.ts';
import type { Dtype } from '../array/elements.ts';
import { escapedJson, quote } from '../array/escape.ts';
import { product } from '../array/tensor.ts';
import type { Versions } from '../runtime.ts';
import { fileError, fileStep } from '../weights/file-errors.ts';
import { JsonReader } from '../weights/json-reader.ts';
import { openRegular } from '../weights/storage.ts';
import {
  type ClusterRecord,
  format,
  type Golden,
  type GoldenRecord,
  type ItemRecord,
  probeCount,
  type Source,
} from './record.ts';

/** Bytes that `JSON.parse` may take: records of a million singular values fit. */
const mostBytes = 2 ** 30;

/** Levels of a golden file. */
const mostLevels = 16;

const [quoteMark, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [opensList, opensObject, closesList, closesObject] = [0x5b, 0x7b, 0x5d, 0x7d];

/**
 * That `JSON.parse` of these bytes will not exhaust memory, whatever they are: what it makes is counted first. A list, an
 * object and a member take some 64 bytes each, an element 16.
 * @throws `ERR_SVD_FILE`
 */
export function checkJsonCost(path: string, bytes: Uint8Array): void {
  let level = 0;
  let cost = bytes.length;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quoteMark) at = endOfString(bytes, at);
    else if (byte === comma) cost += 16;
    else if (byte === colon) cost += 64;
    else if (byte === opensList || byte === opensObject) {
      cost += 64;
      if (++level > mostLevels)
        throw fileError(path, `not a golden file: nested more than ${mostLevels} levels deep at byte ${at}`);
    } else if (byte === closesList || byte === closesObject) level--;
  }
  if (cost > mostBytes)
    throw fileError(path, `too large for a golden file: it would take ${cost} bytes of memory`);
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quoteMark) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** What `goldenJson` wrote, checked member by member. `ERR_SVD_FILE` with the place of the first that is wrong. */
export const parseGolden = (path: string, text: string): Golden => parseRecords(path, jsonOf(path, text));

/** The text as JSON. `ERR_SVD_FILE` */
export function jsonOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fileError(path, `not a golden file: ${(error as Error).message}`, error);
  }
}

/** The records of decompositions that JSON holds. `ERR_SVD_FILE` */
export function parseRecords(path: string, json: unknown): Golden {
  const reader = new JsonReader(path, 'golden file');
  const file = reader.object(json, 'the file');
  if (file.format !== format)
    reader.fail('format', `${JSON.stringify(format)}, written by factored-svd golden`);
  const versions = parseVersions(reader, file.versions);
  const records = reader.list(file.records, 'records', (value, at) => parseRecord(reader, value, at));
  if (records.length === 0) reader.fail('records', 'one record or more');
  return { versions, records };
}

export function parseVersions(reader: JsonReader, value: unknown): Versions {
  const versions = reader.object(value, 'versions');
  const text = (key: keyof Versions) => reader.text(versions[key], `versions.${key}`);
  const lapackIntBits = versions.lapackIntBits;
  if (lapackIntBits !== 32 && lapackIntBits !== 64) reader.fail('versions.lapackIntBits', '32 or 64');
  return {
    factoredSvd: text('factoredSvd'),
    openblas: text('openblas'),
    openblasConfig: text('openblasConfig'),
    openblasCore: text('openblasCore'),
    lapackIntBits,
    build: text('build'),
  };
}

function parseRecord(reader: JsonReader, value: unknown, at: string): GoldenRecord {
  const record = reader.object(value, at);
  const shape = reader.list(record.shape, `${at}.shape`, (n, where) => reader.size(n, where));
  if (shape.length < 2 || shape.length > mostDims)
    reader.fail(`${at}.shape`, `two dimensions or more, at most ${mostDims}`);
  const dtype = record.dtype;
  if (dtype !== 'float32' && dtype !== 'float64') reader.fail(`${at}.dtype`, "'float32' or 'float64'");
  const items = reader.list(record.items, `${at}.items`, (item, where) =>
    parseItem(reader, item, where, dtype),
  );
  const count = product(shape.slice(0, -2));
  if (items.length !== count) reader.fail(`${at}.items`, `${count}, one per matrix, not ${items.length}`);
  const lengths = items.map(({ clusters }) => clusters.reduce((sum, { S }) => sum + S.length, 0));
  if (lengths.some((p) => p !== lengths[0] || p > Math.min(...shape.slice(-2))))
    reader.fail(
      `${at}.items`,
      'as many singular values for every matrix, and no more than it has rows or columns',
    );
  return {
    file: reader.text(record.file, `${at}.file`),
    source: parseSource(reader, record.source, at),
    shape,
    dtype,
    items,
  };
}

const names = ['matrix', 'a', 'b'];
const flags = ['factors', 'transposeA', 'transposeB'];

function parseSource(reader: JsonReader, value: unknown, at: string): Source {
  const given = reader.object(value, `${at}.source`);
  const source: Source = Object.fromEntries(
    Object.entries(given).map(([key, entry]) => {
      if (names.includes(key)) return [key, reader.text(entry, `${at}.source.${key}`)];
      if (flags.includes(key)) return [key, reader.flag(entry, `${at}.source.${key}`)];
      return reader.fail(`${at}.source`, `${[...names, ...flags].join(', ')}, not ${quote(key)}`);
    }),
  );
  const product = source.a !== undefined && source.b !== undefined;
  const named = [source.factors === true, source.matrix !== undefined, product];
  if (named.filter(Boolean).length !== 1) reader.fail(`${at}.source`, 'factors, or matrix, or a and b');
  return source;
}

export function parseItem(reader: JsonReader, value: unknown, at: string, dtype: Dtype): ItemRecord {
  const item = reader.object(value, at);
  return {
    beta: reader.nonNegative(item.beta, `${at}.beta`),
    bound: reader.nonNegative(item.bound, `${at}.bound`),
    clusters: reader.list(item.clusters, `${at}.clusters`, (cluster, where) =>
      parseCluster(reader, cluster, where, dtype),
    ),
  };
}

function parseCluster(reader: JsonReader, value: unknown, at: string, dtype: Dtype): ClusterRecord {
  const cluster = reader.object(value, at);
  const numbers = (key: string) =>
    reader.list(cluster[key], `${at}.${key}`, (x, where) => reader.number(x, where));
  const S = numbers('S').map((s) => (dtype === 'float32' ? Math.fround(s) : s));
  if (S.length === 0) reader.fail(`${at}.S`, 'one singular value or more');
  const sides = (['left', 'right', 'pair'] as const)
    .filter((side) => cluster[side] !== undefined)
    .map((side) => [side, numbers(side)] as const);
  for (const [side, values] of sides)
    if (values.length !== probeCount) reader.fail(`${at}.${side}`, `${probeCount} numbers`);
  return { S, ...Object.fromEntries(sides) };
}

/** What a golden file may have; records of a million singular values have 150 MB. */
const mostFileBytes = 2 ** 28;

/** The text of a golden file, which `JSON.parse` can take. `ERR_SVD_FILE` */
export async function readGoldenText(path: string): Promise<string> {
  const { handle, size } = await openRegular(path);
  try {
    if (size > mostFileBytes)
      throw fileError(path, `too large for a golden file: ${size} bytes, at most ${mostFileBytes}`);
    const bytes = await fileStep(path, 'read', () => handle.readFile());
    checkJsonCost(path, bytes);
    return bytes.toString();
  } finally {
    await handle.close();
  }
}

/** JSON with one line per cluster of singular values: small, and a change shows where it is. */
export function goldenJson({ versions, records }: Golden): string {
  const head = [`"format": ${escapedJson(format)}`, `"versions": ${escapedJson(versions)}`];
  return `{\n${[...head, `"records": ${lines(records.map(recordJson))}`].join(',\n')}\n}\n`;
}

export const lines = (parts: readonly string[]): string =>
  parts.length > 0 ? `[\n${parts.join(',\n')}\n]` : '[]';

function recordJson({ items, dtype, file, source, shape }: GoldenRecord): string {
  const all = items.map(({ clusters, beta, bound }) =>
    opened({ beta, bound }, 'clusters', lines(clusters.map((cluster) => clusterJson(cluster, dtype)))),
  );
  return opened({ file, source, shape, dtype }, 'items', lines(all));
}

/** An object whose last member is JSON already. */
const opened = (members: object, last: string, json: string): string =>
  `${escapedJson(members).slice(0, -1)},"${last}":${json}}`;

export const clusterJson = (cluster: ClusterRecord, dtype: Dtype): string =>
  JSON.stringify({ ...cluster, S: cluster.S.map((s) => (dtype === 'float32' ? shortFloat32(s) : s)) });

/** The shortest decimal that is nearest to the same float32. */
export function shortFloat32(x: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(x.toPrecision(digits));
    if (Math.fround(decimal) === x) return decimal;
  }
  return Number(x.toPrecision(9));
}

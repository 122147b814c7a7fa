import { mostDims } from '../describe.ts';
import { quote } from '../escape.ts';
import type { Versions } from '../runtime.ts';
import { type Dtype, product } from '../views.ts';
import { fileError } from '../weights/file-errors.ts';
import { format, type Golden, type GoldenRecord, type Source } from './contents.ts';
import { probeCount } from './probes.ts';
import type { ClusterRecord, ItemRecord } from './record.ts';

/** What `goldenJson` wrote, checked member by member. `ERR_SVD_FILE` with the place of the first that is wrong. */
export function parseGolden(path: string, text: string): Golden {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fileError(path, `not a golden file: ${(error as Error).message}`, error);
  }
  const reader = new Reader(path);
  const file = reader.object(json, 'the file');
  if (file.format !== format)
    reader.fail('format', `${JSON.stringify(format)}, written by factored-svd golden`);
  const versions = parseVersions(reader, file.versions);
  const records = reader.list(file.records, 'records', (value, at) => parseRecord(reader, value, at));
  if (records.length === 0) reader.fail('records', 'one record or more');
  return { versions, records };
}

/** Checks values; its errors name the file and the place in it. */
class Reader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  fail(at: string, expected: string): never {
    throw fileError(this.#path, `not a golden file: ${at}: expected ${expected}`);
  }

  object(value: unknown, at: string): Record<string, unknown> {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) this.fail(at, 'an object');
    return value as Record<string, unknown>;
  }

  list<T>(value: unknown, at: string, read: (value: unknown, at: string) => T): T[] {
    if (!Array.isArray(value)) this.fail(at, 'a list');
    return value.map((entry, i) => read(entry, `${at}[${i}]`));
  }

  text(value: unknown, at: string): string {
    if (typeof value !== 'string') this.fail(at, 'a string');
    return value;
  }

  flag(value: unknown, at: string): boolean {
    if (typeof value !== 'boolean') this.fail(at, 'true or false');
    return value;
  }

  number(value: unknown, at: string): number {
    if (typeof value !== 'number') this.fail(at, 'a number'); // JSON has no NaN, but 1e999 reads as infinity
    if (!Number.isFinite(value)) this.fail(at, 'a finite number');
    return value;
  }

  nonNegative(value: unknown, at: string): number {
    const number = this.number(value, at);
    if (number < 0) this.fail(at, 'a number ≥ 0');
    return number;
  }

  size(value: unknown, at: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0) this.fail(at, 'an integer ≥ 0');
    return value as number;
  }
}

function parseVersions(reader: Reader, value: unknown): Versions {
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

function parseRecord(reader: Reader, value: unknown, at: string): GoldenRecord {
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

function parseSource(reader: Reader, value: unknown, at: string): Source {
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

function parseItem(reader: Reader, value: unknown, at: string, dtype: Dtype): ItemRecord {
  const item = reader.object(value, at);
  return {
    beta: reader.nonNegative(item.beta, `${at}.beta`),
    bound: reader.nonNegative(item.bound, `${at}.bound`),
    clusters: reader.list(item.clusters, `${at}.clusters`, (cluster, where) =>
      parseCluster(reader, cluster, where, dtype),
    ),
  };
}

function parseCluster(reader: Reader, value: unknown, at: string, dtype: Dtype): ClusterRecord {
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

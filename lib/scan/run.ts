import { basename, resolve } from 'node:path';
import { type Shard, shardText } from '../circuits/run/index.ts';
import type { AsyncOptions } from '../index.ts';
import { version } from '../native/version.ts';
import { fileError, fileStep } from '../weights/file-errors.ts';
import { weightsIdentity } from '../weights/identity.ts';
import type { Weights } from '../weights/index.ts';
import { headDifferences, Journal, type JournalHead, readJournal } from '../weights/journal.ts';
import type { JsonReader } from '../weights/json-reader.ts';
import { openRegular } from '../weights/storage.ts';
import { type Selection, unitKey, unitsOf, unitsOfShard } from './plan.ts';
import { readRow, type ScanRow } from './row.ts';
import { scanUnits } from './scan.ts';

export interface ScanOptions extends AsyncOptions {
  readonly selection: Selection;
  readonly shard?: Shard | undefined;
  /** A journal of what is finished. */
  readonly out?: string | undefined;
  /** Whether the journal may be there already, and is continued. */
  readonly resume?: boolean | undefined;
}

/** A scan, or the part of it that was done. */
export interface Scan {
  /** Name of what was scanned. */
  readonly source: string;
  readonly factoredSvd: string;
  readonly selection: Selection;
  readonly shard: Shard | undefined;
  /** In the order of the weights. */
  readonly rows: readonly ScanRow[];
  /** Parts of the work of all shards, and how many are in `rows`; those that were in the journal at the start. */
  readonly units: number;
  readonly done: number;
  readonly kept: number;
}

const format = 'factored-svd scan 1';

/** A record of a journal: the rows of a unit, and its place. */
interface Record {
  readonly index: number;
  readonly rows: readonly ScanRow[];
}

/**
 * Scans open weights, or a shard of them, with a journal if `out` names one. `onProgress` is told the share that is done.
 * @throws `ERR_SVD_FILE` for the weights, or where the journal is of another scan, before any work; `signal.reason` on abort,
 * which leaves what was finished in the journal
 */
export async function scanWeights(
  weights: Weights,
  { selection, shard, out, resume = false, ...options }: ScanOptions,
): Promise<Scan> {
  const all = unitsOf(weights, selection);
  const own = unitsOfShard(all, shard);
  const { include, exclude, minSize } = selection;
  const head: JournalHead = {
    format,
    factoredSvd: version,
    weights: out === undefined ? undefined : await weightsIdentity(weights),
    include,
    exclude,
    minSize,
    units: all.length,
    ...(shard && { shard: [shard.index, shard.count] }),
    about: { source: basename(resolve(weights.path)) },
  };
  await using journal =
    out === undefined ? undefined : await Journal.open<Record>(out, head, { read: readRecord, resume });
  const records = new Map<string, Record>(journal?.records);
  const kept = records.size;
  const missing = own.filter((unit) => !records.has(unitKey(unit)));
  const cost = (units: typeof own) => units.reduce((sum, unit) => sum + unit.cost, 0);
  const before = own.length === 0 ? 0 : 1 - cost(missing) / cost(own);
  const onProgress: AsyncOptions['onProgress'] = ({ done, total }) =>
    options.onProgress?.({ done: before + (1 - before) * (done / total), total: 1 });
  for await (const { unit, rows } of scanUnits(weights, missing, { ...options, onProgress })) {
    const record = { index: unit.index, rows };
    records.set(unitKey(unit), record);
    await journal?.add(unitKey(unit), record);
  }
  return scanOf(head, records.values(), kept);
}

function scanOf(head: JournalHead, records: Iterable<Record>, kept: number): Scan {
  const { source } = head.about as { source: string };
  const [index, count] = (head.shard ?? []) as number[];
  const { include, exclude, minSize } = head as unknown as Selection;
  const sorted = [...records].sort((a, b) => a.index - b.index);
  return {
    source,
    factoredSvd: head.factoredSvd as string,
    selection: { include, exclude, minSize },
    shard: index === undefined ? undefined : { index, count },
    rows: sorted.flatMap(({ rows }) => rows),
    units: head.units as number,
    done: sorted.length,
    kept,
  };
}

const readRecord = (reader: JsonReader, value: unknown, at: string): Record => {
  const { index, rows } = reader.object(value, at);
  return {
    index: reader.size(index, `${at}: index`),
    rows: reader.list(rows, `${at}: rows`, (row, place) => readRow(reader, row, place)),
  };
};

/** Whether a file begins as the journal of a scan. `ERR_SVD_FILE` where it cannot be read */
export async function isScan(path: string): Promise<boolean> {
  const { handle } = await openRegular(path);
  try {
    const start = Buffer.alloc(64);
    const { bytesRead } = await fileStep(path, 'read', () => handle.read(start, 0, start.length, 0));
    return start.toString('utf8', 0, bytesRead).startsWith(`{"format":"factored-svd scan `);
  } finally {
    await handle.close();
  }
}

/**
 * The scan in a journal, as far as it has come; of several, which must be all shards of one scan, finished, the whole.
 * @throws `ERR_SVD_FILE`
 */
export async function readScan(paths: readonly string[]): Promise<Scan> {
  const records = new Map<string, Record>();
  let first: JournalHead | undefined;
  for (const path of paths) {
    const journal = await readJournal<Record>(path, readRecord);
    const { shard, ...head } = checkedHead(path, journal.head);
    if (first === undefined)
      first = paths.length > 1 ? head : { ...head, ...(shard !== undefined && { shard }) };
    else {
      const differ = headDifferences(head, first);
      if (differ.length > 0) throw fileError(path, `is of another scan: ${differ.join('; ')}`);
    }
    for (const [key, record] of journal.records) {
      if (records.has(key))
        throw fileError(path, `has ${key.replace(/^\d+ /, '')} as another journal has it`);
      records.set(key, record);
    }
  }
  const scan = scanOf(first!, records.values(), records.size);
  if (paths.length > 1 && scan.done < scan.units)
    throw fileError(
      paths[0],
      `and the others have ${scan.done} of ${scan.units} parts: a shard is missing or not finished`,
    );
  return scan;
}

function checkedHead(path: string, head: JournalHead): JournalHead {
  const fail = (what: string): never => {
    throw fileError(path, `not the journal of a scan: line 1: ${what}`);
  };
  if (head.format !== format) return fail(`format: expected "${format}"`);
  const isText = (x: unknown): x is string => typeof x === 'string';
  const isSize = (x: unknown) => Number.isSafeInteger(x) && (x as number) >= 0;
  const { factoredSvd, include, exclude, minSize, units, shard, about } = head;
  const lists = [include, exclude].every((x) => Array.isArray(x) && x.every(isText));
  const sizes = [minSize, units].every(isSize);
  const source = about !== null && typeof about === 'object' && 'source' in about && isText(about.source);
  const part =
    shard === undefined ||
    (Array.isArray(shard) && shard.length === 2 && shard.every((i) => isSize(i) && i > 0));
  if (!isText(factoredSvd) || !lists || !sizes || !source || !part) return fail('is not as scan writes it');
  return head;
}

/** What of a scan was done: `shard 2 of 3, 12 of 40 parts`; empty where it is all. */
export const partText = ({ shard, done, units }: Scan): string =>
  done === units ? '' : [...(shard ? [shardText(shard)] : []), `${done} of ${units} parts`].join(', ');

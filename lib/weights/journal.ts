import { readFileSync } from 'node:fs';
import { constants, type FileHandle, lstat, open } from 'node:fs/promises';
import { asyncDispose } from '../array/disposal.ts';
import { svdError } from '../array/errors.ts';
import { escapedJson, quote } from '../array/escape.ts';
import { fileError, fileStep } from './file-errors.ts';
import { JsonReader } from './json-reader.ts';
import { createAtomically, isAlive, place, resolveOutput } from './output.ts';
import { openRegular } from './storage.ts';

/** What a journal is of: `format` tells its kind, the rest what its records depend on. Plain JSON. */
export interface JournalHead {
  /** `factored-svd scan 1` */
  readonly format: string;
  /** What is said of it besides, and is not compared. */
  readonly about?: unknown;
  readonly [key: string]: unknown;
}

/** Reads the value of a record; `at` is its place for messages. */
export type ReadRecord<T> = (reader: JsonReader, value: unknown, at: string) => T;

export interface JournalOptions<T> {
  /** Checks the values of records that are there; by default they are what they are. */
  readonly read?: ReadRecord<T> | undefined;
  /** Whether one that is there is continued (default), or refused. */
  readonly resume?: boolean | undefined;
}

const flags = constants.O_RDWR | constants.O_APPEND | (constants.O_NONBLOCK ?? 0);

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
  );

/** Bytes of a line at most. */
const mostBytes = 2 ** 24;

/** Bytes that are read at a time. */
const chunk = 2 ** 20;

/** Milliseconds between two syncs: what was written outlives this process at once, the machine a little later. */
const syncEvery = 1000;

/** Those that are open in this process, by device and inode. */
const inUse = new Set<string>();

/**
 * What long work has finished, record by record, so that it can go on where it was stopped: a file of JSON, a line each. The first
 * is the head; the others are `[name, value]`, or say which process has opened the journal, or closed it. A record
 * is appended by one write; one that a killed process left torn is dropped. Numbers are kept exactly: those that JSON
 * lacks (NaN, ±∞, −0) as `{ "$": "NaN" }`.
 */
export class Journal<T = unknown> {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #identity: string;
  readonly #records: Map<string, T>;
  #size: number;
  #synced = performance.now();
  #last: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle, { records, size }: Contents<T>, identity: string) {
    this.path = path;
    this.#handle = handle;
    this.#identity = identity;
    this.#records = records;
    this.#size = size;
  }

  /**
   * Makes the journal, or continues the one that is there.
   * @throws `ERR_SVD_FILE` where it is of something else, which says how it differs; where another process has it open; where a
   * line is no record, with its number; where it may not be continued
   */
  static async open<T = unknown>(
    path: string,
    head: JournalHead,
    { read, resume = true }: JournalOptions<T> = {},
  ): Promise<Journal<T>> {
    const first = lineOf(path, head);
    const there = await fileStep(path, 'open', () => exists(path)); // a system without links would replace it
    const isNew = !there && (await createAtomically(path, (append) => append(first)));
    if (!isNew && !resume) throw fileError(path, 'is there already: resume it, or name another file');
    if (there) await resolveOutput(path);
    const handle = await fileStep(path, 'open', () => open(path, flags));
    try {
      const contents = await contentsOf(path, handle, read);
      const differ = headDifferences(contents.head, head);
      if (differ.length > 0)
        throw fileError(path, `is of something else: ${differ.join('; ')}. Name another file`);
      const { dev, ino, size } = await fileStep(path, 'stat', () => handle.stat({ bigint: true }));
      const identity = `${dev} ${ino}`;
      const { owner } = contents;
      if (owner && isWorking(owner, inUse.has(identity)))
        throw fileError(path, `is in use by process ${owner.pid}: wait for it, or name another file`);
      if (size !== BigInt(contents.size)) await fileStep(path, 'write', () => handle.truncate(contents.size)); // a torn line
      const journal = new Journal(path, handle, contents, identity);
      await journal.#append({ opened: { pid: process.pid, place, since: startOf(process.pid) } });
      inUse.add(identity);
      return journal;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What is finished, by name, in the order in which it was. */
  get records(): ReadonlyMap<string, T> {
    return this.#records;
  }

  /**
   * Appends a record, which must have a new name. `ERR_SVD_FILE`, too, where another process has written meanwhile.
   */
  async add(name: string, value: T): Promise<void> {
    if (this.#records.has(name))
      throw svdError('ERR_SVD_ARGUMENT', `the journal has a record ${quote(name)}`);
    this.#records.set(name, value);
    await this.#append([name, value]);
  }

  /** One line after the other, whoever waits for them; after one that failed none. */
  #append(line: unknown): Promise<void> {
    const bytes = lineOf(this.path, line);
    this.#last = this.#last.then(() => this.#write(bytes));
    return this.#last;
  }

  async #write(bytes: Buffer): Promise<void> {
    const { path } = this;
    await fileStep(path, 'write', () => this.#handle.appendFile(bytes));
    this.#size += bytes.length;
    const { size } = await fileStep(path, 'stat', () => this.#handle.stat());
    if (size !== this.#size) throw fileError(path, 'another process writes to it, too');
    if (performance.now() - this.#synced < syncEvery) return;
    await fileStep(path, 'write', () => this.#handle.datasync());
    this.#synced = performance.now();
  }

  /** Closes the file, which another process may then continue. A second call does nothing. */
  async close(): Promise<void> {
    if (!inUse.delete(this.#identity)) return;
    try {
      const failed = await this.#last.catch(() => true); // and whoever added was told
      if (failed) return;
      await this.#append({ closed: true });
      await fileStep(this.path, 'write', () => this.#handle.datasync());
    } finally {
      await this.#handle.close();
    }
  }

  async [asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What a journal holds, whoever may be writing to it: a line that is not finished is not there. `ERR_SVD_FILE` */
export async function readJournal<T = unknown>(
  path: string,
  read?: ReadRecord<T>,
): Promise<{ readonly head: JournalHead; readonly records: ReadonlyMap<string, T> }> {
  const { handle } = await openRegular(path);
  try {
    return await contentsOf(path, handle, read);
  } finally {
    await handle.close();
  }
}

/** A process that has opened a journal. */
interface Owner {
  readonly pid: number;
  /** Where a number names one process. */
  readonly place: string;
  /** When it began, in the system's own words: another process may have the number later. */
  readonly since: string;
}

/** Elsewhere nobody can tell; each will notice that the other writes. */
const isWorking = ({ pid, place: where, since }: Owner, isOurs: boolean): boolean =>
  where === place && since === startOf(pid) && (pid === process.pid ? isOurs : isAlive(pid));

/** Only Linux tells. */
function startOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return '';
  }
}

interface Contents<T> {
  readonly head: JournalHead;
  readonly records: Map<string, T>;
  /** Who opened it last and has not closed it. */
  readonly owner: Owner | undefined;
  /** Bytes of the lines that are whole. */
  readonly size: number;
}

async function contentsOf<T>(
  path: string,
  handle: FileHandle,
  read: ReadRecord<T> = (_, value) => value as T,
): Promise<Contents<T>> {
  const reader = new JsonReader(path, 'journal');
  const records = new Map<string, T>();
  let [head, owner, size, line]: [JournalHead | undefined, Owner | undefined, number, number] = [
    undefined,
    undefined,
    0,
    0,
  ];
  for await (const bytes of linesOf(path, handle)) {
    const at = `line ${++line}`;
    const value = parsed(reader, bytes, at);
    size += bytes.length + 1;
    if (head === undefined) {
      head = reader.object(value, at) as JournalHead;
      reader.text(head.format, `${at}: format`);
    } else if (Array.isArray(value)) {
      if (value.length !== 2) reader.fail(at, '[name, value]');
      const name = reader.text(value[0], at);
      if (records.has(name)) reader.fail(at, `a record that is not there yet, not ${quote(name)} again`);
      records.set(name, read(reader, value[1], at));
    } else {
      const { opened, closed } = reader.object(value, at);
      if (opened === undefined && closed !== true) reader.fail(at, '[name, value]');
      owner = opened === undefined ? undefined : readOwner(reader, opened, at);
    }
  }
  return { head: head ?? reader.fail('line 1', 'a head'), records, owner, size };
}

function readOwner(reader: JsonReader, value: unknown, at: string): Owner {
  const { pid, place, since } = reader.object(value, at);
  return { pid: reader.size(pid, at), place: reader.text(place, at), since: reader.text(since, at) };
}

/** The lines that are whole, without their ends; each is valid until the next is asked for. */
async function* linesOf(path: string, handle: FileHandle): AsyncGenerator<Buffer, void, void> {
  let rest = Buffer.alloc(0);
  for (let position = 0; ; ) {
    const buffer = Buffer.alloc(chunk);
    const { bytesRead } = await fileStep(path, 'read', () => handle.read(buffer, 0, chunk, position));
    if (bytesRead === 0) return;
    position += bytesRead;
    rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let from = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, from)) {
      yield rest.subarray(from, end);
      from = end + 1;
    }
    rest = rest.subarray(from);
    if (rest.length > mostBytes) throw fileError(path, `has a line of more than ${mostBytes} bytes`);
  }
}

function parsed(reader: JsonReader, bytes: Buffer, at: string): unknown {
  try {
    return JSON.parse(bytes.toString(), (_, value) => revived(value));
  } catch {
    return reader.fail(at, 'JSON');
  }
}

/** A line with its end. */
function lineOf(path: string, value: unknown): Buffer {
  const text = JSON.stringify(value, (_, x) =>
    typeof x === 'number' && (!Number.isFinite(x) || Object.is(x, -0))
      ? { $: Object.is(x, -0) ? '-0' : String(x) }
      : x,
  );
  const bytes = Buffer.from(`${text}\n`);
  if (bytes.length > mostBytes) throw fileError(path, `a record of ${bytes.length} bytes is too large`);
  return bytes;
}

const revived = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && '$' in value ? Number(value.$) : value;

/** Differences that are named. */
const named = 5;

/** How two heads differ: `rank 4, not 8`. */
export function headDifferences(found: JournalHead, expected: JournalHead): string[] {
  const [a, b] = [found, expected].map(({ about, ...rest }) => members(rest));
  const all = [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
  const texts = all
    .slice(0, named)
    .map((key) => `${key} ${a.get(key) ?? 'is missing'}, not ${b.get(key) ?? 'missing'}`);
  return all.length > named ? [...texts, `and ${all.length - named} more`] : texts;
}

/** What is in a head, by its path; no head of ours is deeper. */
function members(x: unknown, path: readonly string[] = [], all = new Map<string, string>()) {
  if (x !== null && typeof x === 'object' && path.length < 8)
    for (const [key, value] of Object.entries(x)) members(value, [...path, key], all);
  else if (x !== undefined) all.set(path.join('.'), typeof x === 'object' && x ? '…' : escapedJson(x));
  return all;
}

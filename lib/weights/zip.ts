import { quote } from '../array/escape.ts';
import { fileError } from './file-errors.ts';
import { limits } from './header.ts';
import { inflated, mostExpansion } from './inflate.ts';
import { bytesAt, type OpenFile, type Reading, regionOf, type Storage } from './storage.ts';

// The format of zip files: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

/** Signatures and lengths of the records, without what is variable in them. */
export const records = {
  local: { signature: 0x04034b50, length: 30 },
  central: { signature: 0x02014b50, length: 46 },
  end: { signature: 0x06054b50, length: 22 },
  zip64End: { signature: 0x06064b50, length: 56 },
  zip64Locator: { signature: 0x07064b50, length: 20 },
} as const;

/** What a field of 16 or 32 bits holds where its value stands in 64 bits elsewhere. */
export const elsewhere = { short: 0xffff, long: 0xffffffff } as const;

/** The extra field that has these values. */
export const zip64Id = 0x0001;

const methods = { stored: 0, deflated: 8 } as const;

/** A file within a zip file, as the directory declares it. */
interface Declared {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  /** Of its local header. */
  readonly offset: number;
}

/** A member and where its contents begin. */
export interface Member extends Declared {
  readonly start: number;
}

/**
 * Finds the members of a zip file. Their names are unique, and every one lies within the file and in none of the others.
 * @throws `ERR_SVD_FILE`
 */
export function* readZip(file: OpenFile): Reading<Member[]> {
  const fail = failing(file);
  const directory = yield* findDirectory(file);
  if (directory.size > limits.headerBytes)
    throw fail(`its directory has ${directory.size} bytes; at most ${limits.headerBytes} are read`);
  if (directory.count > limits.headerEntries)
    throw fail(`has ${directory.count} members, at most ${limits.headerEntries} are possible`);
  const bytes = Buffer.from((yield* bytesAt(file, directory.offset, directory.size)).buffer);
  const all = parseDirectory(bytes, directory.count, fail);
  const members: Member[] = [];
  let covered = 0;
  let last: string | undefined;
  for (const declared of all.sort((a, b) => a.offset - b.offset)) {
    const name = quote(declared.name);
    if (declared.offset < covered)
      throw fail(`member ${name} begins at byte ${declared.offset} inside member ${quote(last!)}`);
    const start = yield* contentsStart(file, declared, directory.offset);
    covered = start + declared.compressed;
    last = declared.name;
    if (covered > directory.offset)
      throw fail(
        `member ${name} ends at byte ${covered}, but the directory begins at byte ${directory.offset}`,
      );
    members.push({ ...declared, start });
  }
  return members;
}

const failing =
  ({ path }: OpenFile) =>
  (problem: string): Error =>
    fileError(path, `bad zip file: ${problem}`);

interface Directory {
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

/** The directory stands at the end, in front of a record that says where, which a comment may follow. */
function* findDirectory(file: OpenFile): Reading<Directory> {
  const fail = failing(file);
  const { end, zip64Locator, zip64End } = records;
  const length = Math.min(file.size, end.length + elsewhere.short);
  const tail = Buffer.from((yield* bytesAt(file, file.size - length, length)).buffer);
  let at = tail.length - end.length;
  const isEnd = () =>
    tail.readUInt32LE(at) === end.signature && at + end.length + tail.readUInt16LE(at + 20) === tail.length;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) throw fail('no directory at its end (truncated?)');
  const endAt = file.size - length + at;
  const count = tail.readUInt16LE(at + 10);
  const [size, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  const extended = count === elsewhere.short || size === elsewhere.long || offset === elsewhere.long;
  const locatorAt = at - zip64Locator.length;
  if (!extended || locatorAt < 0 || tail.readUInt32LE(locatorAt) !== zip64Locator.signature)
    return checkDirectory({ count, size, offset }, endAt, fail);
  const zip64At = safe(tail.readBigUInt64LE(locatorAt + 8), fail);
  if (zip64At + zip64End.length > endAt) throw fail('the end of its directory lies outside of it');
  const record = Buffer.from((yield* bytesAt(file, zip64At, zip64End.length)).buffer);
  if (record.readUInt32LE(0) !== zip64End.signature) throw fail(`no end of a directory at byte ${zip64At}`);
  const [entries, bytes, start] = [32, 40, 48].map((place) => safe(record.readBigUInt64LE(place), fail));
  return checkDirectory({ count: entries, size: bytes, offset: start }, zip64At, fail);
}

function checkDirectory(directory: Directory, end: number, fail: (problem: string) => Error): Directory {
  const { count, size, offset } = directory;
  if (offset + size !== end)
    throw fail(
      `its directory has ${size} bytes from byte ${offset} on, but ends at byte ${end} (truncated?)`,
    );
  if (count * records.central.length > size) throw fail(`${count} members in a directory of ${size} bytes`);
  return directory;
}

function safe(value: bigint, fail: (problem: string) => Error): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fail(`${value} is larger than 2^53 - 1`);
  return Number(value);
}

function parseDirectory(bytes: Buffer, count: number, fail: (problem: string) => Error): Declared[] {
  const { signature, length } = records.central;
  const seen = new Set<string>();
  const members: Declared[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + length > bytes.length || bytes.readUInt32LE(at) !== signature)
      throw fail(`no member ${i} at byte ${at} of its directory`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) =>
      bytes.readUInt16LE(at + place),
    );
    const extraAt = at + length + nameLength;
    const next = extraAt + extraLength + commentLength;
    if (next > bytes.length) throw fail(`member ${i} is longer than its directory`);
    const nameBytes = bytes.subarray(at + length, extraAt);
    const name = textOf(nameBytes) ?? raise(fail(`the name of member ${i} is not UTF-8`));
    if (seen.has(name)) throw fail(`two members are called ${quote(name)}`);
    seen.add(name);
    const short = {
      size: bytes.readUInt32LE(at + 24),
      compressed: bytes.readUInt32LE(at + 20),
      offset: bytes.readUInt32LE(at + 42),
    };
    const long = fromExtra(bytes.subarray(extraAt, extraAt + extraLength), short, (problem) =>
      fail(`member ${quote(name)}: ${problem}`),
    );
    const [flags, method] = [bytes.readUInt16LE(at + 8), bytes.readUInt16LE(at + 10)];
    members.push({ name, nameBytes, flags, method, crc: bytes.readUInt32LE(at + 16), ...long });
    at = next;
  }
  if (at < bytes.length) throw fail(`${bytes.length - at} bytes of its directory belong to no member`);
  return members;
}

function raise(error: Error): never {
  throw error;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

type Sizes = Pick<Declared, 'size' | 'compressed' | 'offset'>;

/** Sizes and offset; those that do not fit into 32 bits stand in the extra field, in this order. */
function fromExtra(extra: Buffer, short: Sizes, fail: (problem: string) => Error): Sizes {
  const missing = (['size', 'compressed', 'offset'] as const).filter((key) => short[key] === elsewhere.long);
  if (missing.length === 0) return short;
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    const field = extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    if (id !== zip64Id) continue;
    if (field.length < 8 * missing.length) break;
    return {
      ...short,
      ...Object.fromEntries(missing.map((key, i) => [key, safe(field.readBigUInt64LE(8 * i), fail)])),
    };
  }
  throw fail(`its ${missing[0]} does not fit into 32 bits and stands nowhere else`);
}

/** The first byte of the contents: behind the member's own header, which must have the same name. */
function* contentsStart(
  file: OpenFile,
  { name, nameBytes, offset }: Declared,
  most: number,
): Reading<number> {
  const fail = failing(file);
  const { signature, length } = records.local;
  if (offset + length + nameBytes.length > most)
    throw fail(`member ${quote(name)} begins at byte ${offset}, behind the others`);
  const header = Buffer.from((yield* bytesAt(file, offset, length + nameBytes.length)).buffer);
  if (header.readUInt32LE(0) !== signature) throw fail(`no member ${quote(name)} at byte ${offset}`);
  const [nameLength, extraLength] = [header.readUInt16LE(26), header.readUInt16LE(28)];
  if (nameLength !== nameBytes.length || !header.subarray(length).equals(nameBytes))
    throw fail(
      `the member at byte ${offset} has another name than ${quote(name)}, as the directory calls it`,
    );
  return offset + length + nameLength + extraLength;
}

/** The contents of a member: `size` bytes, which `compressed` ones can have in them. `ERR_SVD_FILE` */
export function contentsOf(file: OpenFile, member: Member, fail: (problem: string) => Error): Storage {
  const { flags, method, size, compressed, start } = member;
  if (flags & 1) throw fail('is encrypted');
  if (method === methods.stored) {
    if (compressed !== size) throw fail(`its ${size} bytes are not compressed, but take ${compressed}`);
    return regionOf(file, start);
  }
  if (method !== methods.deflated)
    throw fail(`compression method ${method} is not known: only deflate (8) is`);
  if (size > compressed * mostExpansion)
    throw fail(`${compressed} compressed bytes cannot hold ${size} bytes`);
  return inflated(file, start, { length: compressed, size }, fail);
}

/** Whether the contents stand in the file as they are. */
export const isStored = ({ method }: Member): boolean => method === methods.stored;

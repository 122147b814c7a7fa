import { crc32 } from 'node:zlib';
import { dispose } from '../array/disposal.ts';
import { quote } from '../array/escape.ts';
import type { Entry } from './elements.ts';
import { fileError } from './file-errors.ts';
import { noMetadata, readNpyHeader } from './npy.ts';
import { type ByteStream, type OpenFile, type Reading, readAsync, type Storage } from './storage.ts';
import type { Contents } from './weights.ts';
import { contentsOf, isStored, type Member, readZip } from './zip.ts';

/** What an `.npz` file holds: the arrays of its members `*.npy`, by their names without that. `ERR_SVD_FILE` */
export async function npzContents(file: OpenFile): Promise<Contents> {
  const members = await readAsync(readZip(file));
  const arrays = members.filter(({ name }) => name.endsWith(suffix));
  if (arrays.length === 0 && members.length > 0)
    throw fileError(
      file.path,
      `is a zip file without arrays (members *${suffix}): among its ${members.length} members is ${quote(members[0].name)}`,
    );
  const entries = new Map<string, Entry>();
  for (const member of arrays)
    entries.set(member.name.slice(0, -suffix.length), await readAsync(entryOf(file, member)));
  return { metadata: noMetadata, entries, files: [file] };
}

export const suffix = '.npy';

function* entryOf(file: OpenFile, member: Member): Reading<Entry> {
  const fail = (problem: string) => fileError(file.path, `member ${quote(member.name)}: ${problem}`);
  const contents = contentsOf(file, member, fail);
  using start = contents(0);
  const header = yield* readNpyHeader(start, member.size, fail);
  const { dtype, shape, byteLength, bytes, bigEndian, columnMajor } = header;
  const byteOffset = isStored(member) ? member.start + bytes.length : undefined;
  return {
    info: Object.freeze({ dtype, shape, byteLength, byteOffset, file: file.path }),
    storage: checked(contents, member, bytes, fail),
    bigEndian,
    columnMajor,
  };
}

/** Bytes between two turns of the event loop. */
const pieceLength = 2 ** 24;

/** The contents behind `header`: who reads all of them from the beginning is told if their checksum is another one. */
const checked =
  (contents: Storage, { size, crc }: Member, header: Uint8Array, fail: (problem: string) => Error): Storage =>
  (position) => {
    const stream = contents(header.length + position);
    let sum = position === 0 ? crc32(header) : undefined;
    let left = size - header.length - position;
    return {
      *read(bytes) {
        for (let at = 0; at < bytes.length; at += pieceLength) {
          const piece = bytes.subarray(at, at + pieceLength);
          yield* stream.read(piece);
          if (sum === undefined) continue;
          sum = crc32(piece, sum);
          left -= piece.length;
          if (left === 0 && sum !== crc)
            throw fail('is damaged: its checksum is another one than the directory says');
        }
      },
      *skip(count) {
        if (count > 0) sum = undefined;
        yield* stream.skip(count);
      },
      [dispose]() {
        stream[dispose]();
      },
    } satisfies ByteStream;
  };

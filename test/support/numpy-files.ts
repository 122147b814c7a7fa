import { crc32, deflateRawSync } from 'node:zlib';

// Files as numpy writes them, made from the definitions of the formats and not by what is tested.

/** An `.npy` file with this header text, padded as numpy pads it, in front of the data. */
export function npyBytes(header: string, data: Uint8Array, version = 1): Buffer {
  const prefix = version === 1 ? 10 : 12;
  const text = Buffer.from(header);
  const padding = Buffer.from(`${' '.repeat(63 - ((prefix + text.length) % 64))}\n`);
  const length = Buffer.alloc(prefix - 8);
  length.writeUIntLE(text.length + padding.length, 0, prefix === 10 ? 2 : 4);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Buffer.of(version, 0),
    length,
    text,
    padding,
    data,
  ]);
}

export const npyHeader = (descr: string, shape: readonly number[], fortran = false): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;

/** What a member of a zip file says of itself where it is not the truth. */
export interface MemberFields {
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly compressed?: number;
  readonly offset?: number;
  /** The name in its own header. */
  readonly localName?: string;
  /** Sizes and offset stand in the extra field. */
  readonly zip64?: boolean;
}

export interface MemberSpec extends MemberFields {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** A zip file: each member by method 0 unless 8 is said. */
export function zipBytes(
  members: readonly MemberSpec[],
  end: { count?: number; size?: number; offset?: number; comment?: string; zip64?: boolean } = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, contents, ...fields } of members) {
    const { method = 0, flags = 0, crc = crc32(contents), zip64 = false, localName = name } = fields;
    const body = Buffer.from(method === 8 ? deflateRawSync(contents) : contents);
    const { size = contents.length, compressed = body.length, offset = at } = fields;
    const clipped = (x: number) => (zip64 ? 0xffffffff : x);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(45, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(clipped(compressed), 14);
    common.writeUInt32LE(clipped(size), 18);
    const extra = zip64 ? Buffer.alloc(4 + 24) : Buffer.alloc(0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(compressed), 12);
      extra.writeBigUInt64LE(BigInt(offset), 20);
    }
    const withName = (given: string) => {
      const head = Buffer.from(common);
      head.writeUInt16LE(Buffer.byteLength(given), 22);
      head.writeUInt16LE(extra.length, 24);
      return head;
    };
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04'),
      withName(localName),
      Buffer.from(localName),
      extra,
      body,
    ]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(clipped(offset), 10);
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02'),
        Buffer.of(45, 0),
        withName(name),
        rest,
        Buffer.from(name),
        extra,
      ]),
    );
    parts.push(local);
    at += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const { count = members.length, comment = '' } = end;
  const values = [count, end.size ?? size, end.offset ?? at] as const;
  const tail: Buffer[] = [];
  if (end.zip64) {
    const record = Buffer.alloc(56);
    record.write('PK\x06\x06', 'latin1');
    record.writeBigUInt64LE(44n, 4);
    for (const place of [24, 32]) record.writeBigUInt64LE(BigInt(values[0]), place);
    record.writeBigUInt64LE(BigInt(values[1]), 40);
    record.writeBigUInt64LE(BigInt(values[2]), 48);
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(BigInt(at + size), 8);
    locator.writeUInt32LE(1, 16);
    tail.push(record, locator);
  }
  const last = Buffer.alloc(22);
  last.write('PK\x05\x06', 'latin1');
  for (const place of [8, 10]) last.writeUInt16LE(end.zip64 ? 0xffff : values[0], place);
  last.writeUInt32LE(end.zip64 ? 0xffffffff : values[1], 12);
  last.writeUInt32LE(end.zip64 ? 0xffffffff : values[2], 16);
  last.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([...parts, ...directory, ...tail, last, Buffer.from(comment)]);
}

import { crc32 } from 'node:zlib';
import { exposedAsync } from '../arguments/boundary.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { MatrixLike } from '../array/input.ts';
import type { Tensor } from '../array/tensor.ts';
import { asTensor } from '../native/owned.ts';
import { filePath } from './file-errors.ts';
import { npyMagic } from './npy.ts';
import { suffix } from './npz.ts';
import { type Append, writeAtomically } from './output.ts';
import { isWellFormed, littleEndianPieces, mustBeRecord } from './pieces.ts';
import { elsewhere, records, zip64Id } from './zip.ts';

/**
 * Writes an array of any shape as an `.npy` file, for `numpy.load`: float32 as `<f4`, float64 as `<f8`, strided views in
 * row-major order, with the same bytes as `numpy.save`. The file appears whole or not at all, as with `writeSafetensors`.
 * @throws `ERR_SVD_ARGUMENT` or `ERR_SVD_SHAPE` for what is no array of floats, before anything is written;
 * `ERR_SVD_FILE` if the file cannot be written
 * @function
 */
export const writeNpy = exposedAsync(
  { takes: ['path', 'array'] },
  async function writeNpy(path: string | URL, array: MatrixLike): Promise<void> {
    const file = filePath(path);
    const pieces = npyPieces(asTensor(array, 'array', 0));
    await writeAtomically(file, async (append) => {
      for (const piece of pieces) await append(piece);
    });
  },
);

/**
 * Writes arrays as an `.npz` file, for `numpy.load`: each as `writeNpy` does, by its name, not compressed; the same arrays
 * give the same bytes.
 * @throws `ERR_SVD_ARGUMENT` or `ERR_SVD_SHAPE` for what is no array of floats or no name, before anything is written;
 * `ERR_SVD_FILE` if the file cannot be written
 * @function
 */
export const writeNpz = exposedAsync(
  { takes: ['path', 'arrays'] },
  async function writeNpz(path: string | URL, arrays: Readonly<Record<string, MatrixLike>>): Promise<void> {
    const file = filePath(path);
    const entries = Object.entries(mustBeRecord(arrays, 'arrays')).map(([name, x]): Entry => {
      const [bytes, array] = [memberName(name), asTensor(x, `array ${quote(name)}`, 0)];
      return { name: bytes, measured: npyPieces(array), written: npyPieces(array) };
    });
    await writeAtomically(file, (append) => writeMembers(entries, append));
  },
);

/** Header and elements; the memory that `x` has now must be there until they are taken. */
function npyPieces(x: Tensor): Iterable<Uint8Array> {
  const elements = littleEndianPieces(x);
  return (function* () {
    yield npyHeader(x);
    yield* elements;
  })();
}

/** Bytes that a header and what stands in front of it are a multiple of. */
const alignment = 64;

/** Digits that numpy leaves room for, should the first dimension grow. */
const growth = 21;

function npyHeader({ data, shape }: Tensor): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const type = data instanceof Float64Array ? '<f8' : '<f4';
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims}), }`;
  const text = dictionary + (shape.length > 0 ? ' '.repeat(growth - String(shape[0]).length) : '');
  const prefix = npyMagic.length + 4;
  const length = Math.ceil((prefix + text.length + 1) / alignment) * alignment - prefix;
  const header = Buffer.from(`${npyMagic}\x01\x00??${text.padEnd(length - 1)}\n`, 'latin1');
  header.writeUInt16LE(length, prefix - 2);
  return header;
}

function memberName(name: string): Buffer {
  const bytes = Buffer.from(name + suffix);
  if (!isWellFormed(name) || name.includes('\0') || bytes.length > elsewhere.short)
    throw svdError('ERR_SVD_ARGUMENT', `${quote(name)} cannot be the name of an array`);
  return bytes;
}

/** An array to be written: size and checksum stand in front of it, so that it is gone through twice. */
interface Entry {
  readonly name: Buffer;
  readonly measured: Iterable<Uint8Array>;
  readonly written: Iterable<Uint8Array>;
}

/** What the directory says of a member. */
interface Written {
  readonly name: Buffer;
  readonly size: number;
  readonly crc: number;
  /** Of its local header. */
  readonly offset: number;
}

async function writeMembers(entries: readonly Entry[], append: Append): Promise<void> {
  let offset = 0;
  const put = async (bytes: Uint8Array) => {
    await append(bytes);
    offset += bytes.length;
  };
  const members: Written[] = [];
  for (const { name, measured, written } of entries) {
    const member = { name, offset, ...measure(measured) };
    members.push(member);
    await put(localHeader(member));
    for (const piece of written) await put(piece);
  }
  const start = offset;
  for (const member of members) await put(centralHeader(member));
  await put(endOfDirectory(members.length, start, offset));
}

function measure(pieces: Iterable<Uint8Array>): { size: number; crc: number } {
  let [size, crc] = [0, 0];
  for (const piece of pieces) {
    size += piece.length;
    crc = crc32(piece, crc);
  }
  return { size, crc };
}

/** Those of the format that knows 64 bits, and the one before. */
const versions = { zip64: 45, plain: 20 } as const;

const inUtf8 = 1 << 11;
/** 1980-01-01, where the dates of zip files begin: the same arrays give the same bytes. */
const date = (1 << 5) | 1;

const isLong = (value: number): boolean => value >= elsewhere.long;

const clipped = (value: number): number => Math.min(value, elsewhere.long);

/** The values that do not fit into 32 bits, as an extra field. */
function extraField(values: readonly number[]): Buffer {
  const long = values.filter(isLong);
  if (long.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * long.length);
  field.writeUInt16LE(zip64Id, 0);
  field.writeUInt16LE(8 * long.length, 2);
  for (const [i, value] of long.entries()) field.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  return field;
}

function localHeader({ name, size, crc }: Written): Buffer {
  const { signature, length } = records.local;
  const extra = extraField([size, size]);
  const header = Buffer.alloc(length);
  header.writeUInt32LE(signature, 0);
  writeCommon(header, 4, extra.length > 0, { crc, size });
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

function centralHeader({ name, size, crc, offset }: Written): Buffer {
  const { signature, length } = records.central;
  const extra = extraField([size, size, offset]);
  const header = Buffer.alloc(length);
  header.writeUInt32LE(signature, 0);
  header.writeUInt16LE(versions.zip64, 4);
  writeCommon(header, 6, extra.length > 0, { crc, size });
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(clipped(offset), 42);
  return Buffer.concat([header, name, extra]);
}

/** What both headers of a member have, from the version that a reader needs to the sizes. */
function writeCommon(
  header: Buffer,
  at: number,
  zip64: boolean,
  { crc, size }: { crc: number; size: number },
) {
  header.writeUInt16LE(zip64 ? versions.zip64 : versions.plain, at);
  header.writeUInt16LE(inUtf8, at + 2);
  header.writeUInt16LE(date, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(clipped(size), at + 14);
  header.writeUInt32LE(clipped(size), at + 18);
}

function endOfDirectory(count: number, start: number, end: number): Buffer {
  const { zip64End, zip64Locator } = records;
  const size = end - start;
  const record = Buffer.alloc(records.end.length);
  record.writeUInt32LE(records.end.signature, 0);
  for (const at of [8, 10]) record.writeUInt16LE(Math.min(count, elsewhere.short), at);
  record.writeUInt32LE(clipped(size), 12);
  record.writeUInt32LE(clipped(start), 16);
  if (count < elsewhere.short && !isLong(size) && !isLong(start)) return record;
  const long = Buffer.alloc(zip64End.length);
  long.writeUInt32LE(zip64End.signature, 0);
  long.writeBigUInt64LE(BigInt(zip64End.length - 12), 4); // what follows this field
  for (const at of [12, 14]) long.writeUInt16LE(versions.zip64, at);
  for (const at of [24, 32]) long.writeBigUInt64LE(BigInt(count), at);
  long.writeBigUInt64LE(BigInt(size), 40);
  long.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(zip64Locator.length);
  locator.writeUInt32LE(zip64Locator.signature, 0);
  locator.writeBigUInt64LE(BigInt(end), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([long, locator, record]);
}

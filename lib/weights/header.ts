import { mostDims } from '../array/describe.ts';
import { quote } from '../array/escape.ts';
import { product } from '../array/tensor.ts';
import { bitsPerElement, isDtype, type NumpyDtype, type SafetensorsDtype } from './dtypes.ts';
import { fileError, shapeText } from './file-errors.ts';
import { JsonCursor, JsonSyntaxError } from './json-cursor.ts';

/**
 * What a file may ask of this process: everything is checked against these before memory or time is spent on it, so that
 * no file costs much more than its own length.
 */
export const limits = {
  /** Bytes of a safetensors header: what the format allows. */
  headerBytes: 100_000_000,
  /** Tensors, and as many entries of the metadata; the largest models that were published have some 100,000. */
  headerEntries: 2 ** 20,
  /** Dimensions of a tensor: what arrays may have here, and in numpy. */
  dimensions: mostDims,
  /** Numbers up to here are exact; the format allows 2⁶⁴ − 1, which only a tensor without elements could use. */
  integer: Number.MAX_SAFE_INTEGER,
} as const;

/** Bytes of the little-endian header length that a file starts with. */
export const prefixLength = 8;

/** One tensor as its file declares it. */
export interface TensorInfo {
  /** Its type in the file. */
  readonly dtype: SafetensorsDtype | NumpyDtype;
  /** Size of every dimension; `[]` for a single number. */
  readonly shape: readonly number[];
  /** Bytes of all its elements. */
  readonly byteLength: number;
  /** First byte of the tensor, from the start of the file; `undefined` where the file holds it compressed. */
  readonly byteOffset: number | undefined;
  /** The file that it stands in. */
  readonly file: string;
}

/** One tensor of a safetensors file. */
export interface SafetensorsInfo extends TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly byteOffset: number;
}

/** A checked header. `tensors` is in the order of the header, `metadata` has no prototype. */
export interface Header {
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The tensor as written, before its numbers are compared with each other. */
interface Entry {
  dtype: string;
  shape: number[];
  offsets: number[];
}

/**
 * Parses and checks the header of a safetensors file.
 * @param bytes the JSON, without the length in front of it
 * @param fileSize bytes of the whole file, which the tensors must fill without gap, overlap or rest
 * @throws `ERR_SVD_FILE` that says what is wrong and at which byte or in which tensor
 */
export function parseHeader(path: string, bytes: Uint8Array, fileSize: number): Header {
  const { entries, metadata } = parseEntries(path, bytes);
  const dataStart = prefixLength + bytes.length;
  const tensors = new Map<string, SafetensorsInfo>();
  for (const [name, entry] of entries) tensors.set(name, checkTensor(path, name, entry, dataStart, fileSize));
  checkLayout(path, tensors, dataStart, fileSize);
  return { tensors, metadata };
}

function parseEntries(path: string, bytes: Uint8Array) {
  const entries: [string, Entry][] = [];
  const metadata: Record<string, string> = Object.create(null);
  const cursor = new JsonCursor(bytes);
  try {
    const most = limits.headerEntries;
    cursor.object(
      () => 'the header',
      most,
      (name) => {
        if (name === '__metadata__')
          cursor.object(
            () => '__metadata__',
            most,
            (key) => {
              metadata[key] = cursor.string(() => `${quote(key)} of __metadata__`);
            },
          );
        else entries.push([name, parseEntry(cursor, name)]);
      },
    );
    cursor.end();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw fileError(
      path,
      `bad safetensors header at byte ${prefixLength + error.at}: ${error.message}`,
      error,
    );
  }
  return { entries, metadata: Object.freeze(metadata) };
}

function parseEntry(cursor: JsonCursor, name: string): Entry {
  const context = () => `tensor ${quote(name)}`;
  const entry: Partial<Entry> = {};
  const start = cursor.at;
  // With a fourth key one is unknown or comes twice, and the error says which.
  cursor.object(context, 4, (key, keyAt) => {
    if (key === 'dtype') entry.dtype = cursor.string(() => `dtype of ${context()}`);
    else if (key === 'shape') entry.shape = cursor.integers(() => `shape of ${context()}`, limits.dimensions);
    else if (key === 'data_offsets') entry.offsets = cursor.integers(() => `data_offsets of ${context()}`, 2);
    else
      cursor.fail(`unknown key ${quote(key)} in ${context()}, expected dtype, shape and data_offsets`, keyAt);
  });
  const { dtype, shape, offsets } = entry;
  if (dtype === undefined) cursor.fail(`${context()} has no dtype`, start);
  if (shape === undefined) cursor.fail(`${context()} has no shape`, start);
  if (offsets === undefined) cursor.fail(`${context()} has no data_offsets`, start);
  return { dtype, shape, offsets };
}

function checkTensor(
  path: string,
  name: string,
  entry: Entry,
  dataStart: number,
  fileSize: number,
): SafetensorsInfo {
  const { dtype, shape, offsets } = entry;
  const fail = (problem: string): never => {
    throw fileError(path, `tensor ${quote(name)}: ${problem}`);
  };
  if (!isDtype(dtype)) return fail(`unknown dtype ${quote(dtype)}`);
  if (offsets.length !== 2) return fail(`data_offsets must be [begin, end], found ${offsets.length} numbers`);
  const [begin, end] = offsets;
  if (end < begin) return fail(`data_offsets end before they begin: [${begin}, ${end}]`);
  const needed = bitsOf(dtype, shape);
  if (needed === undefined)
    return fail(`the size of dtype ${dtype} and shape ${shapeText(shape)} exceeds 2^64 - 1 bits`);
  if (needed !== BigInt(end - begin) * 8n)
    return fail(
      `dtype ${dtype} and shape ${shapeText(shape)} need ${bytesText(needed)}, data_offsets [${begin}, ${end}] hold ${end - begin}`,
    );
  if (dataStart + end > fileSize)
    return fail(`ends at byte ${dataStart + end}, but the file has ${fileSize} bytes (truncated?)`);
  return Object.freeze({
    dtype,
    shape: Object.freeze(shape),
    byteLength: end - begin,
    byteOffset: dataStart + begin,
    file: path,
  });
}

/** Bits of all elements; `undefined` where a product on the way, left to right, does not fit in 64 bits, whatever follows. */
function bitsOf(dtype: SafetensorsDtype, shape: readonly number[]): bigint | undefined {
  const factors = [...shape, bitsPerElement(dtype)];
  const inexact = factors.reduce((product, factor) => product * Math.max(1, factor), 1);
  if (inexact < Number.MAX_SAFE_INTEGER) return BigInt(product(factors)); // and exact after all
  let bits = 1n;
  for (const factor of factors) {
    bits *= BigInt(factor);
    if (bits >= 2n ** 64n) return undefined;
  }
  return bits;
}

const bytesText = (bits: bigint): string =>
  bits % 8n === 0n ? `${bits / 8n} bytes` : `${bits} bits, not a whole number of bytes`;

/** The tensors must lie one behind the other and fill the file. */
function checkLayout(
  path: string,
  tensors: ReadonlyMap<string, SafetensorsInfo>,
  dataStart: number,
  fileSize: number,
): void {
  const byPosition = [...tensors].sort(
    ([, s], [, t]) => s.byteOffset - t.byteOffset || s.byteLength - t.byteLength,
  );
  let covered = dataStart;
  let last: string | undefined;
  const before = () => (last === undefined ? 'the header' : `tensor ${quote(last)}`);
  for (const [name, { byteOffset, byteLength }] of byPosition) {
    if (byteOffset > covered)
      throw fileError(
        path,
        `tensor ${quote(name)} begins at byte ${byteOffset}, but ${before()} ends at byte ${covered}: ${byteOffset - covered} bytes belong to no tensor`,
      );
    if (byteOffset < covered)
      throw fileError(
        path,
        `tensor ${quote(name)} begins at byte ${byteOffset} inside ${before()}, which ends at byte ${covered}`,
      );
    covered = byteOffset + byteLength;
    last = name;
  }
  if (covered < fileSize)
    throw fileError(
      path,
      `${before()} ends at byte ${covered}, but the file has ${fileSize} bytes: ${fileSize - covered} bytes belong to no tensor`,
    );
}

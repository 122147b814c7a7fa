import { basename } from 'node:path';
import { quote } from '../array/escape.ts';
import { product } from '../array/tensor.ts';
import {
  bitsPerElement,
  isBigEndian,
  isStorable,
  type NumpyDtype,
  type SafetensorsDtype,
  whyUnreadable,
} from './dtypes.ts';
import type { Entry } from './elements.ts';
import { fileError, shapeText } from './file-errors.ts';
import { limits } from './header.ts';
import { type ByteStream, type OpenFile, type Reading, readAsync, regionOf } from './storage.ts';
import type { Contents } from './weights.ts';

// The format of numpy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

export const npyMagic = '\x93NUMPY';

/** What an array says of itself, and where its elements begin. */
export interface NpyHeader extends Pick<Entry, 'bigEndian' | 'columnMajor'> {
  readonly dtype: SafetensorsDtype | NumpyDtype;
  readonly shape: readonly number[];
  /** Bytes of the elements. */
  readonly byteLength: number;
  /** The header as it stands in front of them. */
  readonly bytes: Uint8Array;
}

/** What an `.npy` file holds: one tensor, by the name of the file. `ERR_SVD_FILE` */
export async function npyContents(file: OpenFile): Promise<Contents> {
  const { path, size } = file;
  const fail = (problem: string) => fileError(path, problem);
  const header = await readAsync(readNpyHeader(regionOf(file, 0)(0), size, fail));
  const { dtype, shape, byteLength, bytes, bigEndian, columnMajor } = header;
  if (!isStorable(dtype)) throw fail(`has dtype ${dtype}, ${whyUnreadable(dtype)}`);
  const info = Object.freeze({ dtype, shape, byteLength, byteOffset: bytes.length, file: path });
  const entry = { info, storage: regionOf(file, bytes.length), bigEndian, columnMajor };
  const name = basename(path).replace(/\.npy$/, '');
  return { metadata: noMetadata, entries: new Map([[name, entry]]), files: [file] };
}

export const noMetadata: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** Bytes of a header at most; numpy itself takes 10,000 unless told otherwise. */
const mostBytes = 2 ** 16;

/**
 * Reads and checks the header of an array.
 * @param size bytes of header and elements
 * @param fail makes the error for what is wrong
 */
export function* readNpyHeader(
  stream: ByteStream,
  size: number,
  fail: (problem: string) => Error,
): Reading<NpyHeader> {
  const start = new Uint8Array(Math.min(size, 12));
  yield* stream.read(start);
  const text = Buffer.from(start).toString('latin1');
  if (!text.startsWith(npyMagic) || size < 10)
    throw fail('is not of the format .npy: it does not begin with its magic bytes');
  const [major, minor] = [start[6], start[7]];
  if (major < 1 || major > 3 || minor !== 0)
    throw fail(`has version ${major}.${minor} of the format .npy: 1.0, 2.0 and 3.0 can be read`);
  const prefix = major === 1 ? 10 : 12;
  if (size < prefix) throw fail(truncated(size, prefix));
  const view = new DataView(start.buffer);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > mostBytes) throw fail(`has a header of ${length} bytes; at most ${mostBytes} are read`);
  if (prefix + length > size) throw fail(truncated(size, prefix + length));
  const bytes = new Uint8Array(prefix + length);
  bytes.set(start.subarray(0, bytes.length));
  yield* stream.read(bytes.subarray(Math.min(start.length, bytes.length)));
  const declared = parseNpyHeader(Buffer.from(bytes.subarray(prefix)), major, fail);
  const { itemSize, ...header } = declared;
  const byteLength = size - bytes.length;
  if (itemSize !== undefined && product(header.shape) * itemSize !== byteLength) {
    const needed = product(header.shape) * itemSize;
    const problem = `dtype ${header.dtype} and shape ${shapeText(header.shape)} need ${needed} bytes, ${byteLength} follow the header`;
    throw fail(problem + (needed > byteLength ? ' (truncated?)' : ''));
  }
  return { ...header, byteLength, bytes };
}

const truncated = (size: number, needed: number): string =>
  `has ${size} bytes, its header alone needs ${needed} (truncated?)`;

interface Declared extends Pick<NpyHeader, 'dtype' | 'shape' | 'bigEndian' | 'columnMajor'> {
  /** Bytes of one element; `undefined` where the header does not say. */
  readonly itemSize: number | undefined;
}

/** The dictionary of three entries that numpy writes in the syntax of Python; nothing else that Python would take. */
function parseNpyHeader(bytes: Buffer, major: number, fail: (problem: string) => Error): Declared {
  const text = bytes.toString(major === 3 ? 'utf8' : 'latin1');
  let at = 0;
  const bad = (expected: string): never => {
    const found = at < text.length ? quote(text.slice(at, at + 20)) : 'its end';
    throw fail(`bad header: expected ${expected}, found ${found}`);
  };
  /** Takes what matches at this place; white space around it does not count. */
  const accept = (pattern: RegExp): RegExpExecArray | null => {
    const sticky = new RegExp(`[ \\t\\n]*(?:${pattern.source})[ \\t\\n]*`, 'y');
    sticky.lastIndex = at;
    const match = sticky.exec(text);
    if (match) at = sticky.lastIndex;
    return match;
  };
  const expect = (pattern: RegExp, expected: string): RegExpExecArray => accept(pattern) ?? bad(expected);
  const found: { descr?: string; fortran_order?: boolean; shape?: number[] } = {};
  expect(/\{/, '{');
  while (!accept(/\}/)) {
    const key = expect(
      /'(descr|fortran_order|shape)'|"(descr|fortran_order|shape)"/,
      'descr, fortran_order or shape',
    );
    const name = (key[1] ?? key[2]) as keyof typeof found;
    if (Object.hasOwn(found, name)) throw fail(`bad header: ${name} comes twice`);
    expect(/:/, `: after ${name}`);
    if (name === 'fortran_order') found[name] = expect(/True|False/, 'True or False')[0].trim() === 'True';
    else if (name === 'shape') found[name] = shape();
    else found[name] = descr();
    if (accept(/,/)) continue;
    expect(/\}/, ', or }');
    break;
  }
  if (at < text.length) bad('only spaces');
  const { descr: type, fortran_order: columnMajor, shape: dims } = found;
  if (type === undefined || columnMajor === undefined || dims === undefined)
    throw fail('bad header: expected descr, fortran_order and shape');
  return { ...elementsOf(type, fail), columnMajor, shape: Object.freeze(dims) };

  /** A tuple of integers; those that Python 2 wrote may end in L. */
  function shape(): number[] {
    const dims: number[] = [];
    expect(/\(/, 'a tuple for shape');
    while (!accept(/\)/)) {
      const [, digits] = expect(/(0|[1-9][0-9]{0,15})L?(?![0-9])/, 'an integer ≥ 0 in shape');
      if (dims.length === limits.dimensions)
        throw fail(`bad header: more than ${limits.dimensions} dimensions`);
      if (!Number.isSafeInteger(Number(digits)))
        throw fail(`bad header: ${digits} in shape is larger than 2^53 - 1`);
      dims.push(Number(digits));
      if (accept(/,/)) continue;
      if (dims.length === 1) bad(', after the only dimension');
      expect(/\)/, ', or ) in shape');
      break;
    }
    return dims;
  }

  /** A string; of the list that describes a structured dtype only its end is looked for. */
  function descr(): string {
    const single = accept(/'([^'\\\n]{1,64})'|"([^"\\\n]{1,64})"/);
    if (single) return single[1] ?? single[2];
    if (!text.startsWith('[', at)) bad('a string for descr');
    let depth = 0;
    do {
      const [token] = expect(/[[\]()]|'[^'\\]*'|"[^"\\]*"|[0-9]+L?|,/, 'a list for descr');
      if ('[('.includes(token.trim())) depth++;
      else if ('])'.includes(token.trim())) depth--;
    } while (depth > 0);
    return structured;
  }
}

const structured = '|V';

const dtypes: Readonly<Record<string, SafetensorsDtype>> = {
  f8: 'F64',
  f4: 'F32',
  f2: 'F16',
  c8: 'C64',
  i8: 'I64',
  i4: 'I32',
  i2: 'I16',
  i1: 'I8',
  u8: 'U64',
  u4: 'U32',
  u2: 'U16',
  u1: 'U8',
  b1: 'BOOL',
};

/** What `descr` says of the elements. */
function elementsOf(
  descr: string,
  fail: (problem: string) => Error,
): Pick<Declared, 'dtype' | 'itemSize' | 'bigEndian'> {
  if (descr === structured || descr === '|O') return { dtype: descr, itemSize: undefined };
  const match = /^([<>|=])([a-zA-Z])(\d{1,15})(\[[0-9A-Za-z/]*\])?$/.exec(descr);
  if (!match) throw fail(`bad header: ${quote(descr)} is no dtype`);
  const [, order, kind, count, unit] = match;
  const known = unit === undefined && Object.hasOwn(dtypes, kind + count) ? dtypes[kind + count] : undefined;
  if (known === undefined)
    return { dtype: descr as NumpyDtype, itemSize: Number(count) * (kind === 'U' ? 4 : 1) };
  const itemSize = bitsPerElement(known) / 8;
  if (order === '|' && itemSize > 1)
    throw fail(`bad header: ${quote(descr)} does not say the order of its bytes`);
  return { dtype: known, itemSize, bigEndian: order === '>' || (order === '=' && isBigEndian) };
}

import { exposedAsync } from '../arguments/boundary.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { MatrixLike } from '../array/input.ts';
import { product, type Tensor } from '../array/tensor.ts';
import { asTensor } from '../native/owned.ts';
import { filePath } from './file-errors.ts';
import { limits, prefixLength } from './header.ts';
import { type Append, writeAtomically } from './output.ts';
import { isWellFormed, littleEndianPieces, mustBeRecord } from './pieces.ts';

/**
 * Writes arrays of any shape as a safetensors file: float32 as F32, float64 as F64, strided views in row-major order.
 * The file appears whole or not at all: it is written under a temporary name in the same folder, synced and renamed. A
 * symbolic link is followed, and a file that is replaced passes on its permissions.
 * F64 tensors come first, so that every tensor is aligned to its element size.
 * @throws `ERR_SVD_ARGUMENT` or `ERR_SVD_SHAPE` for what is no array of floats, before anything is written;
 * `ERR_SVD_FILE` if the file cannot be written
 * @function
 */
export const writeSafetensors = exposedAsync(
  { takes: ['path', 'tensors', 'metadata'] },
  async function writeSafetensors(
    path: string | URL,
    tensors: Readonly<Record<string, MatrixLike>>,
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await writeTensors(path, tensors, metadata);
  },
);

/** The same; an abort leaves what was there, and rejects with `signal.reason`. */
export async function writeTensors(
  path: string | URL,
  tensors: Readonly<Record<string, MatrixLike>>,
  metadata: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const file = filePath(path);
  const pieces = safetensorsPieces(tensors, metadata);
  const write = async (append: Append) => {
    for (const piece of pieces) await append(piece);
  };
  await writeAtomically(file, write, signal);
}

/**
 * The bytes of a safetensors file, piece by piece; a piece is valid until the next is asked for.
 * @throws what `writeSafetensors` throws for its arguments, at once
 */
export function safetensorsPieces(
  tensors: Readonly<Record<string, MatrixLike>>,
  metadata: Readonly<Record<string, string>>,
): Iterable<Uint8Array> {
  const entries = Object.entries(mustBeRecord(tensors, 'tensors'))
    .map(([name, x]): [string, Tensor] => [checkName(name), asTensor(x, `tensor ${quote(name)}`, 0)])
    .sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header = encodeHeader(entries, checkMetadata(mustBeRecord(metadata, 'metadata')));
  const contents = entries.map(([, x]) => littleEndianPieces(x));
  return (function* () {
    yield header;
    for (const pieces of contents) yield* pieces;
  })();
}

function checkName(name: string): string {
  if (name === '__metadata__' || !isWellFormed(name))
    throw svdError('ERR_SVD_ARGUMENT', `${quote(name)} cannot be the name of a tensor`);
  return name;
}

function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(metadata))
    if (typeof value !== 'string' || !isWellFormed(key) || !isWellFormed(value))
      throw svdError('ERR_SVD_ARGUMENT', `metadata ${quote(key)}: expected a well-formed string`);
  return metadata;
}

/** Header length and JSON, padded with spaces to a multiple of eight bytes. */
function encodeHeader(tensors: [string, Tensor][], metadata: Readonly<Record<string, string>>): Uint8Array {
  let end = 0;
  const entries: [string, object][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  for (const [name, { data, shape }] of tensors) {
    const begin = end;
    end += product(shape) * data.BYTES_PER_ELEMENT;
    if (end > limits.integer)
      throw svdError('ERR_SVD_TOO_LARGE', `the tensors have ${end} bytes`, { bytes: end });
    const dtype = data instanceof Float64Array ? 'F64' : 'F32';
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  // fromEntries, unlike assignment, also takes the name "__proto__".
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const bytes = Math.ceil(json.length / 8) * 8;
  if (bytes > limits.headerBytes) {
    const message = `the header needs ${bytes} bytes, the safetensors format allows ${limits.headerBytes}`;
    throw svdError('ERR_SVD_TOO_LARGE', message, { bytes });
  }
  const header = Buffer.alloc(prefixLength + bytes, ' ');
  header.writeBigUInt64LE(BigInt(bytes));
  header.set(json, prefixLength);
  return header;
}

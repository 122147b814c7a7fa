import { exposedAsync } from '../arguments/boundary.ts';
import { fileError, filePath } from './file-errors.ts';
import { type Header, limits, parseHeader, prefixLength } from './header.ts';
import { bytesAt, type OpenFile, opened, type Reading, readAsync, regionOf } from './storage.ts';
import { type Contents, type SafetensorsFile, Weights } from './weights.ts';

/**
 * Opens a safetensors file and reads its header; the tensors stay on disk until `read` asks for one.
 * @throws `ERR_SVD_FILE` if there is no such regular file, or anything in its header or layout is not as the format says
 * @function
 */
export const openSafetensors = exposedAsync(
  { takes: ['path'] },
  async function openSafetensors(path: string | URL): Promise<SafetensorsFile> {
    const file = filePath(path);
    return new Weights(file, await opened(file, safetensorsContents)) as SafetensorsFile;
  },
);

/** What a safetensors file holds, by its header. `ERR_SVD_FILE` */
export async function safetensorsContents(file: OpenFile): Promise<Contents> {
  const { metadata, tensors } = await readAsync(readHeader(file));
  const entries = new Map(
    [...tensors].map(([name, info]) => [name, { info, storage: regionOf(file, info.byteOffset) }]),
  );
  return { metadata, entries, files: [file] };
}

function* readHeader(file: OpenFile): Reading<Header> {
  const { path, size } = file;
  if (size < prefixLength)
    throw fileError(
      path,
      `not a safetensors file: ${size} bytes, but the header length alone takes ${prefixLength}`,
    );
  const prefix = yield* bytesAt(file, 0, prefixLength);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(limits.headerBytes))
    throw fileError(
      path,
      `not a safetensors file: the header length at byte 0 is ${length}, the format allows at most ${limits.headerBytes}`,
    );
  if (length > BigInt(size - prefixLength))
    throw fileError(
      path,
      `the header length at byte 0 is ${length}, but only ${size - prefixLength} bytes follow (truncated?)`,
    );
  return parseHeader(path, yield* bytesAt(file, prefixLength, Number(length)), size);
}

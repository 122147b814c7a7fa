import type { NdArray } from 'ndarray';
import { openSafetensors } from '../../lib/weights/index.ts';

/** A file as it stands on disk: header length (the true one unless given), header, data. */
export function fileBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint,
): Buffer {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

export const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

export async function readAll(file: string | URL) {
  await using opened = await openSafetensors(file);
  const arrays = new Map<string, NdArray<Float32Array | Float64Array>>();
  for (const name of opened.names) arrays.set(name, await opened.read(name));
  return { arrays, metadata: opened.metadata };
}

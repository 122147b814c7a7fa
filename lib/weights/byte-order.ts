import { endianness } from 'node:os';

/** Weight files are little-endian. Almost every machine is, too. */
export const isBigEndian = endianness() === 'BE';

/** Reverses the bytes of every element, in place. */
export function swapBytes(bytes: Uint8Array, bytesPerElement: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytesPerElement === 2) buffer.swap16();
  else if (bytesPerElement === 4) buffer.swap32();
  else buffer.swap64();
}

import { endianness } from 'node:os';

/** Bits of one element, by the dtype names of the safetensors format. */
const bits = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  I64: 64,
  U64: 64,
  C64: 64,
  I32: 32,
  U32: 32,
  I16: 16,
  U16: 16,
  I8: 8,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
} as const;

/** A dtype that may stand in a safetensors file. */
export type SafetensorsDtype = keyof typeof bits;

/** The dtypes that `read` turns into numbers: F64 as float64, the others as float32. */
export type ReadableDtype = 'F64' | 'F32' | 'F16' | 'BF16';

export const readableDtypes: readonly ReadableDtype[] = ['F64', 'F32', 'F16', 'BF16'];

export const isDtype = (name: string): name is SafetensorsDtype => Object.hasOwn(bits, name);

export const isReadable = (dtype: SafetensorsDtype): dtype is ReadableDtype =>
  (readableDtypes as readonly string[]).includes(dtype);

export const bitsPerElement = (dtype: SafetensorsDtype): number => bits[dtype];

/** Bytes of one element of a readable dtype. */
export const bytesPerElement = (dtype: ReadableDtype): number => bits[dtype] / 8;

/** Weight files are little-endian. Almost every machine is, too. */
export const isBigEndian = endianness() === 'BE';

/** Reverses the bytes of every element, in place. */
export function swapBytes(bytes: Uint8Array, bytesPerElement: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytesPerElement === 2) buffer.swap16();
  else if (bytesPerElement === 4) buffer.swap32();
  else buffer.swap64();
}

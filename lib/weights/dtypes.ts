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

/** A dtype of numpy that no safetensors file has, in numpy's own words: `'<c16'`, `'<U10'`, `'|O'`. It is only listed. */
export type NumpyDtype = `${'<' | '>' | '|' | '='}${string}`;

/** The dtypes that `read` turns into numbers: F64 as float64, the others as float32. */
export type ReadableDtype = 'F64' | 'F32' | 'F16' | 'BF16';

export const readableDtypes: readonly ReadableDtype[] = ['F64', 'F32', 'F16', 'BF16'];

export const isDtype = (name: string): name is SafetensorsDtype => Object.hasOwn(bits, name);

export const isReadable = (dtype: string): dtype is ReadableDtype =>
  (readableDtypes as readonly string[]).includes(dtype);

export const bitsPerElement = (dtype: SafetensorsDtype): number => bits[dtype];

/** What the elements of a file stand in, and the name of the dtype then; 16-bit and 8-bit floats as their bits. */
const arrays = {
  F64: [Float64Array, 'float64'],
  F32: [Float32Array, 'float32'],
  F16: [Uint16Array, 'float16'],
  BF16: [Uint16Array, 'bfloat16'],
  I64: [BigInt64Array, 'int64'],
  U64: [BigUint64Array, 'uint64'],
  I32: [Int32Array, 'int32'],
  U32: [Uint32Array, 'uint32'],
  I16: [Int16Array, 'int16'],
  U16: [Uint16Array, 'uint16'],
  I8: [Int8Array, 'int8'],
  U8: [Uint8Array, 'uint8'],
  BOOL: [Uint8Array, 'bool'],
  F8_E4M3: [Uint8Array, 'float8_e4m3'],
  F8_E5M2: [Uint8Array, 'float8_e5m2'],
  F8_E8M0: [Uint8Array, 'float8_e8m0'],
  F8_E4M3FNUZ: [Uint8Array, 'float8_e4m3fnuz'],
  F8_E5M2FNUZ: [Uint8Array, 'float8_e5m2fnuz'],
} as const;

type Arrays = typeof arrays;

/** A dtype whose elements a typed array can hold. */
export type StorableDtype = keyof Arrays;

/** A typed array that elements of a file stand in. */
export type StoredArray = Arrays[StorableDtype][0]['prototype'];

/** What stands in a file, in the elements it has there. */
export type StoredTensor = {
  [D in StorableDtype]: {
    /** The elements in row-major order; a `Uint16Array` of 16-bit floats and a `Uint8Array` of 8-bit ones are their bits. */
    readonly data: Arrays[D][0]['prototype'];
    /** Size of every dimension. */
    readonly shape: readonly number[];
    /** What the elements are. */
    readonly dtype: Arrays[D][1];
  };
}[StorableDtype];

export const isStorable = (dtype: string): dtype is StorableDtype => Object.hasOwn(arrays, dtype);

/** For a message: why no elements of a dtype can be read. */
export function whyUnreadable(dtype: string): string {
  if (dtype === '|O') return 'Python objects, which only Python can unpickle; save an array of numbers';
  if (dtype === '|V') return 'records of several fields; save every field as an array of its own';
  if (/^[<>|]V[12]$/.test(dtype))
    return 'which is all that numpy says of bfloat16 and of 8-bit floats; save float32, or a safetensors file';
  return `which no typed array holds; only ${readableDtypes.join(', ')} can be read as numbers`;
}

/** The class of `StoredTensor.data`. */
export const arrayOf = (
  dtype: StorableDtype,
): {
  new (length: number): StoredArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): StoredArray;
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
} => arrays[dtype][0];

/** The dtype of a file by `StoredTensor.dtype`. */
export const storableOf: ReadonlyMap<string, StorableDtype> = new Map(
  (Object.keys(arrays) as StorableDtype[]).map((dtype) => [arrays[dtype][1], dtype]),
);

/** `StoredTensor.dtype` */
export const storedName = (dtype: StorableDtype): StoredTensor['dtype'] => arrays[dtype][1];

/** Most weight files are little-endian. Almost every machine is, too. */
export const isBigEndian = endianness() === 'BE';

/** Reverses the bytes of every element, in place. */
export function swapBytes(bytes: Uint8Array, bytesPerElement: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytesPerElement === 2) buffer.swap16();
  else if (bytesPerElement === 4) buffer.swap32();
  else if (bytesPerElement === 8) buffer.swap64();
}

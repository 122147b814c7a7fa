// How the elements of an array are stored.

/** Element storage of every array this package computes with. */
export type FloatArray = Float32Array | Float64Array;

export type Dtype = 'float32' | 'float64';

// 16-bit floats as their bits: not every JavaScript has arrays of them. The class says which format it is.

/** The upper halves of float32 numbers. */
export class Bfloat16Bits extends Uint16Array {}

/** IEEE 754 half precision. */
export class Float16Bits extends Uint16Array {}

/** What an input may be stored in: it is widened where it is computed with. */
export type Stored = FloatArray | Bfloat16Bits | Float16Bits;

/**
 * What elements are stored in.
 *
 * @inline
 */
export type Format = Dtype | 'bfloat16' | 'float16';

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  bfloat16: Bfloat16Bits,
  float16: Float16Bits,
} as const;

const bytes = { float32: 4, float64: 8, bfloat16: 2, float16: 2 } as const;

export const bytesPerElement = (format: Format): number => bytes[format];

export const arrayOf = (
  format: Format,
): (new (
  buffer: ArrayBufferLike,
  from?: number,
  n?: number,
) => Stored) => arrays[format];

export function formatOf(data: Stored): Format {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Bfloat16Bits ? 'bfloat16' : 'float16';
}

/** The dtype that elements stored like this are computed in. */
export const dtypeOfStored = (data: Stored): Dtype => (data instanceof Float64Array ? 'float64' : 'float32');

// Properties of a typed array can be overridden, and `instanceof` knows only its own realm: these getters see through both.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
const getter = (key: PropertyKey) => Object.getOwnPropertyDescriptor(typedArray, key)?.get as () => unknown;
const [nameOf, bufferOf, byteOffsetOf, lengthOf] = [
  getter(Symbol.toStringTag),
  getter('buffer'),
  getter('byteOffset'),
  getter('length'),
];

/** `'Float32Array'`, …: the class of a typed array of any realm; `undefined` for everything else. */
export const typedArrayName = (x: unknown): string | undefined => nameOf.call(x) as string | undefined;

/** A typed array of any realm as an array of this package: itself, or over the same memory. */
export const stored = (data: object, format: Format): Stored => sameMemory<Stored>(data, arrays[format]);

/** The same for any class of typed arrays. */
export function sameMemory<D>(
  data: object,
  array: { new (n: number): D; new (buffer: ArrayBufferLike, from: number, n: number): D; prototype: D },
): D {
  if (Object.getPrototypeOf(data) === array.prototype && !Object.hasOwn(data, 'length')) return data as D;
  const length = lengthOf.call(data) as number;
  if (length === 0) return new array(0); // its memory may be gone
  return new array(bufferOf.call(data) as ArrayBuffer, byteOffsetOf.call(data) as number, length);
}

// Widening on this thread, for readers of files; before a computation native/core/base/half.h does it.

/** bfloat16 bits → float32, exactly: the upper half of a float32. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}

let every: Float32Array | undefined; // float16 number, by its bits

/** IEEE 754 half precision bits → float32, exactly (subnormals, infinities and NaN included). */
export function widenFloat16(bits: Uint16Array): Float32Array {
  every ??= Float32Array.from({ length: 2 ** 16 }, (_, i) => halfToNumber(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = every[bits[i]];
  return out;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

// Narrowing on this thread, for writers of files: to the nearest, of two the one whose last bit is 0.

const word = new Float32Array(1);
const wordBits = new Uint32Array(word.buffer);

/** The bits of the float32 towards zero, its last bit 1 where that is not `x`: what is rounded from it is rounded once. */
function roundedToOdd(x: number): number {
  word[0] = x;
  const [near, bits] = [word[0], wordBits[0]];
  return near === x || Number.isNaN(x) ? bits : (Math.abs(near) > Math.abs(x) ? bits - 1 : bits) | 1;
}

/** The upper half of a float32, by its bits. */
function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Half precision of a float32, by its bits. */
function toFloat16(bits: number): number {
  const [sign, magnitude] = [(bits >>> 16) & 0x8000, bits & 0x7fffffff];
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000)
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  const shift = 126 - (magnitude >>> 23); // to multiples of 2⁻²⁴
  if (shift > 25) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const [whole, rest, tie] = [fraction >>> shift, fraction & ((1 << shift) - 1), 1 << (shift - 1)];
  return sign | (whole + (rest > tie || (rest === tie && whole % 2 === 1) ? 1 : 0));
}

/** Numbers in another format, and the index of the first that is finite and beyond its range; −1 if there is none. */
export interface Narrowed {
  readonly data: Stored;
  readonly overflow: number;
}

/** The elements of `x` in `format`, each rounded once, to the nearest. What is beyond the range becomes an infinity. */
export function narrow(x: FloatArray, format: Format): Narrowed {
  const isWide = x instanceof Float64Array;
  if (formatOf(x) === format) return { data: x, overflow: -1 };
  const data = new arrays[format](x.length);
  if (format === 'float64' || format === 'float32') data.set(x);
  else {
    const round = format === 'bfloat16' ? toBfloat16 : toFloat16;
    const bits = isWide ? undefined : new Uint32Array(x.buffer, x.byteOffset, x.length);
    for (let i = 0; i < x.length; i++) data[i] = round(bits ? bits[i] : roundedToOdd(x[i]));
  }
  const [mask, infinity] = infinities[format];
  for (let i = 0; i < x.length; i++)
    if ((mask === 0 ? Math.abs(data[i]) : data[i] & mask) === infinity && Number.isFinite(x[i]))
      return { data, overflow: i };
  return { data, overflow: -1 };
}

/** Bits without the sign, and infinity's; no bits where elements are numbers. */
const infinities = {
  float64: [0, Infinity],
  float32: [0, Infinity],
  bfloat16: [0x7fff, 0x7f80],
  float16: [0x7fff, 0x7c00],
} as const;

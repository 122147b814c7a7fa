import { fileBytes } from './weight-files.ts';

/** The JSON of one tensor, its shape as text. */
export const entry = (shape: string, begin = 0, end = 0): string =>
  `{"dtype":"F32","shape":[${shape}],"data_offsets":[${begin},${end}]}`;

/** A header of `count` tensors of one element each. */
export const manyTensors = (count: number, nameOf: (i: number) => string): Buffer =>
  fileBytes(
    `{${Array.from({ length: count }, (_, i) => `"${nameOf(i)}":${entry('1', 4 * i, 4 * i + 4)}`).join()}}`,
    new Uint8Array(4 * count),
  );

/** Headers that would cost far more than their length if anything were done before they are checked, and what is said. */
export const costlyHeaders: Readonly<Record<string, readonly [bytes: () => Buffer, says: RegExp]>> = {
  '300 dimensions': [
    () => fileBytes(`{"a":${entry('1,'.repeat(299).concat('1'), 0, 4)}}`, new Uint8Array(4)),
    /more than 64 numbers/,
  ],
  '65 dimensions of nothing': [
    () => fileBytes(`{"a":${entry('0,'.repeat(64).concat('0'))}}`),
    /more than 64 numbers/,
  ],
  '40 MB of "1,"': [
    () => fileBytes(`{"a":${entry('1,'.repeat(2e7).concat('1'), 0, 4)}}`, new Uint8Array(4)),
    /more than 64 numbers/,
  ],
  '2 MB of large numbers': [
    () => fileBytes(`{"a":${entry('9007199254740991,'.repeat(120_000).concat('0'))}}`),
    /more than 64 numbers/,
  ],
  '40 MB of digits': [() => fileBytes(`{"a":${entry('1'.repeat(4e7))}}`), /larger than 2\^53/],
  '40 MB of offsets': [
    () => fileBytes(`{"a":{"dtype":"F32","shape":[],"data_offsets":[${'0,'.repeat(2e7)}0]}}`),
    /more than 2 numbers/,
  ],
  '40 MB of brackets': [
    () => fileBytes(`{"a":{"shape":${'['.repeat(4e7)}`),
    /expected a non-negative integer/,
  ],
  '40 MB of braces': [() => fileBytes('{"a":'.repeat(8e6)), /unknown key "a"/],
  'a name of 40 MB without end': [() => fileBytes(`{"${'n'.repeat(4e7)}`), /has no end/],
  'a million entries of metadata and more': [
    () => fileBytes(`{"__metadata__":{${Array.from({ length: 1_048_577 }, (_, i) => `"${i}":""`).join()}}}`),
    /more than 1048576 keys/,
  ],
  '100,000 names and one of them again': [
    () =>
      fileBytes(
        `{${Array.from({ length: 100_000 }, (_, i) => `"n${i}":${entry('0')}`).join()},"n0":${entry('0')}}`,
      ),
    /duplicate key "n0"/,
  ],
  'a product that overflows before a 0': [
    () => fileBytes(`{"a":${entry('9007199254740991,9007199254740991,0')}}`),
    /exceeds 2\^64 - 1 bits/,
  ],
};

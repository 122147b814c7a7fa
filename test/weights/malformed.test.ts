import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fileBytes, readAll } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;

beforeEach(() => {
  path = at('file.safetensors');
  rmSync(path, { force: true });
});

describe('a malformed file is ERR_SVD_FILE with its path, and the message says what and where', () => {
  const f32 = (shape: number[], begin: number, end: number) =>
    `{"dtype":"F32","shape":${JSON.stringify(shape)},"data_offsets":[${begin},${end}]}`;
  const eight = new Uint8Array(8);
  const good = `{"a":${f32([2], 0, 8)}}`;

  const malformed: [title: string, bytes: Uint8Array, message: RegExp][] = [
    ['empty file', new Uint8Array(0), /0 bytes, but the header length alone takes 8/],
    ['seven bytes', new Uint8Array(7), /7 bytes, but the header length/],
    [
      'header length 2^64 - 1',
      fileBytes(good, eight, 2n ** 64n - 1n),
      /18446744073709551615, the format allows/,
    ],
    [
      'header length over the limit',
      fileBytes(good, eight, 100_000_001n),
      /100000001, the format allows at most/,
    ],
    [
      'header longer than the file',
      fileBytes(good, eight, 1000n),
      /length at byte 0 is 1000, but only 62 bytes/,
    ],
    ['header length 0', fileBytes('', eight), /byte 8: expected \{ .*found the end of the header/],
    ['a file of another kind', Buffer.from('PK\u0003\u0004 some zip file, not weights'), /not a safetensors/],
    ['white space for a header', fileBytes('    '), /byte 12: expected \{/],
    ['an array for a header', fileBytes('[]'), /byte 8: expected \{ to begin the header, found \[/],
    ['a byte order mark', fileBytes(`\ufeff${good}`, eight), /byte 8: expected \{ .* found byte 0xef/],
    ['a header cut short', fileBytes(good.slice(0, -1), eight), /byte 61: expected } to end the header/],
    ['text behind the header', fileBytes(`${good}x`, eight), /byte 62: expected only spaces/],
    ['zero bytes for padding', fileBytes(`${good}\0`, eight), /found byte 0x00/],
    ['a trailing comma', fileBytes(`{"a":${f32([2], 0, 8)},}`, eight), /expected a string for a key/],
    ['a tensor that is null', fileBytes('{"a":null}'), /byte 13: expected \{ to begin tensor "a", found n/],
    ['no dtype', fileBytes('{"a":{"shape":[0],"data_offsets":[0,0]}}'), /tensor "a" has no dtype/],
    ['no shape', fileBytes('{"a":{"dtype":"F32","data_offsets":[0,0]}}'), /tensor "a" has no shape/],
    ['no offsets', fileBytes('{"a":{"dtype":"F32","shape":[0]}}'), /tensor "a" has no data_offsets/],
    ['an unknown key', fileBytes('{"a":{"color":1}}'), /byte 14: unknown key "color" in tensor "a"/],
    ['an unknown dtype', fileBytes(good.replace('F32', 'F33'), eight), /tensor "a": unknown dtype "F33"/],
    [
      'a dtype of Object.prototype',
      fileBytes(good.replace('F32', 'toString'), eight),
      /unknown dtype "toString"/,
    ],
    [
      'a dtype that is a number',
      fileBytes(good.replace('"F32"', '32'), eight),
      /expected a string for dtype/,
    ],
    [
      'a negative dimension',
      fileBytes(good.replace('[2]', '[-2]'), eight),
      /shape of tensor "a", found "-2"/,
    ],
    ['a fractional dimension', fileBytes(good.replace('[2]', '[2.5]'), eight), /found "2.5"/],
    ['a dimension with exponent', fileBytes(good.replace('[2]', '[2e0]'), eight), /found "2e0"/],
    ['a dimension that is a string', fileBytes(good.replace('[2]', '["2"]'), eight), /non-negative integer/],
    ['a dimension that is missing', fileBytes(good.replace('[2]', '[2,]'), eight), /found ]/],
    ['a nested shape', fileBytes(good.replace('[2]', '[[2]]'), eight), /found "\[2"/],
    ['NaN for a dimension', fileBytes(good.replace('[2]', '[NaN]'), eight), /found "NaN"/],
    [
      'an unsafe integer',
      fileBytes(good.replace('[2]', '[9007199254740993]'), eight),
      /9007199254740993 .* 2\^53/,
    ],
    [
      'an unsafe offset',
      fileBytes(good.replace('8]', '18446744073709551616]'), eight),
      /larger than 2\^53 - 1/,
    ],
    [
      'a shape whose product overflows',
      fileBytes(`{"a":${f32([2 ** 40, 2 ** 40], 0, 8)}}`, eight),
      /size of dtype F32 and shape \[1099511627776, 1099511627776\] exceeds 2\^64/,
    ],
    ['one offset', fileBytes(good.replace('[0,8]', '[0]'), eight), /must be \[begin, end\], found 1 numbers/],
    [
      'three offsets',
      fileBytes(good.replace('[0,8]', '[0,4,8]'), eight),
      /more than 2 numbers in data_offsets of tensor "a"/,
    ],
    [
      'offsets in reverse',
      fileBytes(good.replace('[0,8]', '[8,0]'), eight),
      /end before they begin: \[8, 0\]/,
    ],
    [
      'shape and offsets at odds',
      fileBytes(`{"a":${f32([3], 0, 8)}}`, eight),
      /\[3\] need 12 bytes, .* hold 8/,
    ],
    [
      'half a byte',
      fileBytes(`{"a":${f32([3], 0, 1).replace('F32', 'F4')}}`, new Uint8Array(1)),
      /12 bits, not a whole number/,
    ],
    [
      'a truncated file',
      fileBytes(good, eight.subarray(1)),
      /tensor "a": ends at byte 70, but the file has 69/,
    ],
    ['bytes behind the last tensor', fileBytes(good, new Uint8Array(9)), /1 bytes belong to no tensor/],
    ['bytes and no tensor', fileBytes('{}', eight), /the header ends at byte 10, but the file has 18 bytes/],
    ['a hole', fileBytes(`{"a":${f32([1], 4, 8)}}`, eight), /begins at byte \d+, but the header ends/],
    [
      'a hole between tensors',
      fileBytes(`{"b":${f32([1], 8, 12)},"a":${f32([1], 0, 4)}}`, new Uint8Array(12)),
      /tensor "b" begins .* but tensor "a" ends at .*: 4 bytes belong to no tensor/,
    ],
    [
      'overlapping tensors',
      fileBytes(`{"a":${f32([2], 0, 8)},"b":${f32([2], 4, 12)}}`, new Uint8Array(12)),
      /tensor "b" begins at byte \d+ inside tensor "a"/,
    ],
    [
      'the same tensor twice',
      fileBytes(`{"a":${f32([2], 0, 8)},"a":${f32([2], 0, 8)}}`, eight),
      /duplicate key "a"/,
    ],
    [
      'the same tensor twice, once escaped',
      fileBytes(`{"a":${f32([2], 0, 8)},"\\u0061":${f32([2], 0, 8)}}`, eight),
      /byte \d+: duplicate key "a" in the header/,
    ],
    [
      '__proto__ twice',
      fileBytes(`{"__proto__":${f32([0], 0, 0)},"__proto__":${f32([0], 0, 0)}}`),
      /duplicate key "__proto__"/,
    ],
    [
      'the same field twice',
      fileBytes('{"a":{"shape":[],"shape":[]}}'),
      /duplicate key "shape" in tensor "a"/,
    ],
    [
      'metadata that is a list',
      fileBytes('{"__metadata__":[]}'),
      /expected \{ to begin __metadata__, found \[/,
    ],
    ['metadata that is null', fileBytes('{"__metadata__":null}'), /expected \{ to begin __metadata__/],
    [
      'a number in the metadata',
      fileBytes('{"__metadata__":{"n":1}}'),
      /expected a string for "n" of __metadata__/,
    ],
    ['metadata twice', fileBytes('{"__metadata__":{},"__metadata__":{}}'), /duplicate key "__metadata__"/],
    [
      'a metadata key twice',
      fileBytes('{"__metadata__":{"k":"1","k":"2"}}'),
      /duplicate key "k" in __metadata__/,
    ],
    ['a string without end', fileBytes('{"a'), /byte 9: the string for a key of the header has no end/],
    ['a string that ends in a backslash', fileBytes('{"a\\"'), /has no end/],
    ['a bad escape', fileBytes('{"\\x":1}'), /bad escape or a control character/],
    ['a control character in a string', fileBytes('{"\n":1}'), /bad escape or a control character/],
    ['an unpaired surrogate', fileBytes('{"\\ud800":1}'), /unpaired surrogate/],
    ['bytes that are no UTF-8', fileBytes(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a])), /not valid UTF-8/],
  ];

  test.each(malformed)('%s', async (_title, bytes, message) => {
    writeFileSync(path, bytes);
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
    await expect(openSafetensors(path)).rejects.toThrow(message);
    await expect(openSafetensors(path)).rejects.toThrow(path);
  });

  test('any change of one byte in the header gives a file that opens, or ERR_SVD_FILE', async () => {
    const bytes = fileBytes(`{"__metadata__":{"k":"v"},"a":${f32([2], 0, 8)}}`, eight);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), async (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        writeFileSync(path, changed);
        const code = await readAll(path).then(
          () => 'opens',
          (error) => error.code,
        );
        expect(['opens', 'ERR_SVD_FILE']).toContain(code);
      }),
      { numRuns: 500 },
    );
  });

  test('every truncation of a file', async () => {
    const bytes = fileBytes(good, eight);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
    }
  });

  test('a missing file, with the cause', async () => {
    const missing = at('no-such.safetensors');
    await expect(openSafetensors(missing)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      path: missing,
      cause: { code: 'ENOENT' },
    });
  });

  test('a directory', async () => {
    await expect(openSafetensors(at())).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path: at() });
    await expect(openSafetensors(at())).rejects.toThrow(/is a directory|cannot open/);
  });

  test.skipIf(process.platform === 'win32')('a FIFO, at once', async () => {
    const fifo = at('fifo');
    execFileSync('mkfifo', [fifo]);
    await expect(openSafetensors(fifo)).rejects.toThrow('is not a regular file');
  });

  test('a path that is none', async () => {
    await expect(openSafetensors('a\0b')).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(openSafetensors(7 as never)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
  });
});

import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import ndarray, { type NdArray } from 'ndarray';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../lib/weights/index.ts';

let folder: string;
let path: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'factored-svd-weights-'));
});
beforeEach(() => {
  path = join(folder, 'file.safetensors');
  rmSync(path, { force: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file as it stands on disk: header length (the true one unless given), header, data. */
function fileBytes(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint,
): Buffer {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

const bytesOf = (values: Float32Array | Float64Array | Uint16Array | BigInt64Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

async function readAll(file: string | URL) {
  await using opened = await openSafetensors(file);
  const arrays = new Map<string, NdArray<Float32Array | Float64Array>>();
  for (const name of opened.names) arrays.set(name, await opened.read(name));
  return { arrays, metadata: opened.metadata };
}

/** A strided array, all fields given. */
interface View {
  data: Float32Array | Float64Array;
  shape: number[];
  stride: number[];
  offset: number;
}

/** Elements in row-major order, read one by one through the strides. */
function elements({ data, shape, stride, offset }: View): number[] {
  if (shape.some((n) => n === 0)) return [];
  let positions = [offset];
  shape.forEach((n, axis) => {
    positions = positions.flatMap((at) => Array.from({ length: n }, (_, i) => at + i * stride[axis]));
  });
  return positions.map((at) => data[at]);
}

/** Tensors of 0 to 4 dimensions, empty ones too, in every kind of view: permuted, sliced, reversed, repeated. */
const tensorViews = fc
  .record({
    float64: fc.boolean(),
    shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
    seed: fc.nat(),
  })
  .chain(({ float64, shape, seed }) =>
    fc.record({
      order: fc.shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length },
      ),
      steps: fc.tuple(...shape.map(() => fc.constantFrom(1, 1, 2, -1, -2, 0))),
      before: fc.nat({ max: 3 }),
      float64: fc.constant(float64),
      shape: fc.constant(shape),
      seed: fc.constant(seed),
    }),
  )
  .map(({ order, steps, before, float64, shape, seed }): View => {
    const stride = shape.map(() => 0);
    let extent = 1;
    let offset = before;
    for (const axis of order) {
      stride[axis] = extent * steps[axis];
      if (stride[axis] < 0) offset -= stride[axis] * Math.max(0, shape[axis] - 1);
      extent *= Math.max(1, shape[axis] * Math.abs(steps[axis]));
    }
    const Elements = float64 ? Float64Array : Float32Array;
    return {
      data: new Elements(before + extent).map(
        (_: number, i: number) => Math.sin(seed + i) * 10 ** ((i % 7) - 3),
      ),
      shape,
      stride,
      offset,
    };
  });

/** Names that JSON, prototypes and terminals find difficult among them. */
const names = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '',
    '"',
    '\\',
    '\u0000',
    '0',
    '名前',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }).filter((name) => name !== '__metadata__'),
);

describe('a file that was written', () => {
  test('reads back with the same names, shapes, dtypes, values and metadata, whatever the views were', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(names, tensorViews), { selector: ([name]) => name, maxLength: 5 }),
        fc.dictionary(names, fc.string({ unit: 'grapheme' }), { noNullPrototype: true, maxKeys: 3 }),
        async (entries, metadata) => {
          await writeSafetensors(path, Object.fromEntries(entries), metadata);
          const read = await readAll(path);
          expect(new Set(read.arrays.keys())).toEqual(new Set(entries.map(([name]) => name)));
          expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
          for (const [name, view] of entries) {
            const array = read.arrays.get(name)!;
            expect(array.dtype).toBe(view.data instanceof Float64Array ? 'float64' : 'float32');
            expect(array.shape).toEqual(view.shape);
            expect([...array.data]).toEqual(elements(view));
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('has an aligned header, and every tensor aligned to its element size', async () => {
    await writeSafetensors(path, {
      odd: ndarray(new Float32Array(3)),
      double: ndarray(new Float64Array(2)),
    });
    const bytes = readFileSync(path);
    const headerLength = Number(bytes.readBigUInt64LE(0));
    expect(headerLength % 8).toBe(0);
    expect(bytes.subarray(8, 8 + headerLength).toString()).toMatch(/^\{.*\} *$/);
    await using file = await openSafetensors(path);
    expect(file.tensors.get('double')!.byteOffset % 8).toBe(0);
    expect(file.tensors.get('odd')!.byteOffset % 4).toBe(0);
  });

  test('holds transposed, reversed and broadcast ndarrays as their elements say', async () => {
    const a = ndarray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    await writeSafetensors(path, {
      transposed: a.transpose(1, 0),
      reversed: a.step(-1, -1),
      corner: a.lo(1, 1),
      repeated: ndarray(Float64Array.of(7), [2, 2], [0, 0]),
      scalar: ndarray(Float32Array.of(8), []),
    });
    const { arrays } = await readAll(path);
    expect([...arrays.get('transposed')!.data]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...arrays.get('reversed')!.data]).toEqual([6, 5, 4, 3, 2, 1]);
    expect([...arrays.get('corner')!.data]).toEqual([5, 6]);
    expect([...arrays.get('repeated')!.data]).toEqual([7, 7, 7, 7]);
    expect(arrays.get('scalar')!.shape).toEqual([]);
    expect([...arrays.get('scalar')!.data]).toEqual([8]);
  });

  test('is read in pieces larger than one buffer without loss', async () => {
    const n = 1200;
    const a = ndarray(
      Float32Array.from({ length: n * n }, (_, i) => i),
      [n, n],
    );
    await writeSafetensors(path, { a, transposed: a.transpose(1, 0) });
    const { arrays } = await readAll(path);
    expect(Buffer.compare(bytesOf(arrays.get('a')!.data), bytesOf(a.data))).toBe(0);
    const transposed = arrays.get('transposed')!;
    for (let i = 0; i < n; i += 37)
      for (let j = 0; j < n; j += 41) expect(transposed.get(i, j)).toBe(a.get(j, i));
  });

  test('is opened by a file URL too', async () => {
    await writeSafetensors(path, { a: ndarray(Float32Array.of(1, 2)) });
    const { arrays } = await readAll(pathToFileURL(path));
    expect([...arrays.get('a')!.data]).toEqual([1, 2]);
  });
});

describe('half precision is widened exactly', () => {
  const allHalves = Uint16Array.from({ length: 65536 }, (_, i) => i);

  async function widened(dtype: 'F16' | 'BF16') {
    const header = JSON.stringify({ h: { dtype, shape: [256, 256], data_offsets: [0, 131072] } });
    writeFileSync(path, fileBytes(header, bytesOf(allHalves)));
    const { arrays } = await readAll(path);
    return arrays.get('h')! as NdArray<Float32Array>;
  }

  test('every F16 bit pattern: normal, subnormal, ±0, ±∞, NaN', async () => {
    const array = await widened('F16');
    expect(array.dtype).toBe('float32');
    const expected = Float32Array.from(allHalves, (half) => {
      const sign = half & 0x8000 ? -1 : 1;
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
      if (exponent === 0) return sign * fraction * 2 ** -24;
      return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
    expect(allHalves.filter((half) => !Object.is(array.data[half], expected[half]))).toHaveLength(0);
  });

  test('every BF16 bit pattern is the upper half of its float32', async () => {
    const array = await widened('BF16');
    const bits = new Uint32Array(array.data.buffer);
    expect(allHalves.filter((half) => bits[half] !== half * 65536)).toHaveLength(0);
    expect([0x3f80, 0xff80, 0x0001, 0x8000].map((half) => array.data[half])).toEqual([
      1,
      -Infinity,
      2 ** -133,
      -0,
    ]);
  });
});

test('a half-precision tensor longer than one buffer is widened to its end', async () => {
  const halves = Uint16Array.from({ length: 2 ** 20 + 3 }, (_, i) => i);
  const header = JSON.stringify({
    h: { dtype: 'BF16', shape: [halves.length], data_offsets: [0, 2 * halves.length] },
  });
  writeFileSync(path, fileBytes(header, bytesOf(halves)));
  const { arrays } = await readAll(path);
  const bits = new Uint32Array(arrays.get('h')!.data.buffer);
  expect(halves.filter((half, i) => bits[i] !== half * 65536)).toHaveLength(0);
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
    const missing = join(folder, 'no-such.safetensors');
    await expect(openSafetensors(missing)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      path: missing,
      cause: { code: 'ENOENT' },
    });
  });

  test('a directory', async () => {
    await expect(openSafetensors(folder)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path: folder });
    await expect(openSafetensors(folder)).rejects.toThrow(/is a directory|cannot open/);
  });

  test.skipIf(process.platform === 'win32')('a FIFO, at once', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await expect(openSafetensors(fifo)).rejects.toThrow('is not a regular file');
  });

  test('a path that is none', async () => {
    await expect(openSafetensors('a\0b')).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(openSafetensors(7 as never)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
  });
});

describe('reading', () => {
  test('a name that is not there lists the nearest names', async () => {
    await writeSafetensors(path, {
      'blocks.0.attn.W_Q': ndarray(new Float32Array(1)),
      'blocks.0.attn.W_O': ndarray(new Float32Array(1)),
      embed: ndarray(new Float32Array(1)),
    });
    await using file = await openSafetensors(path);
    await expect(file.read('blocks.0.attn.WQ')).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
    await expect(file.read('blocks.0.attn.WQ')).rejects.toThrow(
      /no tensor "blocks.0.attn.WQ"; nearest names: "blocks.0.attn.W_Q", /,
    );
    await expect(file.read('__proto__')).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
  });

  test('a name that is none is ERR_SVD_ARGUMENT; who changes the list of tensors changes nothing', async () => {
    await writeSafetensors(path, { a: ndarray(Float32Array.of(1, 2)) });
    await using file = await openSafetensors(path);
    for (const name of [undefined, null, 3, Symbol('a'), ['a'], { toString: () => 'a' }])
      await expect(file.read(name as never)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
    (file.tensors as Map<string, unknown>).clear();
    expect([...(await file.read('a')).data]).toEqual([1, 2]);
  });

  test('integers, booleans and 8-bit floats are listed, and reading one says which dtypes can be read', async () => {
    const header = JSON.stringify({
      ids: { dtype: 'I64', shape: [1], data_offsets: [0, 8] },
      mask: { dtype: 'BOOL', shape: [2], data_offsets: [8, 10] },
      f8: { dtype: 'F8_E4M3', shape: [2], data_offsets: [10, 12] },
      f4: { dtype: 'F4', shape: [4], data_offsets: [12, 14] },
    });
    writeFileSync(path, fileBytes(header, new Uint8Array(14)));
    await using file = await openSafetensors(path);
    expect(file.names).toEqual(['ids', 'mask', 'f8', 'f4']);
    expect(file.tensors.get('mask')).toMatchObject({ dtype: 'BOOL', shape: [2], byteLength: 2 });
    for (const name of file.names) {
      await expect(file.read(name)).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
      await expect(file.read(name)).rejects.toThrow(/only F64, F32, F16, BF16 can be read/);
    }
  });

  test('tensors at odd positions in the file are read', async () => {
    const header = JSON.stringify({
      mask: { dtype: 'BOOL', shape: [1], data_offsets: [0, 1] },
      a: { dtype: 'F64', shape: [2], data_offsets: [1, 17] },
    });
    writeFileSync(
      path,
      fileBytes(header, Buffer.concat([Buffer.of(1), bytesOf(Float64Array.of(1.5, -2.5))])),
    );
    await using file = await openSafetensors(path);
    expect([...(await file.read('a')).data]).toEqual([1.5, -2.5]);
  });

  test('an empty header and empty tensors are legal', async () => {
    writeFileSync(path, fileBytes('{}'));
    expect((await readAll(path)).arrays.size).toBe(0);
    await writeSafetensors(path, { none: ndarray(new Float64Array(0), [0, 3]) });
    const { arrays } = await readAll(path);
    expect(arrays.get('none')!.shape).toEqual([0, 3]);
    expect(arrays.get('none')!.data).toHaveLength(0);
  });

  test('a name "__proto__" is a name like any other', async () => {
    writeFileSync(
      path,
      fileBytes(
        '{"__metadata__":{"__proto__":"p"},"__proto__":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
        bytesOf(Float32Array.of(3)),
      ),
    );
    const { arrays, metadata } = await readAll(path);
    expect([...arrays.get('__proto__')!.data]).toEqual([3]);
    expect(Object.entries(metadata)).toEqual([['__proto__', 'p']]);
  });

  test('many tensors at the same time', async () => {
    const entries = Array.from(
      { length: 50 },
      (_, i) => [`t${i}`, ndarray(Float64Array.of(i, i * i))] as const,
    );
    await writeSafetensors(path, Object.fromEntries(entries));
    await using file = await openSafetensors(path);
    const arrays = await Promise.all(file.names.map((name) => file.read(name)));
    expect(arrays.map((array) => array.get(0))).toEqual(entries.map((_, i) => i));
  });

  test('a file that shrinks while open, and one that was closed, are ERR_SVD_FILE', async () => {
    await writeSafetensors(path, { a: ndarray(new Float64Array(100)) });
    await using file = await openSafetensors(path);
    truncateSync(path, 200);
    await expect(file.read('a')).rejects.toThrow(/ends at byte 200, expected \d+ more bytes/);
    await file.close();
    await file.close();
    await expect(file.read('a')).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
  });

  test('one small tensor of a 2 GiB file takes memory for that tensor only', async () => {
    const big = 2 ** 31;
    const header = JSON.stringify({
      big: { dtype: 'F32', shape: [big / 4], data_offsets: [0, big] },
      small: { dtype: 'F32', shape: [2], data_offsets: [big, big + 8] },
    });
    const start = fileBytes(header);
    const handle = await open(path, 'w');
    try {
      await handle.write(start);
      await handle.write(bytesOf(Float32Array.of(5, 6)), 0, 8, start.length + big);
      await handle.close();
      const before = process.memoryUsage();
      await using file = await openSafetensors(path);
      expect([...(await file.read('small')).data]).toEqual([5, 6]);
      const after = process.memoryUsage();
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 20);
      expect(after.rss - before.rss).toBeLessThan(2 ** 27);
    } finally {
      rmSync(path, { force: true });
    }
  });
});

describe('writing', () => {
  const old = { a: ndarray(Float32Array.of(1, 2, 3)) };

  async function expectOldFileAlone() {
    const { arrays } = await readAll(path);
    expect([...arrays.get('a')!.data]).toEqual([1, 2, 3]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  }

  test('a failure in the middle leaves the old file, and nothing else', async () => {
    await writeSafetensors(path, old);
    for (const stride of [undefined, [2]]) {
      const data = new Float32Array(2_000_000);
      const writing = writeSafetensors(path, {
        first: ndarray(new Float32Array(1000)),
        second: { data, shape: [1_000_000], stride },
      });
      structuredClone(data, { transfer: [data.buffer] });
      await expect(writing).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
      await expectOldFileAlone();
    }
  });

  test('what is no float tensor is ERR_SVD_ARGUMENT before anything is written', async () => {
    await writeSafetensors(path, old);
    const data = new Float32Array(6);
    const bad: Record<string, object>[] = [
      { a: { data: new Int32Array(6), shape: [6] } },
      { a: { data: [1, 2], shape: [2] } },
      { a: { data, shape: [-1] } },
      { a: { data, shape: [1.5] } },
      { a: { data, shape: [7] } },
      { a: { data, shape: [2, 3], stride: [3] } },
      { a: { data, shape: [2, 3], stride: [3, 1], offset: 1 } },
      { a: { data, shape: [2, 3], stride: [3, -1] } },
      { a: { data, shape: [6], stride: [Number.NaN] } },
      { __metadata__: { data, shape: [6] } },
      { '\ud800': { data, shape: [6] } },
    ];
    for (const tensors of bad)
      await expect(writeSafetensors(path, tensors as never)).rejects.toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
      });
    await expect(writeSafetensors(path, old, { n: 1 } as never)).rejects.toMatchObject({
      code: 'ERR_SVD_ARGUMENT',
    });
    await expectOldFileAlone();
  });

  test('into a folder that does not exist, or over a folder, is ERR_SVD_FILE', async () => {
    const nowhere = join(folder, 'nowhere', 'file.safetensors');
    await expect(writeSafetensors(nowhere, old)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      path: nowhere,
    });
    await expect(writeSafetensors(folder, old)).rejects.toThrow('exists and is not a regular file');
  });

  test.skipIf(process.platform === 'win32')(
    'through a symbolic link replaces the file behind it',
    async () => {
      const link = join(folder, 'link.safetensors');
      await writeSafetensors(path, { a: ndarray(Float32Array.of(9)) });
      symlinkSync(path, link);
      await writeSafetensors(link, old);
      await expectOldFileAlone();
    },
  );

  test('takes arrays over shared memory', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([1, 2, 3]);
    await writeSafetensors(path, { a: ndarray(shared) });
    await expectOldFileAlone();
  });
});

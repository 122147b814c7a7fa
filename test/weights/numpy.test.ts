import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, test } from 'vitest';
import { openWeights, writeNpy, writeNpz } from '../../lib/weights/index.ts';
import { fill, fillSync } from '../../lib/weights/weights.ts';
import { type MemberSpec, npyBytes, npyHeader, zipBytes } from '../support/numpy-files.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf } from '../support/weight-files.ts';

const at = temporaryFolder();

async function namesOf(path: string): Promise<string[]> {
  await using weights = await openWeights(path);
  return weights.names;
}

/** A file of these bytes, which is gone when the next is made. */
function file(name: string, bytes: Uint8Array): string {
  const path = at(name);
  writeFileSync(path, bytes);
  return path;
}

/** `2 * 3 * 4` numbers, which differ, and the same in the order of Fortran. */
const shape = [2, 3, 4];
const values = Array.from({ length: 24 }, (_, i) => i - 5);
const columnMajor = Array.from({ length: 24 }, (_, p) => {
  const [i, j, k] = [p % 2, Math.floor(p / 2) % 3, Math.floor(p / 6)];
  return values[(i * 3 + j) * 4 + k];
});

type Ints =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | Uint16Array
  | Uint8Array;

/** Small integers as IEEE half precision. */
const halves = (x: number[]) =>
  Uint16Array.from(x, (v) => {
    if (v === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(v)));
    return (v < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(v) / 2 ** exponent - 1) * 1024);
  });

const kinds: Record<string, [dtype: string, stored: string, make: (x: number[]) => Ints]> = {
  f8: ['F64', 'float64', (x) => Float64Array.from(x)],
  f4: ['F32', 'float32', (x) => Float32Array.from(x)],
  f2: ['F16', 'float16', halves],
  i8: ['I64', 'int64', (x) => BigInt64Array.from(x, BigInt)],
  i4: ['I32', 'int32', (x) => Int32Array.from(x)],
  i2: ['I16', 'int16', (x) => Int16Array.from(x)],
  i1: ['I8', 'int8', (x) => Int8Array.from(x)],
  u2: ['U16', 'uint16', (x) => Uint16Array.from(x, Math.abs)],
  u1: ['U8', 'uint8', (x) => Uint8Array.from(x, Math.abs)],
  b1: ['BOOL', 'bool', (x) => Uint8Array.from(x, (v) => v & 1)],
};

function bigEndian(array: Ints): Uint8Array {
  const bytes = Buffer.from(bytesOf(array).slice());
  if (array.BYTES_PER_ELEMENT === 2) return bytes.swap16();
  if (array.BYTES_PER_ELEMENT === 4) return bytes.swap32();
  return array.BYTES_PER_ELEMENT === 8 ? bytes.swap64() : bytes;
}

const everyForm = Object.keys(kinds).flatMap((kind) =>
  [false, true].flatMap((big) => [false, true].map((fortran) => [kind, big, fortran] as const)),
);

function form(kind: string, big: boolean, fortran: boolean): Buffer {
  const array = kinds[kind][2](fortran ? columnMajor : values);
  const order = array.BYTES_PER_ELEMENT === 1 ? '|' : big ? '>' : '<';
  return npyBytes(npyHeader(order + kind, shape, fortran), big ? bigEndian(array) : bytesOf(array));
}

describe('an .npy file', () => {
  test.each(everyForm)(
    '%s, big-endian %s, Fortran order %s: the same numbers, whole and in part',
    async (...form_) => {
      const [kind] = form_;
      const [dtype, stored, make] = kinds[kind];
      const data = make(values);
      await using weights = await openWeights(file(`${kind}.npy`, form(...form_)));
      expect(weights.names).toEqual([kind]);
      expect(weights.tensors.get(kind)).toMatchObject({ dtype, shape, byteLength: data.byteLength });
      expect(await weights.readStored(kind)).toStrictEqual({ data, shape, dtype: stored });
      const part = await weights.readStored(kind, { rows: [1, 2] });
      expect(part).toStrictEqual({ data: data.slice(12), shape: [1, 3, 4], dtype: stored });
      const target = new (data.constructor as new (n: number) => typeof data)(12);
      await fill(weights, kind, target, [1, 2]);
      expect(target).toEqual(data.slice(12));
      fillSync(weights, kind, target, [0, 1]);
      expect(target).toEqual(data.slice(0, 12));
      if (!'f8 f4 f2'.includes(kind)) {
        await expect(weights.read(kind)).rejects.toThrow(/only F64, F32, F16, BF16 can be read as numbers/);
        return;
      }
      const numbers = await weights.read(kind);
      expect([numbers.shape, [...numbers.data]]).toEqual([shape, values.map((x) => x + 0)]);
      expect([...(await weights.read(kind, { rows: [1, 2] })).data]).toEqual(values.slice(12));
    },
  );

  test.each([1, 2, 3])(
    'of version %d, as Python 2 wrote it, and with other quotes and spaces',
    async (version) => {
      const data = bytesOf(Float32Array.of(1, 2, 3, 4));
      const headers = [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}",
        "{'shape': (2L, 2L), 'fortran_order': False, 'descr': '<f4', }",
        '{"descr":"<f4","fortran_order":False,"shape":(2,2,),}',
      ];
      for (const header of headers) {
        await using weights = await openWeights(file('v.npy', npyBytes(header, data, version)));
        expect([...(await weights.read('v')).data]).toEqual([1, 2, 3, 4]);
      }
    },
  );

  test('a single number, no elements, and one dimension in the order of Fortran', async () => {
    await using number = await openWeights(
      file('n.npy', npyBytes(npyHeader('<f8', []), bytesOf(Float64Array.of(7)))),
    );
    expect([(await number.read('n')).shape, (await number.read('n')).data[0]]).toEqual([[], 7]);
    await using none = await openWeights(
      file('n.npy', npyBytes(npyHeader('<f8', [0, 3], true), new Uint8Array(0))),
    );
    expect((await none.read('n')).shape).toEqual([0, 3]);
    await using line = await openWeights(
      file('n.npy', npyBytes(npyHeader('<f4', [3], true), bytesOf(Float32Array.of(1, 2, 3)))),
    );
    expect([...(await line.read('n', { rows: [1, 3] })).data]).toEqual([2, 3]);
  });

  test('columns further apart than is read along: some rows of a long matrix in the order of Fortran', async () => {
    const [rows, columns] = [20_000, 5];
    const data = Float64Array.from(
      { length: rows * columns },
      (_, p) => 10 * (p % rows) + Math.floor(p / rows),
    );
    await using weights = await openWeights(
      file('long.npy', npyBytes(npyHeader('<f8', [rows, columns], true), bytesOf(data))),
    );
    expect([...(await weights.read('long', { rows: [777, 779] })).data]).toEqual([
      7770, 7771, 7772, 7773, 7774, 7780, 7781, 7782, 7783, 7784,
    ]);
  });

  const four = bytesOf(Float32Array.of(1));
  const header = (text: string) => npyBytes(text, four);
  const good = npyHeader('<f4', [1]);
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /does not begin with its magic bytes/],
    ['a text', Buffer.from('1.5 2.5 3.5 4.5'), /does not begin with its magic bytes/],
    ['the magic alone', npyBytes(good, four).subarray(0, 8), /magic bytes/],
    [
      'a header cut short',
      npyBytes(good, four).subarray(0, 50),
      /its header alone needs 128 \(truncated\?\)/,
    ],
    [
      'elements cut short',
      npyBytes(good, four.subarray(1)),
      /need 4 bytes, 3 follow the header \(truncated\?\)/,
    ],
    ['something behind the elements', npyBytes(good, Buffer.alloc(8)), /need 4 bytes, 8 follow/],
    ['version 4', npyBytes(good, four, 4), /has version 4.0/],
    ['a long header', npyBytes(good + ' '.repeat(70_000), four, 2), /has a header of \d+ bytes/],
    ['objects', header(npyHeader('|O', [1])), /dtype \|O, Python objects/],
    [
      'records',
      header("{'descr': [('a', '<f4'), ('b', '<i2', (2, 2))], 'fortran_order': False, 'shape': (1,)}"),
      /records of several fields/,
    ],
    ['bfloat16 of ml_dtypes', npyBytes(npyHeader('<V2', [2]), four), /all that numpy says of bfloat16/],
    ['complex numbers', npyBytes(npyHeader('<c8', [1]), Buffer.alloc(8)), /which no typed array holds/],
    ['texts', header(npyHeader('<U1', [1])), /dtype <U1, which no typed array holds/],
    ['dates', npyBytes(npyHeader('<M8[ns]', [1]), Buffer.alloc(8)), /dtype <M8\[ns\], which/],
    ['no order of bytes', header(npyHeader('|f4', [1])), /does not say the order of its bytes/],
    ['no dtype', header(npyHeader('float32', [1])), /"float32" is no dtype/],
    [
      'no shape',
      header("{'descr': '<f4', 'fortran_order': False}"),
      /expected descr, fortran_order and shape/,
    ],
    ['a key twice', header(`${good.slice(0, -1)}'shape': (1,)}`), /shape comes twice/],
    ['another key', header(`${good.slice(0, -1)}'a': 1}`), /expected descr, fortran_order or shape/],
    ['a list for shape', header(good.replace('(1,)', '[1]')), /expected a tuple for shape/],
    ['a number for shape', header(good.replace('(1,)', '(1)')), /expected , after the only dimension/],
    [
      'a negative dimension',
      header(good.replace('(1,)', '(-1,)')),
      /expected an integer ≥ 0 in shape, found "-1/,
    ],
    ['a dimension beyond 2^53', header(good.replace('(1,)', '(9007199254740993,)')), /larger than 2\^53/],
    ['65 dimensions', header(good.replace('(1,)', `(${'1,'.repeat(65)})`)), /more than 64 dimensions/],
    [
      'dimensions that overflow',
      header(good.replace('(1,)', `(${'9007199254740991,'.repeat(64)})`)),
      /need Infinity bytes/,
    ],
    ['a call of Python', header(good.replace('(1,)', "__import__('os')")), /expected a tuple for shape/],
    ['something behind the dictionary', header(`${good} + {}`), /expected only spaces/],
  ])('%s: ERR_SVD_FILE when it is opened', async (_, bytes, message) => {
    const path = file('bad.npy', bytes);
    await expect(openWeights(path)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
    await expect(openWeights(path)).rejects.toThrow(message);
  });

  test('beyond 4 GiB: some rows in either order', async () => {
    const path = at('sparse.npy');
    const shape = [2 ** 29 + 3, 2];
    for (const fortran of [false, true]) {
      const start = npyBytes(npyHeader('<f4', shape, fortran), new Uint8Array(0));
      const handle = await open(path, 'w');
      await handle.write(start);
      await handle.write(bytesOf(Float32Array.of(8, 9)), 0, 8, start.length + 8 * shape[0] - 8);
      await handle.close();
      await using weights = await openWeights(path);
      expect(weights.tensors.get('sparse')!.byteLength).toBeGreaterThan(2 ** 32);
      const last = await weights.read('sparse', { rows: [shape[0] - 2, shape[0]] });
      expect([...last.data]).toEqual(fortran ? [0, 8, 0, 9] : [0, 0, 8, 9]);
      rmSync(path);
    }
  });
});

describe('an .npz file', () => {
  const a = npyBytes(npyHeader('<f8', [2, 2]), bytesOf(Float64Array.of(1, 2, 3, 4)));
  const b = form('f4', true, true);
  const large = npyBytes(
    npyHeader('<f4', [300, 200], true),
    bytesOf(Float32Array.from({ length: 60_000 }, (_, i) => Math.sin(i))),
  );
  const both = (method: number, zip64 = false): MemberSpec[] => [
    { name: 'a.npy', contents: a, method, zip64 },
    { name: 'blöcke.0/W.npy', contents: b, method, zip64 },
    { name: 'large.npy', contents: large, method, zip64 },
    { name: 'readme.txt', contents: Buffer.from('hello'), method: 12, compressed: 5, zip64 },
  ];
  test.each([
    ['stored', 0, false],
    ['deflated', 8, false],
    ['stored, 64-bit sizes', 0, true],
    ['deflated, 64-bit sizes', 8, true],
  ])('%s: arrays by their names, whole and in part', async (_, method, zip64) => {
    const bytes = zipBytes(both(method, zip64), { zip64, comment: 'of PK\x05\x06' });
    await using weights = await openWeights(file('x.npz', bytes));
    expect(weights.names).toEqual(['a', 'blöcke.0/W', 'large']);
    expect([...(await weights.read('a')).data]).toEqual([1, 2, 3, 4]);
    expect([...(await weights.read('a', { rows: [1, 2] })).data]).toEqual([3, 4]);
    expect([...(await weights.read('blöcke.0/W')).data]).toEqual(values);
    const all = await weights.read('large');
    expect(all.get(17, 3)).toBe(Math.fround(Math.sin(3 * 300 + 17)));
    expect([...(await weights.read('large', { rows: [17, 20] })).data]).toEqual([
      ...all.data.slice(17 * 200, 20 * 200),
    ]);
    const target = new Float32Array(60_000);
    fillSync(weights, 'large', target);
    expect(target).toEqual(all.data);
  });

  test('arrays that cannot be read are listed, and the others read', async () => {
    const texts = npyBytes(npyHeader('<U2', [1]), Buffer.alloc(8));
    const objects = npyBytes(npyHeader('|O', [1]), Buffer.from('pickled'));
    const members = [
      { name: 'a.npy', contents: a },
      { name: 'names.npy', contents: texts },
      { name: 'o.npy', contents: objects },
    ];
    await using weights = await openWeights(file('x.npz', zipBytes(members)));
    expect([...weights.tensors].map(([name, { dtype, byteLength }]) => [name, dtype, byteLength])).toEqual([
      ['a', 'F64', 32],
      ['names', '<U2', 8],
      ['o', '|O', 7],
    ]);
    await expect(weights.readStored('o')).rejects.toThrow(/Python objects/);
    expect((await weights.read('a')).size).toBe(4);
  });

  const one = (fields: Partial<MemberSpec>, end = {}) =>
    zipBytes([{ name: 'a.npy', contents: a, ...fields }], end);
  const deep = Buffer.concat([
    npyBytes(npyHeader('<f8', [2 ** 20]), new Uint8Array(0)),
    Buffer.alloc(2 ** 23),
  ]);
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /no directory at its end/],
    ['cut short', one({}).subarray(0, -5), /no directory at its end \(truncated\?\)/],
    ['the middle missing', Buffer.concat([one({}).subarray(0, 60), one({}).subarray(70)]), /truncated\?/],
    ['another format', Buffer.from('PK\x03\x04 and nothing else'), /no directory/],
    [
      'no arrays',
      zipBytes([{ name: 'archive/data.pkl', contents: a }]),
      /without arrays .* "archive\/data.pkl"/,
    ],
    [
      'a name twice',
      zipBytes([
        { name: 'a.npy', contents: a },
        { name: 'a.npy', contents: a },
      ]),
      /two members are called "a.npy"/,
    ],
    [
      'overlap',
      zipBytes([
        { name: 'a.npy', contents: a },
        { name: 'b.npy', contents: a, offset: 0 },
      ]),
      /begins at byte 0 inside member|has another name/,
    ],
    [
      'a member within another',
      zipBytes([{ name: 'a.npy', contents: one({ name: 'b.npy' }), size: 1000, compressed: 1000 }]),
      /ends at byte/,
    ],
    ['a wrong local name', one({ localName: 'b.npy' }), /has another name than "a.npy"/],
    ['beyond the file', one({ offset: 2 ** 31 }), /begins at byte 2147483648, behind the others/],
    ['beyond 2^53', one({ zip64: true, size: 2 ** 60 }), /larger than 2\^53/],
    ['larger than its bytes', one({ size: 2 ** 40, zip64: true }), /not compressed, but take/],
    [
      'a bomb',
      one({ method: 8, size: 2 ** 40, zip64: true }),
      /compressed bytes cannot hold 1099511627776 bytes/,
    ],
    ['encrypted', one({ flags: 1 }), /is encrypted/],
    ['another method', one({ method: 14 }), /method 14 is not known/],
    ['too many members', one({}, { count: 3 }), /3 members in a directory of/],
    ['too few members', zipBytes(both(0), { count: 2 }), /belong to no member/],
    ['a million members', one({}, { count: 2 ** 21, size: 2 ** 27, zip64: true }), /directory/],
    [
      'a size that its data do not have',
      one({ method: 8, contents: deep, size: deep.length + 8 }),
      /need 8388608 bytes, 8388616 follow/,
    ],
    [
      'a damaged beginning',
      one({ method: 8, contents: Buffer.from('no array') }),
      /does not begin with its magic/,
    ],
  ])('%s: ERR_SVD_FILE when it is opened', async (_, bytes, message) => {
    const path = file('bad.npz', bytes);
    await expect(openWeights(path)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
    await expect(openWeights(path)).rejects.toThrow(message);
  });

  test.each([0, 8])('damage of method %d is found when all of an array is read', async (method) => {
    await using sum = await openWeights(file('x.npz', one({ method, crc: 1 })));
    await expect(sum.read('a')).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(sum.readStored('a')).rejects.toThrow(/member "a.npy": is damaged: its checksum/);
    expect([...(await sum.read('a', { rows: [1, 2] })).data]).toEqual([3, 4]);
  });

  test('damaged compressed data are ERR_SVD_FILE, when they are reached', async () => {
    const path = at('x.npz');
    const noise = npyBytes(
      npyHeader('<f8', [2 ** 17]),
      bytesOf(Float64Array.from({ length: 2 ** 17 }, (_, i) => Math.sin(i * i))),
    );
    const bytes = zipBytes([{ name: 'noise.npy', contents: noise, method: 8 }]);
    for (const byte of [0, 0xff]) {
      bytes.fill(byte, 800_000, 800_100);
      writeFileSync(path, bytes);
      await using weights = await openWeights(path);
      const damaged =
        /member "noise.npy": (its compressed data (are damaged|end early)|is damaged: its checksum)/;
      await expect(weights.read('noise')).rejects.toThrow(damaged);
      await expect(weights.read('noise')).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path });
      expect(() => fillSync(weights, 'noise', new Float64Array(2 ** 17))).toThrow(damaged);
      expect((await weights.read('noise', { rows: [9, 10] })).data[0]).toBe(Math.sin(81));
    }
  });

  test('compressed data that end early are ERR_SVD_FILE', async () => {
    const short = Buffer.concat([
      npyBytes(npyHeader('<f8', [2 ** 12]), new Uint8Array(0)),
      Buffer.alloc(2 ** 14),
    ]);
    const size = short.length + 2 ** 14;
    await using weights = await openWeights(file('x.npz', one({ method: 8, contents: short, size })));
    await expect(weights.read('a')).rejects.toThrow(/its compressed data end early/);
    expect(() => fillSync(weights, 'a', new Float64Array(2 ** 12))).toThrow(/its compressed data end early/);
  });

  test('a million zeros take as much memory as is asked for', async () => {
    const zeros = npyBytes(npyHeader('<f4', [2 ** 24]), Buffer.alloc(2 ** 26));
    const bytes = zipBytes([{ name: 'z.npy', contents: zeros, method: 8 }]);
    expect(bytes.length).toBeLessThan(2 ** 17);
    await using weights = await openWeights(file('x.npz', bytes));
    const before = process.memoryUsage().arrayBuffers;
    expect((await weights.read('z', { rows: [2 ** 24 - 2, 2 ** 24] })).data).toEqual(new Float32Array(2));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27);
  });
});

describe('any change of one byte gives a file that opens and reads, or ERR_SVD_FILE', () => {
  const npy = form('f4', false, true);
  const members = [
    { name: 'a.npy', contents: npy, method: 8 },
    { name: 'b.npy', contents: npy },
  ];
  test.each<[string, Buffer]>([
    ['x.npy', npy],
    ['x.npz', zipBytes(members)],
    [
      'y.npz',
      zipBytes(
        members.map((m) => ({ ...m, zip64: true })),
        { zip64: true },
      ),
    ],
  ])('%s', { timeout: patience(60_000) }, async (name, bytes) => {
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(damage, fc.option(fc.nat(bytes.length), { freq: 8 }), async (changes, cut) => {
        const damaged = Buffer.from(bytes);
        for (const [i, byte] of changes) damaged[i] = byte;
        const path = file(name, cut === null ? damaged : damaged.subarray(0, cut));
        try {
          await using weights = await openWeights(path);
          for (const [tensor, { dtype }] of weights.tensors) {
            if (dtype !== 'F32') continue;
            expect((await weights.read(tensor)).data.length).toBe(24);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_SVD_FILE', path });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('writing', () => {
  const x = ndarray(
    Float64Array.from({ length: 6 }, (_, i) => i + 0.5),
    [2, 3],
  );

  test('an .npy file has the bytes that numpy.save writes', async () => {
    const path = at('w.npy');
    const expected = (text: string, data: Uint8Array) =>
      Buffer.concat([
        Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'),
        Buffer.from(`${text.padEnd(117)}\n`),
        data,
      ]);
    await writeNpy(path, x);
    expect(readFileSync(path)).toEqual(
      expected("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", bytesOf(x.data)),
    );
    await writeNpy(path, { data: Float32Array.of(1, 2), shape: [2] });
    expect(readFileSync(path)).toEqual(
      expected("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytesOf(Float32Array.of(1, 2))),
    );
  });

  test('what was written is read, whatever the views were; a view that is not row-major in row-major order', async () => {
    await writeNpy(at('t.npy'), x.transpose(1, 0));
    await using t = await openWeights(at('t.npy'));
    expect([(await t.read('t')).shape, [...(await t.read('t')).data]]).toEqual([
      [3, 2],
      [0.5, 3.5, 1.5, 4.5, 2.5, 5.5],
    ]);
    const arrays = {
      x,
      't/ü': x.transpose(1, 0),
      none: ndarray(new Float32Array(0), [0, 4]),
      s: { data: Float32Array.of(7), shape: [] },
    };
    await writeNpz(at('w.npz'), arrays);
    await using w = await openWeights(at('w.npz'));
    expect(w.names).toEqual(['x', 't/ü', 'none', 's']);
    expect((await w.read('x')).data).toEqual(x.data);
    expect([...(await w.read('t/ü')).data]).toEqual([0.5, 3.5, 1.5, 4.5, 2.5, 5.5]);
    expect((await w.read('none')).shape).toEqual([0, 4]);
    expect((await w.read('s')).data).toEqual(Float32Array.of(7));
    await writeNpz(at('none.npz'), {});
    expect(await namesOf(at('none.npz'))).toEqual([]);
  });

  test('an .npz file is the zip file that its definition says', async () => {
    await writeNpz(at('w.npz'), { x });
    await writeNpy(at('x.npy'), x);
    const dated = readFileSync(at('w.npz'));
    const plain = zipBytes([{ name: 'x.npy', contents: readFileSync(at('x.npy')), flags: 1 << 11 }]);
    // Versions and dates are free.
    for (const bytes of [dated, plain])
      for (const field of ['PK\x03\x04', 'PK\x01\x02']) {
        const from = bytes.indexOf(Buffer.from(field, 'latin1')) + (field.endsWith('\x04') ? 4 : 6);
        bytes.fill(0, from, from + 2);
        bytes.fill(0, from + 6, from + 10);
      }
    expect(dated).toEqual(plain);
  });

  test('nothing is written of what is no array or has no name', async () => {
    mkdirSync(at('empty'));
    const wrong: [string, unknown][] = [
      ['a', 'text'],
      ['a', { data: new Int32Array(2), shape: [2] }],
      ['a\0b', x],
      ['\ud800', x],
      ['n'.repeat(70_000), x],
    ];
    for (const [name, array] of wrong)
      await expect(writeNpz(at('empty/w.npz'), { [name]: array } as never)).rejects.toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
      });
    await expect(writeNpy(at('empty/w.npy'), 'text' as never)).rejects.toMatchObject({
      code: 'ERR_SVD_ARGUMENT',
    });
    await expect(writeNpy(at('nowhere/w.npy'), x)).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(openWeights(at('empty'))).rejects.toThrow(/holds no weights/);
  });
});

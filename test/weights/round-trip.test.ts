import { readFileSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import ndarray from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf, readAll } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;

beforeEach(() => {
  path = at('file.safetensors');
  rmSync(path, { force: true });
});

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

import { rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import ndarray from 'ndarray';
import { describe, expect, test } from 'vitest';
import { svd } from '../../lib/index.ts';
import { openSafetensors, openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { fill, fillSync } from '../../lib/weights/weights.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf, fileBytes } from '../support/weight-files.ts';

const at = temporaryFolder();

/** A file with one tensor of each kind, 3×2 or 3, of the same small integers. */
const kinds = {
  F64: [Float64Array.of(1, 2, 3, 4, 5, 6), 'float64'],
  F32: [Float32Array.of(1, 2, 3, 4, 5, 6), 'float32'],
  BF16: [Uint16Array.of(0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0), 'bfloat16'],
  F16: [Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600), 'float16'],
  I64: [BigInt64Array.of(1n, -2n, 2n ** 62n, 4n, 5n, 6n), 'int64'],
  U64: [BigUint64Array.of(1n, 2n, 2n ** 64n - 1n, 4n, 5n, 6n), 'uint64'],
  I32: [Int32Array.of(1, -2, 3, 4, 5, 6), 'int32'],
  U32: [Uint32Array.of(1, 2, 2 ** 32 - 1, 4, 5, 6), 'uint32'],
  I16: [Int16Array.of(1, -2, 3, 4, 5, 6), 'int16'],
  U16: [Uint16Array.of(1, 2, 65535, 4, 5, 6), 'uint16'],
  I8: [Int8Array.of(1, -2, 3, 4, 5, 6), 'int8'],
  U8: [Uint8Array.of(1, 2, 255, 4, 5, 6), 'uint8'],
  BOOL: [Uint8Array.of(1, 0, 1, 1, 0, 0), 'bool'],
  F8_E4M3: [Uint8Array.of(1, 2, 3, 4, 5, 6), 'float8_e4m3'],
  F8_E5M2: [Uint8Array.of(1, 2, 3, 4, 5, 6), 'float8_e5m2'],
  F8_E8M0: [Uint8Array.of(1, 2, 3, 4, 5, 6), 'float8_e8m0'],
  F8_E4M3FNUZ: [Uint8Array.of(1, 2, 3, 4, 5, 6), 'float8_e4m3fnuz'],
  F8_E5M2FNUZ: [Uint8Array.of(1, 2, 3, 4, 5, 6), 'float8_e5m2fnuz'],
} as const;

const names = Object.keys(kinds) as (keyof typeof kinds)[];

function fileOfKinds(): string {
  let end = 0;
  const entries = names.map((dtype) => {
    const begin = end;
    end += kinds[dtype][0].byteLength;
    return [dtype, { dtype, shape: [3, 2], data_offsets: [begin, end] }] as const;
  });
  const path = at('kinds.safetensors');
  const data = Buffer.concat(names.map((dtype) => bytesOf(kinds[dtype][0])));
  writeFileSync(path, fileBytes(JSON.stringify(Object.fromEntries(entries)), data));
  return path;
}

describe('readStored', () => {
  test.each(names)('%s comes as it stands in the file, whole or in part', async (dtype) => {
    await using file = await openWeights(fileOfKinds());
    const [data, name] = kinds[dtype];
    expect(await file.readStored(dtype)).toStrictEqual({ data, shape: [3, 2], dtype: name });
    expect(await file.readStored(dtype, { rows: [1, 3] })).toStrictEqual({
      data: data.slice(2),
      shape: [2, 2],
      dtype: name,
    });
  });

  test.each(['F64', 'F32', 'BF16', 'F16'] as const)('%s is legal input of every function', async (dtype) => {
    await using file = await openWeights(fileOfKinds());
    expect(svd(await file.readStored(dtype)).S).toEqual(svd(await file.read(dtype)).S);
  });

  test('of all kinds, is what writeSafetensors writes as it is', async () => {
    await using file = await openWeights(fileOfKinds());
    const tensors = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await file.readStored(name)] as const)),
    );
    await writeSafetensors(at('again.safetensors'), tensors);
    await using again = await openWeights(at('again.safetensors'));
    expect(again.tensors.size).toBe(names.length);
    for (const name of names) {
      expect(again.tensors.get(name)!.dtype).toBe(name);
      expect(await again.readStored(name)).toStrictEqual(tensors[name]);
    }
  });

  test('complex numbers and those of less than 8 bits are listed, and reading one says that no array holds them', async () => {
    const path = at('others.safetensors');
    const header = {
      c: { dtype: 'C64', shape: [1], data_offsets: [0, 8] },
      f4: { dtype: 'F4', shape: [4], data_offsets: [8, 10] },
    };
    writeFileSync(path, fileBytes(JSON.stringify(header), new Uint8Array(10)));
    await using file = await openSafetensors(path);
    for (const name of file.names)
      await expect(file.readStored(name)).rejects.toMatchObject({
        code: 'ERR_SVD_FILE',
        message: expect.stringContaining('no typed array holds'),
      });
  });
});

describe('fill', () => {
  const fills = {
    fill,
    fillSync: async (...args: Parameters<typeof fill>) => fillSync(...args),
  };

  test.each(names)('%s, whole and in part, into a part of a larger array', async (dtype) => {
    await using file = await openWeights(fileOfKinds());
    const [data] = kinds[dtype];
    const array = data.constructor as Float32ArrayConstructor;
    for (const run of Object.values(fills)) {
      const target = new array(10);
      await run(file, dtype, target.subarray(1, 7));
      await run(file, dtype, target.subarray(7, 9), [2, 3]);
      const zero = new array(1)[0];
      expect([...target]).toEqual([zero, ...data, ...data.slice(4), zero]);
    }
  });

  test('an array of another kind or length is ERR_SVD_ARGUMENT, and nothing is written', async () => {
    await using file = await openWeights(fileOfKinds());
    for (const target of [new Float64Array(5), new Float64Array(7), new Float32Array(6), new Uint8Array(48)])
      for (const run of Object.values(fills)) {
        await expect(run(file, 'F64', target)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
        expect(target.every((x) => x === 0)).toBe(true);
      }
  });

  test('after close, and of a file that has become shorter: ERR_SVD_FILE', async () => {
    const path = at('closed.safetensors');
    await writeSafetensors(path, { a: ndarray(new Float64Array(100)) });
    const file = await openWeights(path);
    const handle = await open(path, 'r+');
    await handle.truncate(200);
    await handle.close();
    for (const run of Object.values(fills))
      await expect(run(file, 'a', new Float64Array(100))).rejects.toThrow(
        /ends at byte 200, expected \d+ more/,
      );
    await file.close();
    for (const run of Object.values(fills))
      await expect(run(file, 'a', new Float64Array(100))).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
  });
});

describe('rows', () => {
  test('are those of the first dimension, of a vector its elements', async () => {
    const path = at('rows.safetensors');
    const data = Float64Array.from({ length: 24 }, (_, i) => i);
    await writeSafetensors(path, {
      t: ndarray(data, [4, 3, 2]),
      v: ndarray(data.slice(0, 4)),
      s: { data: data.slice(0, 1), shape: [] },
    });
    await using file = await openWeights(path);
    const part = await file.read('t', { rows: [1, 3] });
    expect([part.shape, [...part.data]]).toEqual([[2, 3, 2], [...data.slice(6, 18)]]);
    expect([...(await file.read('v', { rows: [3, 4] })).data]).toEqual([3]);
    expect((await file.read('t', { rows: [4, 4] })).shape).toEqual([0, 3, 2]);
    expect((await file.read('t', { rows: undefined })).shape).toEqual([4, 3, 2]);
    for (const rows of [[0, 5], [5, 5], [2, 1], [-1, 1], [0.5, 1], [0], [0, 1, 2], '01', 3, null, [0, NaN]])
      await expect(file.read('t', { rows } as never)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
    await expect(file.read('s', { rows: [0, 1] })).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
    await expect(file.read('t', { row: [0, 1] } as never)).rejects.toThrow(/did you mean rows/);
  });

  test('of tensors and files beyond 4 GiB', async () => {
    const path = at('sparse.safetensors');
    const [rows, columns] = [2 ** 21 + 3, 2 ** 10];
    const bytes = rows * columns * 2;
    const header = JSON.stringify({
      huge: { dtype: 'BF16', shape: [rows, columns], data_offsets: [0, bytes] },
      last: { dtype: 'F32', shape: [2], data_offsets: [bytes, bytes + 8] },
    });
    const start = fileBytes(header);
    const handle = await open(path, 'w');
    try {
      await handle.write(start);
      await handle.write(bytesOf(Uint16Array.of(0x3f80)), 0, 2, start.length + 2 * (rows - 2) * columns);
      await handle.write(bytesOf(Float32Array.of(5, 6)), 0, 8, start.length + bytes);
      await handle.close();
      await using file = await openWeights(path);
      expect(file.tensors.get('huge')!.byteLength).toBeGreaterThan(2 ** 32);
      const part = await file.read('huge', { rows: [rows - 3, rows] });
      expect([part.shape, part.get(0, 0), part.get(1, 0), part.get(1, 1)]).toEqual([[3, columns], 0, 1, 0]);
      const target = new Uint16Array(columns);
      fillSync(file, 'huge', target, [rows - 2, rows - 1]);
      expect(target[0]).toBe(0x3f80);
      expect([...(await file.read('last')).data]).toEqual([5, 6]);
    } finally {
      rmSync(path, { force: true });
    }
  });
});

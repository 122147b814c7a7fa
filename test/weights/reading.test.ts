import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import ndarray from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf, fileBytes, readAll } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;

beforeEach(() => {
  path = at('file.safetensors');
  rmSync(path, { force: true });
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

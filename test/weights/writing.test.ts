import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import ndarray from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { type Declared, writeInTurn } from '../../lib/weights/writer.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { readAll } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;

beforeEach(() => {
  path = at('file.safetensors');
  rmSync(path, { force: true });
});

describe('writing', () => {
  const old = { a: ndarray(Float32Array.of(1, 2, 3)) };

  async function expectOldFileAlone() {
    const { arrays } = await readAll(path);
    expect([...arrays.get('a')!.data]).toEqual([1, 2, 3]);
    expect(readdirSync(at()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
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
      { a: { data: new Int32Array(6), shape: [6], dtype: 'int16' } },
      { a: { data: new Uint16Array(6), shape: [6] } },
      { a: { data: new Uint8Array(6), shape: [7], dtype: 'bool' } },
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
    const nowhere = at('nowhere/file.safetensors');
    await expect(writeSafetensors(nowhere, old)).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      path: nowhere,
    });
    await expect(writeSafetensors(at(), old)).rejects.toThrow('exists and is not a regular file');
  });

  test.skipIf(process.platform === 'win32')(
    'through a symbolic link replaces the file behind it',
    async () => {
      const link = at('link.safetensors');
      await writeSafetensors(path, { a: ndarray(Float32Array.of(9)) });
      symlinkSync(path, link);
      await writeSafetensors(link, old);
      await expectOldFileAlone();
    },
  );

  test('views of 16-bit floats and of integers keep their bits', async () => {
    const data = Uint16Array.of(0x7fc1, 0x3f80, 0x8000, 0x4000, 0xffff, 1);
    await writeSafetensors(path, {
      half: { data, shape: [3, 2], stride: [1, 3], dtype: 'bfloat16' },
      ints: ndarray(Int16Array.of(1, 2, 3, 4), [2, 2]).transpose(1, 0) as never,
      floats: [[1, 2]],
    });
    await using file = await openWeights(path);
    expect(file.names).toEqual(['floats', 'half', 'ints']);
    expect(await file.readStored('half')).toEqual({
      data: Uint16Array.of(0x7fc1, 0x4000, 0x3f80, 0xffff, 0x8000, 1),
      shape: [3, 2],
      dtype: 'bfloat16',
    });
    expect((await file.readStored('ints')).data).toEqual(Int16Array.of(1, 3, 2, 4));
    expect(file.tensors.get('floats')!.dtype).toBe('F64');
  });

  describe('tensors in turn', () => {
    const declared = new Map<string, Declared>([
      ['half', { dtype: 'BF16', shape: [2, 2] }],
      ['ints', { dtype: 'I8', shape: [3] }],
      ['single', { dtype: 'F32', shape: [2] }],
    ]);
    const made = {
      half: { data: Float64Array.of(1, -2, 1 + 2 ** -8, 1 + 3 * 2 ** -8), shape: [2, 2], stride: [1, 2] },
      ints: { data: Int8Array.of(1, -1, 3), shape: [3], dtype: 'int8' },
      single: { data: Float32Array.of(5, 6), shape: [2] },
    } as const;

    test('are asked for one after another, in the order of the file, and rounded to what was declared', async () => {
      const order: string[] = [];
      await writeInTurn(
        path,
        declared,
        async (name) => {
          order.push(name);
          return made[name as keyof typeof made];
        },
        { format: 'pt' },
      );
      await using file = await openWeights(path);
      expect(order).toEqual(['single', 'half', 'ints']);
      expect(file.names).toEqual(order);
      expect(file.metadata).toEqual({ format: 'pt' });
      expect([...(await file.read('half')).data]).toEqual([1, 1, -2, 1 + 2 ** -6]);
      expect((await file.readStored('ints')).data).toEqual(made.ints.data);
    });

    test.each([
      ['another shape', 'ERR_SVD_SHAPE', { data: Float32Array.of(1, 2), shape: [2, 1] }],
      ['another kind', 'ERR_SVD_ARGUMENT', { data: Int8Array.of(1, 2), shape: [2], dtype: 'int8' }],
      ['a number beyond the range', 'ERR_SVD_OVERFLOW', { data: Float64Array.of(1e39, 2), shape: [2] }],
      ['nothing but an error', 'ERR_SVD_FILE', undefined],
    ])('%s leaves the old file alone', async (_, code, single) => {
      await writeSafetensors(path, old);
      const failure = Object.assign(new Error('lost'), { code: 'ERR_SVD_FILE' });
      const make = (name: string) =>
        name !== 'single'
          ? Promise.resolve(made[name as 'half'])
          : single
            ? Promise.resolve(single as never)
            : Promise.reject(failure);
      await expect(writeInTurn(path, declared, make, {})).rejects.toMatchObject({ code });
      await expectOldFileAlone();
    });
  });

  test('takes arrays over shared memory', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([1, 2, 3]);
    await writeSafetensors(path, { a: ndarray(shared) });
    await expectOldFileAlone();
  });
});

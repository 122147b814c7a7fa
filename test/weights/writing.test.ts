import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import ndarray from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../lib/weights/index.ts';
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

  test('takes arrays over shared memory', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([1, 2, 3]);
    await writeSafetensors(path, { a: ndarray(shared) });
    await expectOldFileAlone();
  });
});

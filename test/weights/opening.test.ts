import { copyFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ndarray from 'ndarray';
import { beforeEach, describe, expect, test } from 'vitest';
import { openWeights, writeNpy, writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf, fileBytes } from '../support/weight-files.ts';

const at = temporaryFolder();

async function namesOf(path: string): Promise<string[]> {
  await using weights = await openWeights(path);
  return weights.names;
}

let folder: string;
const within = (name: string) => join(folder, name);

beforeEach(() => {
  folder = at('model');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});

const x = (value: number) => ndarray(Float32Array.of(value, value + 1));

/** Three shards in the folder, and their index. */
async function shards(map: Record<string, string> = {}, rest: object = { metadata: { total_size: 32 } }) {
  await writeSafetensors(
    within('model-00001-of-00003.safetensors'),
    { a: x(1), b: x(2) },
    { format: 'pt', n: '1' },
  );
  await writeSafetensors(within('model-00002-of-00003.safetensors'), { c: x(3) }, { format: 'pt', n: '2' });
  await writeSafetensors(within('model-00003-of-00003.safetensors'), { d: x(4) }, { format: 'pt', n: '3' });
  const own = { a: 1, b: 1, c: 2, d: 3 };
  const weight_map = Object.fromEntries(
    Object.entries(own).map(([name, i]) => [name, `model-0000${i}-of-00003.safetensors`]),
  );
  writeFileSync(
    within('model.safetensors.index.json'),
    JSON.stringify({ ...rest, weight_map: { ...weight_map, ...map } }),
  );
}

const index = (text: string) => writeFileSync(within('model.safetensors.index.json'), text);

describe('an index with its shards', () => {
  test.each(['', 'model.safetensors.index.json'])(
    'by the path of "%s": the tensors of all shards',
    async (name) => {
      await shards();
      await using weights = await openWeights(within(name));
      expect(weights.names).toEqual(['a', 'b', 'c', 'd']);
      expect(weights.metadata).toEqual({ format: 'pt', total_size: '32' });
      expect([...(await weights.read('c')).data]).toEqual([3, 4]);
      expect([...(await weights.read('d', { rows: [1, 2] })).data]).toEqual([5]);
      expect(weights.tensors.get('d')!.file).toBe(within('model-00003-of-00003.safetensors'));
      expect(weights.files).toEqual([
        within('model.safetensors.index.json'),
        ...[1, 2, 3].map((i) => within(`model-0000${i}-of-00003.safetensors`)),
      ]);
    },
  );

  test('shards may be links to elsewhere, and stand in a folder below', async () => {
    await writeSafetensors(at('blob'), { a: x(1) });
    mkdirSync(within('shards'));
    symlinkSync(at('blob'), within('shards/one.safetensors'));
    index('{"weight_map": {"a": "shards/one.safetensors"}}');
    await using weights = await openWeights(pathToFileURL(folder));
    expect([...(await weights.read('a')).data]).toEqual([1, 2]);
  });

  test('tensors that only a shard knows are listed, too', async () => {
    await writeSafetensors(within('one.safetensors'), { a: x(1), extra: x(2) });
    index('{"weight_map": {"a": "one.safetensors"}}');
    await using weights = await openWeights(folder);
    expect(weights.names).toEqual(['a', 'extra']);
  });

  test('what else an index says is passed over', async () => {
    await writeSafetensors(within('one.safetensors'), { a: x(1) });
    index(
      '{"other": [1, {"x": "}"}, null], "metadata": {"n": 1.5, "deep": {"y": []}, "s": "t"}, "weight_map": {"a": "one.safetensors"}, "last": true}\n',
    );
    await using weights = await openWeights(folder);
    expect(weights.metadata).toEqual({ n: '1.5', deep: '{"y":[]}', s: 't' });
  });

  test.each<[string, () => unknown, RegExp]>([
    [
      'a shard is missing',
      () => rmSync(within('model-00002-of-00003.safetensors')),
      /model-00002-of-00003.safetensors: cannot open: ENOENT/,
    ],
    [
      'a shard is cut short',
      () => truncateSync(within('model-00003-of-00003.safetensors'), 100),
      /truncated\?/,
    ],
    [
      'a shard is empty',
      () => truncateSync(within('model-00003-of-00003.safetensors'), 0),
      /not a safetensors file: 0 bytes/,
    ],
    [
      'a tensor is in another shard',
      () => shards({ a: 'model-00002-of-00003.safetensors' }),
      /tensor "a" is not in "model-00002.*, as weight_map says: it is in ".*model-00001/,
    ],
    [
      'a tensor is in no shard',
      () => shards({ e: 'model-00002-of-00003.safetensors' }),
      /tensor "e" is not in .*: no shard has it/,
    ],
    [
      'two shards have the same tensor',
      () =>
        copyFileSync(within('model-00001-of-00003.safetensors'), within('model-00002-of-00003.safetensors')),
      /tensor "a" is also in ".*model-00001/,
    ],
    [
      'a file outside the folder',
      () => shards({ a: '../blob' }),
      /bad index at byte \d+: the file of tensor "a" is "..\/blob", outside the folder/,
    ],
    ['a file outside by way of a folder', () => shards({ a: 'shards/../../blob' }), /outside the folder/],
    ['an absolute path', () => shards({ a: at('blob') }), /outside the folder/],
    ['a path of Windows', () => shards({ a: '..\\blob' }), /outside the folder/],
    ['a drive', () => shards({ a: 'C:blob' }), /outside the folder/],
    ['no name', () => shards({ a: '' }), /outside the folder/],
    ['the folder itself', () => shards({ a: '.' }), /outside the folder/],
    ['a NUL', () => shards({ a: 'a\0b' }), /outside the folder/],
    ['a number for a file', () => shards({ a: 3 as never }), /expected a string for the file of tensor "a"/],
    ['a name twice', () => index('{"weight_map": {"a": "x", "a": "x"}}'), /duplicate key "a" in weight_map/],
    ['two maps', () => index('{"weight_map": {}, "weight_map": {}}'), /duplicate key "weight_map"/],
    ['no map', () => index('{"metadata": {}}'), /the index has no weight_map/],
    ['a list', () => index('[]'), /expected \{ to begin the index, found \[/],
    ['nothing', () => index(''), /found the end of the index/],
    ['an index cut short', () => index('{"metadata": {"a": [1, '), /"metadata" has no end/],
    ['something behind it', () => index('{"weight_map": {}} x'), /expected only spaces after the index/],
    [
      'a value that is no JSON',
      () => index('{"metadata": {"a": tru}, "weight_map": {}}'),
      /"metadata" is not JSON/,
    ],
    [
      'brackets without end',
      () => index(`{"metadata": ${'['.repeat(2 ** 22)}`),
      /nested more than 64 levels/,
    ],
    [
      'a shard of another kind',
      () => writeFileSync(within('model-00002-of-00003.safetensors'), 'PK\x03\x04 of pickles'),
      /not a safetensors file/,
    ],
  ])('%s: ERR_SVD_FILE when it is opened', async (_, damage, message) => {
    await shards();
    await damage();
    await expect(openWeights(folder)).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(openWeights(folder)).rejects.toThrow(message);
    await expect(openWeights(within('model.safetensors.index.json'))).rejects.toThrow(message);
  });
});

describe('a folder', () => {
  test('with model.safetensors: that file alone', async () => {
    await writeSafetensors(within('model.safetensors'), { a: x(1) });
    await writeSafetensors(within('other.safetensors'), { b: x(1) });
    await using weights = await openWeights(folder);
    expect([weights.names, weights.path]).toEqual([['a'], folder]);
  });

  test('with safetensors files of other names: all of them together', async () => {
    await writeSafetensors(within('one.safetensors'), { a: x(1) });
    await writeSafetensors(within('two.safetensors'), { b: x(2) });
    await using weights = await openWeights(`${folder}/`);
    expect(weights.names).toEqual(['a', 'b']);
    await writeSafetensors(within('three.safetensors'), { a: x(2) });
    await expect(openWeights(folder)).rejects.toThrow(/tensor "a" is also in/);
  });

  test('with shards of a set that is not complete and has no index: ERR_SVD_FILE', async () => {
    await shards();
    rmSync(within('model.safetensors.index.json'));
    expect(await namesOf(folder)).toEqual(['a', 'b', 'c', 'd']);
    rmSync(within('model-00002-of-00003.safetensors'));
    await expect(openWeights(folder)).rejects.toThrow(/"model-00002-of-00003.safetensors" is missing/);
  });

  test('with several indexes: the usual one, or an error that lists them', async () => {
    await shards();
    copyFileSync(within('model.safetensors.index.json'), within('model.fp16.safetensors.index.json'));
    expect(await namesOf(folder)).toHaveLength(4);
    copyFileSync(within('model.safetensors.index.json'), within('b.safetensors.index.json'));
    rmSync(within('model.safetensors.index.json'));
    await expect(openWeights(folder)).rejects.toThrow(/has 2 indexes: name one of "b.safe.*", "model.fp16/);
  });

  test.each([
    ['pytorch_model.bin', /holds only "pytorch_model.bin": of a folder only safetensors files are read/],
    ['model-q4.gguf', /holds only "model-q4.gguf"/],
    ['config.json', /holds no weights/],
  ])('with %s alone: ERR_SVD_FILE that says so', async (name, message) => {
    writeFileSync(within(name), 'content');
    await expect(openWeights(folder)).rejects.toMatchObject({ code: 'ERR_SVD_FILE', path: folder });
    await expect(openWeights(folder)).rejects.toThrow(message);
  });
});

describe('a file', () => {
  test('is known by its first bytes, whatever it is called', async () => {
    await writeNpy(within('x.npy'), x(1));
    await writeSafetensors(within('y'), { a: x(1) });
    copyFileSync(within('x.npy'), within('x'));
    expect(await namesOf(within('x'))).toEqual(['x']);
    expect(await namesOf(within('y'))).toEqual(['a']);
  });

  test.each([
    ['GGUF\x03\x00\x00\x00', /is a file of llama.cpp \(GGUF\): only safetensors, .npy and .npz can be read/],
    ['\x89HDF\r\n\x1a\n', /is a file of HDF5/],
    ['\x80\x02\x8a\nl\xfc', /is a file of Python's pickle/],
    ['PK\x03\x04 data.pkl', /bad zip file/],
  ])('that begins with %j is refused', async (start, message) => {
    writeFileSync(within('model.bin'), Buffer.from(start, 'latin1'));
    await expect(openWeights(within('model.bin'))).rejects.toMatchObject({ code: 'ERR_SVD_FILE' });
    await expect(openWeights(within('model.bin'))).rejects.toThrow(message);
  });

  test('that is not there, and a path that is none', async () => {
    await expect(openWeights(within('none'))).rejects.toMatchObject({
      code: 'ERR_SVD_FILE',
      path: within('none'),
    });
    await expect(openWeights(3 as never)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
  });
});

test('shards of more than 4 GiB are opened by their headers, and some rows read', async () => {
  const bytes = 2 ** 32 + 2 ** 20;
  const map: Record<string, string> = {};
  for (const i of [1, 2]) {
    const header = JSON.stringify({
      [`big${i}`]: { dtype: 'F32', shape: [bytes / 2 ** 12, 2 ** 10], data_offsets: [0, bytes] },
    });
    const start = fileBytes(header);
    const handle = await open(within(`${i}.safetensors`), 'w');
    await handle.write(start);
    await handle.write(bytesOf(Float32Array.of(i)), 0, 4, start.length + bytes - 4);
    await handle.close();
    map[`big${i}`] = `${i}.safetensors`;
  }
  index(JSON.stringify({ weight_map: map }));
  const before = process.memoryUsage().arrayBuffers;
  await using weights = await openWeights(folder);
  const last = bytes / 2 ** 12;
  const part = await weights.readStored('big2', { rows: [last - 1, last] });
  expect(part.data.at(-1)).toBe(2);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});

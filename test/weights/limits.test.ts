import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { svd } from '../../lib/index.ts';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { suggestNames } from '../../lib/weights/names.ts';
import { checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { costlyHeaders, entry, manyTensors } from '../support/hostile-files.ts';
import { within } from '../support/limited-process.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fileBytes } from '../support/weight-files.ts';

const at = temporaryFolder();
let path: string;
beforeAll(() => {
  path = at('file');
});

describe('a header costs no more than its length', () => {
  test.each(Object.keys(costlyHeaders))('%s: refused', { timeout: patience(30_000) }, (title) => {
    const [bytes, says] = costlyHeaders[title];
    writeFileSync(path, bytes());
    const { stderr, ...ended } = within('inspect', path);
    expect({ ...ended, stderr: stderr.slice(0, 1000) }).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: expect.stringMatching(says),
    });
    expect(stderr).toMatch(/\[ERR_SVD_FILE\]\n$/);
  });

  test('64 dimensions, 0 before what would overflow, and names of a megabyte are read', async () => {
    const name = 'n'.repeat(2 ** 20);
    const [ones, zero] = ['1,'.repeat(63).concat('1'), '0,9007199254740991,9007199254740991'];
    writeFileSync(
      path,
      fileBytes(`{"${name}":${entry(ones, 0, 4)},"zero":${entry(zero)}}`, new Uint8Array(4)),
    );
    await using file = await openSafetensors(path);
    expect((await file.read(name)).shape).toEqual(new Array(64).fill(1));
    expect(file.tensors.get('zero')!.shape).toEqual([0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
  });

  test('100,000 tensors are listed in a moment, whatever the length of one name', {
    timeout: patience(60_000),
  }, () => {
    const count = 100_000;
    writeFileSync(
      path,
      manyTensors(count, (i) => (i === 0 ? 'n'.repeat(2 ** 20) : `t${i}`)),
    );
    const { status, stdout, stderr } = within('inspect', path);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.length).toBeLessThan(2 ** 25);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1 + count + 1);
  });

  test('a missing name among 100,000 long ones is answered with the nearest', {
    timeout: patience(60_000),
  }, () => {
    const long = 'model.layers.'.repeat(15);
    writeFileSync(
      path,
      manyTensors(100_000, (i) => `${long}${i}`),
    );
    const { status, stderr } = within('svd', path, '--matrix', `${long}77x77`);
    expect(status).toBe(1);
    expect(stderr).toContain(`nearest names: "${long}77`);
  });

  test('a batch of more matrices without elements than memory could list is refused', () => {
    writeFileSync(path, fileBytes(`{"a":${entry('1073741824,0,0')},"b":${entry('9007199254740991,0')}}`));
    for (const name of ['a', 'b'])
      expect(within('svd', path, '--matrix', name)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/\[ERR_SVD_TOO_LARGE\]\n$/),
      });
  });

  test('a product of more matrices than its factors have elements is refused', () => {
    writeFileSync(path, fileBytes(`{"A":${entry('2048,1,3,0')},"B":${entry('1,2048,0,3')}}`));
    expect(within('svd', path, '--a', 'A', '--b', 'B')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/4194304 matrices.*\[ERR_SVD_TOO_LARGE\]\n$/),
    });
  });
});

test('the nearest names are those of the smallest edit distance', () => {
  const names = ['blocks.0.attn.W_Q', 'blocks.0.attn.W_O', 'blocks.1.attn.W_Q', 'embed', 'unembed'];
  const crowd = Array.from({ length: 500 }, (_, i) => `other.${i}.weight`);
  expect(suggestNames('blocks.0.attn.WQ', [...crowd, ...names])).toMatch(
    /^nearest names: "blocks.0.attn.W_Q", "/,
  );
  expect(suggestNames('embedd', [...crowd, ...names])).toMatch(/^nearest names: "embed", "unembed", /);
});

test('arrays have as many dimensions as tensors of a file', async () => {
  const data = new Float32Array(1);
  const deep = { data, shape: new Array(65).fill(1) };
  checkError(
    errorOf(() => svd(deep)),
    'ERR_SVD_ARGUMENT',
    'has 65 dimensions, at most 64 are possible',
  );
  expect((await rejectionOf(writeSafetensors(path, { deep }))).code).toBe('ERR_SVD_ARGUMENT');
});

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The negative control of scripts/same-bits.mjs: in a copy of this checkout one bit of one number is another.

const root = fileURLToPath(new URL('../..', import.meta.url));
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'factored-svd-copy-'));
  for (const name of ['native', 'node_modules']) symlinkSync(join(root, name), join(copy, name));
  for (const name of ['dist', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function sameBits(only: string) {
  const args = ['--no-warnings', join(root, 'scripts/same-bits.mjs'), '--only', only, copy];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n') };
}

const calls = 'float64 5,9 random';

test('a copy answers with the same bits', () => {
  expect(sameBits(calls)).toEqual({
    status: 0,
    lines: [expect.stringMatching('^2 of 2 calls have the same bits')],
  });
});

test('no calls at all are no agreement', () => {
  expect(sameBits('no call has this name').status).toBe(1);
});

test('another last bit of one singular value is found, in the call that returns it and in no other', () => {
  renameSync(join(copy, 'dist/index.js'), join(copy, 'dist/unchanged.js'));
  writeFileSync(
    join(copy, 'dist/index.js'),
    `import { svd as unchanged } from './unchanged.js';
     export * from './unchanged.js';
     export function svd(...args) {
       const result = unchanged(...args);
       new BigUint64Array(result.S.data.buffer, result.S.data.byteOffset, 1)[0] ^= 1n;
       return result;
     }`,
  );
  const [found, summary] = ['differs: svd float64 5,9 random', '^1 of 2 calls have the same bits'];
  expect(sameBits(calls)).toEqual({ status: 1, lines: [found, expect.stringMatching(summary)] });
});

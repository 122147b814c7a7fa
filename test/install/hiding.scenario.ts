import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { works } from './support/judgement.ts';
import { Sandbox } from './support/sandbox.ts';
import { pack, repack } from './support/tarball.ts';
import { root } from './support/tools.ts';

// That these tests would notice: what they hide is hidden, what they forbid is seen, what is missing makes them fail.

const empty = { private: true, name: 'consumer', version: '1.0.0' };

test('an addon that needs the system’s OpenBLAS does not load where it is hidden, and loads where it is not', async () => {
  const dynamic = join(root, 'native/build/Release/factored_svd.node');
  if (!existsSync(dynamic))
    throw new Error('the addon of this checkout is not built: run npm run build:native first');
  const box = new Sandbox('running', 'npm-11');
  box.write('package.json', empty);
  await box.run(['npm', 'install', 'factored-svd']);
  box.consume('esm.mjs', 'report.cjs');
  const env = { FACTORED_SVD_BINARY: dynamic };
  const { stdout } = await box.run(['node', 'esm.mjs'], { env, hidden: false });
  expect(JSON.parse(stdout).libraries.join()).toContain('openblas');
  const { status, stderr } = await box.attempt(['node', 'esm.mjs'], { env });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/openblas.*ERR_SVD_BINARY/is),
  });
});

test('a platform package without its addon does not pass', async () => {
  const { tarballs } = inject('scene');
  const hollow = repack(readFileSync(tarballs.platform), (folder) =>
    rmSync(join(folder, 'factored_svd.node')),
  );
  const box = new Sandbox('running', 'npm-11');
  box.write('package.json', empty);
  writeFileSync(box.path('hollow.tgz'), hollow);
  await box.run(['npm', 'install', tarballs.main, './hollow.tgz']);
  box.consume('esm.mjs', 'report.cjs');
  await expect(works(box, ['node', 'esm.mjs'])).rejects.toThrow('ERR_SVD_BINARY');
});

test('an install script that calls a compiler is seen', async () => {
  const box = new Sandbox('running', 'npm-11');
  box.write('package.json', empty);
  const scripts = { install: 'c++ addon.cc' };
  writeFileSync(box.path('compiles.tgz'), pack({ name: 'compiles', version: '1.0.0', scripts }));
  await expect(box.run(['npm', 'install', './compiles.tgz'])).rejects.toThrow('c++ addon.cc');
  expect(box.trapped).toBe('c++ addon.cc\n');
});

test('a program that hangs is ended', async () => {
  const box = new Sandbox('running');
  const { status } = await box.attempt(['sh', '-c', 'node -e "setInterval(() => {}, 1000)"'], {
    limit: 1000,
  });
  expect(status).toBe(null);
});

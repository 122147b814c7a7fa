import { rmSync, writeFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { Sandbox } from './support/sandbox.ts';
import { runtimePath } from './support/tools.ts';

// The build from source of an installed package, for systems that there is no platform package for: one command, which
// takes the compiler, CMake and OpenBLAS of this system, and npm as it is set up here; the sources from a tarball.

const limit = 300_000;
const env = process.env as Record<string, string>;
const { tarballs } = inject('scene');
const command = [
  runtimePath('running'),
  'node_modules/factored-svd/native/build.mjs',
  '--source',
  tarballs.source,
];

test('a build from source says once what to install where OpenBLAS is missing, and works where it is there', {
  timeout: limit,
}, async () => {
  const box = new Sandbox('running', 'npm-11');
  box.write('package.json', { private: true });
  await box.run(['npm', 'install', '--omit=optional', 'factored-svd']);
  box.consume('esm.mjs', 'cjs.cjs', 'report.cjs');

  const toolchain = box.path('no-libraries.cmake');
  const nowhere = `set(CMAKE_FIND_ROOT_PATH ${box.path('nothing')})\nset(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)\n`;
  writeFileSync(toolchain, nowhere);
  const missing = await box.attempt(command, {
    hidden: false,
    env: { ...env, CMAKE_TOOLCHAIN_FILE: toolchain },
  });
  expect(missing.status).not.toBe(0);
  expect((missing.stdout + missing.stderr).split('apt-get install libopenblas-dev')).toHaveLength(2);
  rmSync(box.path('node_modules/factored-svd/native/build/CMakeCache.txt'));

  await box.run(command, { hidden: false, env, limit });
  for (const program of ['esm.mjs', 'cjs.cjs']) {
    const { stdout } = await box.run(['node', program], { hidden: false });
    expect(JSON.parse(stdout)).toMatchObject({ exact: [4, 3], versions: { build: 'cmake' } });
  }
});

import { readFileSync } from 'node:fs';
import { describe, expect, inject, test } from 'vitest';
import { Sandbox } from './support/sandbox.ts';
import { listed, packageJson } from './support/tarball.ts';
import { runtimePath, tool } from './support/tools.ts';

// What is in the tarballs.

const { tarballs, version, platforms } = inject('scene');
const main = readFileSync(tarballs.main);
const platform = readFileSync(tarballs.platform);
const source = readFileSync(tarballs.source);

interface Manifest {
  private?: boolean;
  scripts?: object;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

describe('the main package', () => {
  const paths = listed(main);

  test('has what is needed for its use and for a build from source', () => {
    for (const needed of [
      'README.md',
      'LICENSE',
      'THIRD-PARTY-LICENSES',
      'native/build.mjs',
      'native/system-packages.json',
      'dist/index.js',
      'dist/index.cjs',
      'dist/command.js',
    ]) {
      expect(paths).toContain(needed);
    }
  });

  test('has nothing built, no binding.gyp, nothing of the tests', () => {
    const stray =
      /^(test|bench|scripts|packages|node_modules|native\/(build|fuzz|test)\b(?!\.mjs))|binding\.gyp|\.node$/;
    expect(paths.filter((path) => stray.test(path))).toEqual([]);
  });

  test('has no script, and asks for every platform package in exactly its own version', () => {
    const manifest = packageJson<Manifest>(main);
    expect(manifest).not.toHaveProperty('scripts');
    expect(manifest).not.toHaveProperty('private');
    expect(manifest.optionalDependencies).toEqual(
      Object.fromEntries(platforms.map(({ name }) => [name, version])),
    );
  });

  test('is at most 300 kB', () => expect(main.length).toBeLessThanOrEqual(300e3));

  test('pleases publint', async () => {
    await new Sandbox('running').run([
      runtimePath('running'),
      tool('publint/src/cli.js'),
      '--strict',
      tarballs.main,
    ]);
  });

  test('has types that every kind of resolution finds', async () => {
    await new Sandbox('running').run([
      runtimePath('running'),
      tool('@arethetypeswrong/cli/dist/index.js'),
      '--profile',
      'strict',
      tarballs.main,
    ]);
  });
});

describe('the package of sources', () => {
  const paths = listed(source);

  test('has what native/build.mjs builds', () => {
    for (const needed of ['CMakeLists.txt', 'LICENSE', 'native/sources.json', 'native/binding/addon.cc'])
      expect(paths).toContain(needed);
    expect(packageJson<Manifest>(source)).toMatchObject({ name: 'factored-svd-source', version });
  });

  test('has no binding.gyp, no script, nothing built and nothing of the tests', () => {
    expect(paths.filter((path) => /binding\.gyp|native\/(build|fuzz|test)\b/.test(path))).toEqual([]);
    expect(packageJson<Manifest>(source)).not.toHaveProperty('scripts');
  });
});

describe('the platform package', () => {
  test('has the addon, its licences and no script', () => {
    expect(listed(platform).sort()).toEqual([
      'LICENSE',
      'README.md',
      'THIRD-PARTY-LICENSES',
      'factored_svd.node',
      'package.json',
      'versions.json',
    ]);
    const manifest = packageJson<Manifest & { os: string[] }>(platform);
    expect(manifest).toMatchObject({ version, os: ['linux'], cpu: ['x64'], libc: ['glibc'] });
    for (const absent of ['scripts', 'dependencies', 'optionalDependencies'])
      expect(manifest).not.toHaveProperty(absent);
  });

  test('is at most 8 MB', () => expect(platform.length).toBeLessThanOrEqual(8e6));
});

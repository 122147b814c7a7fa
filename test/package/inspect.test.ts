import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import platforms from '../../packages/platforms.json' with { type: 'json' };
import { temporaryFolder } from '../support/temporary.ts';

// What is refused as the addon of a platform package, tried on libraries that are wrong in one way each.

type Platform = { os: string[]; libc?: string[]; glibc?: string };
const script = new URL('../../scripts/package/inspect.mjs', import.meta.url).href;
const { inspect } = (await import(script)) as { inspect(file: string, platform: Platform): string[] };

const here: Platform = platforms['linux-x64'];
const at = temporaryFolder();
const entries =
  'extern "C" { void napi_register_module_v1() {} void node_api_module_get_api_version_v1() {} }';
let libraries = 0;

function library(source: string, ...flags: string[]): string {
  const path = at(`${libraries++}.node`);
  execFileSync(
    'g++',
    ['-shared', '-fPIC', '-Wl,--as-needed', '-x', 'c++', '-', '-x', 'none', '-o', path, ...flags],
    {
      input: source,
    },
  );
  return path;
}

describe.runIf(process.platform === 'linux')('the inspection of an addon', () => {
  it('finds nothing wrong with one that needs the C library and shows what Node asks for', () => {
    expect(inspect(library(`#include <cstdlib>\n${entries} static void* p = malloc(1);`), here)).toEqual([]);
  });

  it('refuses a symbol of a glibc newer than the oldest that is promised', () => {
    const file = library(`#include <cstdlib>\n${entries} static void* p = malloc(1);`);
    expect(inspect(file, { ...here, glibc: '2.1' })).toContainEqual(
      expect.stringMatching(/^needs .*\bmalloc\b.* of GLIBC_2\.\d+(\.\d+)?, newer than glibc 2\.1$/),
    );
  });

  // Of GNU's linkers those for x86 had it first.
  it.runIf(process.arch === 'x64')('refuses a format that only a newer glibc reads', () => {
    const source = `#include <cstdlib>\n${entries} static void* p = malloc(1);`;
    expect(inspect(library(source, '-Wl,-z,pack-relative-relocs'), here)).toEqual([
      'needs a dynamic loader of GLIBC_ABI_DT_RELR, newer than glibc 2.28',
    ]);
  });

  it('refuses one that needs a stack that can be executed', () => {
    expect(inspect(library(entries, '-Wl,-z,execstack'), here)).toEqual([
      'needs a stack that can be executed',
    ]);
  });

  it('refuses a library that is not on every system', () => {
    const blas = library('', '-Wl,-soname,libopenblas.so.0');
    const file = library(entries, '-Wl,--push-state,--no-as-needed', blas, '-Wl,--pop-state');
    expect(inspect(file, here)).toEqual(['needs the library libopenblas.so.0']);
  });

  it('refuses a symbol that is in none of its libraries', () => {
    const file = library(
      `${entries} void dgesdd_(); extern "C" { void napi_x(); } auto f() { napi_x(); dgesdd_(); }`,
    );
    expect(inspect(file, here)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^needs the symbol .*dgesdd_/)]),
    );
    expect(inspect(file, here).join()).not.toContain('napi_x');
  });

  it('refuses a symbol that others would see', () => {
    expect(inspect(library(`${entries} extern "C" void dgemm_() {}`), here)).toEqual([
      'shows the symbol dgemm_',
    ]);
  });

  it('refuses a library that is no addon', () => {
    expect(inspect(library(''), here)).toEqual([
      'does not show napi_register_module_v1',
      'does not show node_api_module_get_api_version_v1',
    ]);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { SvdError } from '../../lib/array/errors.ts';
import systemPackages from '../../native/system-packages.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };

const folder = mkdtempSync(join(tmpdir(), 'factored-svd-binding-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

async function loadWith(binary: string): Promise<unknown> {
  vi.stubEnv('FACTORED_SVD_BINARY', binary);
  vi.resetModules();
  const { loadBinding } = await import('../../lib/native/binary.ts');
  return loadBinding();
}

async function errorWith(binary: string): Promise<SvdError> {
  const error = await loadWith(binary).catch((thrown: SvdError) => thrown);
  expect(error).toMatchObject({ code: 'ERR_SVD_BINARY' });
  return error as SvdError;
}

/** A shared library that needs `lib<name>.so`, which is deleted after linking. */
function libraryNeeding(name: string): string {
  const path = join(folder, `needs-${name}.node`);
  const dependency = join(folder, `lib${name}.so`);
  const compile = (output: string, source: string, ...flags: string[]) =>
    execFileSync('g++', ['-shared', '-fPIC', '-x', 'c++', '-', '-o', output, ...flags], { input: source });
  compile(dependency, 'extern "C" int answer() { return 42; }', `-Wl,-soname,lib${name}.so`);
  compile(
    path,
    'extern "C" int answer(); int question() { return answer(); }',
    `-L${folder}`,
    `-Wl,--no-as-needed,-l${name}`,
  );
  rmSync(dependency);
  return path;
}

describe('loading the addon', () => {
  it('takes the addon that was built in the package', async () => {
    expect(await loadWith('')).toBeTypeOf('object');
  });

  it('tells the version of the package that it was built from', async () => {
    const addon = (await loadWith('')) as { versions(): object };
    expect(addon.versions()).toMatchObject({ package: manifest.version });
  });

  it('tries nothing but the file named by FACTORED_SVD_BINARY', async () => {
    const missing = join(folder, 'missing.node');
    const { message } = await errorWith(missing);
    expect(message).toContain(`- ${missing}: no such file\n`);
    expect(message).not.toContain('build/Release');
    expect(message).toContain('    unset FACTORED_SVD_BINARY\n');
  });

  it('gives the reason of the dynamic loader for a file that is no library', async () => {
    const text = join(folder, 'text.node');
    writeFileSync(text, 'this is not a library, but it is longer than the header of one '.repeat(10));
    const { message, cause } = await errorWith(text);
    expect(message).toMatch(new RegExp(`^- ${text}: .*invalid ELF header$`, 'm'));
    expect(cause).toMatchObject({ code: 'ERR_DLOPEN_FAILED' });
  });

  it('is not waited for where it is no regular file, and not begun where it was cut off', async () => {
    const fifo = join(folder, 'fifo.node');
    execFileSync('mkfifo', [fifo]);
    expect((await errorWith(fifo)).message).toContain(`- ${fifo}: not a regular file\n`);
    const whole = readFileSync(libraryNeeding('whole'));
    for (const bytes of [100, whole.length / 2, whole.length - 1]) {
      const cut = join(folder, 'cut.node');
      writeFileSync(cut, whole.subarray(0, bytes));
      const told = `- ${cut}: cut off: it has ${Math.floor(bytes)} of ${whole.length} bytes\n`;
      expect((await errorWith(cut)).message).toContain(told);
    }
  });

  it('names what keeps the file from being looked at', async () => {
    const loop = join(folder, 'loop.node');
    symlinkSync(loop, loop);
    expect((await errorWith(loop)).message).toMatch(new RegExp(`^- ${loop}: ELOOP`, 'm'));
  });

  it('gives the reason of a folder', async () => {
    const { message } = await errorWith(folder);
    expect(message).toMatch(new RegExp(`^- ${folder}: .*directory`, 'm'));
  });

  it('names a library that the addon needs and that is not installed', async () => {
    const { message } = await errorWith(libraryNeeding('missing-dependency'));
    expect(message).toMatch(
      /needs-missing-dependency\.node: libmissing-dependency\.so: cannot open shared object/,
    );
    expect(message).not.toContain('Install OpenBLAS');
  });

  it('says to install OpenBLAS where that is the missing library', async () => {
    const { message } = await errorWith(libraryNeeding('openblas-missing'));
    expect(message).toMatch(/libopenblas-missing\.so: cannot open shared object/);
    expect(message).toContain('- Install OpenBLAS');
  });

  it('then names the package to run it, and no compiler', async () => {
    const { message } = await errorWith(libraryNeeding('openblas-absent'));
    const shown = Object.values(systemPackages).filter(({ run }) => message.includes(`    ${run}`));
    expect(shown).not.toEqual([]);
    expect(message).not.toMatch(/cmake|g\+\+|build\.mjs/);
  });

  it('refuses an addon that does not say that it was built for this version', async () => {
    const source = join(folder, 'silent.cc');
    writeFileSync(
      source,
      'extern "C" void* napi_register_module_v1(void*, void* exports) { return exports; }',
    );
    const silent = join(folder, 'silent.node');
    execFileSync('g++', ['-shared', '-fPIC', source, '-o', silent]);
    const { message } = await errorWith(silent);
    expect(message).toContain(
      `- ${silent}: built for factored-svd of an unknown version, and this is ${manifest.version}\n`,
    );
  });

  it('names the processor of a library that was built for another one', async () => {
    const path = libraryNeeding('other');
    const elf = readFileSync(path);
    const [machine, name] = process.arch === 'arm64' ? [62, 'x64'] : [183, 'arm64'];
    elf.writeUInt16LE(machine, 18);
    writeFileSync(path, elf);
    expect((await errorWith(path)).message).toContain(`(the file was built for ${name})`);
  });

  it('shows the system and the commands that mend it', async () => {
    const { message } = await errorWith(join(folder, 'missing.node'));
    expect(message).toContain(`This is ${process.platform}-${process.arch}, `);
    expect(message).toContain(`Node ${process.version}.`);
    expect(message).toContain(`    npm install --include=optional factored-svd@${manifest.version}\n`);
    expect(message).toContain(`    npm install --os=${process.platform} --cpu=${process.arch}`);
    expect(message).toMatch(/ {4}node ['"].*native.build\.mjs['"]$/);
    const shown = Object.values(systemPackages).filter(({ build }) => message.includes(`    ${build}\n`));
    expect(shown).not.toEqual([]);
  });
});

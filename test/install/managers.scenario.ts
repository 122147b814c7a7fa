import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, inject, test } from 'vitest';
import { frugal, works } from './support/judgement.ts';
import { label, type Manager, managers } from './support/managers.ts';
import { Sandbox } from './support/sandbox.ts';
import { type Runtime, runtimeVersion } from './support/tools.ts';

// Every package manager on every version of Node: an installation by name, in an empty folder, computes.

const platforms = inject('scene').platforms.map(({ name }) => name);
const empty = { private: true, name: 'consumer', version: '1.0.0' };

async function install({ command, files = {}, install }: Manager, runtime: Runtime): Promise<Sandbox> {
  const box = new Sandbox(runtime, command);
  box.write('package.json', empty);
  for (const [name, text] of Object.entries(files)) box.write(name, text);
  await box.run(install);
  box.consume('esm.mjs', 'cjs.cjs', 'report.cjs');
  return box;
}

for (const [name, manager] of Object.entries(managers)) {
  describe(label(name, manager), () => {
    test.each(manager.runtimes.map((runtime) => [runtimeVersion(runtime), runtime] as const))(
      'on %s',
      async (_, runtime) => {
        const box = await install(manager, runtime);
        if (name.endsWith('Play')) {
          const unpacked = readdirSync(box.path('.yarn/unplugged')).map((name) => name.split('-npm-')[0]);
          expect(unpacked.filter((name) => platforms.includes(name))).toEqual(['factored-svd-linux-x64']);
          expect(box.trapped).toBe('');
        } else {
          frugal(box);
        }
        const run = runtime === 'bun' ? ['bun'] : manager.run;
        for (const program of ['esm.mjs', 'cjs.cjs']) await works(box, [...run, program]);
      },
    );
  });
}

describe.each([
  ['npm-11', 'node-22'],
  ['npm-12', 'node-24'],
] as const)('%s', (npm, node) => {
  test('ci, from the lock of an installation, without the registry and with a warm cache', async () => {
    const first = new Sandbox(node, npm);
    first.write('package.json', empty);
    await first.run(['npm', 'install', 'factored-svd']);
    const box = new Sandbox(node, npm);
    for (const file of ['package.json', 'package-lock.json']) cpSync(first.path(file), box.path(file));
    await box.run(['npm', 'ci', '--offline']);
    frugal(box);
    box.consume('esm.mjs', 'report.cjs');
    await works(box, ['node', 'esm.mjs']);
  });

  test('install of the two tarballs by their paths', async () => {
    const { main, platform } = inject('scene').tarballs;
    const times = [];
    for (let run = 0; run < 2; run++) {
      const box = new Sandbox(node, npm);
      box.write('package.json', empty);
      times.push((await box.run(['npm', 'install', main, platform])).milliseconds);
      frugal(box);
      box.consume('esm.mjs', 'report.cjs');
      await works(box, ['node', 'esm.mjs']);
    }
    console.log(`${npm} install of the two tarballs, with a warm cache: ${(times[1] / 1000).toFixed(1)} s`);
  });
});

test('the installed command works', async () => {
  const { version } = inject('scene');
  const box = await install(managers['npm 11'], 'node-20-lowest');
  const { stdout } = await box.run(['node_modules/.bin/factored-svd', '--version'], { env: {} });
  expect(stdout).toBe(`${version}\n`);
  expect(readFileSync(box.path('package-lock.json'), 'utf8')).toContain('factored-svd-linux-x64');
});

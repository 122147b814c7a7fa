import { realpathSync } from 'node:fs';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { blasLibraries } from './support/hiding.ts';
import { type Report, works } from './support/judgement.ts';
import { Sandbox } from './support/sandbox.ts';
import { nodes, type Runtime, runtimePath, runtimeVersion } from './support/tools.ts';

// What an installation is used for, on every version of Node and on bun.

let installed: Sandbox;

beforeAll(async () => {
  installed = new Sandbox('node-20-lowest', 'npm-11');
  installed.write('package.json', { private: true });
  await installed.run(['npm', 'install', 'factored-svd']);
  installed.consume('esm.mjs', 'cjs.cjs', 'both.mjs', 'worker.mjs', 'report.cjs');
});

const runtimes = [...nodes, 'running', 'bun'] as const satisfies Runtime[];

describe.each(runtimes.map((runtime) => [runtime, runtimeVersion(runtime)] as const))('%s, %s', (runtime) => {
  const program = runtimePath(runtime);

  test('import', () => works(installed, [program, 'esm.mjs']));

  test('require', () => works(installed, [program, 'cjs.cjs']));

  test('both in one process have one addon with one state', async () => {
    expect(await works(installed, [program, 'both.mjs'])).toMatchObject({ threads: [3, 3] });
  });

  test('worker threads', () => works(installed, [program, 'worker.mjs']));
});

test('another BLAS that was loaded before changes no bit', async () => {
  const openblas = blasLibraries().find((path) => path.includes('openblas'))!;
  const { stdout } = await installed.run([runtimePath('node-24'), 'esm.mjs'], {
    hidden: false,
    env: { LD_PRELOAD: openblas },
  });
  const { digest, libraries }: Report = JSON.parse(stdout);
  expect(libraries).toContain(realpathSync(openblas));
  expect(digest).toBe(inject('scene').digest);
});

test('two versions in one process each have their own addon', async () => {
  const { version, later, digest } = inject('scene');
  const box = new Sandbox('node-22', 'npm-11');
  box.write('package.json', { private: true });
  await box.run(['npm', 'install', `factored-svd@${version}`, `later@npm:factored-svd@${later}`]);
  box.consume('two-versions.mjs', 'report.cjs');
  const { stdout } = await box.run(['node', 'two-versions.mjs']);
  const { first, second, again, S } = JSON.parse(stdout);
  expect(first).toMatchObject({ digest, versions: { factoredSvd: version } });
  expect(second).toMatchObject({ digest, versions: { factoredSvd: later } });
  expect(again).toMatchObject({ digest, versions: { factoredSvd: version } });
  expect(S).toEqual(Array(4).fill([4, 3]));
  expect(second.libraries).toHaveLength(2);
});

import { cpSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, inject, test } from 'vitest';
import { binaryError, frugal, works } from './support/judgement.ts';
import { Sandbox } from './support/sandbox.ts';
import type { commands } from './support/tools.ts';

// Installations for another system, locks that were made on one, and an installation that left the addon out.

type Command = keyof typeof commands;
const empty = { private: true, name: 'consumer', version: '1.0.0' };
const darwin = { supportedArchitectures: { os: ['darwin'], cpu: ['arm64'] } };

/** How each package manager installs for macOS, and then from the lock of that for the system it runs on. */
const managers: [
  Command,
  { files?: Record<string, object>; install: string[]; again: string[]; lock: string },
][] = [
  [
    'npm-11',
    {
      install: ['npm', 'install', '--os=darwin', '--cpu=arm64', 'factored-svd'],
      again: ['npm', 'ci'],
      lock: 'package-lock.json',
    },
  ],
  [
    'npm-12',
    {
      install: ['npm', 'install', '--os=darwin', '--cpu=arm64', 'factored-svd'],
      again: ['npm', 'ci'],
      lock: 'package-lock.json',
    },
  ],
  [
    'pnpm',
    {
      files: { 'pnpm-workspace.yaml': darwin },
      install: ['pnpm', 'add', 'factored-svd'],
      again: ['pnpm', 'install', '--frozen-lockfile'],
      lock: 'pnpm-lock.yaml',
    },
  ],
  [
    'yarn',
    {
      files: { '.yarnrc.yml': { nodeLinker: 'node-modules', ...darwin } },
      install: ['yarn', 'add', 'factored-svd'],
      again: ['yarn', 'install', '--immutable'],
      lock: 'yarn.lock',
    },
  ],
  [
    'bun',
    {
      install: ['bun', 'add', '--os=darwin', '--cpu=arm64', 'factored-svd'],
      again: ['bun', 'install', '--frozen-lockfile'],
      lock: 'bun.lock',
    },
  ],
];

describe.each(managers)('%s', (command, { files = {}, install, again, lock }) => {
  test('installs the addon for macOS on arm64, and from that lock the one for this system', async () => {
    const there = new Sandbox('node-24', command);
    there.write('package.json', empty);
    if (command === 'yarn') there.write('yarn.lock', '');
    for (const [name, settings] of Object.entries(files)) there.write(name, settings);
    await there.run(install);
    frugal(there, 'factored-svd-darwin-arm64');
    for (const { name } of inject('scene').platforms)
      expect(readFileSync(there.path(lock), 'utf8')).toContain(name);

    const here = new Sandbox('node-24', command);
    for (const name of ['package.json', lock]) cpSync(there.path(name), here.path(name));
    if (command === 'yarn') here.write('.yarnrc.yml', { nodeLinker: 'node-modules' });
    await here.run(again);
    frugal(here);
    here.consume('esm.mjs', 'report.cjs');
    await works(here, ['node', 'esm.mjs']);
  });
});

test.each([
  ['linux', 'arm64', 'glibc', 'factored-svd-linux-arm64'],
  ['linux', 'x64', 'musl', 'factored-svd-linuxmusl-x64'],
  ['linux', 'arm64', 'musl', 'factored-svd-linuxmusl-arm64'],
  ['darwin', 'arm64', undefined, 'factored-svd-darwin-arm64'],
  ['win32', 'x64', undefined, 'factored-svd-win32-x64'],
])('npm installs for %s, %s, %s the package %s', async (os, cpu, libc, platform) => {
  const box = new Sandbox('node-24', 'npm-12');
  box.write('package.json', empty);
  const system = [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])];
  await box.run(['npm', 'install', ...system, 'factored-svd']);
  frugal(box, platform);
});

/** The commands that an error shows: the lines with four spaces before them. */
const commandsIn = (message: string, start: string): string[] =>
  Array.from(message.matchAll(/^ {4}(\S.*)$/gm), ([, command]) => command).filter((command) =>
    command.startsWith(start),
  );

describe.each([
  ['npm-11', 'node-20-lowest'],
  ['npm-12', 'node-26'],
] as const)('%s', (npm, node) => {
  /** An installation without the addon: left out when it was asked for, or made for another system. */
  const spoilt = {
    'without optional packages': ['npm', 'install', '--omit=optional', 'factored-svd'],
    'for another system': ['npm', 'install', '--os=darwin', '--cpu=arm64', 'factored-svd'],
  };

  for (const [title, install] of Object.entries(spoilt)) {
    test(`an installation ${title} says what to do, and that helps`, async () => {
      const make = async () => {
        const box = new Sandbox(node, npm);
        box.write('package.json', empty);
        await box.run(install);
        box.consume('esm.mjs', 'report.cjs');
        return box;
      };
      const box = await make();
      const message = await binaryError(box, ['node', 'esm.mjs']);
      expect(message).toContain('- factored-svd-linux-x64: not installed\n');
      const remedies = commandsIn(message, 'npm install');
      expect(remedies).toHaveLength(2);
      for (const remedy of remedies) {
        const again = await make();
        await again.run(['sh', '-c', remedy]);
        frugal(again);
        await works(again, ['node', 'esm.mjs']);
      }
    });
  }
});

test('a platform package of another version is refused, and the error tells both versions', async () => {
  const { tarballs, version, later } = inject('scene');
  const box = new Sandbox('node-22', 'npm-11');
  box.write('package.json', empty);
  await box.run(['npm', 'install', tarballs.main, tarballs.laterPlatform]);
  rmSync(box.path('node_modules/factored-svd/node_modules'), { recursive: true, force: true });
  box.consume('esm.mjs', 'report.cjs');
  const message = await binaryError(box, ['node', 'esm.mjs']);
  expect(message).toContain(
    `factored-svd-linux-x64: built for factored-svd ${later}, and this is ${version}`,
  );
});

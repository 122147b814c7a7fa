import { type commands, type Runtime, versionOf } from './tools.ts';

export interface Manager {
  /** What stands on PATH. */
  command: keyof typeof commands;
  /** The package of which the version is told. */
  package: string;
  /** The versions of Node that it runs on and that are tried; for bun the one that its projects run on. */
  runtimes: readonly Runtime[];
  /** Settings of the project. */
  files?: Record<string, string>;
  install: readonly string[];
  /** The words before a program that is run. */
  run: readonly string[];
}

const all = ['node-20-lowest', 'node-22', 'node-24', 'node-26'] as const;

/** What is tried to install with, and on what. docs/install.md has the table of it. */
export const managers: Record<string, Manager> = {
  'npm 11': {
    command: 'npm-11',
    package: 'npm-11',
    runtimes: all,
    install: ['npm', 'install', '--ignore-scripts', 'factored-svd'],
    run: ['node'],
  },
  'npm 12': {
    command: 'npm-12',
    package: 'npm-12',
    runtimes: ['node-22', 'node-24', 'node-26'],
    install: ['npm', 'install', 'factored-svd'],
    run: ['node'],
  },
  pnpm: {
    command: 'pnpm',
    package: '@pnpm/exe.linux-x64',
    runtimes: all,
    install: ['pnpm', 'add', 'factored-svd'],
    run: ['node'],
  },
  'yarn, node_modules': {
    command: 'yarn',
    package: '@yarnpkg/cli-dist',
    runtimes: all,
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\n', 'yarn.lock': '' },
    install: ['yarn', 'add', 'factored-svd'],
    run: ['node'],
  },
  'yarn, Plug’n’Play': {
    command: 'yarn',
    package: '@yarnpkg/cli-dist',
    runtimes: all,
    files: { '.yarnrc.yml': 'nodeLinker: pnp\n', 'yarn.lock': '' },
    install: ['yarn', 'add', 'factored-svd'],
    run: ['yarn', 'node'],
  },
  bun: {
    command: 'bun',
    package: '@oven/bun-linux-x64',
    runtimes: [...all, 'bun'],
    install: ['bun', 'add', 'factored-svd'],
    run: ['node'],
  },
};

/** Its name with its version. */
export const label = (name: string, manager: Manager): string =>
  name.replace(/^(\w+)( \d+)?/, `$1 ${versionOf(manager.package)}`);

import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The programs of test/install/package.json: package managers, versions of Node, bundlers.

export const root = fileURLToPath(new URL('../../../', import.meta.url));
const installed = fileURLToPath(new URL('../node_modules/', import.meta.url));

/** The path of a file of a package that is installed for these tests. */
export const tool = (...path: string[]): string => join(installed, ...path);

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

export const versionOf = (name: string): string => json(tool(name, 'package.json')).version.replace(/^v/, '');

/** The versions of Node that are tried, by the names that package.json gives them; `running` is the one of these tests. */
export const nodes = ['node-20-lowest', 'node-22', 'node-24', 'node-26'] as const;
export type Runtime = (typeof nodes)[number] | 'running' | 'bun';

export function runtimePath(runtime: Runtime): string {
  if (runtime === 'running') return realpathSync(process.execPath);
  return runtime === 'bun' ? tool('@oven/bun-linux-x64/bin/bun') : tool(runtime, 'bin/node');
}

export const runtimeVersion = (runtime: Runtime): string => {
  if (runtime === 'running') return process.versions.node;
  return versionOf(runtime === 'bun' ? '@oven/bun-linux-x64' : runtime);
};

/** The commands that stand on PATH beside `node`, each as the words it is started with. */
export const commands = {
  'npm-11': ['node', tool('npm-11/bin/npm-cli.js')],
  'npm-12': ['node', tool('npm-12/bin/npm-cli.js')],
  pnpm: [tool('@pnpm/exe.linux-x64/pnpm')],
  yarn: ['node', tool('@yarnpkg/cli-dist/bin/yarn.js')],
  bun: [tool('@oven/bun-linux-x64/bin/bun')],
} as const;

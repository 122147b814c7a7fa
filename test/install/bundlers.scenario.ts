import { cpSync, renameSync } from 'node:fs';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { binaryError, works } from './support/judgement.ts';
import { Sandbox } from './support/sandbox.ts';
import { runtimePath, tool } from './support/tools.ts';

// What a bundler or a tracer makes of a program, moved into an empty folder.

const node = runtimePath('node-24');
const script = (name: string) => [node, new URL(`./bundlers/${name}.mjs`, import.meta.url).pathname];

let project: Sandbox;

beforeAll(async () => {
  project = new Sandbox('node-24', 'npm-12');
  project.write('package.json', { private: true });
  await project.run(['npm', 'install', 'factored-svd']);
  project.consume('esm.mjs', 'cjs.cjs', 'report.cjs');
});

/** Bundles `input` as `output`, and leaves in a new folder what came of it. */
async function moved(input: string, output: string, bundle: (input: string, output: string) => string[]) {
  const folder = `out-${Math.random().toString(36).slice(2)}`;
  await project.run(bundle(input, `${folder}/${output}`));
  const box = new Sandbox('node-24', 'npm-12');
  renameSync(project.path(folder), box.path());
  return box;
}

// An ES module has no `require`, which CommonJS modules in the bundle need: this is how esbuild is given one.
const banner =
  '--banner:js=import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);';
const esbuild = (input: string, output: string, ...options: string[]) => [
  tool('@esbuild/linux-x64/bin/esbuild'),
  input,
  '--bundle',
  '--platform=node',
  `--outfile=${output}`,
  ...(output.endsWith('.mjs') ? ['--format=esm', banner] : []),
  ...options,
];

type Bundle = (input: string, output: string) => string[];

const complete: Record<string, Bundle> = {
  'esbuild --loader:.node=copy': (input, output) => esbuild(input, output, '--loader:.node=copy'),
  'webpack with node-loader': (input, output) => [...script('webpack'), `./${input}`, output, 'node-loader'],
  'rolldown, .node as copy': (input, output) => [...script('rolldown'), input, output, 'copy'],
  'vite for the server, .node as copy': (input, output) => [...script('vite'), input, output, 'copy'],
  '@vercel/nft': (input, output) => [...script('nft'), input, output],
};

/** The program, and the name of its bundle: webpack makes CommonJS of both. */
const programs = (name: string): [string, string][] => [
  ['esm.mjs', name.startsWith('webpack') ? 'bundle.cjs' : 'bundle.mjs'],
  ['cjs.cjs', name.startsWith('vite') ? 'bundle.mjs' : 'bundle.cjs'],
  ...(name.startsWith('esbuild') ? ([['esm.mjs', 'bundle.cjs']] as [string, string][]) : []),
];

describe.each(Object.entries(complete))('%s', (name, bundle) => {
  test.each(programs(name))('%s as %s computes in an empty folder', async (input, output) => {
    const box = await moved(input, output, bundle);
    const { libraries } = await works(box, ['node', output]);
    expect(libraries[0].startsWith(box.folder)).toBe(true);
  });
});

const external: Record<string, Bundle> = {
  esbuild: (input, output) => esbuild(input, output, '--external:factored-svd'),
  webpack: (input, output) => [...script('webpack'), `./${input}`, output, 'external'],
  'vite for the server': (input, output) => [...script('vite'), input, output, 'external'],
};

describe.each(Object.entries(external))('%s, the package as an external one', (name, bundle) => {
  test.each(programs(name))('%s as %s computes beside the installed package', async (input, output) => {
    const box = await moved(input, output, bundle);
    cpSync(project.path('node_modules'), box.path('node_modules'), { recursive: true });
    await works(box, ['node', output]);
  });
});

const incomplete: Record<string, Bundle> = {
  'esbuild with the platform packages as external ones': (input, output) =>
    esbuild(input, output, '--external:factored-svd-*'),
  'esbuild --loader:.node=file': (input, output) => esbuild(input, output, '--loader:.node=file'),
  'webpack, .node as an asset': (input, output) => [...script('webpack'), `./${input}`, output, 'asset'],
};

describe.each(Object.entries(incomplete))('%s', (name, bundle) => {
  test.each(programs(name))('%s as %s says what to do, and each of it helps', async (input, output) => {
    const box = await moved(input, output, bundle);
    const message = await binaryError(box, ['node', output]);
    expect(message).toContain('- Or let the bundler leave factored-svd alone (mark it as external)');
    if (name.includes('.node'))
      expect(message).toContain('a bundler put the name of a file in place of the addon');
    expect(message).toContain('- Or let the bundler copy .node files');
    expect(message).toContain('- Or set FACTORED_SVD_BINARY to the path of the addon');

    const FACTORED_SVD_BINARY = project.path('node_modules/factored-svd-linux-x64/factored_svd.node');
    await works(box, ['node', output], { env: { FACTORED_SVD_BINARY } });

    if (name.includes('external')) {
      await box.run(['npm', 'install', `factored-svd@${inject('scene').version}`]);
      await works(box, ['node', output]);
    }
  });
});

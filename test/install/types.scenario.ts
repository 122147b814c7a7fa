import { beforeAll, expect, inject, test } from 'vitest';
import { Sandbox } from './support/sandbox.ts';
import { runtimePath, tool } from './support/tools.ts';

// A program in TypeScript, compiled strictly with every kind of module resolution, and then run.

let box: Sandbox;

beforeAll(async () => {
  box = new Sandbox('node-24', 'npm-12');
  box.write('package.json', { private: true });
  await box.run(['npm', 'install', 'factored-svd']);
  box.consume('types.ts');
});

test.each([
  ['nodenext', 'nodenext', 'module'],
  ['nodenext', 'nodenext', 'commonjs'],
  ['bundler', 'esnext', 'module'],
  ['node10', 'commonjs', 'commonjs'],
])('moduleResolution %s, module %s, in a package of type %s', async (moduleResolution, module, type) => {
  const folder = `${moduleResolution}-${type}`;
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    target: 'es2022',
    module,
    moduleResolution,
    ...(moduleResolution === 'node10' && { ignoreDeprecations: '6.0' }),
    typeRoots: [tool('@types')],
    types: ['node'],
    rootDir: '.',
    outDir: folder,
  };
  box.write('package.json', { private: true, type });
  box.write('tsconfig.json', { compilerOptions, files: ['types.ts'] });
  await box.run([runtimePath('node-24'), tool('typescript/bin/tsc')]);
  const { stdout } = await box.run(['node', `${folder}/types.js`]);
  expect(stdout).toBe(`${inject('scene').version}\n`);
});

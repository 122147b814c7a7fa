import { readFileSync } from 'node:fs';
import { defineConfig, type UserConfig } from 'tsdown';

const common: UserConfig = {
  fixedExtension: false,
  shims: true,
  sourcemap: process.env.SOURCEMAP === '1', // for coverage of what is built
  // In the form of ES modules: of CommonJS the bundle would need `require` as soon as it is imported, and has none in another bundle.
  inputOptions: { resolve: { mainFields: ['module', 'main'] } },
  outputOptions: { comments: { jsdoc: false } }, // they are in the declarations
  failOnWarn: true, // an import that cannot be found is left as it is, with a warning
  deps: {
    neverBundle: ['./platforms.cjs'], // as it is, for bundlers and tracers to read
    onlyBundle: false, // what is bundled is known: scripts/package/main.mjs takes its licences along
  },
  copy: [
    { from: 'lib/native/platforms.cjs', to: 'dist/native' },
    { from: 'lib/report/client/page.css', to: 'dist/report' },
  ],
};

const library = {
  index: 'lib/index.ts',
  weights: 'lib/weights/index.ts',
  circuits: 'lib/circuits/index.ts',
  adapters: 'lib/adapters/index.ts',
  testing: 'lib/matchers/testing.ts',
  vitest: 'lib/matchers/vitest.ts',
  jest: 'lib/matchers/jest.ts',
};

/** What a page says of a package in its script. */
const notice = (name: string): string =>
  `/*! ${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()} */`;

/** Which modules of other packages a bundle holds, for scripts/package/main.mjs to take their licences along. */
const bundledModules = (of: string): NonNullable<UserConfig['plugins']> => ({
  name: 'bundled-modules',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
    const source = modules.filter((id) => id.includes('/node_modules/')).join('\n');
    this.emitFile({ type: 'asset', fileName: `bundled-${of}.txt`, source });
  },
});

/** Few bytes, and the names that stacks show. */
const minify: UserConfig['minify'] = { compress: false, mangle: { keepNames: true } };

export default defineConfig([
  {
    ...common,
    entry: { ...library, command: 'lib/cli/main.ts' },
    format: 'esm',
    minify,
    plugins: bundledModules('esm'),
    dts: { entry: Object.values(library) },
  },
  // The same code once more.
  {
    ...common,
    entry: library,
    format: 'cjs',
    dts: true,
    clean: false,
    minify,
    plugins: bundledModules('cjs'),
  },
  // What runs in the browser, in the page of a report.
  {
    ...common,
    entry: { client: 'lib/report/client/main.ts' },
    outDir: 'dist/report',
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    shims: false,
    sourcemap: false,
    clean: false,
    dts: false,
    minify: true,
    outputOptions: { entryFileNames: 'client.js' },
    banner: { js: notice('uplot') },
    plugins: bundledModules('client'),
    copy: [],
  },
]);

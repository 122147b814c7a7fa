import { readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { defineConfig, type UserConfig } from 'tsdown';

const common: UserConfig = {
  fixedExtension: false,
  shims: true,
  sourcemap: process.env.SOURCEMAP === '1', // for coverage of what is built
  // In the form of ES modules: of CommonJS the bundle would need `require` as soon as it is imported, and has none in another bundle.
  inputOptions: { resolve: { mainFields: ['module', 'main'] } },
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

/**
 * The chunks: rooms, and of large ones a file first, from the lowest up. Each takes along what it imports, unless an earlier one has it.
 */
const chunks = [
  'array',
  'native',
  'algorithms/qr.ts',
  'algorithms/product.ts',
  'algorithms/truncated.ts',
  'algorithms',
  'arguments',
  '.',
  'weights/npz.ts',
  'weights/open.ts',
  'weights',
  'testing',
  'adapters/open.ts',
  'adapters',
  'circuits/tokens.ts',
  'circuits/families.ts',
  'circuits',
  'golden/weights-file.ts',
  'golden',
  'matchers',
];

/**
 * Of the library and the command. Both forms have the same code in chunks of the same names, so short that gzip remembers the one
 * while it packs the other, next to it in the archive: that saves an eighth of the package.
 */
const modules: UserConfig = {
  ...common,
  outputOptions: (options, format) => ({
    ...options,
    comments: { jsdoc: false }, // they are in the declarations
    chunkFileNames: `chunks/[name].${format === 'cjs' ? 'cjs' : 'js'}`,
    codeSplitting: {
      groups: chunks.map((chunk, i) => ({
        name: chunk === '.' ? 'public' : chunk.replace('/', '-').replace('.ts', ''),
        priority: chunks.length - i,
        test: (id) =>
          [relative('lib', id), dirname(relative('lib', id))].includes(chunk) &&
          !isEntry(id) &&
          !id.endsWith('.d.ts'),
      })),
    },
  }),
};

const isEntry = (id: string): boolean => Object.values(library).includes(relative('.', id));

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
const minify: UserConfig['minify'] = {
  compress: { keepNames: { function: true, class: true } },
  mangle: { keepNames: true },
};

export default defineConfig([
  {
    ...modules,
    entry: { ...library, command: 'lib/cli/main.ts' },
    format: 'esm',
    minify,
    plugins: bundledModules('esm'),
    dts: { entry: Object.values(library) },
  },
  // The same code once more.
  {
    ...modules,
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

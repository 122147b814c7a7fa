import { defineConfig } from 'tsdown';

const sourcemap = process.env.SOURCEMAP === '1'; // for coverage of what is built
const failOnWarn = true;

export default defineConfig([
  {
    entry: {
      index: 'lib/index.ts',
      weights: 'lib/weights/index.ts',
      testing: 'lib/testing/index.ts',
      vitest: 'lib/testing/vitest.ts',
    },
    format: ['esm', 'cjs'],
    fixedExtension: false,
    shims: true,
    dts: true,
    sourcemap,
    failOnWarn, // an import that cannot be found is left as it is, with a warning
  },
  {
    entry: { command: 'lib/cli/main.ts' },
    format: ['esm'],
    fixedExtension: false,
    dts: false,
    clean: false,
    sourcemap,
    failOnWarn,
  },
]);

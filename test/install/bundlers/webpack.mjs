// webpack INPUT OUTPUT external|node-loader|asset
import { createRequire } from 'node:module';
import { basename, dirname, resolve } from 'node:path';
import webpack from 'webpack';

const [entry, file, mode] = process.argv.slice(2);
const nodeLoader = createRequire(import.meta.url).resolve('node-loader');
const rules = {
  'node-loader': [{ test: /\.node$/, loader: nodeLoader }],
  asset: [{ test: /\.node$/, type: 'asset/resource' }],
  external: [],
};
const stats = await new Promise((done, fail) => {
  webpack(
    {
      mode: 'production',
      target: 'node20',
      context: process.cwd(),
      entry,
      output: { path: resolve(dirname(file)), filename: basename(file) },
      node: { __dirname: false },
      externals: mode === 'external' ? [/^factored-svd(\/|$)/] : [],
      externalsType: 'commonjs',
      module: { rules: rules[mode] },
      // Node prints the line that failed: one that is longer than a pipe holds would cut off what comes after it.
      optimization: { minimize: mode !== 'asset' },
    },
    (error, stats) => (error ? fail(error) : done(stats)),
  );
});
if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));

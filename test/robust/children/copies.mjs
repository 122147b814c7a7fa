// Several copies of the addon in one process, as two versions of the package in one application: each has compute
// threads of its own; one OpenBLAS is shared, or each has its own.   node copies.mjs COPY.node…
import { createRequire } from 'node:module';
import { check, matrix } from './support.mjs';

const require = createRequire(import.meta.url);

/** The package once more, over the addon at `path`. */
function load(path) {
  process.env.FACTORED_SVD_BINARY = path;
  for (const id of Object.keys(require.cache)) if (/[\\/]dist[\\/]/.test(id)) delete require.cache[id];
  const api = require('../../../dist/index.cjs');
  api.threads(); // loads the addon
  return api;
}
const hex = (result) =>
  Array.from(result, ({ data }) => Buffer.from(data.buffer, 0, data.byteLength).toString('hex')).join();

const copies = process.argv.slice(2).map(load);
check(
  copies.length > 2 && new Set(copies.map(({ svd }) => svd)).size === copies.length,
  'every copy is loaded',
);
for (const [i, { setThreads }] of copies.entries()) setThreads(i + 1);
for (const [i, { threads }] of copies.entries())
  check(threads() === i + 1, 'each has its own number of threads');

const M = matrix(1, [10, 90, 60]);
const factors = [matrix(2, [2500, 20]), matrix(3, [20, 1800])];
const all = await Promise.all(
  copies.flatMap(({ svdAsync, FactoredMatrix, svd }) =>
    Array.from({ length: 4 }, async () => [
      await svdAsync(M),
      await new FactoredMatrix(...factors).svdAsync(),
      svd(M),
    ]),
  ),
);
check(new Set(all.map((results) => results.map(hex).join())).size === 1, 'all give the same bits');

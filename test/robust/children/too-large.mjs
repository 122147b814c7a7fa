// Sizes whose workspace 32-bit LAPACK counts wrongly, and sizes that nobody has memory for. The matrices are one number
// seen many times, so nothing large is allocated before the sizes have been checked.
import { diagEmbed, FactoredMatrix, matmul, svd, svdAsync, svdvals } from '../../../dist/index.js';
import { check, fails, repeated } from './support.mjs';

const wraps = [
  [26754, 26754],
  [50000, 23170],
  [23170, 50000],
  [30000, 30000],
];
for (const shape of wraps) {
  for (const type of [Float32Array, Float64Array]) {
    const M = repeated(1, shape, type);
    for (const [name, f] of Object.entries({
      svd: () => svd(M),
      'svd, full': () => svd(M, { fullMatrices: true }),
      svdAsync: () => svdAsync(M),
    })) {
      const { bytes } = await fails(f, 'ERR_SVD_TOO_LARGE', {}, `${name} of ${shape}`);
      check(bytes > 2 ** 31, `${name} of ${shape} needs more than ${bytes} bytes`);
    }
  }
}

// Beyond 2^31 rows, and beyond 2^53 elements.
for (const shape of [
  [2 ** 31, 1],
  [1, 2 ** 31],
  [2 ** 33, 3],
  [2 ** 27, 2 ** 27],
  [2 ** 53 - 1, 2],
]) {
  const M = repeated(1, shape);
  await fails(() => svd(M, { fullMatrices: true }), 'ERR_SVD_TOO_LARGE', {}, `full svd of ${shape}`);
}
for (const shape of [
  [2 ** 40, 1, 1],
  [2 ** 33, 2 ** 20, 2, 2],
  [2 ** 53 - 1, 2, 2],
]) {
  const M = repeated(1, shape);
  await fails(() => svd(M), 'ERR_SVD_TOO_LARGE', {}, `svd of ${shape}`);
  await fails(() => svdvals(M), 'ERR_SVD_TOO_LARGE', {}, `svdvals of ${shape}`);
  await fails(() => matmul(M, M), 'ERR_SVD_TOO_LARGE', {}, `product of ${shape}`);
}
const column = repeated(1, [2 ** 40, 2]);
const row = repeated(1, [2, 2 ** 40]);
await fails(
  () => new FactoredMatrix(column, row).svd(),
  'ERR_SVD_TOO_LARGE',
  {},
  'svd of a product of 2^40 rows',
);
await fails(() => new FactoredMatrix(column, row).AB, 'ERR_SVD_TOO_LARGE', {}, 'AB of 2^40 rows');
await fails(() => diagEmbed(repeated(1, [2 ** 30])), 'ERR_SVD_TOO_LARGE', {}, 'diagEmbed of 2^30');

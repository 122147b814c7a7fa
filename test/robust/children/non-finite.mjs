// NaN and infinities in every kind of argument, at every kind of place.
import { dist, FactoredMatrix, matmul, svd, svdAsync, svdvals, svdvalsAsync } from '../../../dist/index.js';
import { fails, matrix } from './support.mjs';

const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const types = [Float32Array, Float64Array];

/** A random matrix with `value` at element `at` (from the end when negative), and the index of that element. */
function spoilt(shape, at, value, type) {
  const M = matrix(1, shape, { type });
  const size = M.data.length;
  const i = at === 'all' ? 0 : at < 0 ? size + at : Math.min(at, size - 1);
  if (at === 'all') M.data.fill(value);
  else M.data[i] = value;
  const [m, n] = shape.slice(-2);
  const inside = i % (m * n);
  const index = [Math.floor(inside / n), inside % n];
  return { M, fields: shape.length > 2 ? { index, batchIndex: [Math.floor(i / (m * n))] } : { index } };
}

const dense = {
  svd: (M) => svd(M),
  'svd, full': (M) => svd(M, { fullMatrices: true }),
  svdvals: (M) => svdvals(M),
  svdAsync: (M) => svdAsync(M),
  svdvalsAsync: (M) => svdvalsAsync(M),
};
for (const shape of [
  [1, 1],
  [7, 1],
  [1, 7],
  [6, 6],
  [40, 9],
  [9, 40],
  [3, 5, 4],
]) {
  for (const [name, f] of Object.entries(dense)) {
    for (const [type, value, at] of combinations(types, values, [0, 5, -1, 'all'])) {
      const { M, fields } = spoilt(shape, at, value, type);
      await fails(() => f(M), 'ERR_SVD_NON_FINITE', fields, `${name} of ${shape} with ${value} at ${at}`);
    }
  }
}

const product = {
  svd: (m) => m.svd(),
  'svd, three': (m) => m.svd({ algorithm: 'three-svd' }),
  svdvals: (m) => m.svdvals(),
  svdAsync: (m) => m.svdAsync(),
  norm: (m) => m.norm(),
  eigenvalues: (m) => m.eigenvalues(),
  AB: (m) => m.AB,
  'distance to itself': (m) => dist(m, m),
  'product with itself': (m) => matmul(m, m).svd(),
};
// Small, tall enough for Cholesky QR, wide inside, and square.
for (const [l, k] of [
  [4, 3],
  [2100, 5],
  [3, 9],
  [6, 6],
]) {
  for (const [name, f] of Object.entries(product)) {
    for (const [type, value, at] of combinations(types, values, [0, 5, -1])) {
      const good = matrix(2, [k, l], { type });
      const left = spoilt([l, k], at, value, type);
      const what = `${name} of ${l}×${k}·${k}×${l} with ${value} at ${at}`;
      await fails(() => f(new FactoredMatrix(left.M, good)), 'ERR_SVD_NON_FINITE', {}, `${what} of A`);
      const right = spoilt([k, l], at, value, type);
      await fails(
        () => f(new FactoredMatrix(matrix(2, [l, k], { type }), right.M)),
        'ERR_SVD_NON_FINITE',
        {},
        `${what} of B`,
      );
    }
  }
}

function combinations(...lists) {
  return lists.reduce((all, list) => all.flatMap((some) => list.map((x) => [...some, x])), [[]]);
}

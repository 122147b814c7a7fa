// Looking at every element takes milliseconds, decomposing a matrix of this size minutes.
import { FactoredMatrix, svd, svdvals } from '../../../dist/index.js';
import { fails } from './support.mjs';

const n = 6000;
const data = new Float32Array(n * n).fill(1);
data[n * n - 1] = Number.POSITIVE_INFINITY;
const M = { data, shape: [n, n] };
const at = { index: [n - 1, n - 1] };
await fails(() => svd(M), 'ERR_SVD_NON_FINITE', at, 'svd');
await fails(() => svdvals(M), 'ERR_SVD_NON_FINITE', at, 'svdvals');
await fails(() => new FactoredMatrix(M, M).svd(), 'ERR_SVD_NON_FINITE', {}, 'product');

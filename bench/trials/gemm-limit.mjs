import { matmul } from '../../dist/index.js';
import { gemmFlops } from '../cases.mjs';
import { normal, theCase } from './trial.mjs';

// The rate of large matrix products on all cores, and what the case would take at that rate.
const size = 2048;
const x = { data: normal(size * size, theCase.dtype, 3), shape: [size, size] };
matmul(x, x);
const start = performance.now();
matmul(x, x);
const seconds = (performance.now() - start) / 1000;
console.log((gemmFlops(theCase) / (2 * size ** 3)) * seconds);

import { matmul } from '../../dist/index.js';
import { gemmFlops } from '../cases.mjs';
import { median } from '../median.mjs';
import { normal, runs, theCase } from './trial.mjs';

// The rate of large matrix products on all cores, and what the case would take at that rate.
const size = 2048;
const x = { data: normal(size * size, theCase.dtype, 3), shape: [size, size] };
const multiply = () => matmul(x, x);
runs(multiply);
console.log((gemmFlops(theCase) / (2 * size ** 3)) * median(runs(multiply)));

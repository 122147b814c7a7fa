// OpenBLAS comes without threads of its own, which would spin at first, and the environment stays as it was.
import { readdirSync } from 'node:fs';
import { versions } from '../../../dist/index.js';
import { check } from './support.mjs';

const threads = () => readdirSync('/proc/self/task').length;
const [before, setting] = [threads(), process.env.OPENBLAS_NUM_THREADS];
versions(); // loads it
check(threads() === before, `${threads() - before} threads more than before`);
check(
  process.env.OPENBLAS_NUM_THREADS === setting,
  `OPENBLAS_NUM_THREADS is ${process.env.OPENBLAS_NUM_THREADS}`,
);
check(
  Object.hasOwn(process.env, 'OPENBLAS_NUM_THREADS') === (setting !== undefined),
  'set or not, as before',
);

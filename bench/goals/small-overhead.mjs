import { execFileSync } from 'node:child_process';
import { svd } from '../../dist/index.js';

// `svd` of one 4×4 array, over and over, less what a C++ program (gesdd.cc, the second argument) takes for the same
// matrix: checks, results, the way into the addon and back.
const a = { data: Float64Array.of(4, 1, -2, 2, 1, 2, 0, 1, -2, 0, 3, -2, 2, 1, -2, -1), shape: [4, 4] };
const calls = 50_000;
const run = (times) => {
  for (let i = 0; i < times; i++) svd(a);
};
run(calls / 2);
const start = performance.now();
run(calls);
const own = (1000 * (performance.now() - start)) / calls;
const lapack = Number(execFileSync(process.argv[3], { encoding: 'utf8' }));
const detail = `svd ${own.toFixed(2)} µs, dgesdd ${lapack.toFixed(2)} µs`;
console.log(JSON.stringify({ value: own - lapack, detail }));

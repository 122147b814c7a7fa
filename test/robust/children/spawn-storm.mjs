// Processes are started while jobs run: fork() and the locks of OpenBLAS must not meet.
import { spawn, spawnSync } from 'node:child_process';
import { FactoredMatrix, svd, svdAsync } from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

const seconds = Number(process.argv[2] ?? 4);
const M = matrix(1, [120, 120]);
const product = () => new FactoredMatrix(matrix(2, [2500, 30]), matrix(3, [30, 2500])).svdAsync();
const expected = [bits(svd(M)), bits(await product())];
let [stop, jobs, processes] = [false, 0, 0];

async function compute() {
  while (!stop) {
    check(bits(await svdAsync(M)) === expected[0], 'a dense result is right');
    check(bits(await product()) === expected[1], 'a product is right');
    jobs += 2;
  }
}
const start = () =>
  new Promise((resolve, reject) => {
    spawn('true').on('error', reject).on('exit', resolve);
  });

const computing = [compute(), compute(), compute()];
const end = Date.now() + 1000 * seconds;
while (Date.now() < end) {
  await Promise.all(Array.from({ length: 10 }, start));
  spawnSync('true');
  svd(M);
  processes += 11;
}
stop = true;
await Promise.all(computing);
check(jobs > 0 && processes > 0, `${jobs} jobs and ${processes} processes`);
console.log(JSON.stringify({ jobs, processes }));

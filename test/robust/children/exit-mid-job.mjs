// Ends so many milliseconds after jobs have begun.   node exit-mid-job.mjs main|workers|throw|signal MILLISECONDS
import { isMainThread, Worker } from 'node:worker_threads';
import { FactoredMatrix, svd, svdAsync } from '../../../dist/index.js';
import { matrix } from './support.mjs';

const [, , how, milliseconds] = process.argv;
const M = matrix(1, [700, 700]);
const product = new FactoredMatrix(matrix(2, [4000, 64]), matrix(3, [64, 4000]));
if (!isMainThread) for (;;) svd(M);
if (how === 'workers') for (let i = 0; i < 3; i++) new Worker(new URL(import.meta.url));
for (let i = 0; i < 4; i++) {
  svdAsync(M);
  product.svdAsync();
}
setTimeout(() => {
  if (how === 'throw') throw new Error('thrown in mid-job');
  if (how === 'signal') process.kill(process.pid, 'SIGTERM');
  else process.exit(7);
}, Number(milliseconds));

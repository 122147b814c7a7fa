// A worker that is terminated while LAPACK works for it, on a matrix that takes it seconds.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { setThreads, svd, svdAsync } from '../../../dist/index.js';
import { bits, check, matrix, sleep } from './support.mjs';

if (!isMainThread) {
  svdAsync(matrix(1, [1900, 1800]), { fullMatrices: true });
  parentPort.postMessage('begun');
} else {
  setThreads(2);
  const M = matrix(2, [60, 60]);
  const expected = bits(svd(M));
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve) => worker.once('message', resolve));
  await sleep(1000);
  const start = performance.now();
  await worker.terminate();
  const waited = performance.now() - start;
  check(waited < 1500, `it took ${waited.toFixed(0)} ms to terminate the worker`);
  check(bits(await svdAsync(M)) === expected, 'the main thread computes meanwhile');
  process.exit(0);
}

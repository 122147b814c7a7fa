// Workers that are terminated in mid-job or end themselves, at other moments each time: the main thread goes on
// computing, correctly.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { FactoredMatrix, svd, svdAsync } from '../../../dist/index.js';
import { bits, check, matrix, sleep } from './support.mjs';

const M = matrix(1, [150, 150]);
const product = () => new FactoredMatrix(matrix(2, [3000, 30]), matrix(3, [30, 2500]));
if (isMainThread) {
  const expected = bits(svd(M));
  for (let round = 0; round < 40; round++) {
    const endsItself = round % 4 === 3;
    const worker = new Worker(new URL(import.meta.url), { workerData: endsItself });
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    await new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    await sleep(round % 20);
    const [later] = [svdAsync(M), round % 2 ? svd(M) : undefined];
    if (!endsItself) worker.terminate();
    const code = await exit;
    check(code === (endsItself ? 3 : 1), `the worker ended with ${code}`);
    check(bits(await later) === expected, `the main thread computes as before in round ${round}`);
  }
} else {
  parentPort.postMessage('ready');
  const own = product();
  if (workerData) setTimeout(() => process.exit(3), 5);
  for (let i = 0; i < 6; i++) [svdAsync(M), product().svdAsync()];
  setInterval(() => {
    svd(M);
    svdAsync(M);
    own.norm();
  });
}

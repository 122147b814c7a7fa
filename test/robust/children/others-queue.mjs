// Many jobs of the main thread are queued.   node others-queue.mjs terminate|answer|exit
// A worker with a small job of its own is terminated, or gets its answer; or the process ends: none of them waits.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { setThreads, svd, svdAsync } from '../../../dist/index.js';
import { check, matrix } from './support.mjs';

const what = process.argv[2];
const M = matrix(1, [260, 260]);
if (!isMainThread) {
  parentPort.on('message', async () => {
    parentPort.postMessage('queued');
    await svdAsync(matrix(2, [8, 8]));
    parentPort.postMessage('done');
  });
  parentPort.postMessage('ready');
} else {
  setThreads(2);
  const before = performance.now();
  svd(M);
  const one = performance.now() - before;
  const worker = new Worker(new URL(import.meta.url), { argv: [what] });
  const message = () => new Promise((resolve) => worker.once('message', resolve));
  await message();
  let done = 0;
  for (let i = 0; i < 300; i++) svdAsync(M).then(() => done++);
  worker.postMessage('begin');
  await message();
  const start = performance.now();
  if (what === 'terminate') await worker.terminate();
  else if (what === 'answer') await message();
  else {
    console.log(JSON.stringify({ at: Date.now(), one }));
    process.exit(0);
  }
  const waited = performance.now() - start;
  check(done < 100, `${done} jobs of the main thread were done first, in ${waited} ms`);
  process.exit(0);
}

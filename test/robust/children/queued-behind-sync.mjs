// Synchronous calls in workers take the places of the compute threads; a job queued meanwhile must start when they end.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { setThreads, svd, svdAsync } from '../../../dist/index.js';
import { check, matrix } from './support.mjs';

const M = matrix(1, [8, 80, 80]);
if (isMainThread) {
  setThreads(2);
  const workers = Array.from({ length: 3 }, () => new Worker(new URL(import.meta.url)));
  for (let round = 0; round < 30; round++) {
    for (const worker of workers) worker.postMessage('compute');
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
    const S = (await svdAsync(M)).S; // every worker is in the middle of its calls
    check(S.data.every(Number.isFinite), 'the queued job was done');
  }
  for (const worker of workers) await worker.terminate();
} else {
  parentPort.on('message', () => {
    parentPort.postMessage('begun');
    for (let i = 0; i < 4; i++) svd(M);
  });
}

// Eight workers with mixed shapes, synchronous and asynchronous calls in turn: the bits of a serial run.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { FactoredMatrix, setThreads, svd, svdAsync, svdvals } from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

const types = [Float64Array, Float32Array];
const jobs = [
  ...types.flatMap((type) => [
    () => svd(matrix(1, [90, 90], { type })),
    () => svdAsync(matrix(2, [12, 20, 30], { type })),
    () => svd(matrix(3, [150, 7], { type }), { fullMatrices: true }),
    () => new FactoredMatrix(matrix(4, [2500, 24], { type }), matrix(5, [24, 1700], { type })).svdAsync(),
    () => new FactoredMatrix(matrix(6, [6, 80, 8], { type }), matrix(7, [6, 8, 90], { type })).svd(),
    () => new FactoredMatrix(matrix(8, [9, 30], { type }), matrix(9, [30, 12], { type })).svdAsync(),
    async () => [svdvals(matrix(10, [300, 40], { type }))],
  ]),
];

if (isMainThread) {
  setThreads(1);
  const serial = [];
  for (const job of jobs) serial.push(bits(await job()));
  for (const threads of [2, 5]) {
    setThreads(threads);
    const workers = Array.from(
      { length: 8 },
      (_, i) => new Worker(new URL(import.meta.url), { workerData: i }),
    );
    const results = workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.on('message', resolve);
          worker.on('error', reject);
        }),
    );
    for (const [i, result] of (await Promise.all(results)).entries()) {
      result.forEach((text, job) => {
        check(
          text === serial[job],
          `job ${job} of worker ${i} with ${threads} threads has the bits of a serial run`,
        );
      });
    }
  }
} else {
  const results = [];
  for (let round = 0; round < 3; round++) {
    const order = jobs.map((_, i) => (i + 3 * workerData) % jobs.length); // another one first in every worker
    const promises = order.map((i) => jobs[i]());
    for (const [at, promise] of promises.entries()) results[order[at]] = bits(await promise);
  }
  parentPort.postMessage(results);
}

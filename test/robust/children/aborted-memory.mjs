// What aborted jobs hold is given back though others are in front of them.   node --expose-gc aborted-memory.mjs
import { setThreads, svdAsync } from '../../../dist/index.js';
import { check, matrix, sleep } from './support.mjs';

setThreads(1);
const megabytes = () => process.memoryUsage().arrayBuffers / 2 ** 20;
const busy = new AbortController();
const long = svdAsync(matrix(1, [1800, 1800]), { signal: busy.signal }).catch(() => 'aborted');
await sleep(500); // by now its copy is made, and it has the thread for seconds
const start = megabytes();
const controller = new AbortController();
const M = matrix(2, [600, 600], { type: Float32Array });
const outcomes = Array.from({ length: 60 }, () =>
  svdAsync(M, { signal: controller.signal }).catch((error) => error.name),
);
await sleep(50);
const held = megabytes() - start;
check(held > 100, `${held} MB are held by the jobs in the queue`);
controller.abort();
check(
  (await Promise.all(outcomes)).every((name) => name === 'AbortError'),
  'all are aborted',
);
for (let i = 0; i < 5; i++) {
  await sleep(20);
  gc();
}
const left = megabytes() - start;
check(left < held / 4, `${left} of ${held} MB are still held after the abort`);
busy.abort();
await long;

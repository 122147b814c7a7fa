// Workers with little stack, and calls from the depth of a recursion: LAPACK must not need what they have not.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { FactoredMatrix, svd, svdAsync } from '../../../dist/index.js';
import { check, matrix } from './support.mjs';

if (isMainThread) {
  for (const stackSizeMb of [0.5, 1, 4]) {
    const worker = new Worker(new URL(import.meta.url), { resourceLimits: { stackSizeMb } });
    const depth = await new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    check(depth > 100, `a recursion of depth ${depth} was tried`);
  }
} else {
  const dense = matrix(1, [300, 300]);
  const product = [
    matrix(2, [2000, 30], { type: Float32Array }),
    matrix(3, [30, 2000], { type: Float32Array }),
  ];
  const square = [matrix(4, [150, 100]), matrix(5, [100, 150])];
  const work = () => {
    svd(dense);
    new FactoredMatrix(...product).svd();
    new FactoredMatrix(...square).eigenvalues();
  };
  work();
  await svdAsync(dense);
  const from = (depth) => (depth === 0 ? work() : from(depth - 1));
  // The deepest place from which JavaScript itself still has the stack to make the calls.
  let [deepest, tooDeep] = [0, 1e6];
  while (tooDeep - deepest > 50) {
    const depth = Math.floor((deepest + tooDeep) / 2);
    try {
      from(depth);
      deepest = depth;
    } catch (error) {
      check(error instanceof RangeError, error.stack);
      tooDeep = depth;
    }
  }
  parentPort.postMessage(deepest);
}

// After an abort the threads come to rest: processor time is looked at, which other processes do not change.
import { FactoredMatrix, setThreads, svdAsync } from '../../../dist/index.js';
import { check, matrix, sleep } from './support.mjs';

setThreads(2);
const milliseconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Processor time from now on until there are 50 ms without any; `most` at the most. */
async function untilRest(most) {
  const start = milliseconds();
  for (let last = start; ; ) {
    await sleep(50);
    const now = milliseconds();
    if (now - last < 10 || now - start > most) return last - start;
    last = now;
  }
}

const square = matrix(1, [2048, 2048]);
const wide = { A: matrix(2, [768, 768]), B: matrix(3, [768, 50257]) };
const computations = {
  'a large matrix': (options) => svdAsync(square, options),
  'the product of a long factor': (options) => new FactoredMatrix(wide.A, wide.B).svdAsync(options),
};
for (const [name, compute] of Object.entries(computations)) {
  for (const computed of [300, 1500]) {
    const controller = new AbortController();
    const outcome = compute({ signal: controller.signal }).catch((error) => error.name);
    const start = milliseconds();
    while (milliseconds() - start < computed) await sleep(10);
    controller.abort();
    check((await outcome) === 'AbortError', `${name} is aborted`);
    const more = await untilRest(2000);
    check(more < 500, `${name}: ${more.toFixed(0)} ms of computing after an abort after ${computed} ms`);
  }
}

// Aborting: before the call, while the job is queued, between blocks of a batch, inside a kernel, and after the end.
import { FactoredMatrix, setThreads, svd, svdAsync } from '../../../dist/index.js';
import { bits, check, matrix, sleep } from './support.mjs';

setThreads(2);
const small = matrix(1, [3, 40, 40]);
const expected = bits(svd(small));

/** That `promise` rejects with this reason, and how long that took. */
async function rejects(promise, reason, what) {
  const start = performance.now();
  const outcome = await promise.then(
    () => 'fulfilled',
    (error) => error,
  );
  check(outcome === reason, `${what} rejects with the reason of the signal, not with ${outcome}`);
  return performance.now() - start;
}
const stillRight = async (what) =>
  check(bits(await svdAsync(small)) === expected, `the next job is right after an abort ${what}`);

const reasons = [new Error('enough'), 'a text', undefined, 0];
for (const reason of reasons) {
  const signal = AbortSignal.abort(reason);
  await rejects(svdAsync(small, { signal }), signal.reason, 'an aborted signal');
  await rejects(new FactoredMatrix(small, small).svdAsync({ signal }), signal.reason, 'an aborted signal');
}
await stillRight('before the call');

// Long jobs in front: these have not started when they are aborted.
const long = matrix(2, [6, 420, 420]);
const before = performance.now();
const inFront = svdAsync(long);
const queued = Array.from({ length: 20 }, (_, i) => {
  const controller = new AbortController();
  return {
    controller,
    reason: new Error(`queued ${i}`),
    promise: svdAsync(small, { signal: controller.signal }),
  };
});
for (const { controller, reason } of queued) controller.abort(reason);
for (const { promise, reason } of queued) await rejects(promise, reason, 'a queued job');
const whole = await inFront.then(() => performance.now() - before);
await stillRight('in the queue');

// Between blocks: progress is told there, twenty times a second. The whole job would take seconds.
const many = { ...matrix(3, [250, 250]), shape: [400, 250, 250], stride: [0, 250, 1] };
for (const stopAt of [1, 3]) {
  const controller = new AbortController();
  const reason = new Error('between blocks');
  const told = [];
  const onProgress = ({ done, total }) => {
    told.push(done);
    if (told.length === stopAt) controller.abort(reason);
    check(done <= total, `${done} of ${total}`);
  };
  await rejects(svdAsync(many, { signal: controller.signal, onProgress }), reason, 'a job between blocks');
  check(told.length === stopAt, `progress is told ${stopAt} times, then never again`);
  await sleep(20);
  check(told.length === stopAt, 'nor later');
}
await stillRight('between blocks');

// Inside a kernel: rejected at once, and what has not started is skipped.
const controller = new AbortController();
const running = svdAsync(long, { signal: controller.signal });
await sleep(10);
controller.abort(new Error('inside'));
const waited = await rejects(running, controller.signal.reason, 'a running job');
check(waited < whole / 2, `it took ${waited} ms to reject, the whole job ${whole} ms`);
await stillRight('inside a kernel');

// After the end nothing happens any more.
const late = new AbortController();
check(bits(await svdAsync(small, { signal: late.signal })) === expected, 'a job with a signal is right');
late.abort(new Error('late'));
await sleep(5);

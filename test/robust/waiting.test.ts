import { describe, expect, it } from 'vitest';
import { output, succeeds, testLimit } from './support/child.ts';

describe('nothing waits for what nobody wants', { timeout: testLimit }, () => {
  it('an abort ends the computing', () => succeeds('abort-ends-work.mjs'));

  it('aborted jobs in the queue give back their memory', () =>
    succeeds('aborted-memory.mjs', { node: ['--expose-gc'] }));
});

describe('nothing waits behind the work of others', { timeout: testLimit }, () => {
  it('a worker is terminated', () => succeeds('others-queue.mjs', { args: ['terminate'] }));

  it('a worker gets its answer', () => succeeds('others-queue.mjs', { args: ['answer'] }));

  it('a worker is terminated in a call of LAPACK that nothing can stop', () => succeeds('long-call.mjs'));

  it('the process ends', async () => {
    const { at, one } = JSON.parse(await output('others-queue.mjs', { args: ['exit'] }));
    const jobs = (Date.now() - at) / one;
    expect(jobs, 'jobs that could have been done until the process had ended').toBeLessThan(75);
  });
});

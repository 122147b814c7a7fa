import { describe, it } from 'vitest';
import { succeeds, testLimit } from './support/child.ts';

describe('worker_threads', { timeout: testLimit }, () => {
  it('eight workers with mixed shapes compute the bits of a serial run', () => succeeds('workers.mjs'));

  it('a job queued while workers compute synchronously starts when they are done', () =>
    succeeds('queued-behind-sync.mjs'));

  it('workers may be terminated or exit in mid-job, and the others go on', () =>
    succeeds('terminated-worker.mjs'));
});

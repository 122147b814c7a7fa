import { describe, it } from 'vitest';
import { succeeds, testLimit } from './support/child.ts';

describe('asynchronous jobs', { timeout: testLimit }, () => {
  it('can be aborted before they begin, in the queue, between blocks and inside a kernel', () =>
    succeeds('abort.mjs'));

  it('compute inputs of one slice with the elements as they were when the call was made', () =>
    succeeds('own-input.mjs'));

  it('survive large inputs that are written over, transferred away or shrunk while they are read', () =>
    succeeds('changed-input.mjs'));

  it('leave inputs unchanged, and notice when the memory of a factor has been transferred away', () =>
    succeeds('detached-factor.mjs'));

  it('run while processes are started: no deadlock, no wrong result', () => succeeds('spawn-storm.mjs'));
});

describe('memory', { timeout: testLimit }, () => {
  it.each(['small', 'large'])('stays flat over many calls: %s', (size) =>
    // glibc would raise this threshold by itself, and then the gaps between freed arrays come and go by 100 MB.
    succeeds('memory.mjs', {
      args: [size],
      node: ['--expose-gc'],
      env: { MALLOC_MMAP_THRESHOLD_: '65536' },
    }),
  );
});

import { describe, expect, it } from 'vitest';
import { output, succeeds, testLimit } from './support/child.ts';
import { faultBuild } from './support/faults.ts';

// The trap table of docs/numerics.md: each in a process of its own, with a time limit and nothing on stderr. The traps
// that concern the comparison of results (fixed tolerances, bits across machines) are tested with lib/testing.

describe('what LAPACK and OpenBLAS do to the unwary', { timeout: testLimit }, () => {
  it('NaN and infinities anywhere are ERR_SVD_NON_FINITE with their index, never a loop without end', () =>
    succeeds('non-finite.mjs'));

  it('they are found by looking, long before a decomposition could be done', () =>
    succeeds('non-finite-large.mjs', { limit: 20 }));

  it('the largest, the smallest, subnormal numbers and zero give decompositions or ERR_SVD_OVERFLOW', () =>
    succeeds('extremes.mjs'));

  it('sizes whose workspace wraps in 32 bits are ERR_SVD_TOO_LARGE before anything is computed', () =>
    succeeds('too-large.mjs', { limit: 20 }));

  it('a workspace beyond 2^24 elements is long enough for float32', () => succeeds('large-workspace.mjs'));

  it('XERBLA neither prints nor ends the process', async () => {
    expect(await output('xerbla.mjs', { env: { FACTORED_SVD_BINARY: faultBuild() } })).toBe('');
  });

  it('hundreds of compute threads do not exhaust the buffers of OpenBLAS', () =>
    succeeds('many-threads.mjs'));

  it('threads with half a megabyte of stack, and deep recursions, have stack enough', () =>
    succeeds('small-stack.mjs'));

  it('empty dimensions give thin shapes with 0, without LAPACK', () => succeeds('empty.mjs'));
});

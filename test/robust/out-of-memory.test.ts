import { beforeAll, describe, expect, it } from 'vitest';
import { FactoredMatrix, setThreads, svd, svdAsync, svdvals, svdvalsAsync } from '../../lib/index.ts';
import { allBits } from '../support/checks.ts';
import { randomMatrix, randomProduct } from '../support/matrices.ts';
import { run, testLimit } from './support/child.ts';
import { type Faults, loadFaults } from './support/faults.ts';

let faults: Faults;
beforeAll(async () => {
  faults = await loadFaults();
  setThreads(2);
});

const product = (shape: [number, number, number]) => {
  const { A, B } = randomProduct(7, shape, 'float64');
  return new FactoredMatrix(A, B);
};
const single = randomMatrix(1, [70, 70]);
const batch = randomMatrix(2, [5, 40, 33]);
const transposed = { data: single.data, shape: [70, 70], stride: [1, 70] };

/** Every kernel, on one thread and on several, at once and later. */
const computations: Record<string, () => unknown> = {
  svd: () => svd(single),
  'svd of a batch': () => svd(batch),
  'svd, full': () => svd(randomMatrix(3, [40, 20]), { fullMatrices: true }),
  svdvals: () => svdvals(transposed),
  svdAsync: () => svdAsync(single),
  'svdAsync of a batch': () => svdAsync(batch),
  svdvalsAsync: () => svdvalsAsync(single),
  'product svd': () => product([300, 20, 200]).svd(),
  'product svd of a batch, async': () => {
    const { A, B } = randomProduct(8, [90, 40, 80], 'float64', [4]);
    return new FactoredMatrix(A, B).svdAsync();
  },
  eigenvalues: () => Object.values(product([30, 12, 30]).eigenvalues()),
};

describe('an allocation that fails', { timeout: testLimit }, () => {
  it.each(Object.keys(computations))('is an error, or does not matter: %s', async (name) => {
    const compute = computations[name];
    const expected = allBits((await compute()) as Parameters<typeof allBits>[0]);
    let failures = 0;
    for (let n = 1; ; n++) {
      faults.failAllocation(n);
      let outcome: unknown;
      try {
        outcome = await compute();
      } catch (error) {
        outcome = error;
      }
      const failed = faults.allocationHasFailed();
      faults.failAllocation(0);
      if (outcome instanceof Error) {
        failures++;
        expect(outcome, `allocation ${n}: ${outcome.stack}`).toMatchObject({ code: 'ERR_SVD_TOO_LARGE' });
        expect((outcome as { bytes?: number }).bytes).toBeTypeOf('number');
      } else expect(allBits(outcome as Parameters<typeof allBits>[0])).toEqual(expected);
      if (!failed) break;
      expect(n).toBeLessThan(5000);
    }
    expect(failures, 'allocations that failed').toBeGreaterThan(0);
    expect(allBits((await compute()) as Parameters<typeof allBits>[0])).toEqual(expected);
  });
});

describe.runIf(process.platform === 'linux')(
  'a process short of address space',
  { timeout: testLimit },
  () => {
    it('computes or says so, and never waits', async () => {
      const outcomes = new Set<string>();
      // V8 ends the process where its space of young objects cannot grow: it has all of it from the beginning.
      const node = ['--min-semi-space-size=8'];
      for (const spare of [16, 100, 300, 600, 2000]) {
        const ended = await run('address-space.mjs', { args: [spare], limit: 20, node });
        expect(ended, `${spare} MB`).toMatchObject({ status: 0, signal: null, stderr: '' });
        for (const line of ended.stdout.trim().split('\n')) outcomes.add(line);
      }
      expect(outcomes).toEqual(new Set(['right', 'ERR_SVD_TOO_LARGE']));
    });
  },
);

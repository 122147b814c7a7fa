import { expect, it } from 'vitest';
import { FactoredMatrix, type Progress, svdAsync } from '../../lib/index.ts';
import { rejectionOf } from '../support/checks.ts';
import { randomMatrix, randomProduct } from '../support/matrices.ts';

const computations: Record<string, (onProgress: (progress: Progress) => void) => Promise<unknown>> = {
  'a dense matrix': (onProgress) => svdAsync(randomMatrix(1, [700, 700]), { onProgress }),
  'a tall dense matrix': (onProgress) => svdAsync(randomMatrix(4, [12_000, 300]), { onProgress }),
  'a product': (onProgress) => {
    const { A, B } = randomProduct(2, [3000, 700, 900], 'float64');
    return new FactoredMatrix(A, B).svdAsync({ onProgress });
  },
};

it.each(Object.keys(computations))('is told inside one large matrix: %s', async (name) => {
  const seen: (Progress & { at: number })[] = [];
  await computations[name]((progress) => seen.push({ ...progress, at: performance.now() }));
  const done = seen.map((p) => p.done);
  expect(new Set(seen.map((p) => p.total))).toEqual(new Set([1]));
  expect(
    done.filter((x) => x > 0 && x < 1).length,
    'times that it was told inside of the matrix',
  ).toBeGreaterThan(0);
  expect(done).toEqual([...new Set(done)].sort((x, y) => x - y));
  expect(done.at(-1)).toBe(1);
  const each = (seen[seen.length - 1].at - seen[0].at) / (seen.length - 1);
  expect(each, 'milliseconds between two times').toBeGreaterThan(25);
});

it('ends the computation when it throws there', async () => {
  const thrown = new Error('inside');
  let told = 0;
  const onProgress = () => {
    told++;
    throw thrown;
  };
  expect(await rejectionOf(svdAsync(randomMatrix(3, [700, 700]), { onProgress }))).toBe(thrown);
  expect(told).toBe(1);
});

import { getEventListeners } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { FactoredMatrix, prepare, svdAsync } from '../../lib/index.ts';
import { onAbort } from '../../lib/native/steps.ts';
import { errorOf } from '../support/checks.ts';
import { randomMatrix, randomProduct } from '../support/matrices.ts';

const warnings: string[] = [];
const warned = (warning: Error) => warnings.push(warning.name);
afterEach(() => process.off('warning', warned));

it('a hundred computations with one signal do not warn, and leave nothing behind', async () => {
  process.on('warning', warned);
  const { signal } = new AbortController();
  const { A, B } = randomProduct(1, [9, 2, 7], 'float64');
  const calls = Array.from({ length: 50 }, (_, i) => [
    svdAsync(randomMatrix(i, [3, 4]), { signal }),
    new FactoredMatrix(A, B).svdAsync({ signal }),
  ]).flat();
  expect(getEventListeners(signal, 'abort').length).toBe(1);
  await Promise.all(calls);
  expect(getEventListeners(signal, 'abort').length).toBe(0);
  expect(warnings).toEqual([]);
});

it('each of them is told of an abort, unless it has ended', () => {
  const controller = new AbortController();
  const told: number[] = [];
  const dispose = Array.from({ length: 4 }, (_, i) => onAbort(controller.signal, () => told.push(i)));
  dispose[1]();
  dispose[1]();
  controller.abort();
  dispose[0]();
  expect(told).toEqual([0, 2, 3]);
  for (const end of dispose) end();
  expect(getEventListeners(controller.signal, 'abort').length).toBe(0);
});

it.each([[[2 ** 53 - 1, 0]], [[0, 2 ** 53 - 1]], [[3, 2 ** 31, 0]]])(
  'an empty matrix is prepared at once: %j',
  (shape) => {
    const x = { data: new Float64Array(0), shape };
    expect(prepare(x).shape).toEqual(shape);
  },
);

it.each(['svd', 'svdvals', 'norm'] as const)('a product of empty factors is computed at once: %s', (what) => {
  const product = (l: number, k: number, r: number) =>
    new FactoredMatrix(
      { data: new Float64Array(0), shape: [l, k] },
      { data: new Float64Array(0), shape: [k, r] },
    );
  const answer = (l: number, k: number, r: number) => product(l, k, r)[what]();
  expect(() => answer(2 ** 53 - 1, 0, 0)).not.toThrow();
  expect(errorOf(() => answer(0, 2 ** 53 - 1, 0)).code).toBe('ERR_SVD_TOO_LARGE'); // norms of all columns
});

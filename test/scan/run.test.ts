import { beforeAll, expect, test } from 'vitest';
import { columnNames, readScan, rowName, scanWeights } from '../../lib/scan/index.ts';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const selection = { include: [], exclude: [], minSize: 0 };
const tensors = Object.fromEntries(
  Array.from({ length: 12 }, (_, i) => [`m.${i}`, randomMatrix(i, [20 + 5 * i, 30])]),
);
beforeAll(() => writeSafetensors(at('weights'), tensors));

test('progress goes up to 1, from what the journal had', async () => {
  await using weights = await openWeights(at('weights'));
  const run = async (out: string, signal?: AbortSignal) => {
    const told: number[] = [];
    const scan = await scanWeights(weights, {
      ...{ selection, out, resume: true, signal },
      onProgress: ({ done }) => told.push(done),
    }).catch((error) => error);
    return { told, scan };
  };
  const abort = new AbortController();
  const reason = new Error('enough');
  const stopped = scanWeights(weights, {
    ...{ selection, out: at('journal'), signal: abort.signal },
    onProgress: ({ done }) => done > 0.5 && abort.abort(reason),
  });
  await expect(stopped).rejects.toBe(reason);
  const { done } = await readScan([at('journal')]);
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(12);
  const { told, scan } = await run(at('journal'));
  expect(scan).toMatchObject({ done: 12, kept: done, units: 12 });
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told[0]).toBeGreaterThan(0.2);
  expect(told.at(-1)).toBeCloseTo(1, 12);
  expect((await run(at('journal'))).told).toEqual([]);
  const whole = await scanWeights(weights, { selection });
  expect(scan.rows).toEqual(whole.rows);
});

test('a matrix has the same numbers alone, in a stack, and transposed', async () => {
  const [a, b] = [randomMatrix(1, [24, 40]), randomMatrix(2, [24, 40])];
  const stack = { data: Float64Array.of(...a.data, ...b.data), shape: [2, 24, 40] };
  const transposed = { data: a.data, shape: [40, 24], strides: [1, 40] };
  await writeSafetensors(at('forms'), { a, b, stack, transposed });
  await using weights = await openWeights(at('forms'));
  const { rows } = await scanWeights(weights, { selection });
  const by = new Map(rows.map((row) => [rowName(row), row]));
  for (const [name, other] of [
    ['stack[0]', 'a'],
    ['stack[1]', 'b'],
    ['transposed', 'a'],
  ])
    for (const key of columnNames) {
      const [x, y] = [by.get(name)![key]!, by.get(other)![key]!];
      expect(Math.abs(x - y), `${key} of ${name}`).toBeLessThanOrEqual(1e-10 * Math.abs(y));
    }
});

import { setImmediate as nextTick } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { svdAsync } from '../../lib/index.ts';
import { rejectionOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('an aborted call tells no more, though the computing ends a little later', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const controller = new AbortController();
  const options = { signal: controller.signal, onProgress: () => {} };
  const rejection = rejectionOf(svdAsync(randomMatrix(1, [600, 600]), options));
  while (vi.getTimerCount() === 0) await nextTick(); // inside a kernel its progress is looked at
  controller.abort();
  expect(await rejection).toBe(controller.signal.reason);
  expect(vi.getTimerCount()).toBe(0);
});

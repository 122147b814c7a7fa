import { getEventListeners } from 'node:events';
import { setImmediate as nextTick } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import {
  type AsyncOptions,
  condAsync,
  dist,
  distAsync,
  effectiveRankAsync,
  FactoredMatrix,
  lowRankAsync,
  lstsqAsync,
  matrixRankAsync,
  normAsync,
  type Progress,
  pinvAsync,
  setThreads,
  stableRankAsync,
  svd,
  svdAsync,
  svdLegacyAsync,
  svdvals,
  svdvalsAsync,
  threads,
} from '../../lib/index.ts';
import { allBits, bits, checkSvd, errorOf, rejectionOf } from '../support/checks.ts';
import { array, randomMatrix, randomProduct } from '../support/matrices.ts';

/** Fresh arrays and a fresh, uncached matrix on every call; square, so that every member is defined. */
const product = (seed: number, leading: number[] = [], l = 8, k = 3) => {
  const { A, B } = randomProduct(seed, [l, k, l], 'float64', leading);
  return new FactoredMatrix(A, B);
};

/** Every asynchronous function with a computation in it, over a batch of `n` matrices. */
const functions: Record<string, (options: AsyncOptions, n: number) => Promise<unknown>> = {
  svdAsync: (options, n) => svdAsync(randomMatrix(1, [n, 6, 5]), options),
  'svdAsync with fullMatrices': (options, n) =>
    svdAsync(randomMatrix(1, [n, 6, 5]), { ...options, fullMatrices: true }),
  svdvalsAsync: (options, n) => svdvalsAsync(randomMatrix(1, [n, 6, 5]), options),
  svdLegacyAsync: (options, n) => svdLegacyAsync(randomMatrix(1, [n, 6, 5]), options),
  normAsync: (options, n) => normAsync(randomMatrix(1, [n, 6, 5]), 'fro', options),
  'normAsync, 2': (options, n) => normAsync(randomMatrix(1, [n, 6, 5]), 2, options),
  condAsync: (options, n) => condAsync(randomMatrix(1, [n, 6, 5]), options),
  matrixRankAsync: (options, n) => matrixRankAsync(randomMatrix(1, [n, 6, 5]), options),
  effectiveRankAsync: (options, n) => effectiveRankAsync(randomMatrix(1, [n, 6, 5]), options),
  stableRankAsync: (options, n) => stableRankAsync(randomMatrix(1, [n, 6, 5]), options),
  'stableRankAsync, factored': (options, n) => stableRankAsync(product(1, [n]), options),
  pinvAsync: (options, n) => pinvAsync(randomMatrix(1, [n, 6, 5]), options),
  'pinvAsync, factored': (options, n) => pinvAsync(product(1, [n]), options),
  lstsqAsync: (options, n) => lstsqAsync(randomMatrix(1, [n, 6, 5]), randomMatrix(2, [6, 2]), options),
  'lstsqAsync, factored': (options, n) => lstsqAsync(product(1, [n]), randomMatrix(2, [8, 2]), options),
  lowRankAsync: (options, n) => lowRankAsync(randomMatrix(1, [n, 6, 5]), { ...options, rank: 2 }),
  'lowRankAsync, tol': (options, n) => lowRankAsync(randomMatrix(1, [n, 6, 5]), { ...options, tol: 1 }),
  'lowRankAsync, factored': (options, n) => lowRankAsync(product(1, [n]), { ...options, rank: 2 }),
  'svdAsync, truncated': (options, n) => svdAsync(randomMatrix(1, [n, 6, 5]), { ...options, rank: 2 }),
  'svdAsync, krylov': (options, n) =>
    svdAsync(randomMatrix(1, [n, 6, 5]), { ...options, rank: 2, method: 'krylov' }),
  'distAsync, dense': (options, n) => distAsync(randomMatrix(1, [n, 6, 5]), randomMatrix(2, [6, 5]), options),
  'distAsync, factored': (options, n) => distAsync(product(1, [n]), product(2), options),
  'distAsync, mixed': (options, n) => distAsync(product(1, [n]), randomMatrix(2, [8, 8]), options),
  'FactoredMatrix.svdAsync': (options, n) => product(1, [n]).svdAsync(options),
  'FactoredMatrix.svdAsync, three-svd': (options, n) =>
    product(1, [n]).svdAsync({ ...options, algorithm: 'three-svd' }),
  'FactoredMatrix.svdvalsAsync': (options, n) => product(1, [n]).svdvalsAsync(options),
  'FactoredMatrix.svdLegacyAsync': (options, n) => product(1, [n]).svdLegacyAsync(options),
  'FactoredMatrix.normAsync': (options, n) => product(1, [n]).normAsync('fro', options),
  'FactoredMatrix.rankAsync': (options, n) => product(1, [n]).rankAsync(options),
  'FactoredMatrix.condAsync': (options, n) => product(1, [n]).condAsync(options),
  'FactoredMatrix.pinvAsync': (options, n) => product(1, [n]).pinvAsync(options),
  'FactoredMatrix.eigenvaluesAsync': (options, n) => product(1, [n]).eigenvaluesAsync(options),
  'FactoredMatrix.makeEvenAsync': (options, n) => product(1, [n]).makeEvenAsync(options),
  'FactoredMatrix.collapseLAsync': (options, n) => product(1, [n]).collapseLAsync(options),
  'FactoredMatrix.collapseRAsync': (options, n) => product(1, [n]).collapseRAsync(options),
  'FactoredMatrix.truncateAsync': (options, n) => product(1, [n]).truncateAsync(2, options),
};
const each = Object.entries(functions);

// A batch that takes long enough to be interrupted: some blocks of several matrices.
const large = () => randomMatrix(3, [40, 200, 200], 'float32');

describe('aborting', () => {
  it.each(each)('before the call rejects with the reason itself: %s', async (_, f) => {
    const reason = { why: 'not wanted any more' };
    expect(await rejectionOf(f({ signal: AbortSignal.abort(reason) }, 2))).toBe(reason);
  });

  it.each(each)('right after the call rejects with the reason itself: %s', async (_, f) => {
    const controller = new AbortController();
    const promise = f({ signal: controller.signal }, 2);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await rejectionOf(promise)).toBe(reason);
  });

  it('without a reason rejects with the AbortError of Node', async () => {
    const error = await rejectionOf(svdAsync([[1]], { signal: AbortSignal.abort() }));
    expect(error).toBeInstanceOf(DOMException);
    expect(error.name).toBe('AbortError');
  });

  it('in the middle rejects, and leaves the rest undone', async () => {
    const controller = new AbortController();
    const seen: Progress[] = [];
    const reason = new Error('enough');
    const onProgress = (progress: Progress) => {
      seen.push(progress);
      controller.abort(reason);
    };
    expect(await rejectionOf(svdAsync(large(), { signal: controller.signal, onProgress }))).toBe(reason);
    const told = seen.length;
    expect(seen[0].done).toBeLessThan(seen[0].total);
    await svdAsync([[1]]);
    await nextTick();
    expect(seen.length).toBe(told);
  });

  it('by a timeout rejects with its TimeoutError', async () => {
    const error = await rejectionOf(svdAsync(large(), { signal: AbortSignal.timeout(1) }));
    expect(error.name).toBe('TimeoutError');
  });

  it('while a kernel runs does not wait for it, and what is computed next is right', async () => {
    const a = randomMatrix(4, [3, 700, 700]); // much longer than a timer may be late
    const controller = new AbortController();
    const promise = svdAsync(a, { signal: controller.signal });
    setTimeout(() => controller.abort('now'), 1);
    expect(await rejectionOf(promise)).toBe('now');
    const small = randomMatrix(5, [4, 3]);
    checkSvd(small, await svdAsync(small));
    checkSvd(small, svd(small));
  });

  it('is not remembered by the matrix: the next call decomposes', async () => {
    const m = product(6);
    await rejectionOf(m.svdAsync({ signal: AbortSignal.abort() }));
    const controller = new AbortController();
    const promise = m.svdAsync({ signal: controller.signal });
    controller.abort();
    await rejectionOf(promise);
    checkSvd({ A: m.A, B: m.B }, await m.svdAsync());
  });

  it('before the call rejects even where the result is known', async () => {
    const m = product(7);
    m.svd();
    for (const promise of [
      m.svdAsync({ signal: AbortSignal.abort(1) }),
      m.svdvalsAsync({ signal: AbortSignal.abort(1) }),
    ]) {
      expect(await rejectionOf(promise)).toBe(1);
    }
  });

  it('afterwards changes nothing, and no listener stays on the signal', async () => {
    const controller = new AbortController();
    const result = await svdAsync(randomMatrix(8, [4, 3]), { signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    controller.abort();
    checkSvd(randomMatrix(8, [4, 3]), result);
    const failed = new AbortController();
    await rejectionOf(svdAsync([[Number.NaN]], { signal: failed.signal }));
    expect(getEventListeners(failed.signal, 'abort')).toHaveLength(0);
  });

  it('one of several leaves the others alone', async () => {
    const controller = new AbortController();
    const a = randomMatrix(9, [5, 30, 20]);
    const jobs = [0, 1, 2, 3].map((i) => svdAsync(a, i === 2 ? { signal: controller.signal } : {}));
    controller.abort('only this one');
    const outcomes = await Promise.allSettled(jobs);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(allBits((outcomes[3] as PromiseFulfilledResult<Iterable<Tensor>>).value)).toEqual(allBits(svd(a)));
  });
});

describe('onProgress', () => {
  /** done ≤ total, total fixed, done never falls, the end is told once and last. */
  function checkProgress(seen: Progress[], total: number): void {
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((p) => p.total === total)).toBe(true);
    seen.forEach((p, i) => {
      expect(p.done).toBeGreaterThanOrEqual(i === 0 ? 0 : seen[i - 1].done);
    });
    expect(seen.filter((p) => p.done === total)).toEqual([{ done: total, total }]);
    expect(seen[seen.length - 1].done).toBe(total);
  }

  it.each(each)('tells once that all matrices are done: %s', async (_, f) => {
    const seen: Progress[] = [];
    await f({ onProgress: (progress) => seen.push({ ...progress }) }, 3);
    checkProgress(seen, 3);
  });

  it('counts the one matrix where there is no batch', async () => {
    const seen: Progress[] = [];
    await svdAsync(randomMatrix(10, [4, 3]), { onProgress: (progress) => seen.push({ ...progress }) });
    checkProgress(seen, 1);
  });

  it('rises over the blocks of a large batch', async () => {
    const seen: Progress[] = [];
    await svdAsync(randomMatrix(11, [24, 200, 200], 'float32'), { onProgress: (p) => seen.push({ ...p }) });
    checkProgress(seen, 24);
    expect(seen.length).toBeGreaterThan(1);
  });

  it('rises in three-svd as well, though that is three decompositions', async () => {
    const seen: Progress[] = [];
    const { A, B } = randomProduct(12, [150, 150, 150], 'float32', [24]);
    const onProgress = (p: Progress) => seen.push({ ...p });
    await new FactoredMatrix(A, B).svdAsync({ algorithm: 'three-svd', onProgress });
    checkProgress(seen, 24);
  });

  it('that throws rejects the promise with what it threw', async () => {
    const thrown = new Error('from the callback');
    const onProgress = () => {
      throw thrown;
    };
    expect(await rejectionOf(svdAsync(randomMatrix(13, [4, 3]), { onProgress }))).toBe(thrown);
    checkSvd(randomMatrix(13, [4, 3]), await svdAsync(randomMatrix(13, [4, 3])));
  });
});

describe('the input after the call', () => {
  const transfers: [string, (buffer: ArrayBuffer) => void][] = [
    ['written over with NaN', (buffer) => new Float64Array(buffer).fill(Number.NaN)],
    ['transferred by structuredClone', (buffer) => structuredClone(buffer, { transfer: [buffer] })],
    [
      'posted to another thread',
      (buffer) => {
        const { port1, port2 } = new MessageChannel();
        port1.postMessage(buffer, [buffer]);
        port1.close();
        port2.close();
      },
    ],
  ];
  const bufferOf = (x: Tensor) => x.data.buffer as ArrayBuffer;

  it.each(transfers)('%s: svdAsync and svdvalsAsync compute what it was', async (_, destroy) => {
    for (const shape of [
      [30, 20],
      [3, 8, 9],
    ]) {
      const expected = svd(randomMatrix(14, shape));
      const a = randomMatrix(14, shape);
      const promise = svdAsync(a);
      destroy(bufferOf(a));
      expect(allBits(await promise)).toEqual(allBits(expected));
      const b = randomMatrix(14, shape);
      const values = svdvalsAsync(b.transpose(...shape.map((_, axis) => axis)));
      destroy(bufferOf(b));
      expect(bits(await values)).toBe(bits(svdvals(randomMatrix(14, shape))));
    }
  });

  it.each(transfers)('%s: every member of FactoredMatrix computes what it was', async (_, destroy) => {
    for (const member of [
      'svdAsync',
      'svdvalsAsync',
      'normAsync',
      'condAsync',
      'eigenvaluesAsync',
    ] as const) {
      const expected = await product(15, [2])[member]();
      const m = product(15, [2]);
      const promise = m[member]();
      destroy(bufferOf(m.A));
      destroy(bufferOf(m.B));
      expect(JSON.stringify(await promise)).toBe(JSON.stringify(expected));
    }
  });

  it.each(transfers)('%s: distAsync computes what it was', async (_, destroy) => {
    const operands = () => [randomMatrix(16, [20, 10]), randomProduct(17, [20, 4, 10])] as const;
    const [x, y] = operands();
    const expected = dist(x, new FactoredMatrix(y.A, y.B));
    const promise = distAsync(x, new FactoredMatrix(y.A, y.B));
    for (const part of [x, y.A, y.B]) destroy(bufferOf(part));
    expect(await promise).toBe(expected);
  });

  it.each(transfers)('%s: distAsync of a decomposition computes what it was', async (_, destroy) => {
    const a = randomMatrix(18, [12, 7]);
    const { U, S, Vh } = svd(a);
    const expected = dist(a, { U, S, Vh });
    const promise = distAsync(a, { U, S, Vh });
    for (const part of [U, S, Vh]) destroy(bufferOf(part));
    expect(await promise).toBe(expected);
  });

  it('on a SharedArrayBuffer, written over: computes what it was', async () => {
    const shared = new Float64Array(new SharedArrayBuffer(8 * 12) as unknown as ArrayBuffer);
    shared.set(randomMatrix(19, [4, 3]).data);
    const promise = svdAsync({ data: shared, shape: [4, 3] });
    shared.fill(Number.POSITIVE_INFINITY);
    expect(allBits(await promise)).toEqual(allBits(svd(randomMatrix(19, [4, 3]))));
  });

  it('would be noticed: the synchronous call on such an input fails', () => {
    for (const [, destroy] of transfers) {
      const a = randomMatrix(20, [4, 3]);
      destroy(bufferOf(a));
      expect(errorOf(() => svd(a)).code).toMatch(/ERR_SVD_(NON_FINITE|ARGUMENT)/);
    }
  });
});

describe('several jobs at once', () => {
  it('of all kinds and sizes give what each gives alone, whatever the order they end in', async () => {
    const inputs = Array.from({ length: 12 }, (_, i) =>
      randomMatrix(30 + i, [1 + (i % 3), 10 + 5 * i, 60 - 4 * i]),
    );
    const products = Array.from(
      { length: 8 },
      (_, i) => () => product(50 + i, [1 + (i % 4)], 10 + 6 * i, 2 + i),
    );
    const expected = [
      ...inputs.map((a) => allBits(svd(a))),
      ...products.map((make) => allBits(make().svd())),
    ];
    const jobs = [...inputs.map((a) => svdAsync(a)), ...products.map((make) => make().svdAsync())];
    const found = await Promise.all(jobs);
    expect(found.map((result) => allBits(result))).toEqual(expected);
  });

  it('and synchronous calls meanwhile do not disturb each other', async () => {
    const a = randomMatrix(70, [6, 50, 40]);
    const b = randomMatrix(71, [4, 30, 30]);
    const expected = [allBits(svd(a)), allBits(svd(b))];
    const promise = svdAsync(a);
    const during = svd(b);
    expect([allBits(await promise), allBits(during)]).toEqual(expected);
  });

  it('a failing one among them leaves the others alone', async () => {
    const good = randomMatrix(72, [20, 10]);
    const bad = array([1, Number.NaN], [1, 2]);
    const outcomes = await Promise.allSettled([svdAsync(good), svdAsync(bad), svdAsync(good), svdAsync(bad)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  });

  it('leave the event loop free: its turns go on while they compute', async () => {
    let turns = 0;
    let running = true;
    const promise = svdAsync(randomMatrix(73, [4, 400, 400])).finally(() => {
      running = false;
    });
    while (running) {
      await nextTick();
      turns++;
    }
    await promise;
    expect(turns).toBeGreaterThan(10);
  });
});

describe('threads', () => {
  const before = threads();
  afterEach(() => setThreads(before));
  it('setThreads sets what threads() tells', () => {
    for (const n of [1, 2, 3, 7]) {
      setThreads(n);
      expect(threads()).toBe(n);
    }
  });

  it('may be set while jobs run', async () => {
    const a = randomMatrix(90, [30, 30, 30]);
    const expected = allBits(svd(a));
    const running = [svdAsync(a), svdAsync(a)];
    setThreads(1);
    running.push(svdAsync(a));
    setThreads(7);
    running.push(svdAsync(a));
    for (const result of await Promise.all(running)) expect(allBits(result)).toEqual(expected);
  });
});

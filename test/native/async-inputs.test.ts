import { createHash } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Dtype, repeat, swapLast, type Tensor } from '../../lib/array/tensor.ts';
import { turn } from '../../lib/array/turns.ts';
import {
  type AsyncOptions,
  distAsync,
  FactoredMatrix,
  svd,
  svdAsync,
  svdvals,
  svdvalsAsync,
} from '../../lib/index.ts';
import { batchOf } from '../../lib/native/batch.ts';
import { owned, ownedTensors } from '../../lib/native/owned.ts';
import { runAsync, runSync, type Steps } from '../../lib/native/steps.ts';
import { allBits, bits, rejectionOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

// Inputs of several slices (lib/native/owned.ts): of some megabytes.

/** One number for many bits: a difference need not be shown element by element. */
function fingerprint(result: Iterable<Tensor>): string {
  const hash = createHash('sha256');
  for (const { data, shape } of result) {
    hash.update(`${shape} `).update(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

const lastTwo = (shape: readonly number[], row: number, col: number): number[] => [
  ...shape.slice(0, -2),
  shape[shape.length - 2] * row,
  shape[shape.length - 1] * col,
];
const stepped = (shape: readonly number[], dtype: Dtype, row: number, col: number): Tensor => {
  const x = randomMatrix(1, lastTwo(shape, Math.abs(row), Math.abs(col)), dtype);
  return x.step(
    ...lastTwo(
      shape.map(() => 1),
      row,
      col,
    ),
  );
};

const views: [string, (shape: readonly number[], dtype: Dtype) => Tensor][] = [
  ['contiguous', (shape, dtype) => randomMatrix(1, shape, dtype)],
  ['transposed', (shape, dtype) => swapLast(randomMatrix(1, swapped(shape), dtype))],
  ['every other column', (shape, dtype) => stepped(shape, dtype, 1, 2)],
  ['every other row, transposed', (shape, dtype) => swapLast(stepped(swapped(shape), dtype, 1, 2))],
  ['rows from the last', (shape, dtype) => stepped(shape, dtype, -1, 1)],
  ['one row repeated', (shape, dtype) => repeat(randomMatrix(1, lineOf(shape), dtype), shape)],
  [
    'one column repeated',
    (shape, dtype) => swapLast(repeat(randomMatrix(1, lineOf(swapped(shape)), dtype), swapped(shape))),
  ],
];
const lineOf = (shape: readonly number[]) => [...shape.slice(0, -2), 1, shape[shape.length - 1]];
const swapped = (shape: readonly number[]) => [
  ...shape.slice(0, -2),
  shape[shape.length - 1],
  shape[shape.length - 2],
];
const dtypes: Dtype[] = ['float32', 'float64'];
const everyView = dtypes.flatMap((dtype) =>
  views.map(([name, view]) => [`${dtype}, ${name}`, dtype, view] as const),
);

describe('an input of many slices gives the bits of the synchronous call', () => {
  it.each(everyView)('plain matrices: %s', async (_, dtype, view) => {
    // A batch of several blocks; a tall matrix; one whose row is longer than a slice.
    for (const shape of [
      [12, 300, 250],
      [20_000, 40],
      [1, 600_000],
    ]) {
      const a = view(shape, dtype);
      expect(fingerprint(await svdAsync(a))).toBe(fingerprint(svd(a)));
    }
    const a = view([12, 300, 250], dtype);
    expect(bits(await svdvalsAsync(a))).toBe(bits(svdvals(a)));
  });

  it.each(everyView)('products: %s', async (_, dtype, view) => {
    // Several blocks; a broadcast right factor of many slices; one large matrix.
    const shapes = [
      [
        [10, 800, 128],
        [10, 128, 100],
      ],
      [
        [6, 100, 40],
        [40, 15_000],
      ],
      [
        [30_000, 30],
        [30, 40],
      ],
    ];
    for (const [left, right] of shapes) {
      const [A, B] = [view(left, dtype), view(right, dtype)];
      const fresh = () => new FactoredMatrix(A, B);
      expect(fingerprint(await fresh().svdAsync())).toBe(fingerprint(fresh().svd()));
      expect(await fresh().normAsync()).toEqual(fresh().norm());
    }
  });

  it('every member that is made of the decomposition', async () => {
    const [A, B] = [randomMatrix(2, [12, 300, 100], 'float32'), randomMatrix(3, [12, 100, 300], 'float32')];
    const [sync, async] = [new FactoredMatrix(A, B), new FactoredMatrix(A, B)];
    const pairs = [
      [[...(await async.svdLegacyAsync())], [...sync.svdLegacy()]],
      [(await async.pinvAsync()).pair, sync.pinv().pair],
      [(await async.makeEvenAsync()).pair, sync.makeEven().pair],
      [(await async.truncateAsync(7)).pair, sync.truncate(7).pair],
      [
        [await async.collapseLAsync(), await async.collapseRAsync()],
        [sync.collapseL(), sync.collapseR()],
      ],
      [Object.values(await async.eigenvaluesAsync()), Object.values(sync.eigenvalues())],
      [[...(await async.svdAsync({ algorithm: 'three-svd' }))], [...sync.svd({ algorithm: 'three-svd' })]],
    ];
    for (const [found, expected] of pairs) expect(fingerprint(found)).toBe(fingerprint(expected));
  });

  it('with fixed signs', async () => {
    const a = randomMatrix(4, [6, 400, 300], 'float32');
    const options = { signs: 'canonical' } as const;
    expect(fingerprint(await svdAsync(a, options))).toBe(fingerprint(svd(a, options)));
  });
});

describe('an input that is changed before all of it has been read', () => {
  const shapes = { left: [12, 800, 128], right: [12, 128, 800] } as const;
  const calls: [string, (A: Tensor, B: Tensor, options?: AsyncOptions) => Promise<unknown>][] = [
    ['svdAsync', (A, _, options) => svdAsync(A, options)],
    ['svdvalsAsync', (A, _, options) => svdvalsAsync(A, options)],
    ['FactoredMatrix.svdAsync', (A, B, options) => new FactoredMatrix(A, B).svdAsync(options)],
    [
      'three-svd',
      (A, B, options) => new FactoredMatrix(A, B).svdAsync({ ...options, algorithm: 'three-svd' }),
    ],
    ['svdvalsAsync of a product', (A, B, options) => new FactoredMatrix(A, B).svdvalsAsync(options)],
    ['normAsync', (A, B, options) => new FactoredMatrix(A, B).normAsync('fro', options)],
    ['eigenvaluesAsync', (A, B, options) => new FactoredMatrix(A, B).eigenvaluesAsync(options)],
    ['distAsync', (A, B, options) => distAsync(A, swapLast(B), options)],
  ];
  const transfer = (x: Tensor) =>
    structuredClone(x.data.buffer, { transfer: [x.data.buffer as ArrayBuffer] });

  it.each(calls)('transferred away: %s rejects with ERR_SVD_ARGUMENT', async (_, call) => {
    for (const turns of [0, 1]) {
      const A = randomMatrix(5, shapes.left);
      const promise = call(A, randomMatrix(6, shapes.right));
      const outcome = rejectionOf(promise);
      for (let i = 0; i < turns; i++) await nextTick();
      transfer(A);
      expect(await outcome).toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
        message: expect.stringContaining('transferred'),
      });
    }
  });

  it.each(calls)('aborted: %s rejects with the reason, and is not read any more', async (_, call) => {
    const controller = new AbortController();
    const [A, B] = [randomMatrix(5, shapes.left), randomMatrix(6, shapes.right)];
    const outcome = rejectionOf(call(A, B, { signal: controller.signal }));
    controller.abort('enough');
    transfer(A);
    expect(await outcome).toBe('enough');
  });

  it('a small input next to a large one counts as it was when the call was made', async () => {
    const large = randomMatrix(7, [12, 800, 128]);
    const small = () => randomMatrix(8, [128, 40]);
    const expected = [
      allBits(new FactoredMatrix(large, small()).svd()),
      allBits(new FactoredMatrix(small().transpose(1, 0), swapLast(large)).svd()),
    ];
    const [right, left] = [small(), small()];
    const jobs = [
      new FactoredMatrix(large, right).svdAsync(),
      new FactoredMatrix(left.transpose(1, 0), swapLast(large)).svdAsync(),
    ];
    right.data.fill(Number.NaN);
    transfer(left);
    expect((await Promise.all(jobs)).map(allBits)).toEqual(expected);
  });
});

describe('copies of inputs', () => {
  const large = () => randomMatrix(9, [3, 1000, 400]);

  it("are not made where the memory is not the caller's, nor for synchronous calls", () => {
    const a = batchOf(large(), [3]);
    expect(runSync(owned(a))).toBe(a);
  });

  it('hold a repeated row or column once', () => {
    for (const turned of [(x: Tensor) => x, swapLast]) {
      const a = turned(repeat(randomMatrix(1, [3, 1, 5]), [3, 7, 5]));
      const copy = runSync(owned(batchOf(a, [3], 'a', true)));
      expect(copy.data.length).toBe(3 * 5);
      expect([copy.rows, copy.cols]).toEqual(a.shape.slice(1));
      expect([copy.rowStride, copy.colStride]).toEqual(a.stride.slice(1));
    }
  });

  it('hold a repeated matrix once', () => {
    const once = randomMatrix(10, [1000, 400]);
    const copy = runSync(owned(batchOf(once, [5, 7], 'a', true)));
    expect(copy.count).toBe(35);
    expect(copy.data.length).toBe(once.size);
    const [tensor] = runSync(
      ownedTensors([{ ...once, shape: [5, 1000, 400], stride: [0, 400, 1], size: 5 * once.size } as Tensor]),
    );
    expect([tensor.data.length, tensor.shape, tensor.stride]).toEqual([
      once.size,
      [5, 1000, 400],
      [0, 400, 1],
    ]);
  });

  it('end with the slice after which the computation is aborted', async () => {
    let steps = 0;
    const counted = function* <T>(all: Steps<T>): Steps<T> {
      for (;;) {
        const step = all.next();
        if (step.done) return step.value;
        steps++;
        if (steps === 2) controller.abort('enough');
        yield step.value;
      }
    };
    const controller = new AbortController();
    const copies = counted(owned(batchOf(large(), [3], 'a', true)));
    expect(await rejectionOf(runAsync(copies, { signal: controller.signal }))).toBe('enough');
    for (let i = 0; i < 5; i++) await nextTick();
    expect(steps).toBe(2);
  });

  it('of several computations take turns: one slice in each turn of the event loop', async () => {
    let tick = 0;
    let running = true;
    const counter = (async () => {
      for (; running; tick++) await nextTick();
    })();
    const seen: number[] = [];
    const work = function* (): Steps<void> {
      for (let i = 0; i < 4; i++) {
        yield turn;
        seen.push(tick);
      }
    };
    await Promise.all([runAsync(work()), runAsync(work()), runAsync(work())]);
    running = false;
    await counter;
    expect(seen).toHaveLength(12);
    expect(new Set(seen).size).toBe(12);
  });
});

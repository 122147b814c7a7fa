import { afterEach, describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { FactorDriver } from '../../lib/algorithms/result.ts';
import { swapLast, type Tensor } from '../../lib/array/tensor.ts';
import {
  dist,
  distAsync,
  FactoredMatrix,
  setThreads,
  svd,
  svdAsync,
  svdvals,
  svdvalsAsync,
  threads,
} from '../../lib/index.ts';
import { runAsync, runSync } from '../../lib/native/steps.ts';
import { bits } from '../support/checks.ts';
import { array, mapMatrix, powersOfTwo, randomMatrix, randomProduct } from '../support/matrices.ts';
import { paths } from '../support/paths.ts';

type Answer = Iterable<Tensor | number>;

/** One computation, synchronous and not, over a batch: inputs with a leading dimension have one item for each result. */
interface Case {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  sync(...inputs: Tensor[]): Answer;
  async(...inputs: Tensor[]): Promise<Answer>;
}

const denseCase = (name: string, a: Tensor, options = {}): Case => ({
  name,
  inputs: [a],
  sync: (x) => svd(x, options),
  async: (x) => svdAsync(x, options),
});

const productCase = (name: string, { A, B }: { A: Tensor; B: Tensor }, options = {}): Case => ({
  name,
  inputs: [A, B],
  sync: (a, b) => new FactoredMatrix(a, b).svd(options),
  async: (a, b) => new FactoredMatrix(a, b).svdAsync(options),
});

const forcedCase = (force: FactorDriver, dtype: 'float32' | 'float64'): Case => ({
  name: `one tall product of several blocks of rows, ${force}, ${dtype}`,
  inputs: Object.values(randomProduct(10, [5000, 40, 30], dtype, [2])),
  sync: (a, b) => runSync(productSvd(a, b, { force })),
  async: (a, b) => runAsync(productSvd(a, b, { force })),
});

const wide = randomProduct(12, [40, 90, 30], 'float64', [2]);
const heads = randomProduct(13, [60, 8, 50], 'float64', [12]);
const range = powersOfTwo(6, -20, 20);

const cases: Case[] = [
  denseCase('svd, a batch of small matrices', randomMatrix(1, [20, 24, 30])),
  denseCase('svd, a batch of small matrices, float32', randomMatrix(2, [20, 30, 24], 'float32')),
  denseCase('svd, 300×300', randomMatrix(3, [2, 300, 300])),
  denseCase('svd, 300×200, float32', randomMatrix(4, [2, 300, 200], 'float32')),
  denseCase('svd, very tall', randomMatrix(5, [2, 3000, 20])),
  denseCase('svd, full', randomMatrix(6, [2, 90, 12]), { fullMatrices: true }),
  {
    name: 'svdvals, 200×150',
    inputs: [randomMatrix(7, [2, 200, 150])],
    sync: (x) => [svdvals(x)],
    async: async (x) => [await svdvalsAsync(x)],
  },
  productCase('a batch of heads', heads),
  productCase('a batch of heads, float32', randomProduct(14, [60, 8, 50], 'float32', [12])),
  productCase('a tall and a small factor, float32', randomProduct(15, [9000, 8, 300], 'float32', [2])),
  ...paths.flatMap((force) => [forcedCase(force, 'float64'), forcedCase(force, 'float32')]),
  productCase('k > l and k > r', wide),
  productCase('k > l', randomProduct(16, [20, 30, 1500], 'float64', [2])),
  productCase('k > r', randomProduct(17, [1500, 30, 20], 'float32', [2])),
  productCase('k > 3·l, so that the product is formed', randomProduct(18, [12, 60, 3000], 'float64', [2])),
  productCase('k > 3·r, in several copies', randomProduct(19, [4500, 500, 9], 'float32', [2])),
  productCase('graded', {
    A: mapMatrix(randomMatrix(20, [3, 70, 6]), (x, _, j) => x * range[j]),
    B: randomMatrix(21, [3, 6, 50]),
  }),
  productCase('graded, of a flat and a tall factor', {
    A: randomMatrix(22, [2, 4, 12]),
    B: mapMatrix(randomMatrix(23, [2, 12, 2500]), (x, i) => x * 2 ** (3 * i)),
  }),
  productCase('a broadcast factor', { A: randomMatrix(24, [9, 40, 6]), B: randomMatrix(25, [6, 1100]) }),
  productCase('transposed views', {
    A: swapLast(randomMatrix(26, [3, 8, 1200])),
    B: swapLast(randomMatrix(27, [3, 70, 8])),
  }),
  productCase('nearly dependent columns', {
    A: mapMatrix(randomMatrix(28, [2, 5000, 4]), (x, i, j) => (j === 3 ? i + x : i + j * x)),
    B: randomMatrix(29, [2, 4, 30]),
  }),
  {
    name: 'truncated',
    inputs: [heads.A, heads.B],
    sync: (a, b) => factors(new FactoredMatrix(a, b).truncate(3)),
    async: async (a, b) => factors(await new FactoredMatrix(a, b).truncateAsync(3)),
  },
  {
    name: 'singular values of a product',
    inputs: [wide.A, wide.B],
    sync: (a, b) => [new FactoredMatrix(a, b).svdvals()],
    async: async (a, b) => [await new FactoredMatrix(a, b).svdvalsAsync()],
  },
  {
    name: 'norm',
    inputs: Object.values(randomProduct(30, [2500, 7, 40], 'float32', [3])),
    sync: (a, b) => [new FactoredMatrix(a, b).norm()],
    async: async (a, b) => [await new FactoredMatrix(a, b).normAsync()],
  },
  {
    name: 'dist of two products',
    inputs: [heads.A, heads.B, ...Object.values(randomProduct(31, [60, 5, 50], 'float64', [12]))],
    sync: (a, b, c, d) => [dist(new FactoredMatrix(a, b), new FactoredMatrix(c, d))],
    async: async (a, b, c, d) => [await distAsync(new FactoredMatrix(a, b), new FactoredMatrix(c, d))],
  },
  {
    name: 'dist of a product and a matrix',
    inputs: [heads.A, heads.B, randomMatrix(32, [12, 60, 50])],
    sync: (a, b, c) => [dist(new FactoredMatrix(a, b), c)],
    async: async (a, b, c) => [await distAsync(new FactoredMatrix(a, b), c)],
  },
  {
    name: 'dist of a product and a large matrix',
    inputs: [
      ...Object.values(randomProduct(35, [900, 4, 900], 'float64', [3])),
      randomMatrix(36, [3, 900, 900]),
    ],
    sync: (a, b, c) => [dist(new FactoredMatrix(a, b), c)],
    async: async (a, b, c) => [await distAsync(new FactoredMatrix(a, b), c)],
  },
  {
    name: 'AB',
    inputs: Object.values(randomProduct(34, [700, 10, 700], 'float64', [2])),
    sync: (a, b) => [new FactoredMatrix(a, b).AB],
    async: async (a, b) => [new FactoredMatrix(a, b).AB], // has no other form
  },
  {
    name: 'eigenvalues',
    inputs: Object.values(randomProduct(33, [40, 12, 40], 'float64', [9])),
    sync: (a, b) => Object.values(new FactoredMatrix(a, b).eigenvalues()),
    async: async (a, b) => Object.values(await new FactoredMatrix(a, b).eigenvaluesAsync()),
  },
];

const factors = ({ A, B }: FactoredMatrix): Tensor[] => [A, B];

const counts = [1, 2, 3, 7];

/** The bits of a batch of answers, item by item. */
function itemBits(answer: Answer, n: number): string[] {
  const arrays = Array.from(answer, (x) => (typeof x === 'number' ? array([x], [1]) : x));
  return Array.from({ length: n }, (_, i) => {
    const own = arrays.map(({ data }) => data.subarray((i * data.length) / n, ((i + 1) * data.length) / n));
    return own
      .map((x) => bits(array(x, [x.length], x instanceof Float32Array ? 'float32' : 'float64')))
      .join();
  });
}

/** Item `i` of everything that has leading dimensions. */
const itemOf = (inputs: readonly Tensor[], i: number): Tensor[] =>
  inputs.map((x) => (x.shape.length > 2 ? x.pick(i) : x));

/** Every way to compute the same; none may change a bit. */
async function checkSameBits({ inputs, sync, async }: Case): Promise<void> {
  const n = inputs[0].shape[0];
  const expected = itemBits(await sync(...inputs), n);
  for (const count of counts) {
    setThreads(count);
    expect(itemBits(sync(...inputs), n), `${count} threads`).toEqual(expected);
    expect(itemBits(await async(...inputs), n), `${count} threads, asynchronous`).toEqual(expected);
    for (const i of [0, n - 1]) {
      const alone = itemOf(inputs, i);
      expect(itemBits(sync(...alone), 1), `${count} threads, item ${i} alone`).toEqual([expected[i]]);
      expect(itemBits(await async(...alone), 1), `${count} threads, item ${i} alone, asynchronous`).toEqual([
        expected[i],
      ]);
    }
  }
}

describe('the same bits for 1, 2, 3 and 7 threads, synchronous and not, in a batch and alone', () => {
  const before = threads();
  afterEach(() => setThreads(before));

  it.each(cases)('$name', checkSameBits);

  it('these cases take every path of a factor and of a core', () => {
    const drivers = cases.flatMap(({ inputs, sync }) => {
      const answer = sync(...inputs);
      return 'driver' in answer ? [answer.driver].flat().map(String) : [];
    });
    const taken = new Set(drivers.flatMap((driver) => driver.split('/')));
    expect([...taken]).toEqual(expect.arrayContaining([...paths, 'direct', 'gesdd-blocked', 'jacobi']));
  });

  describe('the check sees', () => {
    const [{ inputs, sync, async }] = cases;
    const lastBit = (answer: Answer): Answer => {
      const arrays = Array.from(answer, (x) => mapMatrix(x as Tensor, (v) => v));
      const { data } = arrays[2];
      new Uint8Array(data.buffer)[data.byteLength - 8] ^= 1; // the lowest, of the last element
      return arrays;
    };
    const changed = (when: boolean, answer: Answer) => (when ? lastBit(answer) : answer);

    it.each<[string, Case]>([
      [
        'one thread',
        { name: '', inputs, sync, async: async (x) => changed(threads() === 3, await async(x)) },
      ],
      ['one item alone', { name: '', inputs, async, sync: (x) => changed(x.shape.length === 2, sync(x)) }],
    ])('one bit that depends on %s', async (_, of) => {
      await expect(checkSameBits(of)).rejects.toThrow(/threads/);
    });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cols, leadingDims, rows, type Tensor, unravel } from '../../lib/array/tensor.ts';
import {
  type Batch,
  batchOf,
  colRange,
  countDistinct,
  distinctItems,
  items,
  itemsAt,
  mayRepeat,
  offsetOf,
  packed,
  rowRange,
  transposed,
} from '../../lib/native/batch.ts';
import { eachOnce } from '../../lib/native/owned.ts';
import { checkStatus, statusOf } from '../../lib/native/status.ts';
import { errorOf, indices, matrixAt, type Rows, transposeRows } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

// Batches beside a model of them: a list of matrices, each with the position that it has in the user's batch.

interface Model {
  readonly rows: number;
  readonly cols: number;
  readonly items: readonly { readonly position: number; readonly elements: Rows }[];
  readonly transposed: boolean;
}

const leading = [2, 3]; // of the user's batch; its matrices are 3×4
const place = 1000;
const memory = Float64Array.from({ length: 2 * place }, (_, i) => i);

/** The matrices of a batch, by what its fields mean. */
const elementsOf = (a: Batch<Float64Array>): Rows[] =>
  Array.from({ length: a.count }, (_, i) =>
    Array.from({ length: a.rows }, (_, r) =>
      Array.from(
        { length: a.cols },
        (_, c) =>
          a.data[(a.offsets ? a.offsets[i] : a.first + i * a.step) + r * a.rowStride + c * a.colStride],
      ),
    ),
  );

/** Six matrices in any layout: evenly apart, repeated, or wherever they lie. */
const batches = fc
  .record({
    rowStride: fc.integer({ min: -20, max: 20 }),
    colStride: fc.integer({ min: -20, max: 20 }),
    step: fc.integer({ min: -50, max: 50 }),
    offsets: fc.option(
      fc.array(fc.integer({ min: place - 30, max: place + 30 }), { minLength: 6, maxLength: 6 }),
    ),
  })
  .map(
    ({ offsets, ...layout }): Batch<Float64Array> => ({
      ...packed(memory, 6, 3, 4, { name: 'a', leading }),
      ...layout,
      first: place,
      offsets: offsets ? Float64Array.from(offsets) : undefined,
    }),
  );

const modelOf = (a: Batch<Float64Array>): Model => ({
  rows: a.rows,
  cols: a.cols,
  items: elementsOf(a).map((elements, position) => ({ position, elements })),
  transposed: false,
});

/** One way to make a batch of a batch, and the same for its model; `x` and `y` in [0, 1] say which part. */
type Change = (
  x: number,
  y: number,
) => {
  batch: (a: Batch<Float64Array>) => Batch<Float64Array>;
  model: (m: Model) => Model;
};

/** A range of `0 … n`, by two numbers in [0, 1]. */
const part = (n: number, x: number, y: number): [number, number] => {
  const [from, to] = [x, y].map((z) => Math.round(z * n)).sort((p, q) => p - q);
  return [from, to];
};

const ofElements = (m: Model, f: (elements: Rows) => Rows): Model['items'] =>
  m.items.map(({ position, elements }) => ({ position, elements: f(elements) }));

/** Items in another order, some left out and some twice; never as many as there are, which stands for all. */
const selection = (n: number, x: number, y: number): Int32Array => {
  const length = Math.round(x * 2 * n);
  return Int32Array.from(
    { length: n === 0 ? 0 : length === n ? n + 1 : length },
    (_, i) => (i * (1 + Math.round(3 * y)) + Math.round(y * n)) % n,
  );
};

const changes: Record<string, Change> = {
  transposed: () => ({
    batch: transposed,
    model: (m) => ({
      rows: m.cols,
      cols: m.rows,
      items: ofElements(m, (elements) => transposeRows(elements, m.cols)),
      transposed: !m.transposed,
    }),
  }),
  items: (x, y) => ({
    batch: (a) => items(a, ...part(a.count, x, y)),
    model: (m) => ({ ...m, items: m.items.slice(...part(m.items.length, x, y)) }),
  }),
  itemsAt: (x, y) => ({
    batch: (a) => itemsAt(a, selection(a.count, x, y)),
    model: (m) => ({ ...m, items: Array.from(selection(m.items.length, x, y), (i) => m.items[i]) }),
  }),
  rowRange: (x, y) => ({
    batch: (a) => rowRange(a, ...part(a.rows, x, y)),
    model: (m) => {
      const [from, to] = part(m.rows, x, y);
      return { ...m, rows: to - from, items: ofElements(m, (elements) => elements.slice(from, to)) };
    },
  }),
  colRange: (x, y) => ({
    batch: (a) => colRange(a, ...part(a.cols, x, y)),
    model: (m) => {
      const [from, to] = part(m.cols, x, y);
      return {
        ...m,
        cols: to - from,
        items: ofElements(m, (elements) => elements.map((row) => row.slice(from, to))),
      };
    },
  }),
};

const unit = fc.integer({ min: 0, max: 12 }).map((twelfths) => twelfths / 12);
const chains = fc.array(fc.tuple(fc.constantFrom(...Object.keys(changes)), unit, unit), { maxLength: 5 });

/** The user's position that an error of item i names. */
function blamed(a: Batch, i: number): readonly number[] | undefined {
  const status = statusOf(a.count);
  status[3 * i] = 3; // a result that does not fit
  return errorOf(() => checkStatus(status, a)).batchIndex;
}

describe('parts of a batch, one of another', () => {
  it('have the elements of the same parts of the matrices, and errors name the matrix they come from', () => {
    let compared = 0;
    fc.assert(
      fc.property(batches, chains, (batch, chain) => {
        let [a, m] = [batch, modelOf(batch)];
        for (const [name, x, y] of chain) {
          const change = changes[name](x, y);
          [a, m] = [change.batch(a), change.model(m)];
        }
        expect([a.count, a.rows, a.cols]).toEqual([m.items.length, m.rows, m.cols]);
        expect(elementsOf(a)).toEqual(m.items.map(({ elements }) => elements));
        expect(a.origin.transposed ?? false).toBe(m.transposed);
        m.items.forEach(({ position }, i) => {
          expect(blamed(a, i)).toEqual(unravel(position, leading));
        });
        compared += m.items.length * m.rows * m.cols;
      }),
      { numRuns: 500, seed: 1 },
    );
    expect(compared, 'elements, few of the batches being empty').toBeGreaterThan(5000);
  });

  it('share the memory, and leave the batch as it was', () => {
    fc.assert(
      fc.property(batches, chains, (batch, chain) => {
        const before = { ...batch, offsets: batch.offsets?.slice() };
        const a = chain.reduce((one, [name, x, y]) => changes[name](x, y).batch(one), batch);
        expect(a.data).toBe(memory);
        expect(batch).toEqual(before);
      }),
      { numRuns: 100, seed: 2 },
    );
  });
});

describe('batchOf', () => {
  const whole = randomMatrix(1, [4, 3, 5, 6]);
  const views: [string, Tensor][] = [
    ['contiguous', whole],
    ['every second one', whole.step(2, 1, 1, 1)],
    ['reversed', whole.step(-1, -1, 1, -1)],
    ['axes exchanged', whole.transpose(1, 0, 3, 2)],
    ['a part', whole.hi(4, 2, 4, 5).lo(1, 1, 1, 0)],
    ['one matrix', whole.pick(2, 1, null, null) as Tensor],
    ['one row of the batch', whole.lo(3, 0, 0, 0)],
  ];

  it.each(views)('has the elements of every matrix, repeated where they broadcast: %s', (_, x) => {
    const own = leadingDims(x);
    for (const shape of [own, [2, ...own], own.length === 2 && own[0] === 1 ? [7, own[1]] : own]) {
      const a = batchOf(x, shape, 'x') as Batch<Float64Array>;
      expect([a.rows, a.cols]).toEqual([rows(x), cols(x)]);
      expect(elementsOf(a)).toEqual(indices(shape).map((index) => matrixAt(x, index)));
      expect(a.origin).toEqual({ name: 'x', leading: shape });
    }
  });
});

describe('repeated items', () => {
  const begins = (a: Batch) => Array.from({ length: a.count }, (_, i) => offsetOf(a, i));
  const some = fc.tuple(batches, unit, unit).map(([a, x, y]) => itemsAt(a, selection(a.count, x, y)));

  it('are told from the others: each matrix once, and which of them every item is', () => {
    fc.assert(
      fc.property(some, (a) => {
        const { distinct, source } = distinctItems(a);
        const all = begins(a);
        const kept = Array.from(distinct, (i) => all[i]);
        expect(kept).toEqual([...new Set(all)]);
        expect(Array.from(source, (i) => kept[i])).toEqual(all);
        expect(countDistinct(a)).toBe(kept.length);
        if (kept.length < a.count) expect(mayRepeat(a)).toBe(true);
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('are made of each matrix once, with the place of every item', () => {
    fc.assert(
      fc.property(some, (a) => {
        let made = 0;
        const steps = eachOnce<Float64Array>(a, function* (once) {
          made += once.count;
          const data = Float64Array.from(elementsOf(once as Batch<Float64Array>).flat(2), (x) => -x);
          return packed(data, once.count, once.rows, once.cols, once.origin);
        });
        const { value } = steps.next();
        const result = value as Batch<Float64Array>;
        expect(made).toBe(countDistinct(a));
        const negated = (all: Rows[]) => all.map((x) => x.map((row) => row.map((v) => -v)));
        expect(elementsOf(result)).toEqual(negated(elementsOf(a)));
        expect(result.origin).toEqual(a.origin);
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});

it('as many positions as there are items are taken in their order, too', () => {
  const a = packed(Float64Array.of(1, 2, 3), 3, 1, 1);
  for (const positions of [
    [2, 0, 1],
    [0, 0, 2],
    [0, 1, 2],
    [1, 1, 1],
  ]) {
    const some = itemsAt(a, Int32Array.from(positions));
    expect(positions.map((_, i) => some.data[offsetOf(some, i)])).toEqual(positions.map((p) => p + 1));
  }
});

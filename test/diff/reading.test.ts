import { describe, expect, test } from 'vitest';
import { tensor } from '../../lib/array/tensor.ts';
import { type Reading, readChange } from '../../lib/diff/reading.ts';
import { svdvals } from '../../lib/index.ts';
import { random } from '../support/matrices.ts';

const [rows, cols] = [96, 128];

/** About Gaussian numbers. */
function normals(seed: number, length = rows * cols): Float32Array {
  const next = random(seed);
  return Float32Array.from(
    { length },
    () => (next() + next() + next() + next() + next() + next()) / Math.SQRT2,
  );
}

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

function bfloat16(x: number): number {
  single[0] = x;
  const odd = (word[0] >>> 16) & 1;
  word[0] = (word[0] + 0x7fff + odd) & 0xffff0000;
  return single[0];
}

/** Integers times a scale for each group of so many elements, `levels` above zero. */
const integers = (x: Float32Array, size: number, levels: number): Float32Array =>
  x.map((value, e) => {
    const from = Math.floor(e / size) * size;
    const scale = x.subarray(from, from + size).reduce((most, y) => Math.max(most, Math.abs(y)), 0) / levels;
    return Math.round(value / scale) * scale;
  });

function lowRank(seed: number, rank: number, size: number): Float32Array {
  const [B, A] = [normals(seed, rows * rank), normals(seed + 1, rank * cols)];
  return Float32Array.from({ length: rows * cols }, (_, e) => {
    const [i, j] = [Math.floor(e / cols), e % cols];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += B[i * rank + k] * A[k * cols + j];
    return size * sum;
  });
}

const plus = (x: Float32Array, y: Float32Array) => x.map((value, e) => value + y[e]);
const read = (a: Float32Array, b: Float32Array, m = rows, n = cols): Promise<Reading> =>
  readChange(a.slice(), b.slice(), m, n);
const W = normals(1);
const normals9 = normals(9);

describe('a cast', () => {
  const truncated = (x: number) => {
    single[0] = x;
    word[0] &= 0xffff0000;
    return single[0];
  };
  test.each([
    ['bfloat16', W.map(bfloat16)],
    ['int8 per row', integers(W, cols, 127)],
    ['int8 per tensor', integers(W, rows * cols, 127)],
    ['int8 per group of 64', integers(W, 64, 127)],
    ['int4 per group of 32', integers(W, 32, 7)],
    ['int8 per row', integers(W, cols, 127).map(bfloat16)],
  ])('to %s is known by its elements, in both directions', async (to, rounded) => {
    expect(await read(W, rounded)).toMatchObject({ kind: 'cast', cast: { to, rounded: 'B' } });
    expect(await read(rounded, W)).toMatchObject({ kind: 'cast', cast: { to, rounded: 'A' } });
  });

  test('towards zero is one, too', async () => {
    expect(await read(W, W.map(truncated))).toMatchObject({
      kind: 'cast',
      cast: { to: 'bfloat16', truncated: true },
    });
  });

  test('is none where one element is not the nearest', async () => {
    const rounded = W.map(bfloat16);
    rounded[77] = bfloat16(rounded[77] * (1 + 2 ** -7));
    const { kind } = await read(W, rounded);
    expect(kind).not.toBe('cast');
  });

  test('of a vector is known; another change of one has no spectrum', async () => {
    const v = W.subarray(0, 50);
    expect(await read(v, v.map(bfloat16), 0, 0)).toMatchObject({ kind: 'cast', cast: { to: 'bfloat16' } });
    expect(
      await read(
        v,
        v.map((x) => 1.1 * x),
        0,
        0,
      ),
    ).toMatchObject({ kind: 'changed', changed: 50 });
  });
});

describe('an edit beside a cast, or of what is one, is no cast', () => {
  const coarse = { bfloat16: W.map(bfloat16), int4: integers(W, 32, 7), int8: integers(W, cols, 127) };

  test.each([
    ['zeroed', (x: number) => 0 * x],
    ['scaled', (x: number) => Math.fround(0.05 * x)],
    ['of one number', () => -1e-4],
  ])('a row %s, a group, a hundredth of all', async (_, to) => {
    for (const [x, size] of [
      [coarse.int8, cols],
      [coarse.int4, 32],
    ] as const) {
      const b = x.map((value, e) => (e < size ? to(value) : value));
      expect(await read(W, b)).toMatchObject({ kind: 'spikes', spikes: { count: 1 } });
    }
  });

  test('but few that were beyond the last level are clipped, one side to one', async () => {
    const step = 3 / 127;
    const clipped = (x: number) => Math.max(-128, Math.min(127, Math.round(x / step))) * step;
    const b = W.map(clipped);
    const saturated = W.filter((x) => x > 127.5 * step || x < -128.5 * step).length;
    const reading = await read(W, b);
    expect(reading).toMatchObject({ kind: 'cast', cast: { to: 'int8 per tensor' } });
    expect(saturated).toBeGreaterThan(3);
    expect(reading.cast!.saturated).toBe(saturated);
    const at = W.findIndex((x) => x > 3.1);
    b[at] = Math.min(...b);
    expect((await read(W, b)).kind).not.toBe('cast');
  });

  test.each([
    ['bfloat16', 2e-6],
    ['int8', 1e-5],
    ['int4', 1e-3],
  ] as const)('an adapter of rank 3 within the steps of %s weights', async (name, size) => {
    const a = coarse[name];
    const reading = await read(a, plus(a, lowRank(5, 3, size)));
    expect(reading).toMatchObject({ kind: 'spikes', spikes: { count: 3 } });
    expect(reading.energy).toBeGreaterThan(0.99);
  });

  test('one element, one row', async () => {
    for (const a of [coarse.bfloat16, coarse.int8]) {
      const [element, row] = [a.slice(), a.slice()];
      element[77] *= 1 + 2 ** -10;
      for (let j = 0; j < cols; j++) row[5 * cols + j] *= 1 + 2 ** -10;
      expect(await read(a, element)).toMatchObject({ kind: 'spikes', spikes: { count: 1 } });
      // A row of integers with another scale is still the rounding of the old one.
      if (a === coarse.bfloat16)
        expect(await read(a, row)).toMatchObject({ kind: 'spikes', spikes: { count: 1 } });
    }
  });

  test('noise within the steps, another scale', async () => {
    const a = coarse.bfloat16;
    expect(
      (
        await read(
          a,
          a.map((x) => x * (1 + 2 ** -10)),
        )
      ).kind,
    ).toBe('bulk');
    const noisy = coarse.int4.map((x, e) => x + 0.01 * normals9[e]);
    expect((await read(coarse.int4, noisy)).kind).toBe('bulk');
    const gains = new Float32Array(cols).fill(1);
    expect(
      (
        await read(
          gains,
          gains.map((x, e) => x + 1e-3 * W[e]),
          0,
          0,
        )
      ).kind,
    ).toBe('changed');
  });

  test('nor from zero', async () => {
    const zeros = new Float32Array(rows * cols);
    expect(await read(zeros, lowRank(5, 2, 1e-8))).toMatchObject({ kind: 'spikes', spikes: { count: 2 } });
    expect((await read(W, zeros)).kind).toBe('bulk');
  });

  test('while what was rounded away from A may have an adapter on top', async () => {
    const reading = await read(coarse.bfloat16, plus(W, lowRank(5, 3, 1e-2)));
    expect(reading).toMatchObject({ kind: 'spikes', spikes: { count: 3 } });
  });
});

describe('the numbers of what stands out', () => {
  const b = plus(
    plus(W, lowRank(3, 2, 1e-2)),
    normals(9).map((x, e) => (1 + 0.01 * (e % 7)) * 1e-3 * x),
  );
  const difference = (x: Float32Array) =>
    tensor(
      x.map((value, e) => value - W[e]),
      [rows, cols],
    );

  test('are the singular values of B − A, and their share', async () => {
    const { spikes, energy } = await read(W, b);
    const S = svdvals(difference(b)).data;
    for (const k of [0, 1]) expect(spikes!.S![k] / S[k]).toBeCloseTo(1, 5);
    expect(energy).toBeCloseTo((S[0] ** 2 + S[1] ** 2) / Math.hypot(...S) ** 2, 5);
  });

  test('have a share where they are most of all, too', async () => {
    const odd = W.map((x, e) => (Math.floor(e / cols) % 2 ? -x : x));
    const { spikes, energy } = await read(W, odd);
    expect(spikes!.count).toBeLessThanOrEqual(rows / 2);
    expect(energy).toBeCloseTo(1, 5);
  });

  test('of few rows and columns are known by what is left', async () => {
    const a = W.slice(0, 16);
    const element = a.slice();
    element[5] += 1;
    expect(await read(a, element, 4, 4)).toMatchObject({ kind: 'spikes', spikes: { count: 1 } });
    const [x, y] = [W.slice(0, 64), W.slice(0, 64)];
    for (let e = 0; e < 64; e++) y[e] += W[500 + (e >> 3)] * W[600 + (e & 7)];
    expect(await read(x, y, 8, 8)).toMatchObject({ kind: 'spikes', spikes: { count: 1 } });
    expect((await read(x, W.slice(100, 164), 8, 8)).kind).toBe('bulk');
  });
});

describe('a change of low rank', () => {
  test.each([
    ['exact', (x: Float32Array) => x, 1e-2],
    ['then rounded to bfloat16', (x: Float32Array) => x.map(bfloat16), 2e-2],
  ])('%s has its rank and its energy', async (_, then, size) => {
    const reading = await read(W, then(plus(W, lowRank(5, 3, size))));
    expect(reading).toMatchObject({ kind: 'spikes', spikes: { count: 3 } });
    expect(reading.energy).toBeGreaterThan(0.8);
  });

  test('has the directions that were planted', async () => {
    const change = lowRank(5, 1, 1e-2);
    const { spikes } = await read(W, plus(W, change));
    const { U, S, Vh } = spikes!.part!;
    const entry = (i: number, j: number) => U.get(i, 0) * S.get(0) * Vh.get(0, j);
    for (const [i, j] of [
      [0, 0],
      [7, 9],
      [95, 127],
    ])
      expect(Math.abs(entry(i, j) - change[i * cols + j])).toBeLessThan(1e-5);
  });

  test('is none below the noise of the rounding', async () => {
    const reading = await read(W, plus(W, lowRank(5, 3, 1e-5)).map(bfloat16));
    expect(reading.kind).not.toBe('spikes');
    expect(reading.spikes!.count).toBe(0);
  });

  test('may be one element, or one row', async () => {
    const [element, row] = [W.slice(), W.slice()];
    element[500] += 1;
    for (let j = 0; j < cols; j++) row[5 * cols + j] += 0.1 * Math.sin(j);
    expect(await read(W, element)).toMatchObject({ kind: 'spikes', changed: 1, spikes: { count: 1 } });
    expect(await read(W, row)).toMatchObject({ kind: 'spikes', changed: cols - 1, spikes: { count: 1 } });
  });
});

describe('noise', () => {
  test.each([
    ['even', 1e-3, (x: number) => x],
    ['kept in bfloat16', 2e-2, bfloat16],
  ])('%s is raised above that of rounding', async (_, size, then) => {
    const b = plus(
      W,
      normals9.map((x) => size * x),
    ).map(then);
    const { kind, spikes } = await read(W, b);
    expect({ kind, count: spikes!.count }).toEqual({ kind: 'bulk', count: 0 });
    expect(spikes!.level).toBeGreaterThan(1.3);
  });

  test('is no cast to eight bits where it is far smaller than those', async () => {
    const a = W.map(bfloat16);
    const b = a.map((x, e) => bfloat16(x * (1 + 5e-3 * normals9[e])));
    expect(await read(a, b)).toMatchObject({ kind: 'bulk', spikes: { count: 0 } });
  });

  test('with directions of its own is still noise', async () => {
    const b = plus(
      plus(W, lowRank(3, 2, 1e-2)),
      normals9.map((x) => 1e-3 * x),
    );
    expect(await read(W, b)).toMatchObject({ kind: 'bulk', spikes: { count: 2 } });
  });
});

describe('numbers that are no change, or none', () => {
  test('zeros of another sign and other NaN are equal', async () => {
    const [a, b] = [Float32Array.of(0, 1, Number.NaN, 2), Float32Array.of(-0, 1, Number.NaN, 2)];
    expect(await read(a, b, 2, 2)).toMatchObject({ kind: 'equal', relative: 0, changed: 0 });
  });

  test('NaN and infinities are counted on both sides', async () => {
    const b = W.slice();
    b[3] = Number.NaN;
    b[4] = Number.POSITIVE_INFINITY;
    expect(await read(W, b)).toMatchObject({ kind: 'non-finite', nonFinite: [0, 2], changed: 2 });
  });

  test('may be near the largest, or the least, of float32', async () => {
    const noise = normals(9);
    for (const size of [1e38, 1e-43]) {
      const unit = normals(1).map((x) => Math.max(-1, Math.min(1, x / 3)));
      const [a, b] = [
        unit.map((x) => size * x),
        unit.map((x, e) => -size * Math.max(-1, Math.min(1, x + noise[e]))),
      ];
      expect(await read(a, b)).toMatchObject({ kind: 'bulk' });
    }
  });

  test('is none where all numbers are alike: ones are no integers', async () => {
    const ones = new Float32Array(rows * cols).fill(1);
    expect(
      (
        await read(
          ones,
          ones.map((x, e) => x + 0.1 * W[e]),
        )
      ).kind,
    ).toBe('bulk');
  });

  test('from zero every change is infinite', async () => {
    const { relative, kind } = await read(new Float32Array(rows * cols), W);
    expect({ relative, kind }).toEqual({ relative: Number.POSITIVE_INFINITY, kind: 'bulk' });
  });

  test('is measured by its norm, its largest element, and how many changed', async () => {
    const b = W.slice();
    b[8] += 3;
    b[9] -= 4;
    const { relative, largest, changed } = await read(W, b);
    expect(relative).toBeCloseTo(5 / Math.hypot(...W), 6);
    expect(largest).toBeCloseTo(4, 5);
    expect(changed).toBe(2);
  });
});

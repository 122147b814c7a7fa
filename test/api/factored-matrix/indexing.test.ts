import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FactoredMatrix, type Index, type Slice, slice } from '../../../lib/index.ts';
import { checkSvd, indices, matrixAt } from '../../support/checks.ts';
import { dense, denseItems, exact, items } from '../../support/factored.ts';
import { integerMatrix } from '../../support/matrices.ts';

describe('unsqueeze and getCorner', () => {
  it('unsqueeze adds a leading dimension of 1, counted from the front or the back', () => {
    const m = exact(65, [4, 2, 3], [5, 6]);
    for (const [axis, shape] of [
      [0, [1, 5, 6, 4, 3]],
      [1, [5, 1, 6, 4, 3]],
      [2, [5, 6, 1, 4, 3]],
      [-3, [5, 6, 1, 4, 3]],
      [-4, [5, 1, 6, 4, 3]],
      [-5, [1, 5, 6, 4, 3]],
    ] as [number, number[]][]) {
      expect(m.unsqueeze(axis).shape).toEqual(shape);
      expect(m.unsqueeze(axis).A.shape).toEqual([...shape.slice(0, -2), 4, 2]);
      expect(denseItems(m.unsqueeze(axis))).toEqual(denseItems(m));
    }
    expect(exact(66, [4, 2, 3]).unsqueeze(0).shape).toEqual([1, 4, 3]);
  });

  it('getCorner cuts the last two dimensions, and never the leading ones', () => {
    const m = exact(67, [4, 2, 5], [6, 7]);
    expect(m.getCorner().shape).toEqual([6, 7, 3, 3]);
    expect(m.getCorner(2).shape).toEqual([6, 7, 2, 2]);
    expect(m.getCorner(0).shape).toEqual([6, 7, 0, 0]);
    expect(m.getCorner(100).shape).toEqual([6, 7, 4, 5]);
    for (const index of indices([6, 7])) {
      const M = dense(m, index);
      expect(matrixAt(m.getCorner(2), index)).toEqual(M.slice(0, 2).map((row) => row.slice(0, 2)));
    }
  });
});

describe('at', () => {
  // What Python would select of one axis: [indices, keeps the axis].
  function selection(entry: Exclude<Index, null>, n: number): number[] {
    if (typeof entry === 'number') return [entry < 0 ? entry + n : entry];
    if (Array.isArray(entry)) return entry.map((i) => (i < 0 ? i + n : i));
    const { start, stop, step } = entry as Slice;
    const bound = (x: number | null, missing: number) =>
      x === null ? missing : Math.min(Math.max(x < 0 ? x + n : x, step < 0 ? -1 : 0), step < 0 ? n - 1 : n);
    const out: number[] = [];
    if (step > 0) for (let i = bound(start, 0); i < bound(stop, n); i += step) out.push(i);
    else for (let i = bound(start, n - 1); i > bound(stop, -1); i += step) out.push(i);
    return out;
  }

  /** Shape and elements of numpy's `AB[index]`, one axis at a time, with size 1 kept for an integer row or column. */
  function oracle(m: FactoredMatrix, index: readonly Index[]): { shape: number[]; values: number[] } {
    const leading = m.shape.length - 2;
    const shape: number[] = [];
    const picks: number[][] = [];
    const rest = [...index];
    while (rest[0] === null || picks.length < m.shape.length) {
      const entry = rest.length > 0 ? rest.shift()! : slice();
      if (entry === null) {
        shape.push(1);
        continue;
      }
      const picked = selection(entry, m.shape[picks.length]);
      if (typeof entry !== 'number' || picks.length >= leading) shape.push(picked.length);
      picks.push(picked);
    }
    const walk = (axis: number, at: number[]): number[] =>
      axis === picks.length
        ? [dense(m, at.slice(0, leading))[at[leading]][at[leading + 1]]]
        : picks[axis].flatMap((i) => walk(axis + 1, [...at, i]));
    return { shape, values: walk(0, []) };
  }

  function checkAt(m: FactoredMatrix, ...index: Index[]): void {
    const expected = oracle(m, index);
    const part = m.at(...index);
    expect({ index, shape: part.shape }).toEqual({ index, shape: expected.shape });
    expect(part.mdim).toBe(m.mdim);
    expect({ index, values: items(part.AB).flat(2) }).toEqual({ index, values: expected.values });
  }

  const m = exact(68, [5, 2, 4], [3, 2]);
  const one = exact(69, [5, 2, 4]);

  it.each([
    [[]],
    [[0]],
    [[-1]],
    [[1, 1]],
    [[1, -2]],
    [[null]],
    [[null, null, 0]],
    [[0, null]],
    [[0, 1, 2]],
    [[0, 1, -1, 3]],
    [[slice(), slice(), 2]],
    [[slice(1), slice(0, 1), slice(1, 4), slice(2)]],
    [[slice(null, null, -1)]],
    [[slice(null, null, -2), 0, slice(4, 0, -2), slice(-1, -4, -1)]],
    [[slice(-2, 100), slice(-100, 1)]],
    [[slice(2, 1)]],
    [[0, 0, slice(5), slice(3, 3)]],
    [[[2, 0, 0]]],
    [[[2, 0], [1]]],
    [[[2, -3], [1, 0, 1], [4, 0], [3]]],
    [[[], 0]],
    [[0, 0, [], 1]],
    [[null, slice(0, 3, 2), null, [1, 1], null, 3]],
  ] as [Index[]][])('of a batch selects as numpy does: %o', (index) => {
    checkAt(m, ...index);
  });

  it.each([
    [[]],
    [[2]],
    [[-1, -4]],
    [[slice(null, null, -1), [3, 0, 3]]],
    [[null, 1]],
    [[null, null]],
    [[[4, 1], slice(1, 3)]],
  ] as [Index[]][])('of one matrix: %o', (index) => checkAt(one, ...index));

  it('selects as numpy does, whatever the kinds and their order', () => {
    const axis = (n: number) => {
      const entry = fc.integer({ min: -n, max: n - 1 });
      const bound = fc.option(fc.integer({ min: -n - 2, max: n + 2 }));
      const step = fc.integer({ min: -3, max: 3 }).filter((s) => s !== 0);
      return fc.oneof(
        entry,
        fc.tuple(bound, bound, step).map(([start, stop, by]) => slice(start, stop, by)),
        fc.array(entry, { maxLength: 4 }),
      );
    };
    const newAxes = fc.array(fc.constant(null), { maxLength: 1 });
    const index = fc
      .tuple(newAxes, axis(3), newAxes, axis(2), newAxes, axis(5), axis(4), fc.nat({ max: 7 }))
      .map(([a, b, c, d, e, row, column, n]): Index[] => {
        const leading = [...a, b, ...c, d, ...e];
        return [...leading, row, column].slice(0, n >= 6 ? undefined : Math.min(n, leading.length));
      });
    fc.assert(
      fc.property(index, (entries) => checkAt(m, ...entries)),
      { seed: 4, numRuns: 300 },
    );
  });

  it('of a broadcast batch selects what the broadcast array has', () => {
    const broadcast = new FactoredMatrix(integerMatrix(70, [3, 1, 4, 2]), integerMatrix(71, [2, 2, 3]));
    for (const index of [
      [2, 1],
      [
        [2, 0],
        [1, 0, 1],
      ],
      [slice(null, null, -1), 0],
      [1, slice(), 3],
      [0, [1], -1, [2, 2]],
    ] as Index[][]) {
      // biome-ignore format: one case, one line
      checkAt(broadcast, ...index);
    }
  });

  it('an integer drops a leading dimension and keeps a row or column as size 1', () => {
    expect(m.at(1).shape).toEqual([2, 5, 4]);
    expect(m.at(1, 1).shape).toEqual([5, 4]);
    expect(m.at(1, 1, 3).shape).toEqual([1, 4]);
    expect(m.at(1, 1, 3, 0).shape).toEqual([1, 1]);
  });

  it('gives matrices that can be decomposed', () => {
    const part = m.at(slice(null, null, -1), 1, [4, 0, 2], slice(1));
    checkSvd({ A: part.A, B: part.B }, part.svd());
  });

  it('slice is frozen, and null bounds are the ends', () => {
    expect(slice()).toEqual({ start: null, stop: null, step: 1 });
    expect(slice(1, 5, -2)).toEqual({ start: 1, stop: 5, step: -2 });
    expect(Object.isFrozen(slice())).toBe(true);
  });
});

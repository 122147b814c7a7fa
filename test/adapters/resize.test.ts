import { describe, expect, test } from 'vitest';
import type { Keep } from '../../lib/adapters/index.ts';
import { openAdapter, resize, writeAdapter } from '../../lib/adapters/index.ts';
import { epsilon } from '../../lib/array/tensor.ts';
import { svd } from '../../lib/index.ts';
import { adapterOf, formed, normOfSum, randomAdapter, spectralAdapter } from '../support/adapters.ts';
import { array, dtypes, randomProduct } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

const shapes = { a: [12, 6, 9], b: [12, 6, 9], c: [5, 8, 20], d: [30, 3, 4], e: [12, 6, 9] } as const;

describe('resize', () => {
  test.each(dtypes)('leaves what no other matrix of that rank leaves less of, in %s', async (dtype) => {
    const before = randomAdapter(1, shapes, dtype);
    const { adapter, report } = await resize(before, { rank: 3 });
    expect([...adapter.modules.keys()]).toEqual(Object.keys(shapes));
    expect([...report.keys()]).toEqual(Object.keys(shapes));
    for (const [name, [, rankBefore]] of Object.entries(shapes)) {
      const M = formed(before.modules.get(name)!);
      const { S } = svd(M);
      const norm = normOfSum([M], [1]);
      const lost = Math.hypot(...S.data.subarray(3));
      const left = normOfSum([M, formed(adapter.modules.get(name)!)], [1, -1]);
      const rounding = 50 * epsilon(dtype) * norm;
      expect(Math.abs(left - lost)).toBeLessThanOrEqual(rounding);
      const found = report.get(name)!;
      expect(found).toMatchObject({ rankBefore, rank: 3 });
      expect(Math.abs(found.error * norm - lost)).toBeLessThanOrEqual(rounding);
      expect(Math.abs(found.retained ** 2 + found.error ** 2 - 1)).toBeLessThanOrEqual(1e-12);
      expect(Math.abs(found.sigma - S.get(0))).toBeLessThanOrEqual(rounding);
      expect(Math.abs(found.norm - norm)).toBeLessThanOrEqual(rounding);
      expect(adapter.info.get(name)).toMatchObject({ rank: 3, alpha: 3, scale: 1, dtype: 'float32' });
      expect(adapter.modules.get(name)!.A.dtype).toBe(dtype);
    }
  });

  test('a rank that a module does not have leaves it as it is', async () => {
    const before = randomAdapter(2, shapes);
    const { adapter, report } = await resize(before, { rank: 100 });
    for (const [name, matrix] of before.modules) {
      const norm = normOfSum([formed(matrix)], [1]);
      const left = normOfSum([formed(matrix), formed(adapter.modules.get(name)!)], [1, -1]);
      expect(left).toBeLessThanOrEqual(100 * epsilon('float64') * norm);
      expect(report.get(name)!.rank).toBe(Math.min(...shapes[name as keyof typeof shapes]));
    }
  });

  test('modules computed together have the bits of each alone; inputs stay as they are', async () => {
    const many = randomAdapter(3, shapes, 'float32');
    const copies = [...many.modules.values()].map(({ A, B }) => [A.data.slice(), B.data.slice()]);
    const together = await resize(many, { rank: 2 });
    for (const [i, [name, { A, B }]] of [...many.modules].entries()) {
      const alone = await resize(adapterOf({ [name]: { A, B } }), { rank: 2 });
      expect(together.adapter.modules.get(name)!.A.data).toEqual(alone.adapter.modules.get(name)!.A.data);
      expect(together.adapter.modules.get(name)!.B.data).toEqual(alone.adapter.modules.get(name)!.B.data);
      expect(together.report.get(name)).toEqual(alone.report.get(name));
      expect([A.data, B.data]).toEqual(copies[i]);
    }
  });

  test('takes 16-bit floats, transposed views and a batch that is larger than one block', async () => {
    const { A, B } = randomProduct(9, [6, 2, 5], 'float32');
    const bits = (x: Float32Array) => new Uint16Array(x.buffer.slice(0)).filter((_, i) => i % 2 === 1);
    const half = (x: typeof A) => ({ data: bits(x.data as Float32Array), shape: x.shape, dtype: 'bfloat16' });
    const modules: Record<string, object> = {};
    for (let i = 0; i < 1100; i++) modules[`m${i}`] = { A: half(A), B: half(B) };
    modules.t = { A: B.transpose(1, 0), B: A.transpose(1, 0) };
    const { adapter, report } = await resize(adapterOf(modules as never), { rank: 1 });
    expect(report.size).toBe(1101);
    const firsts = new Set([...report].slice(0, 1100).map(([, { error }]) => error));
    expect(firsts.size).toBe(1);
    expect(adapter.modules.get('t')!.shape).toEqual([5, 6]);
    expect(Math.abs(report.get('t')!.error - [...firsts][0])).toBeLessThan(0.02);
  });

  test('what it makes is written as it is, not decomposed again, and with split up has rows of length 1', async () => {
    const { adapter } = await resize(randomAdapter(11, shapes), { rank: 2 });
    for (const split of ['even', 'up'] as const) {
      await writeAdapter(at('out'), adapter, { split, dtype: 'float64' });
      const again = await openAdapter(at('out'));
      for (const [name, matrix] of adapter.modules) {
        const { A, B } = again.modules.get(name)!;
        if (split === 'even') expect([A.data, B.data]).toEqual([matrix.A.data, matrix.B.data]);
        for (let i = 0; i < 2 && split === 'up'; i++)
          expect(Math.hypot(...B.data.subarray(i * B.shape[1], (i + 1) * B.shape[1]))).toBeCloseTo(1, 12);
        const left = normOfSum([formed(matrix), formed({ A, B })], [1, -1]);
        expect(left).toBeLessThanOrEqual(50 * epsilon('float64') * normOfSum([formed(matrix)], [1]));
      }
    }
  });

  test('a module of zeros keeps one triplet and has no error', async () => {
    const zero = { A: array(new Array(6).fill(0), [3, 2]), B: array([1, 2, 3, 4], [2, 2]) };
    for (const keep of [{ rank: 2 }, { fro: 0.9 }, { ratio: 10 }, { cumulative: 1 }, { energy: 0 }]) {
      const { report } = await resize(adapterOf({ zero }), keep);
      expect(report.get('zero')).toMatchObject({ norm: 0, sigma: 0, error: 0, retained: 1 });
      expect(report.get('zero')!.rank).toBe('rank' in keep ? 2 : 1);
    }
  });

  test('one rule or a rank, of their kinds', async () => {
    const adapter = spectralAdapter(4, 5, 5, [3, 2, 1]);
    const wrong: object[] = [
      {},
      { rank: 0 },
      { rank: 1.5 },
      { ratio: 0.5 },
      { fro: 2 },
      { cumulative: Number.NaN },
      { fro: 0.5, energy: 0.5 },
      { rang: 3 },
      { rank: 2, sv_ratio: 4 },
    ];
    for (const options of wrong)
      await expect(resize(adapter, options as Keep)).rejects.toMatchObject({ code: 'ERR_SVD_ARGUMENT' });
    await expect(resize({} as never, { rank: 1 })).rejects.toThrow(/expected an Adapter/);
    await expect((resize as CallableFunction)(adapter)).rejects.toThrow(/expected rank or one of/);
  });

  test('NaN is named with its module; an abort rejects with its reason; progress counts modules', async () => {
    const bad = randomProduct(5, [12, 6, 9]);
    bad.B.set(2, 3, Number.NaN);
    const good = randomProduct(6, [12, 6, 9]);
    await expect(resize(adapterOf({ good, bad }), { rank: 1 })).rejects.toMatchObject({
      code: 'ERR_SVD_NON_FINITE',
      message: expect.stringContaining('module "bad"'),
    });
    const reason = new Error('enough');
    await expect(resize(adapterOf({ good }), { rank: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const told: number[] = [];
    await resize(randomAdapter(7, shapes), { rank: 1, onProgress: ({ done }) => told.push(done) });
    expect(told.at(-1)).toBe(5);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });
});

describe('the rules of kohya', () => {
  // σ = 8, 4, 2, 1, 1: sums 8, 12, 14, 15, 16; squares 64, 80, 84, 85, 86. All exact.
  const adapter = spectralAdapter(8, 9, 7, [8, 4, 2, 1, 1]);
  const cases: [Keep, number][] = [
    [{ ratio: 1 }, 1],
    [{ ratio: 2.01 }, 2],
    [{ ratio: 5 }, 3],
    [{ ratio: 1.5 }, 1],
    [{ ratio: 100 }, 5],
    [{ cumulative: 0.49 }, 1],
    [{ cumulative: 0.74 }, 2],
    [{ cumulative: 0.76 }, 3],
    [{ cumulative: 0.93 }, 4],
    [{ cumulative: 1 }, 5],
    [{ cumulative: 0 }, 1],
    [{ energy: 64.1 / 86 }, 2],
    [{ energy: 79.9 / 86 }, 2],
    [{ energy: 80.1 / 86 }, 3],
    [{ fro: Math.sqrt(63.9 / 86) }, 1],
    [{ fro: Math.sqrt(84.1 / 86) }, 4],
    [{ fro: 1 }, 5],
    [{ fro: 1, rank: 3 }, 3],
    [{ ratio: 2.01, rank: 3 }, 2],
  ];
  test.each(cases)('%o keeps %i', async (keep, rank) => {
    const { report } = await resize(adapter, keep);
    expect(report.get('m')!.rank).toBe(rank);
  });

  test('count the fewest that do, of random spectra: one less does not', async () => {
    const before = randomAdapter(10, { a: [20, 12, 15], b: [12, 9, 40], c: [16, 10, 16] });
    for (const share of [0.3, 0.6, 0.9, 0.99])
      for (const rule of ['cumulative', 'fro', 'energy'] as const) {
        const { report } = await resize(before, { [rule]: share });
        for (const [name, { rank }] of report) {
          const S = [...svd(formed(before.modules.get(name)!)).S.data];
          const power = rule === 'cumulative' ? 1 : 2;
          const sum = (n: number) => S.slice(0, n).reduce((total, s) => total + s ** power, 0);
          const held = (n: number) => (sum(n) / sum(S.length)) ** (rule === 'fro' ? 0.5 : 1);
          expect(held(rank)).toBeGreaterThanOrEqual(share);
          expect(held(rank - 1)).toBeLessThan(share);
        }
      }
  });
});

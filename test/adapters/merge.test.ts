import { describe, expect, test } from 'vitest';
import { Adapter, infoOf } from '../../lib/adapters/adapter.ts';
import { mergeAdapters, resize } from '../../lib/adapters/index.ts';
import { epsilon } from '../../lib/array/tensor.ts';
import { svd } from '../../lib/index.ts';
import { adapterOf, formed, normOfSum, randomAdapter } from '../support/adapters.ts';
import { dtypes, randomProduct } from '../support/matrices.ts';

describe('mergeAdapters', () => {
  const shapes = { a: [14, 4, 11], b: [8, 2, 20], only: [6, 3, 6] } as const;
  const others = { b: [8, 5, 20], a: [14, 3, 11] } as const;

  test.each(dtypes)('is the weighted sum, without a rank exactly, in %s', async (dtype) => {
    const [p, q] = [randomAdapter(1, shapes, dtype), randomAdapter(2, others, dtype)];
    const weights = [0.75, -2];
    const { adapter, report } = await mergeAdapters([p, q], weights);
    expect([...adapter.modules.keys()]).toEqual(['a', 'b', 'only']);
    const ranks = { a: 7, b: 7, only: 3 };
    for (const [name, matrix] of adapter.modules) {
      const parts = [p, q].flatMap((x, i) =>
        x.modules.has(name) ? [{ M: formed(x.modules.get(name)!), w: weights[i] }] : [],
      );
      const terms = parts.map(({ M }) => M);
      const ws = parts.map(({ w }) => w);
      const left = normOfSum([...terms, formed(matrix)], [...ws, -1]);
      const scale = terms.reduce((sum, M, i) => sum + Math.abs(ws[i]) * normOfSum([M], [1]), 0);
      expect(left).toBeLessThanOrEqual(50 * epsilon(dtype) * scale);
      expect(report.get(name)).toMatchObject({
        rank: ranks[name as keyof typeof ranks],
        rankBefore: ranks[name as keyof typeof ranks],
      });
      expect(report.get(name)!.error).toBeLessThanOrEqual(50 * epsilon(dtype));
    }
  });

  test('with a rank: the best approximation of the sum', async () => {
    const [p, q] = [randomAdapter(3, shapes), randomAdapter(4, others)];
    const { adapter, report } = await mergeAdapters([p, q], [1, 0.5], { rank: 2 });
    const M = formed(p.modules.get('a')!).map((row, i) =>
      row.map((x, j) => x + 0.5 * formed(q.modules.get('a')!)[i][j]),
    );
    const { S } = svd(M);
    const lost = Math.hypot(...S.data.subarray(2));
    expect(normOfSum([M, formed(adapter.modules.get('a')!)], [1, -1])).toBeCloseTo(lost, 12);
    expect(report.get('a')!.error).toBeCloseTo(lost / normOfSum([M], [1]), 12);
    expect(adapter.info.get('a')).toMatchObject({ rank: 2, alpha: 2, scale: 1 });
  });

  test('what cancels is no rank: the same adapter twice, and against itself', async () => {
    const p = randomAdapter(5, shapes);
    const twice = await mergeAdapters([p, p], [0.5, 0.5]);
    for (const [name, { rank }] of twice.report) expect(rank).toBe(p.info.get(name)!.rank);
    const none = await mergeAdapters([p, p], [1, -1]);
    for (const [name, report] of none.report) {
      expect(report).toMatchObject({ rank: 1, norm: 0, error: 0 });
      expect(normOfSum([formed(none.adapter.modules.get(name)!)], [1])).toBe(0);
    }
    // The same products by other factors differ by the rounding of the terms, which is nothing of the sum.
    const { adapter: q } = await resize(p, { rank: 9 });
    const { report } = await mergeAdapters([p, q], [1000, -1000]);
    for (const name of ['a', 'b']) expect(report.get(name)!.norm).toBeLessThan(1e-9);
    const small = await mergeAdapters([p, q], [1, -1 + 1e-9]);
    for (const name of ['a', 'b']) {
      const norm = normOfSum([formed(p.modules.get(name)!)], [1]);
      expect(small.report.get(name)!.norm / norm / 1e-9).toBeCloseTo(1, 4); // small, and no rounding
      expect(small.report.get(name)!.error).toBeLessThan(1e-4);
    }
  });

  test('the config names the whole tensors of all', async () => {
    const tensor = { data: Float32Array.of(1), shape: [1], dtype: 'float32' } as const;
    const withWhole = (config: object, replaced: string[]) =>
      new Adapter({
        format: 'peft',
        config: { ...config },
        replaced: replaced.map((name) => [name, tensor]),
        modules: [...randomAdapter(1, shapes).modules].map(([name, matrix]) => [
          name,
          { matrix, info: infoOf(matrix) },
        ]),
      });
    const none = withWhole({ r: 3, modules_to_save: null, bias: 'none' }, []);
    const score = withWhole({ modules_to_save: ['score'], bias: 'all' }, ['score.weight', 'q.bias']);
    const head = withWhole({ modules_to_save: ['head'] }, ['head.weight']);
    const { adapter } = await mergeAdapters([none, score, head], [1, 1, 0]);
    expect(adapter.config).toEqual({ r: 3, modules_to_save: ['score', 'head'], bias: 'all' });
    expect([...adapter.replaced.keys()]).toEqual(['score.weight', 'q.bias', 'head.weight']);
    expect((await mergeAdapters([none, none], [1, 1])).adapter.config).toEqual(none.config);
  });

  test('a module that only one has as [in, out] is said to be that', async () => {
    const [p] = [randomAdapter(1, { a: [6, 2, 6] })];
    const matrix = p.modules.get('a')!;
    const q = new Adapter({
      format: 'peft',
      modules: [['a', { matrix, info: infoOf(matrix, { transposed: true }) }]],
    });
    await expect(mergeAdapters([p, q], [1, 1])).rejects.toThrow(/module "a".*\[in, out\].*fan_in_fan_out/);
  });

  test('shapes, formats and weights are checked before any work', async () => {
    const [p, q] = [randomAdapter(6, shapes), randomAdapter(7, { a: [14, 3, 12] })];
    await expect(mergeAdapters([p, q], [1, 1])).rejects.toMatchObject({
      code: 'ERR_SVD_SHAPE',
      message: expect.stringMatching(/module "a".*\[14, 11\] and \[14, 12\]/),
    });
    const kohya = new Adapter({ format: 'kohya', modules: [] });
    const wrong: [unknown, unknown, object?][] = [
      [[p, p], [1]],
      [[p], 1],
      [[p], ['1']],
      [[p], [Number.NaN]],
      [[p], [Infinity]],
      [[], []],
      [p, [1]],
      [
        [p, {}],
        [1, 1],
      ],
      [
        [p, kohya],
        [1, 1],
      ],
      [[p], [1], { rank: 0 }],
      [[p], [1], { fro: 0.5, energy: 0.5 }],
      [[p], [1], { density: 0.5 }],
    ];
    for (const [adapters, weights, options] of wrong)
      await expect(mergeAdapters(adapters as never, weights as never, options)).rejects.toMatchObject({
        code: 'ERR_SVD_ARGUMENT',
      });
  });

  test('what overflows or is not finite is named with its module', async () => {
    const bad = randomProduct(8, [4, 2, 4], 'float32');
    await expect(mergeAdapters([adapterOf({ bad })], [1e300])).rejects.toMatchObject({
      message: expect.stringContaining('module "bad"'),
    });
    bad.A.set(1, 1, -Infinity);
    await expect(mergeAdapters([adapterOf({ bad })], [1])).rejects.toMatchObject({
      code: 'ERR_SVD_NON_FINITE',
      message: expect.stringContaining('module "bad"'),
    });
  });
});

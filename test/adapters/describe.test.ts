import { describe, expect, it } from 'vitest';
import { Adapter, infoOf } from '../../lib/adapters/adapter.ts';
import { describeAdapter } from '../../lib/adapters/index.ts';
import { FactoredMatrix } from '../../lib/index.ts';

const of = (matrix: FactoredMatrix) =>
  new Adapter({ format: 'kohya', modules: [['m', { matrix, info: infoOf(matrix) }]] });

describe('describeAdapter', () => {
  it('says what a diagonal module is', async () => {
    // diag(4, 2, 0) in three rows and four columns
    const matrix = new FactoredMatrix(
      [
        [2, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
      ],
      [
        [2, 0, 0, 0],
        [0, 2, 0, 0],
        [0, 0, 3, 0],
      ],
    );
    const module = (await describeAdapter(of(matrix))).get('m')!;
    expect(module).toMatchObject({ rank: 3, scale: 1, weightShape: [3, 4], numericalRank: 2, sigma: 4 });
    expect(Array.from(module.S)).toEqual([4, 2, 0]);
    expect(module.norm).toBeCloseTo(Math.sqrt(20), 14);
    expect(module.stableRank).toBeCloseTo(20 / 16, 14);
    expect(module.effectiveRank).toBeCloseTo(Math.exp(-(0.8 * Math.log(0.8) + 0.2 * Math.log(0.2))), 14);
    expect(module.energyRanks).toEqual([2, 2]); // the first has 80 %
  });

  it('says it of a module of zeros', async () => {
    const module = (await describeAdapter(of(new FactoredMatrix([[0], [0]], [[1, 2]])))).get('m')!;
    expect(module).toMatchObject({ norm: 0, sigma: 0, numericalRank: 0, effectiveRank: 0, stableRank: 0 });
  });

  it('tells how far it is, and stops', async () => {
    const adapter = of(new FactoredMatrix([[1]], [[1]]));
    const seen: unknown[] = [];
    await describeAdapter(adapter, { onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([{ done: 1, total: 1 }]);
    const reason = new Error('enough');
    await expect(describeAdapter(adapter, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(describeAdapter({} as Adapter)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SVD_ARGUMENT' }),
    );
  });
});

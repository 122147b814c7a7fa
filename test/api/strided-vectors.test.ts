import { describe, expect, it } from 'vitest';
import { FactoredMatrix, slice } from '../../lib/index.ts';
import { bits } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

// A single row or column can lie in many ways that mean the same, and a copy of it lies in another one.

describe('a factor that is one row or one column of another matrix', () => {
  const cases = [1, 2, 3].flatMap((l) =>
    [2, 7, 17, 40].flatMap((k) => [1, 2].map((r) => [l, k, r] as const)),
  );

  it.each(cases)(
    '%d×%d×%d: svd, svdvals and norm have the same bits as off the event loop',
    async (l, k, r) => {
      const make = () => [
        new FactoredMatrix(randomMatrix(1, [l, k]), randomMatrix(2, [k, r + 3])).at(slice(), slice(0, r)),
        new FactoredMatrix(randomMatrix(3, [l + 2, k]), randomMatrix(4, [k, r])).at(slice(0, l, 1), slice()),
        new FactoredMatrix(
          { data: randomMatrix(5, [5 * l, 5 * k]).data, shape: [l, k], stride: [1, 5] },
          { data: randomMatrix(6, [k, 3 * r]).data, shape: [k, r], stride: [3 * r, 1] },
        ),
        new FactoredMatrix(randomMatrix(7, [r, k]), randomMatrix(8, [k, l])).T,
      ];
      for (const [i, M] of make().entries()) {
        const N = make()[i];
        const [async, sync] = [await M.svdAsync(), N.svd()];
        for (const name of ['U', 'S', 'Vh'] as const) expect(bits(async[name])).toBe(bits(sync[name]));
        expect(bits(await make()[i].svdvalsAsync())).toBe(bits(make()[i].svdvals()));
        for (const ord of ['fro', 'nuc', 2] as const)
          expect(await make()[i].normAsync(ord)).toBe(make()[i].norm(ord));
      }
    },
  );
});

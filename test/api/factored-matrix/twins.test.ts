import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { FactoredMatrix, type PerMatrix, transpose } from '../../../lib/index.ts';
import { bits, dtypeOf } from '../../support/checks.ts';
import { factored, items } from '../../support/factored.ts';
import { array, randomMatrix } from '../../support/matrices.ts';

describe('every Async twin gives what its synchronous form gives', () => {
  const result = (x: unknown): unknown => {
    if (typeof x === 'number') return x;
    if (x instanceof FactoredMatrix) return [bits(ndarrayOf(x.A)), bits(ndarrayOf(x.B))];
    if (x !== null && typeof x === 'object' && 'data' in x) return bits(x as Tensor);
    return Object.fromEntries(
      Object.entries(x as object)
        .filter(([, v]) => v?.data)
        .map(([key, v]) => [key, bits(v)]),
    );
  };
  const ndarrayOf = (x: Tensor): Tensor => array(items(x).flat(2), x.shape, dtypeOf(x));
  const twins: Record<string, [(m: FactoredMatrix) => unknown, (m: FactoredMatrix) => Promise<unknown>]> = {
    svd: [(m) => m.svd(), (m) => m.svdAsync()],
    'three-svd': [(m) => m.svd({ algorithm: 'three-svd' }), (m) => m.svdAsync({ algorithm: 'three-svd' })],
    svdvals: [(m) => m.svdvals(), (m) => m.svdvalsAsync()],
    svdLegacy: [(m) => m.svdLegacy(), (m) => m.svdLegacyAsync()],
    norm: [(m) => m.norm(), (m) => m.normAsync()],
    rank: [(m) => m.rank(), (m) => m.rankAsync()],
    'rank with tol': [(m) => m.rank({ tol: 0.5 }), (m) => m.rankAsync({ tol: 0.5 })],
    cond: [(m) => m.cond(), (m) => m.condAsync()],
    pinv: [(m) => m.pinv(), (m) => m.pinvAsync()],
    'pinv with tol': [(m) => m.pinv({ tol: 0.5 }), (m) => m.pinvAsync({ tol: 0.5 })],
    eigenvalues: [(m) => m.eigenvalues(), (m) => m.eigenvaluesAsync()],
    makeEven: [(m) => m.makeEven(), (m) => m.makeEvenAsync()],
    collapseL: [(m) => m.collapseL(), (m) => m.collapseLAsync()],
    collapseR: [(m) => m.collapseR(), (m) => m.collapseRAsync()],
    truncate: [(m) => m.truncate(2), (m) => m.truncateAsync(2)],
  };
  const makers: [string, () => FactoredMatrix][] = [
    ['float64', () => factored(72, [6, 3, 6])],
    ['float32', () => factored(73, [6, 3, 6], 'float32')],
    ['a batch', () => factored(74, [5, 3, 5], 'float64', [2, 3])],
    [
      'views, broadcast',
      () =>
        new FactoredMatrix(
          transpose(randomMatrix(75, [2, 1, 3, 5])),
          randomMatrix(76, [4, 6, 5]).step(1, -2, 1),
        ),
    ],
    ['inner dimension largest', () => factored(77, [4, 7, 4])],
  ];
  const cases = makers.flatMap(([kind, make]) =>
    Object.entries(twins).map(([name, twin]) => ({ kind, make, name, twin })),
  );

  it.each(cases)('$name of $kind, bit for bit', async ({ make, twin: [sync, async] }) => {
    const expected = result(sync(make()));
    expect(result(await async(make()))).toEqual(expected); // computed
    const known = make();
    known.svd();
    expect(result(await async(known))).toEqual(result(sync(known))); // from the cache, where it has one
  });

  it('none is missing: every Async member has a synchronous one and is tested here', () => {
    const members = Object.getOwnPropertyNames(FactoredMatrix.prototype).filter((name) =>
      name.endsWith('Async'),
    );
    expect(members.map((name) => name.slice(0, -5)).sort()).toEqual(
      Object.keys(twins).filter((name) => name in FactoredMatrix.prototype).sort(), // biome-ignore format: two lists
    );
  });

  it('result() tells matrices apart', () => {
    const [x, y] = [factored(78, [3, 2, 3]), factored(79, [3, 2, 3])];
    expect(result(x)).not.toEqual(result(y));
    expect(result(x.svd())).not.toEqual(result(y.svd()));
    expect(result(x.eigenvalues())).not.toEqual(result(y.eigenvalues()));
    expect(result(x.norm() as PerMatrix)).not.toEqual(result(y.norm()));
  });
});

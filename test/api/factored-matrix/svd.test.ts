import { describe, expect, it } from 'vitest';
import { FactoredMatrix, transpose } from '../../../lib/index.ts';
import {
  allBits,
  bits,
  checkArray,
  checkSameSpectrum,
  checkSvd,
  matrixAt,
  transposeRows,
} from '../../support/checks.ts';
import { factored } from '../../support/factored.ts';
import { randomProduct } from '../../support/matrices.ts';

describe('svd', () => {
  it('of a batch with broadcast leading dimensions is that of every item', () => {
    const { A } = randomProduct(13, [6, 3, 5], 'float64', [2, 1]);
    const { B } = randomProduct(14, [6, 3, 5], 'float64', [3]);
    const m = new FactoredMatrix(A, B);
    checkSvd({ A, B }, m.svd());
    expect(m.S.shape).toEqual([2, 3, 3]);
  });

  it('has the same bits on every call and from every member', () => {
    const m = factored(15, [6, 3, 5]);
    const result = allBits(m.svd());
    expect(allBits(m.svd())).toEqual(result);
    expect(allBits(m.svd({}))).toEqual(result);
    expect(allBits(m.svd({ algorithm: 'product' }))).toEqual(result);
    expect(allBits([m.U, m.S, m.Vh])).toEqual(result);
    expect(m.V).toEqual(m.V);
    expect(m.svdvals()).toEqual(m.svd().S);
  });

  it('svdvals is computed once, and equal to S within the bound', () => {
    const m = factored(16, [6, 3, 5]);
    const alone = m.svdvals();
    const { S, bound } = m.svd();
    checkSameSpectrum('float64', alone.data, S.data, bound as number, bound as number);
    expect(m.svdvals()).toEqual(alone);
  });

  it('an asynchronous result has the same bits, also of calls that overlap', async () => {
    const m = factored(17, [6, 3, 5]);
    const [first, second] = await Promise.all([m.svdAsync(), m.svdAsync()]);
    expect(allBits(second)).toEqual(allBits(first));
    expect(allBits(m.svd())).toEqual(allBits(first));
    expect(allBits(await m.svdAsync())).toEqual(allBits(first));
    const n = factored(17, [6, 3, 5]);
    const [s, t] = await Promise.all([n.svdvalsAsync(), n.svdvalsAsync()]);
    expect(t).toEqual(s);
    expect(n.svdvals()).toEqual(s);
    const o = factored(17, [6, 3, 5]);
    const result = o.svd();
    expect(allBits(await o.svdAsync())).toEqual(allBits(result));
    expect(await o.svdvalsAsync()).toEqual(result.S);
  });

  it('a synchronous call while an asynchronous one runs has the same bits', async () => {
    const m = factored(18, [6, 3, 5]);
    const promise = m.svdAsync();
    const now = m.svd();
    expect(allBits(await promise)).toEqual(allBits(now));
    expect(allBits(m.svd())).toEqual(allBits(now));
  });

  it('three-svd is computed on every call, and never cached', async () => {
    const m = factored(19, [6, 3, 5]);
    const three = m.svd({ algorithm: 'three-svd' });
    expect(three.driver).toBe('three-svd');
    checkSvd({ A: m.A, B: m.B }, three);
    expect(m.svd({ algorithm: 'three-svd' })).not.toBe(three);
    expect(allBits(await m.svdAsync({ algorithm: 'three-svd' }))).toEqual(allBits(three));
    expect(m.svd()).not.toBe(three);
    expect(m.svd().driver).not.toBe('three-svd');
    expect(m.svd({ algorithm: 'three-svd' }).driver).toBe('three-svd');
  });

  it('Vh is Vᵀ: V has the right singular vectors as columns', () => {
    const m = factored(20, [6, 3, 5], 'float64', [2]);
    expect(m.Vh.shape).toEqual([2, 3, 5]);
    checkArray(m.V, [2, 5, 3], 'float64', 'V');
    for (const i of [0, 1]) expect(matrixAt(m.V, [i])).toEqual(transposeRows(matrixAt(m.Vh, [i])));
    const VhInPlaceOfV = { U: m.U, S: m.S, Vh: transpose(m.Vh) };
    expect(() => checkSvd({ A: m.A, B: m.B }, VhInPlaceOfV)).toThrow();
  });

  it('svdLegacy is { U, S, V } of the same decomposition', () => {
    const m = factored(21, [6, 3, 5]);
    const legacy = m.svdLegacy();
    expect(bits(legacy.U)).toBe(bits(m.U));
    expect(bits(legacy.S)).toBe(bits(m.S));
    expect(bits(legacy.V)).toBe(bits(m.V));
    expect('Vh' in legacy).toBe(false);
  });

  it('leaves the factors as they were', () => {
    const { A, B } = randomProduct(22, [6, 3, 6]);
    const before = [bits(A), bits(B)];
    const m = new FactoredMatrix(A, B);
    m.svd();
    m.svdvals();
    m.norm();
    m.eigenvalues();
    m.pinv();
    m.mul(2);
    m.makeEven();
    m.truncate(1);
    m.matmul(m);
    m.svd({ algorithm: 'three-svd' });
    expect([bits(A), bits(B)]).toEqual(before);
  });
});

import { describe, expect, it } from 'vitest';
import { FactoredMatrix, matmul, svd, svdAsync } from '../../lib/index.ts';
import { checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { randomProduct } from '../support/matrices.ts';

const M = () => new FactoredMatrix([[1], [2]], [[3]]);

const invalid = <T>(x: unknown) => x as T;

function revoked(target: object) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe('indices of `at`', () => {
  it.each([
    ['an array with a hole', Object.assign(new Array(2), { 1: 1 })],
    ['an array of holes', new Array(1e9)],
    ['undefined', undefined],
    ['a revoked proxy', revoked([0])],
  ])('%s is refused at once', (_, index) => {
    checkError(
      errorOf(() => M().at(invalid(index))),
      'ERR_SVD_ARGUMENT',
    );
  });
});

describe('what the comparison algorithm does not do is refused', () => {
  const { A, B } = randomProduct(1, [6, 3, 5]);
  it.each([[{ rank: 1 }], [{ onError: 'collect' }]] as const)('%o', async (options) => {
    const product = new FactoredMatrix(A, B);
    const all = { algorithm: 'three-svd', ...options } as const;
    checkError(
      errorOf(() => product.svd(all)),
      'ERR_SVD_ARGUMENT',
      'three-svd',
    );
    checkError(await rejectionOf(product.svdAsync(all)), 'ERR_SVD_ARGUMENT', 'three-svd');
  });
});

describe('revoked proxies have a code', () => {
  it('FactoredMatrix.from', () => {
    checkError(
      errorOf(() => FactoredMatrix.from(revoked({}) as FactoredMatrix)),
      'ERR_SVD_ARGUMENT',
    );
  });
  it('a signal', async () => {
    const options = { signal: invalid<AbortSignal>(revoked({})) };
    checkError(await rejectionOf(svdAsync([[1]], options)), 'ERR_SVD_ARGUMENT', 'signal');
  });
});

describe('more matrices than there can be numbers', () => {
  const repeated = (rows: number, cols: number) => ({
    data: Float64Array.of(1),
    shape: [2 ** 40, rows, cols],
    stride: [0, 1, 1],
  });
  const factored = (k: number) =>
    new FactoredMatrix(repeated(1, k), { data: new Float64Array(k), shape: [k, 1] });
  it.each([
    ['norm', () => factored(1).norm()],
    ['svd, no rows', () => svd(repeated(0, 1))],
    ['svd, no inner dimension', () => factored(0).svd()],
    ['cond, no inner dimension', () => factored(0).cond()],
    ['eigenvalues, no inner dimension', () => factored(0).eigenvalues()],
    ['rank, no rows', () => new FactoredMatrix(repeated(0, 1), [[1]]).rank()],
  ] as [string, () => unknown][])('%s: an error with `bytes`', (_, f) => {
    const error = errorOf(f);
    checkError(error, 'ERR_SVD_TOO_LARGE');
    expect(error.bytes).toBeGreaterThan(2 ** 31);
  });
});

describe('an empty batch of matrices that could not be there', () => {
  const none = (rows: number, cols: number) => ({ data: new Float64Array(0), shape: [0, rows, cols] });
  it('has a product', () => {
    expect((matmul(none(2 ** 30, 3), none(3, 2 ** 30)) as { shape: number[] }).shape).toEqual([
      0,
      2 ** 30,
      2 ** 30,
    ]);
  });
});

describe('`next` of truncated decompositions', () => {
  it.each([0, 1, 2])('is NaN for the matrices that failed: %d of two', (failing) => {
    const A = new Float64Array(12).map((_, i) => (i < 6 * failing ? Number.NaN : Math.sin(i)));
    const M = new FactoredMatrix({ data: A, shape: [2, 3, 2] }, [
      [1, 2, 3],
      [4, 5, 7],
    ]);
    const { next } = M.svd({ rank: 1, onError: 'collect' });
    expect(Array.from((next as { data: Float64Array }).data, Number.isNaN)).toEqual([
      failing > 0,
      failing > 1,
    ]);
  });
});

// Dimensions of 0: thin shapes with 0, and LAPACK is not asked.
import { diagEmbed, dist, FactoredMatrix, matmul, svd, svdAsync, svdvals } from '../../../dist/index.js';
import { check } from './support.mjs';

const empty = (...shape) => ({ data: new Float64Array(0), shape });
const same = (x, shape, what) =>
  check(String(x.shape) === String(shape), `${what} is ${shape}, not ${x.shape}`);
const isIdentity = ({ data }, n) => data.every((x, i) => x === (i % (n + 1) === 0 ? 1 : 0));

for (const [m, n] of [
  [0, 0],
  [0, 4],
  [4, 0],
]) {
  for (const leading of [[], [2], [0], [3, 0]]) {
    const M = empty(...leading, m, n);
    const what = `[${M.shape}]`;
    for (const { U, S, Vh } of [svd(M), await svdAsync(M)]) {
      same(U, [...leading, m, 0], `U of ${what}`);
      same(S, [...leading, 0], `S of ${what}`);
      same(Vh, [...leading, 0, n], `Vh of ${what}`);
    }
    same(svdvals(M), [...leading, 0], `singular values of ${what}`);
    const full = svd(M, { fullMatrices: true });
    same(full.U, [...leading, m, m], `full U of ${what}`);
    same(full.Vh, [...leading, n, n], `full Vh of ${what}`);
    if (leading.length === 0)
      check(isIdentity(full.U, m) && isIdentity(full.Vh, n), `full U and Vh of ${what}`);
  }
}

for (const [l, k, r] of [
  [0, 2, 3],
  [3, 2, 0],
  [3, 0, 2],
  [0, 0, 0],
  [0, 3, 0],
  [2100, 0, 5],
]) {
  const [A, B] = [new Float64Array(l * k), new Float64Array(k * r)];
  const m = new FactoredMatrix({ data: A, shape: [l, k] }, { data: B, shape: [k, r] });
  const what = `${l}×${k}·${k}×${r}`;
  for (const { U, S, Vh, bound } of [m.svd(), await m.svdAsync(), m.svd({ algorithm: 'three-svd' })]) {
    same(U, [l, 0], `U of ${what}`);
    same(S, [0], `S of ${what}`);
    same(Vh, [0, r], `Vh of ${what}`);
    check(bound === 0, `bound of ${what} is 0`);
  }
  check(m.norm() === 0 && m.rank() === 0, `norm and rank of ${what} are 0`);
  check(dist(m, m) === 0, `${what} is at distance 0 from itself`);
  same(m.AB, [l, r], `AB of ${what}`);
  check(
    m.AB.data.every((x) => x === 0),
    `AB of ${what} is 0`,
  );
  same(m.pinv(), [r, l], `pinv of ${what}`);
  same(matmul(m, m.T), [l, l], `${what} times its transpose`);
  if (l === r) same(m.eigenvalues().real, [k], `eigenvalues of ${what}`);
}
same(diagEmbed([[], []]), [2, 0, 0], 'diagEmbed of two empty vectors');

// Elements at both ends of what the types hold: right answers where the answer can be written down, else an error.
import { FactoredMatrix, svd, svdvals } from '../../../dist/index.js';
import { validSvd } from '../../../dist/testing.js';
import { check, fails, matrix, repeated } from './support.mjs';

const types = [
  { type: Float32Array, most: 3.4028234663852886e38, least: 2 ** -149, normal: 2 ** -126 },
  { type: Float64Array, most: Number.MAX_VALUE, least: Number.MIN_VALUE, normal: 2 ** -1022 },
];
const shapes = [
  [1, 1],
  [5, 5],
  [40, 7],
  [7, 40],
  [2, 4, 3],
];

function valid(result, M, what) {
  const report = validSvd(result, M);
  check(report.pass, `${what} is a decomposition: ${report.message ?? JSON.stringify(report)}`);
}

for (const { type, most, least, normal } of types) {
  for (const shape of shapes) {
    const [m, n] = shape.slice(-2);
    const what = `${type.name} ${shape}`;
    // √mn·most/64 is representable for these shapes, and so are the singular values.
    for (const scale of [most / 64, normal, normal / 8, 100 * least, least, 0]) {
      const M = matrix(1, shape, { type, scale });
      valid(svd(M), M, `svd of ${what} scaled by ${scale}`);
      valid(svd(M, { fullMatrices: true }), M, `full svd of ${what} scaled by ${scale}`);
      check(svdvals(M).data.every(Number.isFinite), `svdvals of ${what} scaled by ${scale}`);
    }
    const full = repeated(most, shape, type);
    if (m * n > 1) {
      await fails(() => svd(full), 'ERR_SVD_OVERFLOW', {}, `svd of ${what} full of ${most}`);
      await fails(() => svdvals(full), 'ERR_SVD_OVERFLOW', {}, `svdvals of ${what} full of ${most}`);
    } else {
      check(svd(full).S.data[0] === most, `the largest number of ${type.name} is its own singular value`);
    }
  }

  // A product of factors at opposite ends: no element of A·B is extreme.
  for (const [l, k, r] of [
    [4, 3, 5],
    [2100, 4, 1500],
    [3, 9, 4],
    [30, 30, 30],
  ]) {
    for (const [a, b] of [
      [most / 8, 1 / most],
      [1 / most, most / 8],
      [most / 8, 8 * normal],
    ]) {
      const factors = [matrix(3, [l, k], { type, scale: a }), matrix(4, [k, r], { type, scale: b })];
      const m = new FactoredMatrix(...factors);
      const what = `${type.name} ${l}×${k}·${k}×${r} scaled by ${a} and ${b}`;
      const result = m.svd();
      valid(result, m, what);
      check(m.norm() > 0 && Number.isFinite(m.norm()), `${what} has a norm`);
    }
    const huge = new FactoredMatrix(repeated(most, [l, k], type), repeated(most, [k, r], type));
    await fails(() => huge.svd(), 'ERR_SVD_OVERFLOW', {}, `svd of ${most}·${most}`);
    if (type === Float64Array)
      await fails(() => huge.norm(), 'ERR_SVD_OVERFLOW', {}, `norm of ${most}·${most}`);
    else check(Number.isFinite(huge.norm()), 'the norm is a number of JavaScript, so of float64');
    await fails(() => huge.AB, 'ERR_SVD_OVERFLOW', {}, `AB of ${most}·${most}`);
    const tiny = new FactoredMatrix(repeated(least, [l, k], type), repeated(least, [k, r], type));
    check(
      tiny.svd().S.data.every((s) => s === 0),
      `${least}·${least} underflows to 0`,
    );
    check(
      Number.isFinite(tiny.svd().bound) && Number.isFinite(tiny.norm()),
      `bound and norm of ${least}·${least}`,
    );
    const zero = new FactoredMatrix(repeated(0, [l, k], type), repeated(most, [k, r], type));
    check(zero.svd().S.data.every((s) => s === 0) && zero.norm() === 0, `0·${most} is 0`);
  }
}

// One tiny column beside zero columns: nothing of it can be multiplied without underflow.
const alone = new FactoredMatrix([[-Number.MIN_VALUE, 0]], [[-Number.MIN_VALUE], [0]]).svd();
check(
  [alone.S.data[0], alone.bound].every((x) => x === 0),
  'the square of the smallest number is 0',
);

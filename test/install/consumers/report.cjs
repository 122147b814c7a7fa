// What a consumer of the package can tell: what it computed, bit for bit, with what, and what it loaded for that.
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');

module.exports = function report({ FactoredMatrix, svd, versions }) {
  const { S } = svd([
    [3, 0],
    [0, -4],
  ]);
  const hash = createHash('sha256');
  for (const Dtype of [Float32Array, Float64Array]) {
    const A = matrix(Dtype, 70, 40);
    const B = matrix(Dtype, 40, 90);
    for (const { U, S, Vh } of [svd(A), svd(B), new FactoredMatrix(A, B).svd()]) {
      for (const { data } of [U, S, Vh])
        hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  return {
    exact: Array.from(S.data),
    digest: hash.digest('hex'),
    versions: versions(),
    libraries: libraries(),
  };
};

function matrix(Dtype, rows, columns) {
  let state = rows;
  const data = Dtype.from({ length: rows * columns }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
  return { data, shape: [rows, columns] };
}

/** The addons and the BLAS libraries that are mapped into this process. */
function libraries() {
  const paths = Array.from(
    readFileSync('/proc/self/maps', 'utf8').matchAll(/ (\/.*)$/gm),
    ([, path]) => path,
  );
  return [...new Set(paths)].filter((path) =>
    /\.node$|\/lib(openblas|blas|cblas|lapack|gfortran)/.test(path),
  );
}

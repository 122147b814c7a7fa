import { operands, runs } from './trial.mjs';

// Where the time goes: prints the seconds that every kernel takes in one computation of this process, after others to
// warm up, and the `total`, as JSON.

const spent = new Map();
const timed =
  (name, kernel) =>
  (...args) => {
    const start = performance.now();
    try {
      return kernel(...args);
    } finally {
      spent.set(name, (spent.get(name) ?? 0) + (performance.now() - start) / 1000);
    }
  };

const { dlopen } = process;
process.dlopen = (addon, ...rest) => {
  dlopen.call(process, addon, ...rest);
  addon.exports = Object.fromEntries(
    Object.entries(addon.exports).map(([name, f]) => [name, timed(name, f)]),
  );
};

const { FactoredMatrix, svd } = await import('../../dist/index.js');
const { A, B } = operands();
const compute = () => (B ? new FactoredMatrix(A, B).svd() : svd(A));
runs(compute);
spent.clear();
const start = performance.now();
compute();
console.log(JSON.stringify({ ...Object.fromEntries(spent), total: (performance.now() - start) / 1000 }));

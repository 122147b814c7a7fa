// Many calls with a flat resident set: what a call allocates it gives back.   node --expose-gc memory.mjs small|large
import { FactoredMatrix, svd, svdAsync } from '../../../dist/index.js';
import { check, matrix } from './support.mjs';

const sizes = {
  small: { calls: 20_000, tolerated: 8, M: matrix(1, [12, 9]), A: matrix(2, [20, 3]), B: matrix(3, [3, 15]) },
  large: {
    calls: 200,
    tolerated: 10,
    M: matrix(1, [260, 200]),
    A: matrix(2, [40_000, 16]),
    B: matrix(3, [16, 30_000]),
  },
};
const { calls, tolerated, M, A, B } = sizes[process.argv[2]];
const inFlight = 4;

async function some(n) {
  for (let i = 0; i < n; i += 2 * inFlight) {
    const later = Array.from({ length: inFlight }, (_, j) =>
      j % 2 ? new FactoredMatrix(A, B).svdAsync() : svdAsync(M),
    );
    for (let j = 0; j < inFlight; j++) j % 2 ? new FactoredMatrix(A, B).svd() : svd(M);
    await Promise.all(later);
  }
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().rss / 2 ** 20;
}

// The first fifth fills the caches of V8, malloc and OpenBLAS.
const start = await some(calls / 5);
const levels = [];
for (let fifth = 1; fifth < 5; fifth++) levels.push(await some(calls / 5));
const growth = Math.min(...levels.slice(-2)) - start;
console.log(JSON.stringify({ start, levels }));
// Megabytes; one result lost per call would be 19 or 700.
check(growth < tolerated, `${growth.toFixed(1)} MB more after ${0.8 * calls} calls than before`);

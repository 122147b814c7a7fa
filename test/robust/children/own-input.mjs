// Inputs of up to a slice (lib/native/owned.ts) count as they are when the call is made, whatever the caller does with them afterwards.
import {
  dist,
  distAsync,
  FactoredMatrix,
  setThreads,
  svd,
  svdAsync,
  svdvals,
  svdvalsAsync,
} from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

setThreads(2);
const shape = [4, 90, 70];
const fresh = () => matrix(1, shape);
const factors = () => [matrix(2, [1800, 20]), matrix(3, [20, 1500])];
const asText = (x) => (typeof x === 'number' ? String(x) : x.data ? bits([x]) : bits(x));

const overwrite = (x) => x.data.fill(Number.NaN);
const transfer = (x) => structuredClone(x.data.buffer, { transfer: [x.data.buffer] });
const replace = (x) => {
  x.shape.fill(0);
  x.data = null;
};
for (const spoil of [overwrite, transfer, replace]) {
  const dense = { svd: [svd, svdAsync], svdvals: [svdvals, svdvalsAsync] };
  for (const [name, [now, later]] of Object.entries(dense)) {
    const M = fresh();
    M.shape = [...shape];
    const expected = asText(now(M));
    const promise = later(M);
    spoil(M);
    check(asText(await promise) === expected, `${name} after ${spoil.name}`);
  }
  const calls = {
    svd: [(m) => m.svd(), (m) => m.svdAsync()],
    svdvals: [(m) => m.svdvals(), (m) => m.svdvalsAsync()],
    norm: [(m) => m.norm(), (m) => m.normAsync()],
    dist: [(m) => dist(m, matrix(4, [1800, 1500])), (m) => distAsync(m, matrix(4, [1800, 1500]))],
  };
  if (spoil === replace) continue; // a FactoredMatrix keeps views, not the caller's objects
  for (const [name, [now, later]] of Object.entries(calls)) {
    const expected = asText(now(new FactoredMatrix(...factors())));
    const [A, B] = factors();
    const promise = later(new FactoredMatrix(A, B));
    spoil(A);
    spoil(B);
    check(asText(await promise) === expected, `${name} of a product after ${spoil.name}`);
  }
}

// And the arrays of the caller are never written to.
const M = fresh();
const [A, B] = factors();
const before = bits([M, A, B]);
svd(M);
await svdAsync(M);
const m = new FactoredMatrix(A, B);
m.svd();
await new FactoredMatrix(A, B).svdAsync();
m.norm();
dist(m, m);
check(bits([M, A, B]) === before, 'inputs are unchanged');

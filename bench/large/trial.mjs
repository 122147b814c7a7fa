/** One timed computation on a matrix from a file, after one on a small matrix: seconds and singular values as JSON. */
import { readFileSync } from 'node:fs';
import { norm, svd, svdvals } from '../../dist/index.js';

const { m, n, dtype, file, what, rank, options } = JSON.parse(process.argv[2]);
const { buffer, byteOffset, byteLength } = readFileSync(file);
const Elements = dtype === 'float32' ? Float32Array : Float64Array;
const data = new Elements(buffer, byteOffset, byteLength / Elements.BYTES_PER_ELEMENT);

const ways = {
  svd: (a) => {
    const given = rank === undefined ? {} : { ...options, rank: Math.min(rank, ...a.shape) };
    const { S, certified } = svd(a, given);
    return { values: S.data, note: certified ? 'certified' : '' };
  },
  svdvals: (a) => ({ values: svdvals(a).data }),
  norm: (a) => ({ values: [norm(a, 2)] }),
};
ways[what]({ data, shape: [64, 64], stride: [n, 1] });
const start = performance.now();
const { values, note } = ways[what]({ data, shape: [m, n] });
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, values: Array.from(values), note }));

// Large inputs that the caller changes while they are read, at many moments of the computation: written over, transferred
// to nowhere, posted to another thread, shrunk. The result is right, or another one, or an error; never a crash.
import { MessageChannel } from 'node:worker_threads';
import { distAsync, FactoredMatrix, setThreads, svd, svdAsync, svdvalsAsync } from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

setThreads(2);
const shapes = [
  [10, 900, 128],
  [10, 128, 900],
];

/** `x` with its elements in memory that can be made smaller. */
function resizable({ data, shape }) {
  const buffer = new ArrayBuffer(data.byteLength, { maxByteLength: data.byteLength });
  const own = new Float64Array(buffer);
  own.set(data);
  return { data: own, shape };
}
const pristine = shapes.map((shape, i) => matrix(i + 1, shape));
const fresh = () => pristine.map(({ data, shape }) => resizable({ data: data.slice(), shape }));

const calls = {
  svdAsync: (A) => svdAsync(A),
  svdvalsAsync: (A) => svdvalsAsync(A),
  'svdAsync of a product': (A, B) => new FactoredMatrix(A, B).svdAsync(),
  'three-svd': (A, B) => new FactoredMatrix(A, B).svdAsync({ algorithm: 'three-svd' }),
  normAsync: (A, B) => new FactoredMatrix(A, B).normAsync(),
  eigenvaluesAsync: (A, B) => new FactoredMatrix(A, B).eigenvaluesAsync(),
  pinvAsync: (A, B) => new FactoredMatrix(A, B).pinvAsync(),
  distAsync: (A) =>
    distAsync(A, new FactoredMatrix(A, { data: new Float64Array(128 * 128), shape: [128, 128] })),
};
const changes = {
  'written over': ({ data }) => data.fill(Number.NaN),
  transferred: ({ data }) => structuredClone(data.buffer, { transfer: [data.buffer] }),
  posted: ({ data }) => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(data.buffer, [data.buffer]);
    port1.close();
    port2.close();
  },
  shrunk: ({ data }) => data.buffer.resize(data.byteLength / 2),
};

const codes = new Set();
for (const [name, call] of Object.entries(calls)) {
  for (const [how, change] of Object.entries(changes)) {
    for (const turns of [0, 2, 9, 1000]) {
      const inputs = fresh();
      const outcome = call(...inputs).then(
        () => 'a result',
        (error) => error.code ?? error.stack,
      );
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      for (const x of inputs) change(x);
      const found = await outcome;
      const expected = how === 'written over' ? 'ERR_SVD_NON_FINITE' : 'ERR_SVD_ARGUMENT';
      check(['a result', expected].includes(found), `${name}, ${how} after ${turns} turns: ${found}`);
      codes.add(found);
    }
  }
}
for (const code of ['ERR_SVD_NON_FINITE', 'ERR_SVD_ARGUMENT']) check(codes.has(code), `${code} occurs`);

// And what is computed next is right.
const [A] = fresh();
const expected = bits(svd(pristine[0]));
check(bits(await svdAsync(A)) === expected && bits(svd(A)) === expected, 'the next computation is right');

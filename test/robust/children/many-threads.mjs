// More threads than OpenBLAS has buffers for (two for each of its 64): the own pool must neither exhaust them nor change
// a bit. OpenBLAS says on stderr when it runs out.
import { setThreads, svd } from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

const M = matrix(1, [400, 64, 64]);
setThreads(1);
const alone = bits(svd(M));
for (const threads of [2, 130, 300]) {
  setThreads(threads);
  check(bits(svd(M)) === alone, `the bits are the same for ${threads} threads`);
}

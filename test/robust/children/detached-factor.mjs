// A FactoredMatrix keeps views of the caller's memory. When that is gone the methods say so.
import { FactoredMatrix, svd } from '../../../dist/index.js';
import { check, fails, matrix } from './support.mjs';

const uses = ['svd', 'svdvals', 'norm', 'svdAsync', 'normAsync', 'eigenvalues', 'getCorner', 'collapseL'];
for (const use of uses) {
  const [A, B] = [matrix(1, [30, 4]), matrix(2, [4, 30])];
  const m = new FactoredMatrix(A, B);
  structuredClone(A.data.buffer, { transfer: [A.data.buffer] });
  await fails(() => m[use](), 'ERR_SVD_ARGUMENT', {}, `${use} of a factor whose memory was transferred`);
}
check(svd([[2]]).S.data[0] === 2, 'the next call works');

// Prints a digest of results that several threads compute at once, after a check that each is a decomposition.
import { createHash } from 'node:crypto';
import { FactoredMatrix, setThreads, svd, svdAsync, versions } from '../../../dist/index.js';
import { validSvd } from '../../../dist/testing.js';
import { bits, check, matrix } from './support.mjs';

setThreads(4);
const digests = new Set();
for (let round = 0; round < 6; round++) {
  const [M, batch] = [matrix(1, [70, 50]), matrix(2, [16, 30, 40], { type: Float32Array })];
  const product = new FactoredMatrix(matrix(3, [4, 1500, 20]), matrix(4, [4, 20, 1300]));
  const results = await Promise.all([svdAsync(M), svdAsync(batch), product.svdAsync(), svdAsync(M)]);
  results.push(svd(batch));
  for (const [i, of] of [M, batch, product, M, batch].entries()) {
    const report = validSvd(results[i], of);
    check(report.pass, report.message);
  }
  digests.add(createHash('sha256').update(results.map(bits).join()).digest('hex'));
}
check(digests.size === 1, 'every round gives the same bits');
console.log(JSON.stringify({ digest: [...digests][0], config: versions().openblasConfig }));

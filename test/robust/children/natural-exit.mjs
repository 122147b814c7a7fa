// Nothing but the jobs themselves keeps this process alive; when they are done it ends by itself.
import { FactoredMatrix, setThreads, svd, svdAsync } from '../../../dist/index.js';
import { matrix } from './support.mjs';

setThreads(2);
const jobs = [
  svdAsync(matrix(1, [200, 200])),
  new FactoredMatrix(matrix(2, [2000, 20]), matrix(3, [20, 2000])).svdAsync(),
  svdAsync(matrix(4, [50, 20, 20])),
];
svd(matrix(5, [30, 30]));
Promise.all(jobs).then(() => console.log('all jobs done'));
process.on('exit', () => console.log('exit'));

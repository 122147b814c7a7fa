import { FactoredMatrix, svd } from '../../dist/index.js';
import { operands } from '../trials/trial.mjs';

// (largest resident set of the process − resident set before the inputs exist) / bytes of A, B, U, S and Vh. Before
// means: Node, the package and OpenBLAS are loaded and have computed once. The inputs are filled in place.
svd([[1]]);
const before = process.memoryUsage.rss();
const { A, B } = operands();
const filled = 1024 * process.resourceUsage().maxRSS;
const result = new FactoredMatrix(A, B).svd();
const arrays = [A, B, ...result].reduce((sum, { data }) => sum + data.byteLength, 0);
const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
const peak = 1024 * process.resourceUsage().maxRSS - before;
const detail = `peak ${megabytes(peak)}, arrays ${megabytes(arrays)}, with inputs alone ${megabytes(filled - before)}`;
console.log(JSON.stringify({ value: peak / arrays, detail }));

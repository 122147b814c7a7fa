// One process may have the package twice, as a module and as CommonJS: the addon and its state are one.
import { createRequire } from 'node:module';
import * as module from 'factored-svd';
import report from './report.cjs';

const common = createRequire(import.meta.url)('factored-svd');
if (common.svd === module.svd) throw new Error('this was to be two copies');
module.setThreads(1);
common.setThreads(3);
const [first, second] = [report(module), report(common)];
if (JSON.stringify(first) !== JSON.stringify(second)) throw new Error('the two differ');
console.log(JSON.stringify({ ...first, threads: [module.threads(), common.threads()] }));

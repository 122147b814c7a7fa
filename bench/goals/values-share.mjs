import { FactoredMatrix } from '../../dist/index.js';
import { median } from '../median.mjs';
import { operands } from '../trials/trial.mjs';

// In turn, in one process: a share is the same on a fast and on a slow day. A fresh FactoredMatrix each time, because
// one remembers its decomposition.
const { A, B } = operands();
const times = { svd: [], svdvals: [] };
for (let run = 0; run < 8; run++) {
  for (const member of Object.keys(times)) {
    const m = new FactoredMatrix(A, B);
    const start = performance.now();
    m[member]();
    if (run > 0) times[member].push(performance.now() - start);
  }
}
const [whole, values] = [median(times.svd), median(times.svdvals)];
const detail = `svdvals ${values.toFixed(0)} ms, svd ${whole.toFixed(0)} ms`;
console.log(JSON.stringify({ value: values / whole, detail }));

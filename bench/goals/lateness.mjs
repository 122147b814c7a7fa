import { FactoredMatrix } from '../../dist/index.js';
import { median } from '../median.mjs';
import { operands } from '../trials/trial.mjs';

// A chain of 1 ms timers while svdAsync runs, after one computation to warm up. How late is each? One that waits for a
// long piece of work is one tick, so the largest is told, too.
const { A, B } = operands();
await new FactoredMatrix(A, B).svdAsync();
const late = [];
const times = [];
for (let run = 0; run < 10; run++) {
  let running = true;
  let due = performance.now() + 1;
  const ended = new Promise((resolve) => {
    const tick = () => {
      late.push(performance.now() - due);
      if (!running) return resolve();
      due = performance.now() + 1;
      setTimeout(tick, 1);
    };
    setTimeout(tick, 1);
  });
  const start = performance.now();
  await new FactoredMatrix(A, B).svdAsync();
  times.push(performance.now() - start);
  running = false;
  await ended;
}
late.sort((a, b) => a - b);
const at = (share) => late[Math.floor(share * (late.length - 1))];
const detail = `p50 ${at(0.5).toFixed(2)} ms, max ${at(1).toFixed(1)} ms, ${late.length} ticks; svdAsync ${median(times).toFixed(0)} ms`;
console.log(JSON.stringify({ value: at(0.99), detail }));

import { existsSync, openSync, readSync } from 'node:fs';
import { lateInputs } from './late-inputs.mjs';

// A chain of 1 ms timers while an asynchronous call runs, after one to warm up. How late is each? One that waits for a
// long piece of work is one tick, so the largest is told, too. On Linux so is the most time that this thread computed
// between two ticks, which the other programs of the machine have no part in.
const statistics = '/proc/thread-self/schedstat';
const file = existsSync(statistics) ? openSync(statistics) : undefined;
const text = Buffer.alloc(100);

/** Milliseconds that this thread has computed. */
function computed() {
  if (file === undefined) return 0;
  return Number(text.toString('latin1', 0, readSync(file, text, 0, 100, 0)).split(' ')[0]) / 1e6;
}

const { input } = JSON.parse(process.argv[2]);
const seconds = 2; // of calls, or as long as one takes
const call = lateInputs[input]();
await call();
const late = [];
let longest = 0;
let runs = 0;
const start = performance.now();
do {
  let running = true;
  let due = performance.now() + 1;
  let last = computed();
  const ended = new Promise((resolve) => {
    const tick = () => {
      late.push(performance.now() - due);
      const now = computed();
      longest = Math.max(longest, now - last);
      last = now;
      if (!running) return resolve();
      due = performance.now() + 1;
      setTimeout(tick, 1);
    };
    setTimeout(tick, 1);
  });
  await call();
  runs++;
  running = false;
  await ended;
} while (performance.now() - start < 1000 * seconds);
const time = (performance.now() - start) / runs;
late.sort((a, b) => a - b);
const at = (share) => late[Math.floor(share * (late.length - 1))];
const detail = `p50 ${at(0.5).toFixed(2)} ms, max ${at(1).toFixed(1)} ms, computing ${longest.toFixed(1)} ms, ${late.length} ticks; the call ${time.toFixed(0)} ms`;
console.log(JSON.stringify({ value: at(0.99), detail }));

import { fileURLToPath } from 'node:url';
import { inFreshProcess } from './fresh-process.mjs';
import { median } from './median.mjs';

const trial = fileURLToPath(new URL('trials/kernel-times.mjs', import.meta.url));
const leastShare = 0.02;

/** Where the time of `c` goes: medians over `runs` fresh processes, in seconds, largest first; small ones left out. */
export function shares(c, runs) {
  const trials = Array.from({ length: runs }, () =>
    inFreshProcess(process.execPath, [trial, JSON.stringify(c)]),
  );
  const kernels = Object.keys(trials[0]).filter((name) => name !== 'total');
  const outside = (t) => t.total - kernels.reduce((sum, name) => sum + t[name], 0);
  const total = median(trials.map((t) => t.total));
  const parts = [
    ...kernels.map((name) => ({ name, time: median(trials.map((t) => t[name])) })),
    { name: 'JavaScript', time: median(trials.map(outside)) },
  ];
  return {
    total,
    parts: parts.filter(({ time }) => time >= leastShare * total).toSorted((a, b) => b.time - a.time),
  };
}

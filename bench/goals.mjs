import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cases } from './cases.mjs';
import { inFreshProcess } from './fresh-process.mjs';

/**
 * What this package promises of itself. A trial runs in a fresh process and prints `{ value, detail }` as JSON, the value
 * in `unit`, the detail for people. It is given a case of cases.mjs.
 * @typedef {{ name: string, trial: string, most: number, unit: string, of?: string }} Goal
 * @type {Goal[]}
 */
const goals = [
  { name: 'svdvals of 144 heads, share of svd', trial: 'values-share', most: 0.6, unit: '', of: 'heads' },
  {
    name: 'a 1 ms timer during svdAsync of 144 heads is late by, p99',
    trial: 'lateness',
    most: 10,
    unit: 'ms',
    of: 'heads',
  },
  {
    name: 'peak memory of 50257×768×768, times inputs and outputs',
    trial: 'peak-memory',
    most: 1.25,
    unit: '',
    of: '50257',
  },
  { name: 'svd of a 4×4 matrix beyond the time of dgesdd', trial: 'small-overhead', most: 10, unit: 'µs' },
  { name: 'from import to the first result', trial: 'first-result', most: 60, unit: 'ms' },
];

const path = (name) => fileURLToPath(new URL(`goals/${name}`, import.meta.url));

/** Prints the medians of `runs` trials of every goal as a markdown table. */
export function measureGoals(runs) {
  const folder = mkdtempSync(join(tmpdir(), 'goals-'));
  try {
    const gesdd = join(folder, 'gesdd');
    execFileSync('g++', ['-O2', path('gesdd.cc'), '-o', gesdd, '-lopenblas'], { stdio: 'inherit' });
    console.log('\n| goal | at most | median | of |\n|---|---|---|---|');
    for (const { name, trial, most, unit, of } of goals) {
      const theCase = cases.find((c) => of && c.name.includes(of));
      const args = [path(`${trial}.mjs`), JSON.stringify(theCase ?? {}), gesdd];
      const all = Array.from({ length: runs }, () => inFreshProcess(process.execPath, args));
      const { value, detail } = all.toSorted((a, b) => a.value - b.value)[Math.floor(runs / 2)];
      console.log(`| ${name} | ${most} ${unit} | ${value.toPrecision(3)} ${unit} | ${detail} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

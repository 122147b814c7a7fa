import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cases } from './cases.mjs';
import { inFreshProcess } from './fresh-process.mjs';

/** Inputs of asynchronous calls, as late-inputs.mjs makes them. */
const lateInputs = [
  '144 heads float32',
  '144 heads float64',
  '144 heads bfloat16',
  '144 heads float16',
  '144 heads float32·float64',
  '50257×768 float16, prepared',
  'nested arrays 1000×500',
  '100,000 matrices 4×4',
  '100,000 matrices 4×4, fixed signs',
  '100,000 products 4×2×4',
  'pinv of 100,000 products 4×2×4',
  'eigenvalues of 100,000 products 4×2×4',
  '50257×768×768',
  'makeEven of 50257×768×768',
];

/**
 * What this package promises of itself. A trial runs in a fresh process and prints `{ value, detail }` as JSON, the value
 * in `unit`, the detail for people. It is given a case of cases.mjs, or what it is `given`.
 * @typedef {{ name: string, trial: string, most: number, unit: string, of?: string, given?: object }} Goal
 * @type {Goal[]}
 */
const goals = [
  { name: 'svdvals of 144 heads, share of svd', trial: 'values-share', most: 0.6, unit: '', of: 'heads' },
  ...lateInputs.map((input) => ({
    name: `a 1 ms timer is late by, p99: ${input}`,
    trial: 'lateness',
    most: 10,
    unit: 'ms',
    given: { input },
  })),
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
    for (const { name, trial, most, unit, of, given } of goals) {
      const theCase = cases.find((c) => of && c.name.includes(of));
      const args = [path(`${trial}.mjs`), JSON.stringify(given ?? theCase ?? {}), gesdd];
      const all = Array.from({ length: runs }, () => inFreshProcess(process.execPath, args));
      const { value, detail } = all.toSorted((a, b) => a.value - b.value)[Math.floor(runs / 2)];
      console.log(`| ${name} | ${most} ${unit} | ${value.toPrecision(3)} ${unit} | ${detail} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * `npm run bench [-- --runs N] [--only TEXT] [--goals]`: times every contender on every case, each trial in a fresh
 * process, the contenders in turn so that all of them meet the same weather; prints medians and ratios as a markdown
 * table, and another of where the time of this package goes. Then measures it against its own goals; with `--goals`
 * that only, with `--only` not.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { versions } from '../dist/index.js';
import { cases } from './cases.mjs';
import { contenders } from './contenders.mjs';
import { inFreshProcess } from './fresh-process.mjs';
import { measureGoals } from './goals.mjs';
import { median } from './median.mjs';
import { shares } from './profile.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    goals: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);

const milliseconds = (s) => `${(s * 1000).toPrecision(3)} ms`;

function seconds({ command }, c) {
  const [program, ...args] = command;
  return inFreshProcess(program, [...args, JSON.stringify(c)]);
}

const { openblas, openblasCore } = versions();
console.log(
  `${cpus()[0].model}, ${cpus().length} cores; OpenBLAS ${openblas} ${openblasCore}; ${new Date().toISOString().slice(0, 10)};`,
);
console.log(`medians of ${runs} runs, each trial in a fresh process`);
const chosen = cases.filter(({ name, dtype }) => `${name} ${dtype}`.includes(values.only));
if (!values.goals) {
  compare();
  profile();
}
if (!values.only) measureGoals(runs);

function compare() {
  const present = contenders.filter(({ name, command, needs = [] }) => {
    try {
      for (const module of needs) execFileSync(command[0], ['-c', `import ${module}`], { stdio: 'ignore' });
      return true;
    } catch {
      console.error(`${name} is left out: ${command[0]} does not have ${needs.join(', ')}`);
      return false;
    }
  });
  console.log('\nin brackets: times that of factored-svd\n');
  console.log('| case | dtype | factored-svd | others |\n|---|---|---|---|');
  for (const c of chosen) {
    const who = present.filter(({ takes }) => takes(c));
    const times = new Map(who.map(({ name }) => [name, []]));
    for (let run = 0; run < runs; run++) for (const w of who) times.get(w.name).push(seconds(w, c));
    const [own, ...others] = [...times].map(([name, t]) => ({ name, time: median(t) }));
    const ratio = ({ name, time }) => `${name} ${milliseconds(time)} (${(time / own.time).toFixed(2)})`;
    console.log(`| ${c.name} | ${c.dtype} | ${milliseconds(own.time)} | ${others.map(ratio).join('; ')} |`);
  }
}

function profile() {
  console.log('\n| case | dtype | factored-svd | of that |\n|---|---|---|---|');
  for (const c of chosen) {
    const { total, parts } = shares(c, runs);
    const of = parts.map(({ name, time }) => `${name} ${milliseconds(time)}`).join(', ');
    console.log(`| ${c.name} | ${c.dtype} | ${milliseconds(total)} | ${of} |`);
  }
}

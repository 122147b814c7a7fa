/**
 * `npm run bench:large [-- --runs N --only TEXT --ranks 16,64]`: leading triplets of large dense matrices against those of
 * scipy, torch and scikit-learn, each with its error; and all singular values, all of the decomposition, and the largest
 * value alone, against scipy. Every trial in a fresh process, the contenders in turn; medians as markdown tables. The exact
 * values are the eigenvalues of AAᵀ, by LAPACK in float64.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    ranks: { type: 'string', default: '16,64,256' },
    limit: { type: 'string', default: '120' },
  },
});
const runs = Number(values.runs);
const ranks = values.ranks.split(',').map(Number);
const limit = Number(values.limit); // seconds

const shapes = [
  { m: 4096, n: 14336, dtype: 'float32' },
  { m: 4096, n: 4096, dtype: 'float32' },
  { m: 4096, n: 4096, dtype: 'float64' },
  { m: 151936, n: 1024, dtype: 'float32' },
];
const spectra = ['fast', 'slow', 'flat'];
const squares = [2048, 4096].flatMap((n) => ['float32', 'float64'].map((dtype) => ({ m: n, n, dtype })));

const folder = mkdtempSync(join(tmpdir(), 'factored-svd-bench-'));
const trial = (name) => new URL(`./large/${name}`, import.meta.url).pathname;
const python = process.env.PYTHON ?? 'python3';

/** The last line that a process prints, as JSON; null where it takes too long. */
function answerOf(program, args) {
  try {
    const stdio = ['ignore', 'pipe', 'pipe']; // what a process that fails says is in the error
    const text = execFileSync(program, args, {
      encoding: 'utf8',
      stdio,
      timeout: 1000 * limit,
      maxBuffer: 2 ** 26,
    });
    return JSON.parse(text.trim().split('\n').at(-1));
  } catch (error) {
    if (error.code === 'ETIMEDOUT') return null;
    throw error;
  }
}

const own = (what, options) => (c) =>
  answerOf(process.execPath, [trial('trial.mjs'), JSON.stringify({ ...c, what, options })]);
const their = (what) => (c) => answerOf(python, [trial('trial.py'), JSON.stringify({ ...c, what })]);

const leading = [
  { name: 'factored-svd', run: own('svd', {}) },
  { name: 'krylov to 1e-3', run: own('svd', { method: 'krylov', accuracy: 1e-3 }) },
  { name: 'scipy gesdd', run: their('gesdd'), whole: true },
  { name: 'scipy svds, ARPACK', run: their('arpack') },
  { name: 'scipy svds, PROPACK', run: their('propack') },
  { name: 'torch svd_lowrank', run: their('torch') },
  { name: 'torch svd_lowrank as exact as krylov', run: their('torch-equal') },
  { name: 'sklearn randomized_svd', run: their('sklearn') },
];
const whole = [
  { name: 'norm(a, 2)', run: own('norm') },
  { name: 'svdvals', run: own('svdvals') },
  { name: 'svd', run: own('svd', {}) },
  { name: 'scipy svdvals', run: their('svdvals') },
  { name: 'scipy svd', run: their('gesdd') },
];

/** The largest error of a singular value, as a share of `unit`. */
const errorOf = (found, exact, unit) =>
  found.reduce((most, s, i) => Math.max(most, Math.abs(s - exact[i]) / unit(i)), 0);

function measure(contenders, c, exact) {
  const results = new Map();
  for (let run = 0; run < runs; run++)
    for (const { name, run: once } of contenders) {
      if (results.get(name)?.seconds === null) continue;
      const target = results.get('krylov to 1e-3')?.error;
      const answer = once({ ...c, exact: target && exact.slice(0, c.rank), target });
      const known = results.get(name) ?? { times: [], seconds: 0 };
      if (!answer) known.seconds = null;
      else {
        known.times.push(answer.seconds);
        known.seconds = median(known.times);
        known.note = answer.note ?? '';
        known.error = errorOf(
          answer.values.slice(0, c.rank ?? answer.values.length),
          exact,
          (i) => exact[c.rank ? i : 0],
        );
      }
      results.set(name, known);
    }
  return results;
}

function told({ seconds, error, note }, first) {
  if (seconds === null) return `> ${limit} s`;
  const ratio = first ? ` (${(seconds / first).toPrecision(2)})` : '';
  return `${seconds.toPrecision(3)} s${ratio}, ${error.toExponential(0)}${note ? `, ${note}` : ''}`;
}

function table(title, names, rows) {
  console.log(`\n${title}\n\n| matrix | ${names.join(' | ')} |\n|${'---|'.repeat(names.length + 1)}`);
  for (const row of rows) console.log(row());
}

const made = (c, spectrum) => {
  const file = join(folder, 'matrix');
  return { file, ...answerOf(python, [trial('make.py'), JSON.stringify({ ...c, spectrum, file })]) };
};

const title = ({ m, n, dtype }, spectrum) => `${m}×${n} ${dtype}, ${spectrum}`;
const chosen = (name) => name.includes(values.only);

try {
  console.log(
    `medians of ${runs} runs; in brackets: times that of factored-svd; then the largest error of a value, as a share of it, in whole spectra of the largest`,
  );
  const gesdd = new Map();
  table(
    'Leading triplets',
    ['rank', ...leading.map(({ name }) => name)],
    shapes.flatMap((c) =>
      spectra
        .filter((spectrum) => chosen(title(c, spectrum)))
        .flatMap((spectrum) => {
          let matrix;
          return ranks.map((rank) => () => {
            matrix ??= made(c, spectrum);
            const { file, exact } = matrix;
            const key = title(c, spectrum);
            const present = leading.filter(({ whole: all }) => !all || !gesdd.has(key));
            const results = measure(present, { ...c, file, rank }, exact);
            if (results.has('scipy gesdd')) gesdd.set(key, results.get('scipy gesdd'));
            results.set('scipy gesdd', gesdd.get(key));
            const first = results.get('factored-svd').seconds;
            const cells = leading.map(({ name }, i) => told(results.get(name), i > 0 && first));
            return `| ${key} | ${rank} | ${cells.join(' | ')} |`;
          });
        }),
    ),
  );
  table(
    'Whole spectra',
    whole.map(({ name }) => name),
    squares
      .filter((c) => chosen(title(c, 'slow')))
      .map((c) => () => {
        const { file, exact } = made(c, 'slow');
        const results = measure(whole, { ...c, file }, exact);
        return `| ${title(c, 'slow')} | ${whole.map(({ name }) => told(results.get(name))).join(' | ')} |`;
      }),
  );
} finally {
  rmSync(folder, { recursive: true });
}

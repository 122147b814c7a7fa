/**
 * `npm run bench:instructions [-- --update]`: instructions that two fixed cases take under callgrind, against the counts
 * in counts.json. They do not depend on the load of the machine; they do on OpenBLAS, so other versions of it are only
 * shown. Exits 1 when a count has grown by more than 5 percent.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const recorded = new URL('counts.json', import.meta.url);
const mostGrowth = 0.05;
const { update } = parseArgs({ options: { update: { type: 'boolean' } } }).values;

const { core } = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));
const { versions } = await import('../../dist/index.js');
const folder = mkdtempSync(join(tmpdir(), 'instructions-'));
try {
  const program = join(folder, 'cases');
  const sources = [...core, 'bench/instructions/cases.cc'];
  const flags = ['-std=c++17', '-O3', '-fno-math-errno', '-Inative', '-o', program];
  execFileSync('g++', [...sources, ...flags, '-lopenblas', '-pthread'], { cwd: root, stdio: 'inherit' });

  const start = count('none');
  const counts = Object.fromEntries(['product', 'dense'].map((name) => [name, count(name) - start]));
  compare(counts);

  function count(name) {
    const tool = ['--tool=callgrind', `--callgrind-out-file=${join(folder, 'out')}`, program, name];
    const env = { ...process.env, OPENBLAS_CORETYPE: 'Haswell', OPENBLAS_NUM_THREADS: '1' };
    execFileSync('valgrind', ['-q', ...tool], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    return Number(/^totals: (\d+)/m.exec(readFileSync(join(folder, 'out'), 'utf8'))[1]);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function compare(counts) {
  const { openblas } = versions();
  if (update) {
    writeFileSync(recorded, `${JSON.stringify({ openblas, counts }, null, 2)}\n`);
  }
  const known = JSON.parse(readFileSync(recorded, 'utf8'));
  const comparable = known.openblas === openblas;
  for (const [name, instructions] of Object.entries(counts)) {
    const growth = instructions / known.counts[name] - 1;
    const verdict = comparable
      ? `${(100 * growth).toFixed(2)} % against the record`
      : `recorded for OpenBLAS ${known.openblas}`;
    console.log(`${name}: ${instructions} instructions, ${verdict}`);
    if (comparable && growth > mostGrowth) process.exitCode = 1;
  }
}

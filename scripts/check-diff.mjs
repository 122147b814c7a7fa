// Whether `factored-svd diff` says of every planted change what it is: a cast, integers with scales, an adapter, or noise; of an
// adapter its rank, of a cast its format. Prints what was read of each kind, and what repeats every mistake; then it ends with
// status 1.
//   npm run check:diff -- [--cases N] [--seed N] [--only INDEX]
// On one grid of 16 bits the error of rounding depends on the change, and may hide or add small values: no rank is asked there.
// The margins: the least singular value of an adapter is 1.5 times the norm of the rounding of the format it was stored in, or
// more; noise is at least as large as its steps in the mean square. `--corrupt` is the negative control: every case is taken for
// one of the next kind, and must be a mistake.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { draw, kinds } from './check-diff/cases.mjs';
import { writeWeights } from './check-diff/files.mjs';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '0' },
    only: { type: 'string' },
    corrupt: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const [count, seed] = [Number(values.cases), Number(values.seed)];
if (!(count > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run check:diff -- [--cases N] [--seed N] [--only INDEX] [--corrupt]');
  process.exit(2);
}
const indices = values.only === undefined ? [...Array(count).keys()] : [Number(values.only)];
const folder = mkdtempSync(join(tmpdir(), 'factored-svd-diff-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const cases = indices.map((index) => ({ ...draw(seed, index), name: String(index) }));
const [fileA, fileB] = ['a', 'b'].map((side) => {
  const file = join(folder, `${side}.safetensors`);
  writeWeights(file, new Map(cases.map((one) => [one.name, one[side]])));
  return file;
});
const start = performance.now();
const found = new Map(diff(fileA, fileB).differences.map((one) => [one.name, one]));
const seconds = (performance.now() - start) / 1000;

const table = {};
let mistakes = 0;
for (const { name, kind, title, rank, format, a, b } of cases) {
  const expected = values.corrupt ? kinds[(kinds.indexOf(kind) + 1) % kinds.length] : kind;
  const difference = found.get(name);
  const reading = difference?.readings[0]?.reading;
  const read = readingOf(reading);
  table[kind] ??= {};
  table[kind][read] = (table[kind][read] ?? 0) + 1;
  const isRight =
    read === expected &&
    (expected !== 'adapter' || onOneGrid(a, b) || reading.spikes.count === rank) &&
    (!format || values.corrupt || reading.cast.to === format);
  if (!isRight) mistakes++;
  if ((!isRight && !values.corrupt) || values.verbose)
    console.error(`--seed ${seed} --only ${name}: ${title}; read as ${JSON.stringify(reading)}`);
}
console.table(table);
console.log(`${cases.length} cases (seed ${seed}), ${mistakes} mistakes, ${seconds.toFixed(1)} s.`);
process.exit((values.corrupt ? cases.length - mistakes : mistakes) > 0 ? 1 : 0);

function onOneGrid(a, b) {
  return a.dtype === b.dtype && a.dtype !== 'float32';
}

/** The kind of case that a reading means. */
function readingOf(reading) {
  if (reading?.kind === 'cast') return reading.cast.to.startsWith('int') ? 'integers' : 'cast';
  return { spikes: 'adapter', bulk: 'noise' }[reading?.kind] ?? String(reading?.kind);
}

/** What the command prints as JSON; its status is 1, because the files differ. */
function diff(...files) {
  const command = fileURLToPath(new URL('../dist/command.js', import.meta.url));
  const out = join(folder, 'out.json');
  try {
    execFileSync('sh', ['-c', '"$0" "$@" > "$OUT"', process.execPath, command, 'diff', ...files, '--json'], {
      env: { ...process.env, OUT: out },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
  } catch (error) {
    if (error.status !== 1) throw error;
  }
  return JSON.parse(readFileSync(out, 'utf8'));
}

// The command `diff` on two generated checkpoints in bfloat16: of the same bytes, against reading both and doing nothing with
// them; cast to bfloat16 from float32; and with a rank-8 change of every matrix. Times, and the most memory that was held.
//   node bench/diff.mjs [--megabytes 2048] [--repeats 3] [--folder DIR]
import { spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2048' },
    repeats: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() }, // whose disk is measured
  },
});
const [rows, cols] = [4096, 4096];
const perShard = 8;
const matrices = Math.max(1, Math.round((Number(values.megabytes) * 2 ** 20) / (2 * rows * cols)));
const few = Math.min(2, matrices);

const folder = mkdtempSync(join(values.folder, 'factored-svd-diff-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const at = (name) => join(folder, name);

const size = 2 * rows * cols;

generate('a', matrices, 'BF16', (_, x) => x);
cpSync(at('a'), at('b'), { recursive: true });
console.log(`${matrices} matrices ${rows}×${cols} in bfloat16, ${megabytes(matrices * size)} each`);
const reading = measure('cat both', matrices, () =>
  spawn('sh', ['-c', `cat ${at('a')}/* ${at('b')}/* > /dev/null`]),
);
measure('diff of equal checkpoints', matrices, () => command('a', 'b', 0), reading);
rmSync(at('b'), { recursive: true });

generate('wide', few, 'F32', (_, x) => 1.001 * x);
generate('cast', few, 'BF16', (_, x) => x);
measure('a cast from float32 to bfloat16', few, () => command('wide', 'cast', 1));
const [u, v] = [rows, cols].map((length) =>
  Array.from({ length: 8 }, () => Float32Array.from({ length }, () => 2 * Math.random() - 1)),
);
generate('tuned', few, 'BF16', (e, x) => {
  const [i, j] = [Math.floor(e / cols), e % cols];
  let sum = x;
  for (let k = 0; k < 8; k++) sum += 1e-3 * u[k][i] * v[k][j];
  return sum;
});
measure('a change of rank 8', few, () => command('cast', 'tuned', 1));
generate('trained', few, 'BF16', (_, x) => x * (1 + 0.2 * (Math.random() - 0.5)));
measure('noise', few, () => command('cast', 'trained', 1));

function megabytes(count) {
  return `${(count / 1e6).toFixed(0)} MB`;
}

/** Matrices as `change` makes them of the same random numbers, all alike, in shards. */
function generate(name, count, dtype, change) {
  mkdirSync(at(name));
  const contents = numbers(dtype, change);
  for (let first = 0; first < count; first += perShard) {
    const own = Array.from({ length: Math.min(perShard, count - first) }, (_, i) => first + i);
    const bytes = (dtype === 'F32' ? 4 : 2) * rows * cols;
    const header = Object.fromEntries(
      own.map((n, i) => [
        `layers.${n}.weight`,
        { dtype, shape: [rows, cols], data_offsets: [i * bytes, (i + 1) * bytes] },
      ]),
    );
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const file = openSync(join(at(name), `model-${String(first).padStart(5, '0')}.safetensors`), 'w');
    for (const part of [length, json]) writeSync(file, part);
    for (const _ of own) writeSync(file, contents);
    closeSync(file);
  }
}

function numbers(dtype, change) {
  const words = new Uint32Array(rows * cols);
  const floats = new Float32Array(words.buffer);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  for (let e = 0; e < words.length; e++) {
    floats[e] = 0.03 * (uniform() + uniform() + uniform() + uniform());
    words[e] = (words[e] + 0x7fff + ((words[e] >>> 16) & 1)) & 0xffff0000; // bfloat16, which both sides start from
    floats[e] = change(e, floats[e]);
  }
  if (dtype === 'F32') return new Uint8Array(words.buffer);
  const halves = new Uint16Array(words.length);
  for (let e = 0; e < words.length; e++) halves[e] = (words[e] + 0x7fff + ((words[e] >>> 16) & 1)) >>> 16;
  return new Uint8Array(halves.buffer);
}

/** Prints the median time of a trial, for one matrix too, and how many times `base` it is. */
function measure(name, count, trial, base) {
  const all = Array.from({ length: Number(values.repeats) }, trial);
  const seconds = median(all.map((one) => one.seconds));
  const peak = Math.max(...all.map((one) => one.peak ?? 0));
  const times = base === undefined ? '' : `, ${(seconds / base).toFixed(2)} times`;
  const memory = peak > 0 ? `; peak ${megabytes(peak)}` : '';
  const each = count === matrices ? '' : `, ${(seconds / count).toFixed(2)} s a matrix`;
  console.log(`${name.padEnd(32)} ${seconds.toFixed(2)} s${each}${times}${memory}`);
  return seconds;
}

function spawn(file, argv, status = 0) {
  const start = performance.now();
  const done = spawnSync(file, argv, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (done.status !== status) throw new Error(done.stderr || done.stdout);
  return { seconds: (performance.now() - start) / 1000, stderr: done.stderr };
}

/** The command in a process of its own, which tells its peak. */
function command(a, b, status) {
  const script = fileURLToPath(new URL('../dist/command.js', import.meta.url));
  const tell = `process.on('exit', () => console.error('used', JSON.stringify(process.resourceUsage()))); await import(${JSON.stringify(script)})`;
  const argv = ['--input-type=module', '-e', tell, 'command', 'diff', at(a), at(b)];
  const { seconds, stderr } = spawn(process.execPath, argv, status);
  return { seconds, peak: 1024 * JSON.parse(/used (.*)/.exec(stderr)[1]).maxRSS };
}

// A whole adapter resized, and merged with another: in memory, and by the command through files; beside the loop that kohya's and
// PEFT's scripts run, which forms every product and takes torch.svd_lowrank of it (bench/trials/svd_lowrank.py).
//   npm run bench:adapters -- [--modules 300] [--size 3072] [--rank 64] [--to 16] [--repeats 3] [--loop 5] [--folder DIR]
// Of the loop only `--loop` modules are timed; what it takes for all is computed from the median.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mergeAdapters, openAdapter, resize } from '../dist/adapters.js';
import { writeSafetensors } from '../dist/weights.js';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    modules: { type: 'string', default: '300' },
    size: { type: 'string', default: '3072' },
    rank: { type: 'string', default: '64' },
    to: { type: 'string', default: '16' },
    repeats: { type: 'string', default: '3' },
    loop: { type: 'string', default: '5' },
    python: { type: 'string', default: 'python3' },
    folder: { type: 'string', default: tmpdir() }, // whose disk is measured
  },
});
const [modules, size, rank, to, repeats, loop] = ['modules', 'size', 'rank', 'to', 'repeats', 'loop'].map(
  (name) => Number(values[name]),
);

const folder = mkdtempSync(join(values.folder, 'factored-svd-adapters-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const paths = [join(folder, 'one.safetensors'), join(folder, 'two.safetensors')];
for (const path of paths) await writeSafetensors(path, randomTensors());
console.log(
  `${modules} modules ${size}×${size}, rank ${rank} to ${to}, float32; seconds, median of ${repeats}`,
);

const adapters = await Promise.all(paths.map((path) => openAdapter(path)));
const ours = {
  'resize in memory': await timed(() => resize(adapters[0], { rank: to })),
  'merge in memory': await timed(() => mergeAdapters(adapters, [0.5, 0.5], { rank: to })),
  'resize, the command': await command('resize', paths[0]),
  'merge, the command': await command('merge', ...paths, '--weights', '0.5,0.5'),
};
for (const [name, { seconds, cpu, peak }] of Object.entries(ours))
  console.log(
    `${name.padEnd(24)} ${seconds.toFixed(2)}; all processors ${cpu.toFixed(2)}${peak ? `; peak ${(peak / 1e9).toFixed(2)} GB` : ''}`,
  );
for (const [name, terms] of [
  ['resize', 1],
  ['merge', 2],
]) {
  // With as many threads as suit it best; processor time with one, as more of them wait by spinning.
  const [one, two] = [1, 2].map((threads) => inLoop(terms, threads));
  const [seconds, cpu] = [modules * Math.min(one.seconds, two.seconds), modules * one.cpu];
  console.log(
    `${`${name}, the loop`.padEnd(24)} ${seconds.toFixed(1)}; all processors ${cpu.toFixed(1)}; ${one.by}`,
  );
  for (const of of [`${name} in memory`, `${name}, the command`])
    console.log(
      `  ${(seconds / ours[of].seconds).toFixed(0)} times the time of ${of}, ${(cpu / ours[of].cpu).toFixed(0)} times its processor time`,
    );
}

function randomTensors() {
  const random = (n) => Float32Array.from({ length: n }, () => 0.1 * (Math.random() - 0.5));
  const tensors = {};
  for (let i = 0; i < modules; i++) {
    tensors[`lora_unet_m${i}.lora_down.weight`] = { data: random(rank * size), shape: [rank, size] };
    tensors[`lora_unet_m${i}.lora_up.weight`] = { data: random(size * rank), shape: [size, rank] };
  }
  return tensors;
}

/** A first run is not counted. */
async function timed(work) {
  const all = [];
  for (let i = 0; i <= repeats; i++) {
    const [start, used] = [performance.now(), process.cpuUsage()];
    const ofChild = await work();
    const { user, system } = process.cpuUsage(used);
    const cpu = typeof ofChild === 'number' ? ofChild : user + system;
    all.push({ seconds: (performance.now() - start) / 1000, cpu: cpu / 1e6 });
  }
  const [seconds, cpu] = ['seconds', 'cpu'].map((key) => median(all.slice(1).map((one) => one[key])));
  return { seconds, cpu };
}

/** In a process of its own, which tells its peak. */
async function command(...argv) {
  const script = fileURLToPath(new URL('../dist/command.js', import.meta.url));
  const tell = `process.on('exit', () => console.error('used', JSON.stringify(process.resourceUsage()))); await import(${JSON.stringify(script)})`;
  let peak = 0;
  const args = ['lora', ...argv, '--rank', String(to), '--out', join(folder, 'out.safetensors')];
  const found = await timed(async () => {
    const node = ['--input-type=module', '-e', tell, 'command', ...args];
    const { status, stderr } = spawnSync(process.execPath, node, { encoding: 'utf8', maxBuffer: 2 ** 28 });
    if (status !== 0) throw new Error(stderr);
    const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(/used (.*)/.exec(stderr)[1]);
    peak = Math.max(peak, 1024 * maxRSS);
    return userCPUTime + systemCPUTime;
  });
  return { ...found, peak };
}

function inLoop(terms, threads) {
  const script = fileURLToPath(new URL('trials/svd_lowrank.py', import.meta.url));
  const argv = [script, size, rank, to, terms, loop].map(String);
  const env = { ...process.env, OPENBLAS_NUM_THREADS: String(threads), OMP_NUM_THREADS: String(threads) };
  const { status, stdout, stderr } = spawnSync(values.python, argv, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

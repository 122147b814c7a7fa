// Kills processes while they write files, at random times: every file is then what it was or what it was to become, and
// the next write leaves nothing but files in the folder.
//   node scripts/kill-writes.mjs [--kills N] [--seed N] [--in-place]
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const command = fileURLToPath(new URL('../dist/command.js', import.meta.url));
const self = fileURLToPath(import.meta.url);
const { openSafetensors, writeSafetensors } = await import('../dist/weights.js');

const elements = 2 ** 18;

/** A file that tells of itself whether it is complete: every element is its generation. */
const write = (path, generation) =>
  writeSafetensors(
    path,
    { g: { data: new Float32Array(elements).fill(generation), shape: [512, 512] } },
    { generation: String(generation) },
  );

/** The same as anyone would write it: what the checks below must find. */
async function writeInPlace(path, generation) {
  const tensor = { dtype: 'F32', shape: [512, 512], data_offsets: [0, 4 * elements] };
  const header = Buffer.from(JSON.stringify({ __metadata__: { generation: String(generation) }, g: tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  for (const part of [length, header]) writeSync(file, part);
  for (let i = 0; i < 256; i++) writeSync(file, new Float32Array(elements / 256).fill(generation));
  closeSync(file);
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    'in-place': { type: 'boolean', default: false }, // a writer that must be caught
    write: { type: 'string' }, // for the writers that this script starts: the file to write, over and over
  },
});
const inPlace = values['in-place'];
if (values.write !== undefined) {
  for (let generation = 1; ; generation++) {
    await (inPlace ? writeInPlace : write)(values.write, generation);
    if (generation === 1) process.stdout.write('writing\n');
  }
}
const [kills, seed] = [Number(values.kills ?? 1000), Number(values.seed ?? Date.now() % 2 ** 31)];
if (!(kills > 0) || !Number.isInteger(seed)) {
  console.error('usage: node scripts/kill-writes.mjs [--kills N] [--seed N] [--in-place]');
  process.exit(2);
}
const random = (() => {
  let state = seed | 0; // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
})();

const folder = mkdtempSync(join(tmpdir(), 'factored-svd-kill-'));
const weights = join(folder, 'weights.safetensors');
const data = Float32Array.from({ length: 96 * 64 }, (_, i) => Math.sin(i * i));
await writeSafetensors(weights, { M: { data, shape: [96, 64] } });

/** Two ways to write with the command, and one with the library, over and over; each with the check of what it wrote. */
const writers = [
  {
    name: 'svd.safetensors',
    argv: (out) => [command, 'svd', weights, '--matrix', 'M', '--out', out],
    check: factors,
  },
  {
    name: 'golden.json',
    argv: (out) => [command, 'golden', weights, '--matrix', 'M', '--out', out],
    check: golden,
  },
  {
    name: 'loop.safetensors',
    argv: (out) => [self, '--write', out, ...(inPlace ? ['--in-place'] : [])],
    check: generation,
    ready: true,
  },
];

async function generation(path) {
  const file = await openSafetensors(path);
  const { data } = await file.read('g');
  await file.close();
  const expected = Number(file.metadata.generation);
  return data.length === elements && data.every((x) => x === expected);
}

async function factors(path) {
  const file = await openSafetensors(path);
  const { data } = await file.read('Vh');
  await file.close();
  return data.length === 64 * 64 && data.some((x) => x !== 0);
}

function golden(path) {
  return JSON.parse(readFileSync(path, 'utf8')).records.length === 1;
}

/** Starts a writer and kills it after `milliseconds`, counted from when it writes where it says so. */
async function killed({ argv, ready }, out, milliseconds) {
  const child = spawn(process.execPath, argv(out), { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  if (ready) await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
  child.stdout.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const status = await ended;
  clearTimeout(timer);
  if (status) throw new Error(`${argv(out).join(' ')} failed by itself`);
}

const isTemporary = (name) => name.endsWith('.tmp');
let [left, complete] = [0, 0];
const begun = performance.now();
await killed(writers[0], join(folder, 'first'), 60_000);
const duration = performance.now() - begun;
rmSync(join(folder, 'first'));

for (let i = 0; i < kills; i++) {
  const writer = writers[i % 3 === 0 ? Math.floor(random() * 2) : 2];
  const path = join(folder, writer.name);
  if (random() < 0.25) rmSync(path, { force: true });
  const before = readdirSync(folder).filter(isTemporary).length;
  await killed(writer, path, random() * (writer.ready ? 40 : 1.2 * duration));
  const after = readdirSync(folder).filter(isTemporary).length;
  if (after > 0) left++;
  if (after > 1)
    throw new Error(`kill ${i + 1} (seed ${seed}): ${before} temporary files have become ${after}`);
  if (!existsSync(path)) continue;
  const problem = await Promise.resolve(path)
    .then(writer.check)
    .then(
      (whole) => (whole ? undefined : 'its elements are not of one write'),
      (error) => error.message,
    );
  if (problem) throw new Error(`kill ${i + 1} (seed ${seed}): ${path} is not complete: ${problem}`);
  complete++;
  if (complete % 100 === 0) console.log(`${complete} files were complete after ${i + 1} kills`);
}
await write(join(folder, 'loop.safetensors'), 0);
const rest = readdirSync(folder).filter(
  (name) => name !== 'weights.safetensors' && !writers.some((w) => w.name === name),
);
if (rest.length > 0) throw new Error(`left in the folder (seed ${seed}): ${rest.join(', ')}`);
rmSync(folder, { recursive: true });
console.log(
  `${kills} kills: ${complete} files, all complete; ${left} left a temporary file, which the next write removed (seed ${seed})`,
);

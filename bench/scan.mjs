// The command `scan` on a generated bfloat16 checkpoint of Llama's shape against `svdvals` of the same tensors, which are in
// memory already: wall time, that of all processors together, and the most memory that the command held. Both go through the
// checkpoint part by part, one after the other, so that what else the machine does is the same for both.
//   node bench/scan.mjs [--megabytes 2048] [--shape tinyllama] [--parts 8] [--only n] [--folder DIR]
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2048' },
    shape: { type: 'string', default: 'tinyllama' },
    parts: { type: 'string', default: '8' },
    only: { type: 'string' }, // of so many parts
    folder: { type: 'string', default: tmpdir() }, // whose disk is measured
    alone: { type: 'string' }, // for the process that this script starts: a checkpoint, of which names come by stdin
  },
});

/** A layer of published models, and rows of its embedding. */
const shapes = {
  tinyllama: { dModel: 2048, kv: 256, mlp: 5632, vocabulary: 32000 },
  'llama-3.2-3b': { dModel: 3072, kv: 1024, mlp: 8192, vocabulary: 128256 },
  small: { dModel: 512, kv: 128, mlp: 1408, vocabulary: 4000 },
};
const shape = shapes[values.shape];
if (shape === undefined) throw new Error(`--shape: one of ${Object.keys(shapes).join(', ')}`);

if (values.alone !== undefined) {
  console.log(JSON.stringify(await alone(values.alone)));
  process.exit();
}

const folder = mkdtempSync(join(values.folder, 'factored-svd-scan-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const self = fileURLToPath(import.meta.url);
const script = fileURLToPath(new URL('../dist/command.js', import.meta.url));
const checkpoint = join(folder, 'checkpoint');
const parts = Number(values.parts);
const { layers, bytes } = generate(checkpoint, Number(values.megabytes) * 2 ** 20);
console.log(
  `${layers} layers of ${values.shape} ${JSON.stringify(shape)}, ${megabytes(bytes)}, ${parts} parts`,
);

const sums = { scan: { seconds: 0, cpu: 0 }, svdvals: { seconds: 0, cpu: 0 } };
let peak = 0;
for (let i = 1; i <= Number(values.only ?? parts); i++) {
  const scan = command(i);
  const names = scan.tensors.filter(({ matrix }) => matrix).map(({ name }) => name);
  const svdvals = JSON.parse(
    run([self, '--alone', checkpoint, '--shape', values.shape], names.join('\n')).stdout,
  );
  for (const [name, { seconds, cpu }] of Object.entries({ scan, svdvals })) {
    sums[name].seconds += seconds;
    sums[name].cpu += cpu;
  }
  peak = Math.max(peak, scan.peak);
  console.log(`part ${i}: scan ${scan.seconds.toFixed(2)} s, svdvals alone ${svdvals.seconds.toFixed(2)} s`);
}
for (const [name, { seconds, cpu }] of Object.entries(sums))
  console.log(
    `${name.padEnd(8)} ${seconds.toFixed(2)} s, ${(seconds / sums.svdvals.seconds).toFixed(3)} times; all processors ${cpu.toFixed(2)} s${name === 'scan' ? `; peak ${megabytes(peak)}` : ''}`,
  );

function megabytes(count) {
  return `${(count / 1e6).toFixed(0)} MB`;
}

/** Writes a checkpoint of about so many bytes, and says how many layers it has. */
function generate(path, wanted) {
  const { dModel, kv, mlp, vocabulary } = shape;
  const layer = (n) => {
    const front = `model.layers.${n}.`;
    return {
      [`${front}self_attn.q_proj.weight`]: [dModel, dModel],
      [`${front}self_attn.k_proj.weight`]: [kv, dModel],
      [`${front}self_attn.v_proj.weight`]: [kv, dModel],
      [`${front}self_attn.o_proj.weight`]: [dModel, dModel],
      [`${front}mlp.gate_proj.weight`]: [mlp, dModel],
      [`${front}mlp.up_proj.weight`]: [mlp, dModel],
      [`${front}mlp.down_proj.weight`]: [dModel, mlp],
      [`${front}input_layernorm.weight`]: [dModel],
    };
  };
  const ends = { 'model.embed_tokens.weight': [vocabulary, dModel] }; // tied
  const size = (dims) => Object.values(dims).reduce((sum, s) => sum + 2 * s.reduce((n, m) => n * m, 1), 0);
  const layers = Math.max(1, Math.round((wanted - size(ends)) / size(layer(0))));
  mkdirSync(path);
  const weight_map = {};
  for (let n = 0; n < layers; n++) {
    const file = `model-${n + 1}.safetensors`;
    const tensors = { ...layer(n), ...(n === 0 && ends) };
    writeShard(join(path, file), tensors);
    for (const name of Object.keys(tensors)) weight_map[name] = file;
  }
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
  return { layers, bytes: layers * size(layer(0)) + size(ends) };
}

/** Tensors of random numbers of about 1/50. */
function writeShard(path, tensors) {
  const header = {};
  let end = 0;
  for (const [name, dims] of Object.entries(tensors)) {
    const begin = end;
    end += 2 * dims.reduce((n, m) => n * m, 1);
    header[name] = { dtype: 'BF16', shape: dims, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  for (const bytes of [length, json]) writeSync(file, bytes);
  for (const dims of Object.values(tensors)) {
    const halves = randomFillSync(new Uint16Array(dims.reduce((n, m) => n * m, 1)));
    for (let i = 0; i < halves.length; i++) halves[i] = (halves[i] & 0x807f) | 0x3c80; // ± 2⁻⁶ … 2⁻⁵
    writeSync(file, new Uint8Array(halves.buffer));
  }
  closeSync(file);
}

function run(argv, input) {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    input,
  });
  if (status !== 0) throw new Error(stderr);
  return { stdout, stderr };
}

/** The command in a process of its own, from its start to its end. */
function command(part) {
  const tell = `process.on('exit', () => console.error('used', JSON.stringify(process.resourceUsage()))); await import(${JSON.stringify(script)})`;
  const start = performance.now();
  const { stdout, stderr } = run([
    ...['--input-type=module', '-e', tell, 'command'],
    ...['scan', checkpoint, '--shard', `${part}/${parts}`, '--json'],
    ...['--out', join(folder, `part-${part}`)],
  ]);
  const seconds = (performance.now() - start) / 1000;
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(/used (.*)/.exec(stderr)[1]);
  const { tensors } = JSON.parse(stdout);
  return { seconds, cpu: (userCPUTime + systemCPUTime) / 1e6, peak: 1024 * maxRSS, tensors };
}

/** `svdvals` of the tensors whose names come, as they stand in the file; reading takes no part in the time. */
async function alone(path) {
  const { svdvalsAsync } = await import('../dist/index.js');
  const { openWeights } = await import('../dist/weights.js');
  const weights = await openWeights(path);
  let [milliseconds, microseconds] = [0, 0];
  for (const name of readFileSync(0, 'utf8').split('\n')) {
    if (name === '') continue;
    const tensor = await weights.readStored(name);
    const [start, used] = [performance.now(), process.cpuUsage()];
    await svdvalsAsync(tensor);
    milliseconds += performance.now() - start;
    const { user, system } = process.cpuUsage(used);
    microseconds += user + system;
  }
  await weights.close();
  return { seconds: milliseconds / 1000, cpu: microseconds / 1e6 };
}

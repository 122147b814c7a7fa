// The command `circuits` on a generated checkpoint of Llama's shape, in bfloat16 and in shards, against its decompositions
// alone: the time of both, that of all processors together, and the most memory that the command held.
//   node bench/circuits.mjs [--megabytes 2048] [--shape llama-3.2-3b] [--repeats 3] [--rank N] [--folder DIR]
// Only the attention is written as numbers; the other tensors are holes in their files, which nothing reads.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.mjs';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2048' },
    repeats: { type: 'string', default: '3' },
    shape: { type: 'string', default: 'llama-3.2-3b' },
    rank: { type: 'string' },
    folder: { type: 'string', default: tmpdir() }, // whose disk is measured
    alone: { type: 'string' }, // for the process that this script starts: the checkpoint to decompose
  },
});
const rank = values.rank && Number(values.rank);

/** A layer of published models, and their vocabulary. */
const shapes = {
  'llama-3.2-3b': { heads: 24, kvHeads: 8, dHead: 128, dModel: 3072, mlp: 8192, vocabulary: 128256 },
  tinyllama: { heads: 32, kvHeads: 4, dHead: 64, dModel: 2048, mlp: 5632, vocabulary: 32000 },
};
const shape = shapes[values.shape];
if (shape === undefined) throw new Error(`--shape: one of ${Object.keys(shapes).join(', ')}`);

if (values.alone !== undefined) {
  console.log(JSON.stringify(await alone(values.alone)));
  process.exit();
}

const folder = mkdtempSync(join(values.folder, 'factored-svd-circuits-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const checkpoint = join(folder, 'checkpoint');
const { layers, bytes } = generate(checkpoint, Number(values.megabytes) * 2 ** 20);
console.log(`${layers} layers of ${values.shape} ${JSON.stringify(shape)}, ${megabytes(bytes)} in shards`);

const trials = {
  'decompositions alone': decompositions,
  circuits: () => command(),
  'circuits --out': () => command(join(folder, 'out')),
};
const found = Object.fromEntries(Object.keys(trials).map((name) => [name, []]));
for (let i = 0; i < Number(values.repeats); i++)
  for (const [name, trial] of Object.entries(trials)) found[name].push(trial());
const [base] = Object.values(found).map((all) => median(all.map(({ seconds }) => seconds)));
for (const [name, all] of Object.entries(found)) {
  const seconds = median(all.map((one) => one.seconds));
  const peak = Math.max(...all.map((one) => one.peak));
  const cpu = median(all.map((one) => one.cpu));
  console.log(
    `${name.padEnd(20)} ${seconds.toFixed(2)} s, ${(seconds / base).toFixed(2)} times; all processors ${cpu.toFixed(2)} s; peak ${megabytes(peak)}`,
  );
}

function megabytes(count) {
  return `${(count / 1e6).toFixed(0)} MB`;
}

/** Writes a checkpoint of about so many bytes, and says how many layers it has. */
function generate(path, wanted) {
  const { heads, kvHeads, dHead, dModel, mlp, vocabulary } = shape;
  const front = (n) => `model.layers.${n}.`;
  const attention = (n) => ({
    [`${front(n)}self_attn.q_proj.weight`]: [heads * dHead, dModel],
    [`${front(n)}self_attn.k_proj.weight`]: [kvHeads * dHead, dModel],
    [`${front(n)}self_attn.v_proj.weight`]: [kvHeads * dHead, dModel],
    [`${front(n)}self_attn.o_proj.weight`]: [dModel, heads * dHead],
    [`${front(n)}input_layernorm.weight`]: [dModel],
  });
  const rest = (n) => ({
    [`${front(n)}mlp.gate_proj.weight`]: [mlp, dModel],
    [`${front(n)}mlp.up_proj.weight`]: [mlp, dModel],
    [`${front(n)}mlp.down_proj.weight`]: [dModel, mlp],
    [`${front(n)}post_attention_layernorm.weight`]: [dModel],
  });
  const ends = { 'model.embed_tokens.weight': [vocabulary, dModel] }; // tied
  const size = (shapes) =>
    Object.values(shapes).reduce((sum, s) => sum + 2 * s.reduce((n, m) => n * m, 1), 0);
  const perLayer = size(attention(0)) + size(rest(0));
  const layers = Math.max(1, Math.round((wanted - size(ends)) / perLayer));
  mkdirSync(path);
  const config = {
    model_type: 'llama',
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: dHead,
    hidden_size: dModel,
  };
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  const perShard = 4;
  const weight_map = {};
  const names = [];
  for (let first = 0; first < layers; first += perShard) {
    const own = Array.from({ length: Math.min(perShard, layers - first) }, (_, i) => first + i);
    const file = `model-${first / perShard + 1}.safetensors`;
    const full = Object.assign({}, ...own.map(attention));
    const holes = Object.assign({}, ...own.map(rest), first === 0 ? ends : {});
    writeShard(join(path, file), full, holes);
    for (const name of [...Object.keys(full), ...Object.keys(holes)]) weight_map[name] = file;
    names.push(file);
  }
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
  return { layers, bytes: layers * perLayer + size(ends) };
}

/** Tensors of random numbers of about 1/50, and then those that are holes. */
function writeShard(path, full, holes) {
  const header = {};
  let end = 0;
  for (const [name, dims] of [...Object.entries(full), ...Object.entries(holes)]) {
    const begin = end;
    end += 2 * dims.reduce((n, m) => n * m, 1);
    header[name] = { dtype: 'BF16', shape: dims, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  for (const bytes of [length, json]) writeSync(file, bytes);
  for (const dims of Object.values(full)) {
    const halves = randomFillSync(new Uint16Array(dims.reduce((n, m) => n * m, 1)));
    for (let i = 0; i < halves.length; i++) halves[i] = (halves[i] & 0x807f) | 0x3c80; // ± 2⁻⁶ … 2⁻⁵
    writeSync(file, new Uint8Array(halves.buffer));
  }
  ftruncateSync(file, 8 + json.length + end);
  closeSync(file);
}

/** The command in a process of its own, which tells its peak. */
function command(out) {
  if (out) rmSync(out, { recursive: true, force: true });
  const script = fileURLToPath(new URL('../dist/command.js', import.meta.url));
  const tell = `process.on('exit', () => console.error('used', JSON.stringify(process.resourceUsage()))); await import(${JSON.stringify(script)})`;
  const argv = [
    'circuits',
    checkpoint,
    ...(out ? ['--out', out] : []),
    ...(rank ? ['--rank', String(rank)] : []),
  ];
  const start = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', tell, 'command', ...argv],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(stderr);
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(/used (.*)/.exec(stderr)[1]);
  return { seconds, cpu: (userCPUTime + systemCPUTime) / 1e6, peak: 1024 * maxRSS };
}

function decompositions() {
  const argv = [
    fileURLToPath(import.meta.url),
    '--alone',
    checkpoint,
    ...(rank ? ['--rank', String(rank)] : []),
  ];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' }));
}

/** OV and QK of every layer, from float32 arrays in memory, which take no part in the time. */
async function alone(path) {
  const { FactoredMatrix } = await import('../dist/index.js');
  const { openWeights } = await import('../dist/weights.js');
  const { heads, kvHeads, dHead, dModel } = shape;
  const shared = heads / kvHeads;
  const size = dHead * dModel;
  const weights = await openWeights(path);
  const layers = weights.names.filter((name) => name.endsWith('q_proj.weight')).length;
  const view = ({ data }, rows, cols, stride) => ({
    data,
    shape: [kvHeads, shared, rows, cols],
    stride,
    offset: 0,
  });
  let [milliseconds, microseconds] = [0, 0];
  for (const kind of ['OV', 'QK'])
    for (let layer = 0; layer < layers; layer++) {
      const read = (name) => weights.read(`model.layers.${layer}.self_attn.${name}_proj.weight`);
      const [A, B] =
        kind === 'OV'
          ? [
              view(await read('v'), dModel, dHead, [size, 0, 1, dModel]),
              view(await read('o'), dHead, dModel, [shared * dHead, dHead, 1, heads * dHead]),
            ]
          : [
              view(await read('q'), dModel, dHead, [shared * size, size, 1, dModel]),
              view(await read('k'), dHead, dModel, [size, 0, dModel, 1]),
            ];
      const matrix = new FactoredMatrix(A, B);
      const [start, used] = [performance.now(), process.cpuUsage()];
      await matrix.svdAsync(rank ? { rank } : {});
      milliseconds += performance.now() - start;
      const { user, system } = process.cpuUsage(used);
      microseconds += user + system;
    }
  await weights.close();
  return {
    seconds: milliseconds / 1000,
    cpu: microseconds / 1e6,
    peak: 1024 * process.resourceUsage().maxRSS,
  };
}

import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { built } from '../support/built.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { safetensors, type Tensors } from './support/checkpoints.ts';
import { llamaLike } from './support/models/llama.ts';
import { disagreement } from './support/reference.ts';

const at = temporaryFolder();
const [layers, dModel, heads, kvHeads, dHead] = [24, 24, 6, 2, 4];
const rows = 100_000_000; // of a matrix of every layer that is a hole in its file: 4.8 GB
const shardOf = (layer: number) => `model-${layer}.safetensors`;
let folder: string;
let headerBytes = 0;

const subject = llamaLike({
  type: 'llama',
  layers,
  heads,
  kvHeads,
  dHead,
  dModel,
  config: {},
});
const attention = { q: heads * dHead, k: kvHeads * dHead, v: kvHeads * dHead, o: dModel };
const width = { q: dModel, k: dModel, v: dModel, o: heads * dHead };
const projections = ['q', 'k', 'v', 'o'] as const;
/** Of one layer, as bfloat16. */
const attentionBytes = 2 * projections.reduce((sum, part) => sum + attention[part] * width[part], 0);

/**
 * A file of one layer: a header, a matrix that is nowhere on the disk, and behind it, beyond 4 GiB, the layer's weights as
 * they are in a file without it.
 */
function writeShard(layer: number, tensors: Tensors): void {
  const small = safetensors(Object.entries(tensors), 'BF16');
  const length = Number(new DataView(small.buffer, small.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(small.subarray(8, 8 + length)).toString());
  const hole = 2 * rows * dModel;
  for (const entry of Object.values<{ data_offsets: number[] }>(header))
    entry.data_offsets = entry.data_offsets.map((offset) => offset + hole);
  const mlp = { dtype: 'BF16', shape: [rows, dModel], data_offsets: [0, hole] };
  const text = JSON.stringify({ [`model.layers.${layer}.mlp.up_proj.weight`]: mlp, ...header });
  const front = Buffer.alloc(8 + text.length);
  front.writeBigUInt64LE(BigInt(text.length));
  front.write(text, 8, 'latin1');
  const file = openSync(join(folder, shardOf(layer)), 'w');
  writeSync(file, front, 0, front.length, 0);
  const data = small.subarray(8 + length);
  ftruncateSync(file, front.length + hole + data.length);
  writeSync(file, data, 0, data.length, front.length + hole);
  closeSync(file);
  headerBytes += front.length;
}

describe.skipIf(process.platform !== 'linux')('a checkpoint of more than 100 GB', () => {
  beforeAll(() => {
    folder = at('large');
    mkdirSync(folder);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(subject.config));
    const weight_map: Record<string, string> = {};
    for (let layer = 0; layer < layers; layer++) {
      const own = Object.entries(subject.tensors).filter(([name]) =>
        name.startsWith(`model.layers.${layer}.`),
      );
      writeShard(layer, Object.fromEntries(own));
      for (const [name] of own) weight_map[name] = shardOf(layer);
      weight_map[`model.layers.${layer}.mlp.up_proj.weight`] = shardOf(layer);
    }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
  });

  const apparent = () =>
    Array.from({ length: layers }, (_, layer) => statSync(join(folder, shardOf(layer))).size).reduce(
      (a, b) => a + b,
    );

  it('is opened by its headers, and of a layer only the attention is read', {
    timeout: patience(30_000),
  }, () => {
    expect(apparent()).toBeGreaterThan(100e9);
    const script = `
    import { readFileSync } from 'node:fs';
    import { openCheckpoint } from ${JSON.stringify(pathToFileURL(built('circuits.js')).href)};
    const read = () => Number(/rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'latin1'))[1]);
    read();
    const [begin, since] = [read(), performance.now()];
    const model = await openCheckpoint(${JSON.stringify(folder)});
    const [opened, ms] = [read(), performance.now() - since];
    const decompose = async (layer) => {
      for (const kind of ['OV', 'QK'])
        for await (const _ of model.decompose(kind, { rank: 2, layers: [layer, layer + 1] }));
    };
    await decompose(3); // loads the addon
    const loaded = read();
    await decompose(17);
    console.log(JSON.stringify({ ms, toOpen: opened - begin, toDecompose: read() - loaded }));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: patience(20_000),
    });
    expect(stderr).toBe('');
    const { ms, toOpen, toDecompose } = JSON.parse(stdout);
    const index = statSync(join(folder, 'model.safetensors.index.json')).size;
    const own = 2 ** 12; // config.json, and what the reading of /proc/self/io itself adds
    expect(toOpen).toBeLessThan(headerBytes + index + own);
    expect(toDecompose).toBeLessThan(attentionBytes + own);
    expect(ms).toBeLessThan(patience(2000));
  });

  it('weights beyond 4 GiB of a file are those of the model', async () => {
    await using model = await openCheckpoint(folder);
    const sizes = [dModel, heads, dHead] as const;
    for (const kind of ['OV', 'QK'] as const) {
      const some = await model.circuit(kind, { layers: [10, 12] });
      for (const layer of [10, 11]) {
        const of = subject.attention(layer);
        expect(disagreement(some, [layer - 10], of, kind, sizes, {})).toBeLessThan(1);
        expect(disagreement(model[kind], [layer], of, kind, sizes, {})).toBeLessThan(1);
      }
    }
  });
});

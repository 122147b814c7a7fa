import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Tiny checkpoints of every family: config.json and the tensors that its model saves, with odd sizes and seeded numbers.

/** A tensor of a checkpoint: its numbers are those that its dtype can hold. */
export interface CheckpointTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  /** Where it is not that of the checkpoint. */
  readonly dtype?: Dtype | 'U8' | 'BOOL' | 'I64' | undefined;
}
export type Tensors = Record<string, CheckpointTensor>;

type Dtype = 'F64' | 'F32' | 'BF16' | 'F16';

/** How a checkpoint is written. */
export interface Writing {
  readonly dtype?: Dtype;
  /** Number of files; with more than one there is an index. */
  readonly shards?: number;
}

/** Numbers in (−1, 1) with eight significant bits, which every dtype can hold. */
export function numbers(seed: number): (length: number) => Float64Array {
  let state = seed >>> 0;
  return (length) =>
    Float64Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return ((state >>> 24) - 127.5) / 128;
    });
}

/** Seeded tensors of the shapes given. */
export function seeded(shapes: Record<string, readonly number[]>, seed = 1): Tensors {
  const next = numbers(seed);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: next(shape.reduce((n, m) => n * m, 1)) },
    ]),
  );
}

/** Writes a checkpoint in the Hugging Face layout; without a config the tensors alone. Returns the folder. */
export function writeCheckpoint(
  folder: string,
  config: object | undefined,
  tensors: Tensors,
  { dtype = 'F32', shards = 1 }: Writing = {},
): string {
  mkdirSync(folder, { recursive: true });
  if (config) writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const names = Object.keys(tensors);
  const parts = Array.from({ length: shards }, (_, i) => names.filter((_, j) => j % shards === i));
  const fileOf = (i: number) =>
    shards === 1
      ? 'model.safetensors'
      : `model-${String(i + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`;
  parts.forEach((part, i) => {
    const entries = part.map((name) => [name, tensors[name]] as const);
    writeFileSync(join(folder, fileOf(i)), safetensors(entries, dtype));
  });
  if (shards > 1) {
    const weight_map = Object.fromEntries(parts.flatMap((part, i) => part.map((name) => [name, fileOf(i)])));
    const index = { metadata: { total_size: 0 }, weight_map };
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  }
  return folder;
}

/** The bytes of a safetensors file. */
export function safetensors(
  entries: readonly (readonly [string, CheckpointTensor])[],
  usual: Dtype,
): Uint8Array {
  const header: Record<string, object> = {};
  const contents: Uint8Array[] = [];
  let end = 0;
  for (const [name, { shape, data, dtype = usual }] of entries) {
    const bytes = encoded(data, dtype);
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    contents.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...contents]);
}

function encoded(data: Float64Array, dtype: NonNullable<CheckpointTensor['dtype']>): Uint8Array {
  if (dtype === 'U8' || dtype === 'BOOL') return Uint8Array.from(data);
  if (dtype === 'I64') return new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
  if (dtype === 'F64') return new Uint8Array(Float64Array.from(data).buffer);
  const singles = Float32Array.from(data);
  if (dtype === 'F32') return new Uint8Array(singles.buffer);
  const words = new Uint32Array(singles.buffer);
  const halves = Uint16Array.from(words, dtype === 'BF16' ? (word) => word >>> 16 : float16);
  return new Uint8Array(halves.buffer);
}

/** The bits of a float32 number that float16 can hold, no subnormal. */
function float16(word: number): number {
  const exponent = ((word >>> 23) & 0xff) - 127 + 15;
  if ((word & 0x7fffffff) === 0) return word >>> 16;
  return ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 0x3ff);
}

/** A Llama-like model: 5 query heads would not divide, so 4 heads share 2 keys; H·D ≠ d. */
export function tinyLlama({
  layers = 3,
  heads = 4,
  kvHeads = 2,
  dHead = 3,
  dModel = 10,
  vocabulary = 0,
} = {}) {
  const config = {
    model_type: 'llama',
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: dHead,
    hidden_size: dModel,
  };
  const shapes: Record<string, number[]> = {};
  if (vocabulary > 0) shapes['model.embed_tokens.weight'] = [vocabulary, dModel];
  for (let n = 0; n < layers; n++) {
    const front = `model.layers.${n}.self_attn.`;
    shapes[`${front}q_proj.weight`] = [heads * dHead, dModel];
    shapes[`${front}k_proj.weight`] = [kvHeads * dHead, dModel];
    shapes[`${front}v_proj.weight`] = [kvHeads * dHead, dModel];
    shapes[`${front}o_proj.weight`] = [dModel, heads * dHead];
    shapes[`model.layers.${n}.input_layernorm.weight`] = [dModel];
  }
  if (vocabulary > 0) shapes['lm_head.weight'] = [vocabulary, dModel];
  return { config, tensors: seeded(shapes) };
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileBytes } from '../support/weight-files.ts';

/** A tensor of a file: its elements in row-major order; those of 16-bit dtypes must be ones that they hold exactly. */
export interface FileTensor {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly dtype?: 'F64' | 'F32' | 'F16' | 'BF16' | 'I64';
}

export type FileTensors = Readonly<Record<string, FileTensor>>;

/** Bits of a number in half precision, by their definition. */
function halfBits(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (Number.isNaN(x)) return 0x7e00;
  if (!Number.isFinite(x)) return sign | 0x7c00;
  if (x === 0) return sign;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), -14);
  const fraction = (Math.abs(x) / 2 ** exponent) * 1024; // 1024 … 2047, less for subnormals
  if (!Number.isInteger(fraction)) throw new Error(`${x} is no half`);
  return sign | (fraction < 1024 ? fraction : ((exponent + 15) << 10) | (fraction - 1024));
}

const encoders = {
  F64: [8, (view: DataView, at: number, x: number) => view.setFloat64(at, x, true)],
  F32: [4, (view: DataView, at: number, x: number) => view.setFloat32(at, x, true)],
  F16: [2, (view: DataView, at: number, x: number) => view.setUint16(at, halfBits(x), true)],
  BF16: [
    2,
    (view: DataView, at: number, x: number) => {
      const word = new DataView(new ArrayBuffer(4));
      word.setFloat32(0, x);
      view.setUint16(at, word.getUint16(0), true);
    },
  ],
  I64: [8, (view: DataView, at: number, x: number) => view.setBigInt64(at, BigInt(x), true)],
} as const;

/** Writes a safetensors file, byte by byte as the format says. */
export function writeFixture(
  path: string,
  tensors: FileTensors,
  metadata?: Readonly<Record<string, string>>,
): string {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { shape, values, dtype = 'F32' }] of Object.entries(tensors)) {
    const [size, put] = encoders[dtype];
    const view = new DataView(new ArrayBuffer(size * values.length));
    values.forEach((x, i) => {
      put(view, i * size, x);
    });
    header[name] = { dtype, shape, data_offsets: [at, at + view.byteLength] };
    at += view.byteLength;
    parts.push(new Uint8Array(view.buffer));
  }
  writeFileSync(path, fileBytes(JSON.stringify(header), Buffer.concat(parts)));
  return path;
}

/** Writes a folder as PEFT does. */
export function writePeft(folder: string, config: object | undefined, tensors: FileTensors): string {
  mkdirSync(folder, { recursive: true });
  writeFixture(join(folder, 'adapter_model.safetensors'), tensors, { format: 'pt' });
  if (config) writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
  return folder;
}

/** What PEFT 0.17 writes beside the tensors. */
export const peftConfig = {
  alpha_pattern: {},
  auto_mapping: null,
  base_model_name_or_path: 'someone/tiny',
  bias: 'none',
  corda_config: null,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 4,
  lora_bias: false,
  lora_dropout: 0.05,
  megatron_config: null,
  megatron_core: 'megatron.core',
  modules_to_save: null,
  peft_type: 'LORA',
  qalora_group_size: 16,
  r: 2,
  rank_pattern: {},
  revision: null,
  target_modules: ['q_proj', 'v_proj'],
  target_parameters: null,
  task_type: 'CAUSAL_LM',
  trainable_token_indices: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
};

/** Numbers of small size that every dtype holds exactly. */
export const small = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => (((i + from) * 7) % 11) - 5);

/** Both factors of a module, A of `[rank, ...inputs]` and B of `[out, rank]`, under names `…A` and `…B`. */
export function factors(
  [A, B]: readonly [A: string, B: string],
  { rank = 2, inputs = [4], out = 3, ones = 0, dtype = 'F32' as FileTensor['dtype'], from = 0 } = {},
): FileTensors {
  const shapeA = [rank, ...inputs];
  return {
    [A]: {
      shape: shapeA,
      values: small(
        shapeA.reduce((a, b) => a * b),
        from,
      ),
      dtype,
    },
    [B]: { shape: [out, rank, ...Array(ones).fill(1)], values: small(out * rank, from + 3), dtype },
  };
}

/** scale·B·A by its definition, `[out][in·…kernel]`. */
export function productOf(
  tensors: FileTensors,
  [A, B]: readonly [string, string],
  scale: number,
): number[][] {
  const [rank] = tensors[A].shape;
  const [out] = tensors[B].shape;
  const cols = tensors[A].values.length / rank;
  return Array.from({ length: out }, (_, i) =>
    Array.from({ length: cols }, (_, j) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += tensors[B].values[i * rank + k] * tensors[A].values[k * cols + j];
      return scale * sum;
    }),
  );
}

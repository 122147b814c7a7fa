import { basename } from 'node:path';
import type { Command } from 'commander';
import { escaped, escapedJson } from '../array/escape.ts';
import { openWeights, type TensorInfo, type Weights } from '../weights/index.ts';
import { matches } from '../weights/patterns.ts';
import { bytesText, shapeText, table } from './format.ts';
import { print, type Streams } from './streams.ts';

/** `factored-svd inspect FILE [PATTERN...]`: what weights hold, from their headers alone. */
export function inspectCommand(command: Command, { stdout }: Streams): void {
  command
    .description('list the tensors of a file or of a checkpoint: names, dtypes, shapes, bytes')
    .argument('<file>', weightsPath)
    .argument('[patterns...]', "only tensors that match one, 'blocks.*.attn.W_V' say")
    .option('--json', 'print JSON')
    .action(async (path: string, patterns: string[], options: { json?: boolean }) => {
      await using weights = await openWeights(path);
      const tensors = selected(weights, patterns);
      await print(stdout, options.json ? inspectionJson(weights, tensors) : inspectionText(weights, tensors));
    });
}

/** What a path of weights may be, for the help. */
export const weightsPath =
  'safetensors, .npy or .npz file, a folder of safetensors files, or a *.safetensors.index.json';

type Tensors = readonly (readonly [name: string, info: TensorInfo])[];

function selected({ tensors, names, path }: Weights, patterns: readonly string[]): Tensors {
  if (patterns.length === 0) return [...tensors];
  const wanted = new Set(patterns.flatMap((pattern) => [...matches(pattern, names, path).keys()]));
  return [...tensors].filter(([name]) => wanted.has(name));
}

const totalBytes = (tensors: Tensors): number =>
  tensors.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);

/** The shard of a tensor, where there are several. */
const shardOf = ({ files }: Weights, { file }: TensorInfo): string[] =>
  files.length > 1 ? [basename(file)] : [];

function inspectionJson(weights: Weights, tensors: Tensors): string {
  const list = tensors.map(([name, info]) => {
    const [file] = shardOf(weights, info);
    return { name, dtype: info.dtype, shape: info.shape, byteLength: info.byteLength, file };
  });
  const { path, metadata } = weights;
  return `${escapedJson({ file: path, metadata, bytes: totalBytes(tensors), tensors: list }, 2)}\n`;
}

function inspectionText(weights: Weights, tensors: Tensors): string {
  const sharded = weights.files.length > 1;
  const rows = tensors.map(([name, info]) => [
    escaped(name),
    info.dtype,
    shapeText(info.shape),
    bytesText(info.byteLength),
    ...shardOf(weights, info).map(escaped),
  ]);
  const metadata = Object.entries(weights.metadata).map(
    ([key, value]) => `metadata ${escaped(key)}: ${escaped(value)}\n`,
  );
  const all = weights.names.length;
  const count = `${rows.length} ${rows.length < all ? `of ${all} ` : ''}${all === 1 ? 'tensor' : 'tensors'}`;
  const head = ['tensor', 'dtype', 'shape', 'bytes', ...(sharded ? ['file'] : [])];
  return [
    rows.length > 0 ? table(head, rows) : '',
    `${count}, ${bytesText(totalBytes(tensors))} bytes\n`,
    ...metadata,
  ].join('');
}

import type { Command } from 'commander';
import { escaped, escapedJson } from '../array/escape.ts';
import { openSafetensors, type SafetensorsFile } from '../weights/index.ts';
import { bytesText, shapeText, table } from './format.ts';
import { print, type Streams } from './streams.ts';

/** `factored-svd inspect FILE`: what a weight file holds, from its header alone. */
export function inspectCommand(command: Command, { stdout }: Streams): void {
  command
    .description('list the tensors of a safetensors file: names, dtypes, shapes, bytes')
    .argument('<file>', 'safetensors file')
    .option('--json', 'print JSON')
    .action(async (path: string, options: { json?: boolean }) => {
      await using file = await openSafetensors(path);
      await print(stdout, options.json ? inspectionJson(file) : inspectionText(file));
    });
}

const totalBytes = (file: SafetensorsFile): number =>
  [...file.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

function inspectionJson(file: SafetensorsFile): string {
  const tensors = [...file.tensors].map(([name, { dtype, shape, byteLength }]) => ({
    name,
    dtype,
    shape,
    byteLength,
  }));
  const report = { file: file.path, metadata: file.metadata, bytes: totalBytes(file), tensors };
  return `${escapedJson(report, 2)}\n`;
}

function inspectionText(file: SafetensorsFile): string {
  const rows = [...file.tensors].map(([name, { dtype, shape, byteLength }]) => [
    escaped(name),
    dtype,
    shapeText(shape),
    bytesText(byteLength),
  ]);
  const metadata = Object.entries(file.metadata).map(
    ([key, value]) => `metadata ${escaped(key)}: ${escaped(value)}\n`,
  );
  const count = `${rows.length} ${rows.length === 1 ? 'tensor' : 'tensors'}`;
  return [
    rows.length > 0 ? table(['tensor', 'dtype', 'shape', 'bytes'], rows) : '',
    `${count}, ${bytesText(totalBytes(file))} bytes\n`,
    ...metadata,
  ].join('');
}

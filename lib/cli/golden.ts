import { dirname, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { svdError } from '../errors.ts';
import type { GoldenRecord, Source } from '../golden/contents.ts';
import { goldenJson, writeGolden } from '../golden/golden-file.ts';
import { recordSpectrum } from '../golden/record.ts';
import { versions } from '../index.ts';
import { validSvd } from '../testing/index.ts';
import { shownPath } from '../weights/file-errors.ts';
import {
  addSourceOptions,
  readDecomposition,
  type SourceOptions,
  sourceContradiction,
  sourceOf,
} from './golden-source.ts';
import { outputProblem } from './output-problem.ts';
import { print, type Streams } from './streams.ts';

interface GoldenOptions extends SourceOptions {
  out?: string;
}

/** `factored-svd golden FILE...`: records singular values and fingerprints of singular vectors, for `compare`. */
export function goldenCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addSourceOptions(
    command
      .description('record the spectra of matrices as JSON, to compare later ones with')
      .argument('<files...>', 'safetensors files'),
  )
    .option('--out <file>', 'write the record to this file instead of printing it')
    .addHelpText(
      'after',
      '\nThe record holds what does not depend on signs or on the processor: singular values with their error bounds,\n' +
        'clusters, and what the singular vectors of each make of fixed probes. It takes about 150 bytes a singular value.',
    )
    .action(async (files: string[], { out, ...options }: GoldenOptions) => {
      const source = sourceOf(options);
      const problem = sourceContradiction(source) ?? (await outputProblem(out, files));
      if (problem !== undefined) command.error(`error: ${problem}`);
      await recordFiles(files, source, out, streams, signal);
    });
}

async function recordFiles(
  files: string[],
  source: Source,
  out: string | undefined,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
) {
  const folder = out === undefined ? '.' : dirname(out);
  const records: GoldenRecord[] = [];
  for (const path of files) {
    const { svd, matrix } = await readDecomposition(path, source, { signal, stderr });
    const { pass, text } = validSvd(svd, matrix);
    if (!pass) throw svdError('ERR_SVD_ARGUMENT', `${shownPath(path)}: not recorded: ${text}`);
    const file = relative(resolve(folder), resolve(path)).replaceAll(sep, '/');
    const record = { file, source, ...recordSpectrum(svd) };
    const note = undeterminedNote(record);
    if (note !== undefined) await print(stderr, `factored-svd: ${shownPath(path)}: ${note}\n`);
    records.push(record);
  }
  signal.throwIfAborted();
  const golden = { versions: versions(), records };
  if (out !== undefined) await writeGolden(out, golden, signal);
  else await print(stdout, goldenJson(golden));
}

/** What `compare` will not see. */
function undeterminedNote({ items }: GoldenRecord): string | undefined {
  const clusters = items.flatMap((item) => item.clusters);
  const open = clusters.filter(({ left, pair }) => left === undefined || pair === undefined);
  if (open.length === 0) return undefined;
  const values = open.reduce((sum, { S }) => sum + S.length, 0);
  return (
    `of ${values} singular values (in ${open.length} of ${clusters.length} clusters) the singular vectors are not ` +
    'determined within the error bounds; compare will leave them out'
  );
}

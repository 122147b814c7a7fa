import { type Command, InvalidArgumentError } from 'commander';
import { svdError } from '../errors.ts';
import { distAsync, FactoredMatrix, svdAsync } from '../index.ts';
import type { Svd } from '../svd-result.ts';
import { dtypeOf, product, sliceAxis, type Tensor, unravel } from '../views.ts';
import { writeTensors } from '../weights/writer.ts';
import { shapeText } from './format.ts';
import { addMatrixOptions, contradiction, type MatrixOptions, readMatrix } from './matrix-options.ts';
import { outputProblem } from './output-problem.ts';
import { Progress } from './progress.ts';
import { type ItemReport, reportJson, reportText, type SvdReport } from './report.ts';
import { summarizeSpectrum } from './spectrum.ts';
import { print, type Streams } from './streams.ts';

interface SvdOptions extends MatrixOptions {
  rank?: number;
  out?: string;
  json?: boolean;
}

interface Factors {
  U: Tensor;
  S: Tensor;
  Vh: Tensor;
}

/** `factored-svd svd FILE`: decomposes a tensor or the product of two, reports on it, and writes the factors. */
export function svdCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  addMatrixOptions(
    command
      .description('singular value decomposition of a product A·B of two tensors, or of one tensor')
      .argument('<file>', 'safetensors file'),
  )
    .option(
      '--rank <n>',
      'keep the n largest singular values; the residual is that of the truncation',
      parseRank,
    )
    .option('--out <file>', 'write the factors as tensors U, S and Vh to this safetensors file')
    .option('--json', 'print JSON, with all singular values')
    .addHelpText(
      'after',
      '\nLeading dimensions of the tensors are a batch: one row of the report per matrix.',
    )
    .action(async (path: string, options: SvdOptions) => {
      const problem = contradiction(options) ?? (await outputProblem(options.out, [path]));
      if (problem !== undefined) command.error(`error: ${problem}`);
      await decompose(path, options, streams, signal);
    });
}

function parseRank(text: string): number {
  const rank = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(rank) || rank < 1)
    throw new InvalidArgumentError('Expected a positive integer.');
  return rank;
}

async function decompose(
  path: string,
  options: SvdOptions,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
) {
  const { title, matrix, shape } = await readMatrix(path, options);
  const start = performance.now();
  const progress = new Progress(stderr);
  const settings = { signal, onProgress: (state: { done: number; total: number }) => progress.update(state) };
  const full = await (matrix instanceof FactoredMatrix
    ? matrix.svdAsync(settings)
    : svdAsync(matrix, settings)
  ).finally(() => progress.stop());
  const milliseconds = performance.now() - start;

  const kept = truncate(full, options.rank);
  const items = reportItems(full.S, perItem(full.bound), perItem(await distAsync(matrix, kept, { signal })));
  signal.throwIfAborted();
  if (options.out !== undefined) {
    const bound = JSON.stringify(perItem(full.bound));
    const next = following(full, options.rank);
    const known: Record<string, string> = next === undefined ? {} : { next: JSON.stringify(next) };
    await writeTensors(options.out, { ...kept }, { title, bound, ...known }, signal);
  }
  const report: SvdReport = {
    file: path,
    title,
    shape,
    dtype: dtypeOf(full.S),
    rank: options.rank,
    items,
    milliseconds,
    out: options.out,
  };
  await print(stdout, options.json ? reportJson(report) : reportText(report));
}

/** The leading `rank` singular triplets as views, or all of them. */
function truncate({ U, S, Vh }: Factors, rank: number | undefined): Factors {
  if (rank === undefined) return { U, S, Vh };
  const lastAxis = S.shape.length - 1;
  const available = S.shape[lastAxis];
  if (rank > available) {
    const message = `--rank ${rank}: the matrix has ${available} singular values (S has shape ${shapeText(S.shape)})`;
    throw svdError('ERR_SVD_ARGUMENT', message);
  }
  return {
    U: sliceAxis(U, lastAxis + 1, 0, rank),
    S: sliceAxis(S, lastAxis, 0, rank),
    Vh: sliceAxis(Vh, lastAxis, 0, rank),
  };
}

/** The singular value of every matrix that follows the leading `rank` of `full`; `undefined` where S holds min(m, n). */
function following({ S, next }: Svd, rank: number | undefined): number[] | undefined {
  const p = S.shape[S.shape.length - 1];
  if (rank === undefined || rank === p) return next === undefined ? undefined : perItem(next);
  return Array.from(S.data as Float64Array).filter((_, e) => e % p === rank);
}

/** `dist` gives a number for one matrix and an array for a batch; here a list for both. */
const perItem = (value: number | Tensor): number[] =>
  typeof value === 'number'
    ? [value]
    : Array.from(value.data.subarray(value.offset, value.offset + value.size));

/** One entry per matrix of the batch. `S` is row-major. */
function reportItems(S: Tensor, bounds: number[], distances: number[]): ItemReport[] {
  const p = S.shape[S.shape.length - 1];
  const batch = S.shape.slice(0, -1);
  return Array.from({ length: product(batch) }, (_, i) => {
    const values = S.data.subarray(S.offset + i * p, S.offset + (i + 1) * p);
    const { norm, effectiveRank, condition } = summarizeSpectrum(values);
    const residual = distances[i] === 0 ? 0 : distances[i] / norm;
    return {
      index: unravel(i, batch),
      S: values,
      bound: bounds[i],
      norm,
      effectiveRank,
      condition,
      residual,
    };
  });
}

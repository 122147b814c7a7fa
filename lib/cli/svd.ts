import { type Command, InvalidArgumentError } from 'commander';
import type { Svd } from '../algorithms/result.ts';
import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { svdError } from '../array/errors.ts';
import { escaped, quote } from '../array/escape.ts';
import { dtypeOf, product, sliceAxis, type Tensor, unravel } from '../array/tensor.ts';
import { distAsync, FactoredMatrix, svdAsync, transpose } from '../index.ts';
import { limits } from '../weights/header.ts';
import { openSafetensors, type SafetensorsFile } from '../weights/index.ts';
import { writeTensors } from '../weights/writer.ts';
import { outputProblem, shapeText } from './format.ts';
import { type ItemReport, reportJson, reportText, type SpectrumSummary, type SvdReport } from './report.ts';
import { Progress, print, type Streams } from './streams.ts';

/** The options that say which matrix is meant: one tensor, or the product of two. */
export interface MatrixOptions {
  matrix?: string;
  a?: string;
  b?: string;
  transposeA?: boolean;
  transposeB?: boolean;
}

/** A matrix, or batch of matrices, and how the user named it. */
export interface NamedMatrix {
  title: string;
  matrix: Tensor | FactoredMatrix;
  shape: readonly number[];
}

export function addMatrixOptions(command: Command): Command {
  return command
    .option('--a <name>', 'tensor that is the left factor A')
    .option('--b <name>', 'tensor that is the right factor B')
    .option('--transpose-a', 'use the transpose of A (of its last two dimensions)')
    .option('--transpose-b', 'use the transpose of B')
    .option('--matrix <name>', 'decompose this one tensor instead of a product');
}

/** What contradicts itself in the options, or `undefined`. */
export function contradiction({ matrix, a, b, transposeA, transposeB }: MatrixOptions): string | undefined {
  if (matrix !== undefined && (a ?? b ?? transposeA ?? transposeB) !== undefined)
    return '--matrix cannot be combined with --a, --b, --transpose-a or --transpose-b';
  if (matrix === undefined && (a === undefined || b === undefined))
    return 'name both factors with --a and --b, or one tensor with --matrix';
  return undefined;
}

/** Reads the tensors that the options name. `ERR_SVD_FILE`, or `ERR_SVD_SHAPE` if they are no matrices that fit. */
export async function readMatrix(path: string, options: MatrixOptions): Promise<NamedMatrix> {
  await using file = await openSafetensors(path);
  if (options.matrix !== undefined) {
    const matrix = await readFactor(file, options.matrix, false);
    return { title: `M = ${escaped(options.matrix)}`, matrix, shape: matrix.shape };
  }
  const A = await readFactor(file, options.a!, options.transposeA);
  const B = await readFactor(file, options.b!, options.transposeB);
  const title = `M = ${factorTitle(options.a!, A, options.transposeA)} · ${factorTitle(options.b!, B, options.transposeB)}`;
  const matrix = new FactoredMatrix(A, B);
  return { title, matrix, shape: matrix.shape };
}

async function readFactor(file: SafetensorsFile, name: string, transposed = false): Promise<Tensor> {
  const shape = file.tensors.get(name)?.shape;
  if (shape !== undefined && shape.length < 2)
    throw svdError(
      'ERR_SVD_SHAPE',
      `tensor ${escaped(name)} has shape ${shapeText(shape)}: expected a matrix (two dimensions or more)`,
    );
  // A batch of empty matrices can be longer than any file.
  if (shape !== undefined && product(shape) === 0 && product(shape.slice(0, -2)) > limits.headerEntries)
    throw svdError(
      'ERR_SVD_TOO_LARGE',
      `tensor ${quote(name)} of shape ${shapeText(shape)} has more than ${limits.headerEntries} matrices without elements`,
    );
  const x = await file.read(name);
  return transposed ? transpose(x) : x;
}

const factorTitle = (name: string, { shape }: Tensor, transposed = false): string =>
  `${escaped(name)}${transposed ? 'ᵀ' : ''} ${shapeText(shape)}`;

/** Summarizes singular values in descending order; an empty matrix has no condition number. They are divided by σ₁ before squaring, which cannot overflow. */
export function summarizeSpectrum(S: ArrayLike<number>): SpectrumSummary {
  const largest = S.length > 0 ? S[0] : 0;
  if (largest === 0) return { norm: 0, effectiveRank: 0, condition: S.length > 0 ? Infinity : Number.NaN };
  const squares = Array.from(S, (sigma) => (sigma / largest) ** 2);
  return {
    norm: largest * Math.sqrt(squares.reduce((sum, e) => sum + e, 0)),
    effectiveRank: effectiveRankOf(S),
    condition: largest / S[S.length - 1],
  };
}

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

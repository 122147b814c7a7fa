import { type Command, InvalidArgumentError } from 'commander';
import type { Svd, TruncatedSvd } from '../algorithms/result.ts';
import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { leastRank, spectraOf, type Truncation } from '../algorithms/truncation.ts';
import { svdError } from '../array/errors.ts';
import { escaped } from '../array/escape.ts';
import { dtypeOf, product, sliceAxis, type Tensor, unravel } from '../array/tensor.ts';
import { distAsync, FactoredMatrix, normAsync, svdAsync, transpose } from '../index.ts';
import type { AsyncOptions } from '../native/steps.ts';
import { openWeights, type Weights } from '../weights/index.ts';
import { matches, namesText, pairs } from '../weights/patterns.ts';
import { writeTensors } from '../weights/writer.ts';
import { outputProblem, shapeText } from './format.ts';
import { weightsPath } from './inspect.ts';
import { type ItemReport, reportJson, reportText, type SpectrumSummary, type SvdReport } from './report.ts';
import { describeFailure, Progress, print, type Streams } from './streams.ts';

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
    .option('--a <name>', 'tensor that is the left factor A; a pattern that matches its name will do')
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

/** One tensor, or two factors, by their names. */
type Named = Pick<MatrixOptions, 'transposeA' | 'transposeB'> &
  ({ matrix: string } | { a: string; b: string });

/**
 * What the options name: patterns can name several. Nothing at all names the tensor of a file that has one alone.
 * @throws `ERR_SVD_FILE` for names that are not there, `ERR_SVD_ARGUMENT` for factors that are no pairs
 */
function namedBy(weights: Weights, { matrix, a, b, ...transposed }: MatrixOptions): Named[] {
  const { names, path } = weights;
  if (a !== undefined && b !== undefined)
    return pairs(matches(a, names, path), matches(b, names, path)).map((pair) => ({
      ...pair,
      ...transposed,
    }));
  return [...matches(matrix ?? names[0], names, path).keys()].map((name) => ({ matrix: name }));
}

/** Reads the one matrix that the options name. `ERR_SVD_FILE`, or `ERR_SVD_SHAPE` if they are no matrices that fit. */
export async function readMatrix(path: string, options: MatrixOptions): Promise<NamedMatrix> {
  await using weights = await openWeights(path);
  const named = namedBy(weights, options);
  if (named.length === 1) return await readNamed(weights, named[0]);
  throw svdError('ERR_SVD_ARGUMENT', `${severalText(named)}: name one`);
}

const titleOf = (named: Named): string =>
  escaped('matrix' in named ? named.matrix : `${named.a} · ${named.b}`);

const severalText = (named: readonly Named[]): string =>
  `the patterns name ${named.length} matrices (${namesText(named.map((x) => ('matrix' in x ? x.matrix : x.a)))})`;

async function readNamed(weights: Weights, named: Named): Promise<NamedMatrix> {
  if ('matrix' in named) {
    const matrix = await readFactor(weights, named.matrix, false);
    checkItems(matrix.shape, matrix.size);
    return { title: `M = ${escaped(named.matrix)}`, matrix, shape: matrix.shape };
  }
  const { a, b, transposeA, transposeB } = named;
  const A = await readFactor(weights, a, transposeA);
  const B = await readFactor(weights, b, transposeB);
  const title = `M = ${factorTitle(a, A, transposeA)} · ${factorTitle(b, B, transposeB)}`;
  const matrix = new FactoredMatrix(A, B);
  checkItems(matrix.shape, A.size + B.size);
  return { title, matrix, shape: matrix.shape };
}

async function readFactor(weights: Weights, name: string, transposed = false): Promise<Tensor> {
  const shape = weights.tensors.get(name)?.shape;
  if (shape !== undefined && shape.length < 2)
    throw svdError(
      'ERR_SVD_SHAPE',
      `tensor ${escaped(name)} has shape ${shapeText(shape)}: expected a matrix (two dimensions or more)`,
    );
  const x = await weights.read(name);
  return transposed ? transpose(x) : x;
}

/** More matrices than a file has elements are of no size, or come of factors that are repeated: a short file can ask for any number. */
function checkItems(shape: readonly number[], elements: number): void {
  const [items, most] = [product(shape.slice(0, -2)), Math.max(elements, mostItems)];
  if (items > most)
    throw svdError(
      'ERR_SVD_TOO_LARGE',
      `shape ${shapeText(shape)} has ${items} matrices: of ${elements} elements at most ${most} are decomposed`,
    );
}

const mostItems = 2 ** 16;

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
  tol?: number;
  energy?: number;
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
      .argument('<file>', weightsPath),
  )
    .option(
      '--rank <n>',
      'keep the n largest singular values; the residual is that of the truncation',
      parseRank,
    )
    .option('--tol <x>', 'keep as few as leave ‖M − U·diag(S)·Vh‖_F ≤ x', parseTol)
    .option('--energy <share>', 'keep as few as hold this share of ‖M‖_F², 0.99 say', parseEnergy)
    .option('--out <file>', 'write the factors as tensors U, S and Vh to this safetensors file')
    .option('--json', 'print JSON, with all singular values that were computed')
    .addHelpText(
      'after',
      "\nOf patterns ('blocks.*.attn.W_V') every match is decomposed, and reported on apart, with --json a line for each;\n" +
        'those of --a and --b are paired by what their stars stand for. A file with one tensor needs no name.\n' +
        '\nLeading dimensions of the tensors are a batch: one row of the report per matrix, all of the same rank.\n' +
        'Of a large tensor no more is computed than --rank, --tol or --energy ask for.',
    )
    .action(async (path: string, options: SvdOptions) => {
      const unnamed = isUnnamed(options);
      const problem =
        (unnamed ? undefined : contradiction(options)) ??
        truncatedTwice(options) ??
        (await outputProblem(options.out, [path]));
      if (problem !== undefined) command.error(`error: ${problem}`);
      await using weights = await openWeights(path);
      if (unnamed && weights.names.length !== 1) command.error(`error: ${contradiction(options)}`);
      const named = namedBy(weights, options);
      if (named.length > 1 && options.out !== undefined)
        command.error(`error: --out takes the factors of one matrix: ${severalText(named)}`);
      const failed: string[] = [];
      for (const one of named) {
        try {
          await decompose(await readNamed(weights, one), path, options, streams, signal);
        } catch (error) {
          if (named.length === 1 || signal.aborted) throw error;
          failed.push(titleOf(one));
          await print(streams.stderr, `factored-svd: ${titleOf(one)}: ${describeFailure(error)}\n`);
          continue;
        }
        if (one !== named[named.length - 1] && !options.json) await print(streams.stdout, '\n');
      }
      if (failed.length > 0) throw new Error(`${failed.length} of ${named.length} were not decomposed`);
    });
}

const isUnnamed = ({ matrix, a, b, transposeA, transposeB }: MatrixOptions): boolean =>
  (matrix ?? a ?? b ?? transposeA ?? transposeB) === undefined;

export function parseRank(text: string): number {
  const rank = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(rank) || rank < 1)
    throw new InvalidArgumentError('Expected a positive integer.');
  return rank;
}

const truncatedTwice = ({ rank, tol, energy }: SvdOptions): string | undefined =>
  [rank, tol, energy].filter((x) => x !== undefined).length > 1
    ? 'give one of --rank, --tol and --energy'
    : undefined;

export function parseTol(text: string): number {
  const tol = Number(text);
  if (text.trim() === '' || !(tol >= 0)) throw new InvalidArgumentError('Expected a number ≥ 0.');
  return tol;
}

export function parseEnergy(text: string): number {
  const energy = Number(text);
  if (text.trim() === '' || !(energy > 0 && energy <= 1))
    throw new InvalidArgumentError('Expected a number in (0, 1].');
  return energy;
}

async function decompose(
  { title, matrix, shape }: NamedMatrix,
  path: string,
  options: SvdOptions,
  streams: Streams,
  signal: AbortSignal,
) {
  const start = performance.now();
  const progress = new Progress(streams.stderr);
  const settings = { signal, onProgress: (state: { done: number; total: number }) => progress.update(state) };
  const found = await decomposed(matrix, options, settings).finally(() => progress.stop());
  const milliseconds = performance.now() - start;
  signal.throwIfAborted();
  const { kept, bounds, next, rank } = found;
  if (options.out !== undefined) {
    const known: Record<string, string> = next === undefined ? {} : { next: JSON.stringify(next) };
    await writeTensors(options.out, { ...kept }, { title, bound: JSON.stringify(bounds), ...known }, signal);
  }
  const report: SvdReport = {
    file: path,
    title,
    shape,
    dtype: dtypeOf(kept.S),
    rank,
    items: reportItems(found),
    milliseconds,
    out: options.out,
  };
  await print(streams.stdout, options.json ? reportJson(report) : reportText(report));
}

/** A decomposition; what is said of every matrix is a list. */
interface Found {
  kept: Factors;
  /** Number of triplets kept; `undefined` where all are. */
  rank: number | undefined;
  /** Those kept, or all that were computed. */
  S: Tensor;
  bounds: number[];
  /** ‖M − U·diag(S)·Vh‖_F */
  distances: number[];
  /** The singular values after those kept. */
  next: number[] | undefined;
  /** ‖M‖_F where S does not tell it, because the others were not computed. */
  norms?: number[];
  certified?: boolean[];
}

const decomposed = (
  matrix: Tensor | FactoredMatrix,
  { rank, tol, energy }: Truncation,
  settings: AsyncOptions,
): Promise<Found> =>
  matrix instanceof FactoredMatrix || (rank ?? tol ?? energy) === undefined
    ? whole(matrix, { rank, tol, energy }, settings)
    : leadingOnly(matrix, { rank, tol, energy }, settings);

/** All of the decomposition, of which the leading triplets are kept. */
async function whole(
  matrix: Tensor | FactoredMatrix,
  truncation: Truncation,
  settings: AsyncOptions,
): Promise<Found> {
  const full = await svdAsync(matrix as Tensor, settings);
  const { tol, energy } = truncation;
  const rank = (tol ?? energy) === undefined ? truncation.rank : leastRank(spectraOf(full.S), truncation);
  const kept = truncate(full, rank);
  const distances = perItem(await distAsync(matrix, kept, { signal: settings.signal }));
  return { kept, rank, S: full.S, bounds: perItem(full.bound), distances, next: following(full, rank) };
}

/** The leading triplets of plain matrices alone. */
async function leadingOnly(matrix: Tensor, truncation: Truncation, settings: AsyncOptions): Promise<Found> {
  const { rank } = truncation;
  if (rank !== undefined) {
    const [m, n] = matrix.shape.slice(-2);
    checkRank(rank, [...matrix.shape.slice(0, -2), Math.min(m, n)]);
  }
  const svd = (await svdAsync(matrix, { ...truncation, ...settings } as { rank: number })) as TruncatedSvd;
  return {
    kept: { U: svd.U, S: svd.S, Vh: svd.Vh },
    rank: svd.S.shape[svd.S.shape.length - 1],
    S: svd.S,
    bounds: perItem(svd.bound),
    distances: perItem(svd.truncationError),
    next: svd.next === undefined ? undefined : perItem(svd.next),
    norms: perItem(await normAsync(matrix, 'fro', { signal: settings.signal })),
    certified: [svd.certified].flat(),
  };
}

function checkRank(rank: number, shape: readonly number[]): void {
  const available = shape[shape.length - 1];
  if (rank > available) {
    const message = `--rank ${rank}: the matrix has ${available} singular values (S has shape ${shapeText(shape)})`;
    throw svdError('ERR_SVD_ARGUMENT', message);
  }
}

/** The leading `rank` singular triplets as views, or all of them. */
function truncate({ U, S, Vh }: Factors, rank: number | undefined): Factors {
  if (rank === undefined) return { U, S, Vh };
  const lastAxis = S.shape.length - 1;
  checkRank(rank, S.shape);
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
function reportItems({ S, bounds, distances, norms, certified }: Found): ItemReport[] {
  const p = S.shape[S.shape.length - 1];
  const batch = S.shape.slice(0, -1);
  return Array.from({ length: product(batch) }, (_, i) => {
    const values = S.data.subarray(S.offset + i * p, S.offset + (i + 1) * p);
    const known = norms ? { norm: norms[i], certified: certified?.[i] } : summarizeSpectrum(values);
    const residual = distances[i] === 0 ? 0 : distances[i] / known.norm;
    return { index: unravel(i, batch), S: values, bound: bounds[i], ...known, residual };
  });
}

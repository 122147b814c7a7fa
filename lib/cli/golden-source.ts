import type { Command } from 'commander';
import { escaped } from '../escape.ts';
import type { Source } from '../golden/contents.ts';
import { FactoredMatrix, svdAsync } from '../index.ts';
import type { SvdOperand } from '../testing/index.ts';
import { product, type Tensor, tensor } from '../views.ts';
import { fileError } from '../weights/file-errors.ts';
import { openSafetensors } from '../weights/index.ts';
import { addMatrixOptions, contradiction, type MatrixOptions, readMatrix } from './matrix-options.ts';
import { Progress } from './progress.ts';
import type { OutputStream } from './streams.ts';

/** The options that say what is recorded or compared: factors that a file holds, or a matrix to decompose. */
export interface SourceOptions extends MatrixOptions {
  factors?: boolean;
}

export function addSourceOptions(command: Command): Command {
  return addMatrixOptions(
    command.option('--factors', 'the file holds U, S and Vh, as svd --out writes them; decompose nothing'),
  );
}

/** The options that name a matrix, without the others of the command; empty where there is none. */
export function sourceOf({ factors, matrix, a, b, transposeA, transposeB }: SourceOptions): Source {
  const named = { factors, matrix, a, b, transposeA, transposeB };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/** What contradicts itself in the source, or `undefined`. */
export function sourceContradiction({ factors, ...matrix }: Source): string | undefined {
  if (!factors) {
    const problem = contradiction(matrix);
    return problem && (Object.keys(matrix).length > 0 ? problem : `${problem}, or say --factors`);
  }
  return Object.keys(matrix).length > 0
    ? '--factors cannot be combined with the name of a matrix'
    : undefined;
}

/** How a report calls the matrix. */
export function sourceTitle({ factors, matrix, a, b, transposeA, transposeB }: Source): string {
  if (factors) return 'U, S, Vh';
  if (matrix !== undefined) return escaped(matrix);
  return `${escaped(a!)}${transposeA ? 'ᵀ' : ''} · ${escaped(b!)}${transposeB ? 'ᵀ' : ''}`;
}

/** A decomposition, and what it is of where that is known. */
export interface Decomposed {
  svd: SvdOperand;
  matrix?: Parameters<typeof svdAsync>[0] | FactoredMatrix;
}

/** Reads the factors, or reads the matrix and decomposes it. Rejects with `signal.reason` on abort. */
export async function readDecomposition(
  path: string,
  source: Source,
  { signal, stderr }: { signal: AbortSignal; stderr: OutputStream },
): Promise<Decomposed> {
  if (source.factors) return { svd: await readFactors(path) };
  const { matrix } = await readMatrix(path, source);
  const progress = new Progress(stderr);
  const settings = { signal, onProgress: (state: { done: number; total: number }) => progress.update(state) };
  const svd = await (matrix instanceof FactoredMatrix
    ? matrix.svdAsync(settings)
    : svdAsync(matrix, settings)
  ).finally(() => progress.stop());
  return { svd, matrix };
}

/** The tensors U, S and Vh of a file, and `bound` and `next` that `svd --out` left in its metadata, one per matrix. */
async function readFactors(path: string): Promise<SvdOperand> {
  await using file = await openSafetensors(path);
  const [U, S, Vh] = [await file.read('U'), await file.read('S'), await file.read('Vh')];
  const stored = (name: 'bound' | 'next') => perMatrix(name, file.metadata[name], S, path);
  return { U, S, Vh, bound: stored('bound'), next: stored('next') };
}

function perMatrix(name: string, text: string | undefined, S: Tensor, path: string): Tensor | undefined {
  if (text === undefined) return undefined;
  const values = parse(text);
  const shape = S.shape.slice(0, -1);
  if (Array.isArray(values) && values.length === product(shape) && values.every((x) => Number.isFinite(x))) {
    return tensor(Float64Array.from(values), shape);
  }
  throw fileError(path, `metadata '${name}' is not a list of ${product(shape)} numbers`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

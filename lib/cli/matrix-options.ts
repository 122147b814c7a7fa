import type { Command } from 'commander';
import { svdError } from '../errors.ts';
import { escaped, quote } from '../escape.ts';
import { FactoredMatrix, transpose } from '../index.ts';
import { product, type Tensor } from '../views.ts';
import { openSafetensors, type SafetensorsFile } from '../weights/index.ts';
import { limits } from '../weights/limits.ts';
import { shapeText } from './format.ts';

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

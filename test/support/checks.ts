import { expect } from 'vitest';
import type { SvdError, SvdErrorCode } from '../../lib/array/errors.ts';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import type { Product } from './matrices.ts';

// Everything here is computed with plain loops in float64, and nothing with the code under test.

/** Rows of one matrix. */
export type Rows = number[][];

export const dtypeOf = (x: Tensor): Dtype => (x.data instanceof Float32Array ? 'float32' : 'float64');

/** All indices into `shape`, in row-major order. */
export function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, n) => all.flatMap((index) => Array.from({ length: n }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The indices of the leading dimensions that `index` of a broadcast shape stands for. */
function ownIndex(leading: readonly number[], index: readonly number[]): number[] {
  const pad = index.length - leading.length;
  return leading.map((n, axis) => (n === 1 ? 0 : index[pad + axis]));
}

/** One matrix of a batch, broadcast as in numpy. */
export function matrixAt(x: Tensor, index: readonly number[] = []): Rows {
  const own = ownIndex(x.shape.slice(0, -2), index);
  const [m, n] = x.shape.slice(-2);
  return Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => x.get(...own, i, j)));
}

/** One vector of a batch. */
export function vectorAt(x: Tensor, index: readonly number[] = []): number[] {
  const own = ownIndex(x.shape.slice(0, -1), index);
  return Array.from({ length: x.shape[x.shape.length - 1] }, (_, i) => x.get(...own, i));
}

export const transposeRows = (x: Rows, cols = x[0]?.length ?? 0): Rows =>
  Array.from({ length: cols }, (_, j) => x.map((row) => row[j]));

/** Of m×k and k×n. `n` is needed where k is 0. */
export function multiplyRows(x: Rows, y: Rows, n = y[0]?.length ?? 0): Rows {
  return x.map((row) => {
    const out = new Array<number>(n).fill(0);
    row.forEach((value, q) => {
      for (let j = 0; j < n; j++) out[j] += value * y[q][j];
    });
    return out;
  });
}

/** √Σx², without overflow on the way. */
export function norm(values: readonly number[]): number {
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  return largest * Math.sqrt(values.reduce((sum, x) => sum + (x / largest) ** 2, 0));
}

/** ‖x‖_F. */
export const frobenius = (x: Rows): number => norm(x.map(norm));

/** ‖x − y‖_F. */
export const distance = (x: Rows, y: Rows): number =>
  frobenius(x.map((row, i) => row.map((value, j) => value - y[i][j])));

/** What a decomposition is of: a matrix or a product, and its size. */
interface Item {
  M: Rows;
  norm: number;
  /** Σ‖a_j‖·‖b_j‖ of a product; 0 for a matrix. */
  beta: number;
}

export type Decomposed = Tensor | Product;

const isProduct = (x: Decomposed): x is Product => 'A' in x;

/** β = Σ‖a_j‖·‖b_j‖ of one product. */
export function betaOf(A: Rows, B: Rows): number {
  return transposeRows(A, B.length).reduce((sum, column, j) => sum + norm(column) * norm(B[j]), 0);
}

function itemAt(of: Decomposed, index: readonly number[]): Item {
  if (!isProduct(of)) {
    const M = matrixAt(of, index);
    return { M, norm: frobenius(M), beta: 0 };
  }
  const [A, B] = [matrixAt(of.A, index), matrixAt(of.B, index)];
  const M = multiplyRows(A, B, of.B.shape.at(-1));
  return { M, norm: frobenius(M), beta: betaOf(A, B) };
}

/** What numpy's broadcasting makes of two lists of leading dimensions. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const n = Math.max(a.length, b.length);
  return Array.from({ length: n }, (_, i) => {
    const [p, q] = [a.at(i - n) ?? 1, b.at(i - n) ?? 1];
    return p === 1 ? q : p;
  });
}

function outline(of: Decomposed) {
  const [A, B] = isProduct(of) ? [of.A, of.B] : [of, of];
  const [l, r] = [A.shape.at(-2)!, B.shape.at(-1)!];
  const k = isProduct(of) ? of.A.shape.at(-1)! : Math.min(l, r);
  const leading = broadcast(A.shape.slice(0, -2), B.shape.slice(0, -2));
  const dtype: Dtype = dtypeOf(A) === 'float32' && dtypeOf(B) === 'float32' ? 'float32' : 'float64';
  return { leading, l, r, p: Math.min(l, k, r), dtype };
}

interface Factors {
  U: Tensor;
  S: Tensor;
  Vh: Tensor;
}

/**
 * That `svd` is the decomposition of `of`: shapes, dtype and layout, finite elements, S descending and ≥ 0,
 * orthonormal vectors, and U·diag(S)·Vh = M, each within its bound of NUMERICS.md. Throws naming the check that failed.
 */
export function checkSvd(of: Decomposed, svd: Factors, { fullMatrices = false } = {}): void {
  const { leading, l, r, p, dtype } = outline(of);
  const [u, v] = fullMatrices ? [l, r] : [p, p];
  checkArray(svd.U, [...leading, l, u], dtype, 'U');
  checkArray(svd.S, [...leading, p], dtype, 'S');
  checkArray(svd.Vh, [...leading, v, r], dtype, 'Vh');
  for (const index of indices(leading)) {
    const [U, S, Vh] = [matrixAt(svd.U, index), vectorAt(svd.S, index), matrixAt(svd.Vh, index)];
    checkSingularValues(S);
    checkOrthonormal(transposeRows(U, u), dtype, 'columns of U');
    checkOrthonormal(Vh, dtype, 'rows of Vh');
    const item = itemAt(of, index);
    expect(item.norm, 'norm of the data must be representable for the bound to mean anything').toBeLessThan(
      Number.POSITIVE_INFINITY,
    );
    const scaled = U.map((row) => S.map((s, j) => row[j] * s));
    const rest = distance(item.M, multiplyRows(scaled, Vh.slice(0, p), r));
    const bound = bounds.reconstruction(dtype, item.norm, l, r, item.beta);
    expect(rest, `reconstruction: ‖M − U·diag(S)·Vh‖ of item [${index}]`).toBeLessThanOrEqual(bound);
  }
}

/** Shape, dtype, and the row-major contiguous layout that every result has. */
export function checkArray(x: Tensor, shape: readonly number[], dtype: Dtype, name: string): void {
  expect(x.shape, `shape of ${name}`).toEqual(shape);
  expect(dtypeOf(x), `dtype of ${name}`).toBe(dtype);
  expect(x.offset, `offset of ${name}`).toBe(0);
  const size = shape.reduce((product, n) => product * n, 1);
  expect(x.data.length, `elements of ${name}`).toBe(size);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1 && size > 0) expect(x.stride[axis], `stride ${axis} of ${name}`).toBe(step);
    step *= shape[axis];
  }
  expect(Array.from(x.data).every(Number.isFinite), `elements of ${name} finite`).toBe(true);
}

function checkSingularValues(S: readonly number[]): void {
  S.forEach((s, j) => {
    expect(s, `S[${j}] ≥ 0`).toBeGreaterThanOrEqual(0);
    if (j > 0) expect(s, `S[${j}] sorted`).toBeLessThanOrEqual(S[j - 1]);
  });
}

/** x·y with compensated summation: a plain sum of thousands of terms of one size errs by more than the bound. */
function dot(x: readonly number[], y: readonly number[]): number {
  let [sum, lost] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const term = x[i] * y[i];
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** That ‖X·Xᵀ − I‖_F of vectors given as rows is within its bound. */
export function checkOrthonormal(vectors: Rows, dtype: Dtype, what: string): void {
  const gram = vectors.map((x, i) => vectors.map((y, j) => dot(x, y) - (i === j ? 1 : 0)));
  const bound = bounds.orthonormality(dtype, vectors.length);
  expect(frobenius(gram), `orthonormality: ${what}`).toBeLessThanOrEqual(bound);
}

/** That two lists of singular values of the same matrix agree within the bounds they were computed with. */
export function checkSameSpectrum(
  dtype: Dtype,
  s: ArrayLike<number>,
  t: ArrayLike<number>,
  boundS: number,
  boundT: number,
): void {
  expect(s.length, 'number of singular values').toBe(t.length);
  const tau = bounds.singularValues(dtype, boundS, boundT);
  for (let j = 0; j < s.length; j++) {
    expect(Math.abs(s[j] - t[j]), `spectrum: |s[${j}] − t[${j}]|`).toBeLessThanOrEqual(tau);
  }
}

/** The bytes of the elements: equal for equal bits, −0 and NaN included. */
export function bits(x: Tensor): string {
  const { buffer, byteOffset, byteLength } = x.data;
  return `${x.data.constructor.name} [${x.shape}] ${Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('hex')}`;
}

/** The bits of every array of a result. */
export const allBits = (result: Iterable<Tensor>): string[] => Array.from(result, bits);

/** The error that `f` throws. */
export function errorOf(f: () => unknown): SvdError {
  try {
    f();
  } catch (error) {
    return error as SvdError;
  }
  throw new Error('expected an error, but none was thrown');
}

/** The error that `promise` rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<SvdError> {
  const outcome = await promise.then(
    () => undefined,
    (error: SvdError) => ({ error }),
  );
  if (!outcome) throw new Error('expected a rejection, but the promise was fulfilled');
  return outcome.error;
}

const kinds: Record<SvdErrorCode, ErrorConstructor> = {
  ERR_SVD_ARGUMENT: TypeError,
  ERR_SVD_SHAPE: RangeError,
  ERR_SVD_NON_FINITE: RangeError,
  ERR_SVD_NO_CONVERGENCE: Error,
  ERR_SVD_OVERFLOW: RangeError,
  ERR_SVD_TOO_LARGE: RangeError,
  ERR_SVD_FILE: Error,
  ERR_SVD_BINARY: Error,
};

/** That `error` carries `code`, is of its kind, and that its text says all of `says`. */
export function checkError(error: SvdError, code: SvdErrorCode, ...says: (string | RegExp)[]): void {
  expect({ code: error.code, message: error.message }).toMatchObject({ code });
  expect(Object.getPrototypeOf(error), `kind of ${code}`).toBe(kinds[code].prototype);
  for (const part of says) expect(error.message).toMatch(part);
}

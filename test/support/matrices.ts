import ndarray from 'ndarray';
import type { Dtype, FloatArray, Tensor } from '../../lib/array/tensor.ts';

export const dtypes: readonly Dtype[] = ['float64', 'float32'];

/** Uniform numbers in (−1, 1), the same for the same seed everywhere (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * 2 - 1;
  };
}

const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Row-major and contiguous; `values` are rounded to the dtype. */
export function array(values: ArrayLike<number>, shape: readonly number[], dtype: Dtype = 'float64'): Tensor {
  const data: FloatArray = dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
  return ndarray(data, [...shape]);
}

/** Independent entries, uniform in (−1, 1). */
export function randomMatrix(seed: number, shape: readonly number[], dtype: Dtype = 'float64'): Tensor {
  const next = random(seed);
  return array(Array.from({ length: size(shape) }, next), shape, dtype);
}

/** Entries −3 … 3, so that sums of their products are exact. */
export function integerMatrix(seed: number, shape: readonly number[], dtype: Dtype = 'float64'): Tensor {
  const next = random(seed);
  return array(
    Array.from({ length: size(shape) }, () => Math.round(3 * next())),
    shape,
    dtype,
  );
}

/** n×p with orthonormal columns: Gram–Schmidt, twice over. */
export function orthogonal(
  seed: number,
  n: number,
  p: number,
  first: readonly (readonly number[])[] = [],
): Tensor {
  const columns: number[][] = [];
  const next = random(seed);
  while (columns.length < p) {
    const v = Array.from(first[columns.length] ?? Array.from({ length: n }, next));
    for (const q of [...columns, ...columns]) {
      const along = q.reduce((sum, x, i) => sum + x * v[i], 0);
      q.forEach((x, i) => {
        v[i] -= along * x;
      });
    }
    const length = Math.hypot(...v);
    columns.push(v.map((x) => x / length));
  }
  return array(
    Array.from({ length: n * p }, (_, e) => columns[e % p][Math.floor(e / p)]),
    [n, p],
  );
}

/** `U·diag(sigma)·Vᵀ` of l×r with random orthogonal factors, rounded to the dtype. */
export function withSpectrum(
  seed: number,
  l: number,
  r: number,
  sigma: readonly number[],
  dtype: Dtype = 'float64',
): Tensor {
  const [U, V] = [orthogonal(seed, l, sigma.length), orthogonal(seed + 1, r, sigma.length)];
  const entry = (i: number, j: number) => sigma.reduce((sum, s, q) => sum + U.get(i, q) * s * V.get(j, q), 0);
  return array(
    Array.from({ length: l * r }, (_, e) => entry(Math.floor(e / r), e % r)),
    [l, r],
    dtype,
  );
}

/** A copy of a contiguous array whose entry `e` (row-major) is `f(x[e], row, column)`. */
export function mapMatrix(
  x: Tensor,
  f: (value: number, row: number, column: number) => number,
  dtype: Dtype = x.data instanceof Float32Array ? 'float32' : 'float64',
): Tensor {
  const cols = x.shape[x.shape.length - 1];
  const rows = x.shape[x.shape.length - 2];
  return array(
    Array.from(x.data, (value, e) => f(value, Math.floor(e / cols) % rows, e % cols)),
    x.shape,
    dtype,
  );
}

/** `x·diag(d)`. */
export const scaleColumnsBy = (x: Tensor, d: readonly number[]): Tensor =>
  mapMatrix(x, (v, _, j) => v * d[j]);

/** `diag(d)·x`. */
export const scaleRowsBy = (d: readonly number[], x: Tensor): Tensor => mapMatrix(x, (v, i) => v * d[i]);

export interface Product {
  A: Tensor;
  B: Tensor;
}

/** Two independent random factors of `A·B`, batches too. */
export function randomProduct(
  seed: number,
  [l, k, r]: readonly [number, number, number],
  dtype: Dtype = 'float64',
  leading: readonly number[] = [],
): Product {
  return {
    A: randomMatrix(seed, [...leading, l, k], dtype),
    B: randomMatrix(seed + 1000, [...leading, k, r], dtype),
  };
}

/** `A₀·diag(left)` and `diag(right)·B₀` with random A₀ (l×k) and B₀ (k×r): badly scaled, but only diagonally. */
export function gradedProduct(
  seed: number,
  l: number,
  r: number,
  left: readonly number[],
  right: readonly number[],
  dtype: Dtype = 'float64',
): Product {
  const { A, B } = randomProduct(seed, [l, left.length, r], dtype);
  return { A: scaleColumnsBy(A, left), B: scaleRowsBy(right, B) };
}

/** Powers of two from 2^from to 2^to, k of them. */
export const powersOfTwo = (k: number, from: number, to: number): number[] =>
  Array.from({ length: k }, (_, j) => 2 ** Math.round(from + ((to - from) * j) / Math.max(k - 1, 1)));

/** `values` in an order that is neither ascending nor descending. */
export const shuffled = (seed: number, values: readonly number[]): number[] => {
  const next = random(seed);
  return values
    .map((value) => [next(), value] as const)
    .sort(([x], [y]) => x - y)
    .map(([, value]) => value);
};

/** Exact rank `rank`: the product of two small integer matrices. */
export function rankDeficient(seed: number, l: number, r: number, rank: number, dtype?: Dtype): Tensor {
  const [X, Y] = [integerMatrix(seed, [l, rank]), integerMatrix(seed + 1, [rank, r])];
  const entry = (i: number, j: number) => {
    let sum = 0;
    for (let q = 0; q < rank; q++) sum += X.get(i, q) * Y.get(q, j);
    return sum;
  };
  return array(
    Array.from({ length: l * r }, (_, e) => entry(Math.floor(e / r), e % r)),
    [l, r],
    dtype,
  );
}

/** A product whose singular values are those of `sigma`: orthonormal columns times orthonormal rows. */
export function productWithSpectrum(seed: number, l: number, r: number, sigma: readonly number[]): Product {
  const k = sigma.length;
  const A = scaleColumnsBy(orthogonal(seed, l, k), sigma);
  return { A, B: orthogonal(seed + 1, r, k).transpose(1, 0) };
}

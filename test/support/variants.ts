import { cols, rows, sliceAxis, type Tensor } from '../../lib/array/tensor.ts';
import { matmul } from '../../lib/matmul.ts';
import { array, mapMatrix } from './matrices.ts';

// Decompositions that are changed on purpose: some changes do not matter, the others must be noticed.

/** One decomposition of one matrix. */
export interface Factors {
  U: Tensor;
  S: Tensor;
  Vh: Tensor;
  bound: number;
  /** The singular value that follows, where it is known. */
  next?: number;
}

interface Copied extends Pick<Factors, 'U' | 'S' | 'Vh'> {
  bound: unknown;
  next?: unknown;
}

export const copy = ({ U, S, Vh, bound, next }: Copied): Factors => ({
  U: mapMatrix(U, (u) => u),
  S: array(S.data, S.shape, S.data instanceof Float32Array ? 'float32' : 'float64'),
  Vh: mapMatrix(Vh, (v) => v),
  bound: bound as number,
  next: next as number | undefined,
});

export const flipU = ({ U, ...rest }: Factors, column: number): Factors => ({
  ...rest,
  U: mapMatrix(U, (u, _, j) => (j === column ? -u : u)),
});

export const flipV = ({ Vh, ...rest }: Factors, row: number): Factors => ({
  ...rest,
  Vh: mapMatrix(Vh, (v, j) => (j === row ? -v : v)),
});

/** Swaps two singular triplets, but leaves the singular values where they are. */
export function swapVectors({ U, Vh, ...rest }: Factors, i: number, j: number): Factors {
  const other = (q: number) => (q === i ? j : q === j ? i : q);
  return {
    ...rest,
    U: mapMatrix(U, (_, row, column) => U.get(row, other(column))),
    Vh: mapMatrix(Vh, (_, row, column) => Vh.get(other(row), column)),
  };
}

export const shiftS = ({ S, ...rest }: Factors, i: number, by: number): Factors => ({
  ...rest,
  S: array(
    Array.from(S.data, (s, j) => (i === j ? s + by : s)),
    S.shape,
    S.data instanceof Float32Array ? 'float32' : 'float64',
  ),
});

/** U_c·Q for the columns from `first` on. */
export const rotateU = ({ U, ...rest }: Factors, first: number, Q: Tensor): Factors => ({
  ...rest,
  U: rotated(U, first, Q),
});

/** V_c·Q likewise. */
export const rotateV = ({ Vh, ...rest }: Factors, first: number, Q: Tensor): Factors => {
  const V = rotated(Vh.transpose(1, 0), first, Q);
  return { ...rest, Vh: mapMatrix(Vh, (_, j, i) => V.get(i, j)) };
};

function rotated(X: Tensor, first: number, Q: Tensor): Tensor {
  const part = matmul(sliceAxis(X, 1, first, cols(Q)), Q) as Tensor;
  const out = array(
    Array.from({ length: rows(X) * cols(X) }, (_, e) => X.get(Math.floor(e / cols(X)), e % cols(X))),
    [rows(X), cols(X)],
    X.data instanceof Float32Array ? 'float32' : 'float64',
  );
  for (let i = 0; i < rows(X); i++) for (let j = 0; j < cols(Q); j++) out.set(i, first + j, part.get(i, j));
  return out;
}

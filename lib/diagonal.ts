import { itemOffsets } from './item-offsets.ts';
import { mustBeThere } from './kernels.ts';
import { allocate } from './memory.ts';
import { type Steps, turn } from './steps.ts';
import { cols, dtypeOf, type FloatArray, rows, type Tensor, tensor } from './views.ts';

// Products with diag(s). Every array here is row-major and contiguous, as the factors of a decomposition are.

/** `x · diag(s)`: x `[..., m, p]`, s `[..., p]`. */
export const scaleColumns = (x: Tensor, s: Tensor): Steps<Tensor> => scale(x, s, 'columns');

/** `diag(s) · x`: s `[..., p]`, x `[..., p, n]`. */
export const scaleRows = (s: Tensor, x: Tensor): Steps<Tensor> => scale(x, s, 'rows');

const elementsPerTurn = 2 ** 18; // about a millisecond

function* scale(x: Tensor, s: Tensor, which: 'rows' | 'columns'): Steps<Tensor> {
  const [m, n] = [rows(x), cols(x)];
  const out = allocate(dtypeOf(x), x.shape, 'scaled factor');
  const rowsPerTurn = Math.ceil(elementsPerTurn / Math.max(1, n));
  for (let row = 0; row * n < out.length; row += rowsPerTurn) {
    if (row > 0) yield turn;
    mustBeThere(x);
    mustBeThere(s);
    const end = Math.min(row + rowsPerTurn, out.length / n);
    if (which === 'rows') scaleEach(x.data, s.data, n, row, end, out);
    else for (let i = row; i < end; i++) multiplyRow(x.data, s.data, Math.floor(i / m) * n, i * n, n, out);
  }
  return tensor(out, x.shape);
}

/** Row i of x times s[i]. */
function scaleEach(x: FloatArray, s: FloatArray, n: number, from: number, to: number, out: FloatArray): void {
  for (let i = from; i < to; i++) for (let e = i * n; e < (i + 1) * n; e++) out[e] = s[i] * x[e];
}

/** The row of x that begins at `at` times the one of s that begins at `first`, element by element. */
function multiplyRow(
  x: FloatArray,
  s: FloatArray,
  first: number,
  at: number,
  n: number,
  out: FloatArray,
): void {
  for (let j = 0; j < n; j++) out[at + j] = s[first + j] * x[at + j];
}

/** Element-wise `f(s)`. */
export const mapElements = (s: Tensor, f: (x: number) => number): Tensor =>
  tensor((s.data as Float64Array).map(f) as FloatArray, s.shape);

/** `diag(s)`: `[..., p]` → `[..., p, p]`; s may be any view. */
export function diagonal(s: Tensor): Tensor {
  const p = s.shape[s.shape.length - 1];
  const shape = [...s.shape, p];
  const data = allocate(dtypeOf(s), shape, 'diagEmbed').fill(0) as FloatArray;
  itemOffsets(s, s.shape.length).forEach((offset, i) => {
    data[Math.floor(i / p) * p * p + (i % p) * (p + 1)] = s.data[offset];
  });
  return tensor(data, shape);
}

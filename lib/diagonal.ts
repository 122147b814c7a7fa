import { itemOffsets } from './item-offsets.ts';
import { allocate } from './memory.ts';
import { type Steps, turn } from './steps.ts';
import { cols, dtypeOf, type FloatArray, rows, type Tensor, tensor } from './views.ts';

// Products with diag(s). Every array here is row-major and contiguous, as the factors of a decomposition are.

/** `x · diag(s)`: x `[..., m, p]`, s `[..., p]`. */
export const scaleColumns = (x: Tensor, s: Tensor): Steps<Tensor> => scale(x, s, 'columns');

/** `diag(s) · x`: s `[..., p]`, x `[..., p, n]`. */
export const scaleRows = (s: Tensor, x: Tensor): Steps<Tensor> => scale(x, s, 'rows');

const elementsPerTurn = 2 ** 20; // about a millisecond

function* scale(x: Tensor, s: Tensor, which: 'rows' | 'columns'): Steps<Tensor> {
  const [m, n] = [rows(x), cols(x)];
  const data = allocate(dtypeOf(x), x.shape, 'scaled factor');
  const rowsPerTurn = Math.ceil(elementsPerTurn / Math.max(1, n));
  for (let row = 0; row * n < data.length; row++) {
    if (row % rowsPerTurn === rowsPerTurn - 1) yield turn;
    const item = Math.floor(row / m);
    for (let j = 0; j < n; j++) {
      const factor = which === 'rows' ? s.data[row] : s.data[item * n + j];
      data[row * n + j] = factor * x.data[row * n + j];
    }
  }
  return tensor(data, x.shape);
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

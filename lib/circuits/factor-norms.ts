import { formatOf, type Stored, widenBfloat16, widenFloat16 } from '../array/elements.ts';
import { itemOffsets } from '../array/indexing.ts';
import type { Input } from '../array/tensor.ts';

/**
 * ‖A‖_F·‖B‖_F of every pair of factors. `norm` would pack them first, which takes a third of the time of their SVD; here each
 * number is read once where it stands, and a matrix that heads share once for all of them.
 */
export function productsOfNorms(A: Input, B: Input): Float64Array {
  const [a, b] = [norms(A), norms(B)];
  return a.map((norm, i) => norm * b[i]);
}

/** Frobenius norms of all matrices of a batch. */
function norms(x: Input): Float64Array {
  const known = new Map<number, number>();
  const scale = x.data instanceof Float64Array ? largest(x.data) || 1 : 1; // squares of the others fit in float64
  return itemOffsets(x).map((offset) => {
    const norm = known.get(offset) ?? normAt(x, offset, scale);
    known.set(offset, norm);
    return norm;
  });
}

function normAt({ data, shape, stride }: Input, offset: number, scale: number): number {
  const [[rows, cols], [row, col]] = [shape.slice(-2), stride.slice(-2)];
  // The inner loop goes as the elements lie.
  const [lines, length, line, step] =
    Math.abs(row) < Math.abs(col) ? [cols, rows, col, row] : [rows, cols, row, col];
  const values = valuesOf(data);
  let sum = 0;
  for (let i = 0; i < lines; i++) {
    let at = offset + i * line;
    for (let j = 0; j < length; j++, at += step) {
      const value = values ? values[data[at]] : data[at] / scale;
      sum += value * value;
    }
  }
  return scale * Math.sqrt(sum);
}

const largest = (data: Float64Array): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

const tables: { bfloat16?: Float32Array; float16?: Float32Array } = {};

/** Of halves the number that each of all bit patterns means. */
function valuesOf(data: Stored): Float32Array | undefined {
  const format = formatOf(data);
  if (format !== 'bfloat16' && format !== 'float16') return undefined;
  tables[format] ??= (format === 'bfloat16' ? widenBfloat16 : widenFloat16)(everyBits());
  return tables[format];
}

const everyBits = (): Uint16Array => Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

import type { Svd } from '../../lib/algorithms/result.ts';
import { type Dtype, epsilon } from '../../lib/array/tensor.ts';

/**
 * The bound that docs/numerics.md states for a product without parallel columns and with a core of no more than 128: 4εβ;
 * for float32 factors that of the arithmetic, float64, and the rounding of the result, unless CholeskyQR2 was needed.
 */
export function statedBound(dtype: Dtype, beta: number, { S, driver }: Pick<Svd, 'S' | 'driver'>): number {
  if (dtype === 'float64' || String(driver).includes('cholesky2')) return 4 * epsilon(dtype) * beta;
  return 4 * epsilon('float64') * beta + epsilon('float32') * (S.data[0] ?? 0);
}

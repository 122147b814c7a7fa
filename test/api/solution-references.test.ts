import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { lowRank, lstsq, matmul, matrixRank, pinv } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { matrixAt, norm, vectorAt } from '../support/checks.ts';
import { solutionReferences } from '../support/references.ts';

const flat = (x: unknown) => matrixAt(x as Tensor).flat();
const far = (x: readonly number[], y: ArrayLike<number>) => norm(x.map((value, i) => value - y[i]));

// Errors of a relative size δ in a, as the decomposition has them, turn a⁺ by 2·δ·‖a‖·‖a⁺‖² (Wedin 1973), and x by as much
// of ‖x‖ and of the residual.
describe.each(solutionReferences)('$name, against exact arithmetic', (reference) => {
  const { a, b, dtype, singularValues, inverse, x, squares, ofRank2, left } = reference;
  const [m, n] = a.shape;
  const size = norm(Array.from(singularValues));
  const sizeInverse = norm(Array.from(inverse));
  const delta = bounds.reconstruction(dtype, 1, m, n);
  const scale = (e: number) => e + m * n * bounds.eta(dtype);

  it('pinv', () => {
    const bound = scale(2 * delta * sizeInverse * (size * sizeInverse));
    expect(far(flat(pinv(a)), inverse)).toBeLessThanOrEqual(bound);
    expect(matrixRank(a)).toBe(singularValues.length);
  });

  it('lstsq', () => {
    const solution = lstsq(a, b);
    const rest = Math.sqrt(squares[0] + squares[1]);
    const [sizeX, sizeB] = [norm(Array.from(x)), norm(Array.from(b.data))];
    const bound = scale(
      2 * delta * (size * sizeInverse * (sizeX + sizeInverse * rest) + sizeInverse * sizeB),
    );
    expect(far(flat(solution.x), x)).toBeLessThanOrEqual(bound);
    expect(solution.rank).toBe(singularValues.length);
    const hasResiduals = m > n && singularValues.length === n;
    expect(solution.residuals.shape).toEqual([hasResiduals ? 2 : 0]);
    vectorAt(solution.residuals).forEach((square, j) => {
      const error = delta * (1 + size * sizeInverse) * sizeB;
      expect(Math.abs(Math.sqrt(square) - Math.sqrt(squares[j]))).toBeLessThanOrEqual(scale(error));
    });
  });

  it('lowRank', () => {
    const product = lowRank(a, { rank: 2 });
    const [second, third = 0] = singularValues.slice(1);
    const error = delta * size * (1 + (2 * second) / (second - third));
    expect(far(flat(matmul(product.A, product.B)), ofRank2)).toBeLessThanOrEqual(scale(error));
    const stated = product.truncationError as number;
    expect(stated).toBeGreaterThanOrEqual(left);
    expect(stated - left).toBeLessThanOrEqual(scale(delta * size));
  });

  if (dtype === 'float64' && size * sizeInverse < 1e3)
    it('the bound of pinv sees an error of a billionth', () => {
      const off = flat(pinv(a)).map((value) => value * (1 + 1e-9));
      expect(far(off, inverse)).toBeGreaterThan(scale(2 * delta * sizeInverse * (size * sizeInverse)));
    });
});

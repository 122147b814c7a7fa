import { asTensor, type MatrixLike } from './arrays.ts';
import { exposed } from './boundary.ts';
import { FactoredMatrix } from './factored-matrix.ts';
import { multiply } from './multiply.ts';
import { isFactored } from './operands.ts';
import type { Tensor } from './views.ts';

interface MatrixProduct {
  (a: FactoredMatrix, b: FactoredMatrix): FactoredMatrix;
  (a: MatrixLike | FactoredMatrix, b: MatrixLike | FactoredMatrix): Tensor | FactoredMatrix | number;
}

/**
 * Matrix product as numpy's `matmul`: any mix of matrices, vectors and `FactoredMatrix`. A product with a
 * `FactoredMatrix` stays factored; a vector gives a vector; two vectors give a number.
 *
 * @throws `ERR_SVD_SHAPE` with both shapes, `ERR_SVD_NON_FINITE`, `ERR_SVD_OVERFLOW`
 */
export const matmul = exposed(
  { takes: ['a', 'b'] },
  function matmul(a: MatrixLike | FactoredMatrix, b: MatrixLike | FactoredMatrix) {
    if (isFactored(a)) return FactoredMatrix.from(a).matmul(b);
    if (isFactored(b)) return FactoredMatrix.from(b).rmatmul(a);
    return multiply(asTensor(a as MatrixLike, 'a', 1), asTensor(b as MatrixLike, 'b', 1));
  },
) as MatrixProduct;

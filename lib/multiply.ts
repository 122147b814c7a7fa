import { svdError } from './errors.ts';
import { matrixProduct } from './matrix-product.ts';
import { runSync } from './steps.ts';
import { cols, dropAxis, type Input, insertAxis, rows, showShape, type Tensor } from './views.ts';

/** `x · y` of plain arrays, either of which may be a vector. */
export function multiply(x: Input, y: Input): Tensor | number {
  const [rowVector, columnVector] = [x.shape.length === 1, y.shape.length === 1];
  const left = rowVector ? insertAxis(x, 0) : x;
  const right = columnVector ? insertAxis(y, 1) : y;
  if (cols(left) !== rows(right)) {
    throw svdError(
      'ERR_SVD_SHAPE',
      `matmul: inner dimensions of ${showShape(x.shape)} and ${showShape(y.shape)} differ`,
    );
  }
  let out = runSync(matrixProduct(left, right, [x, y]));
  if (rowVector) out = dropAxis(out, out.shape.length - 2);
  if (columnVector) out = dropAxis(out, out.shape.length - 1);
  return out.shape.length === 0 ? out.data[0] : out;
}

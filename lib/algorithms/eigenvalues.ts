import { leadingDims, product, rows, type Tensor, tensor } from '../array/tensor.ts';
import { batchOf } from '../native/batch.ts';
import { geev } from '../native/kernels.ts';
import type { Steps } from '../native/steps.ts';

/** Eigenvalues, in LAPACK's order; conjugate pairs stand together. */
export interface Eigenvalues {
  /** Real parts, `[..., n]`. */
  readonly real: Tensor;
  /** Imaginary parts, `[..., n]`. */
  readonly imag: Tensor;
}

/** Eigenvalues of square matrices `[..., n, n]` by `?geev`. */
export function* eigenvaluesOf(a: Tensor): Steps<Eigenvalues> {
  const leading = leadingDims(a);
  const { real, imag } = yield* geev(batchOf(a, leading, 'eigenvalues'));
  yield { done: product(leading), total: product(leading) };
  const shape = [...leading, rows(a)];
  return { real: tensor(real, shape), imag: tensor(imag, shape) };
}

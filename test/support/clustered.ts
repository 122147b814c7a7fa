import { type FactoredMatrix, transpose } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import type { SvdFactors } from '../../lib/testing/index.ts';
import { factoredOf } from './factored.ts';
import { productWithSpectrum } from './matrices.ts';
import { copy, type Factors } from './variants.ts';

/** The same matrix decomposed another way: by the SVD of its transpose. */
export function ofTranspose(M: FactoredMatrix): SvdFactors {
  const { U, S, Vh, bound, next } = M.T.svd();
  return { U: transpose(Vh), S, Vh: transpose(U), bound, next };
}

// A product with the singular values S[1…3] in a cluster between two single ones.
export const clustered = factoredOf(productWithSpectrum(1, 12, 9, [5, 3, 3, 3, 1]));
export const given: Factors = copy(clustered.svd());
export const again = ofTranspose(clustered);
export const tau = bounds.singularValues('float64', given.bound, given.bound);

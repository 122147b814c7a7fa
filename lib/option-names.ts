import { editDistance } from './edit-distance.ts';
import { type SvdError, shown, svdError } from './errors.ts';

// Names that users of numpy, scipy and torch look for, and what has them here.

const elsewhere: Readonly<Record<string, string>> = {
  compute_uv: 'for singular values alone call svdvals',
  some: "torch's some: false is fullMatrices: true",
  hermitian: 'a symmetric matrix is decomposed like any other',
  UPLO: 'a symmetric matrix is given whole, and decomposed like any other',
  ord: "the kind of norm is an argument: norm('fro' | 'nuc' | 2)",
  rcond: "numpy's rcond is rtol, a multiple of the largest singular value",
  atol: "torch's atol is tol",
  rtol: 'a tolerance is an option of FactoredMatrix.rank and FactoredMatrix.pinv',
  tol: 'a tolerance is an option of FactoredMatrix.rank and FactoredMatrix.pinv',
  full_matrices: 'fullMatrices is an option of svd',
  fullMatrices: 'fullMatrices is an option of svd, for matrices that are not kept as a product',
  check_finite: 'every element is checked',
  overwrite_a: 'inputs are never modified',
  out: 'results are always new arrays',
  dtype: 'float32 stays float32 and float64 stays float64',
  keepdims: 'one number per matrix has the leading dimensions alone',
  lapack_driver: 'the routine is chosen by the package; driver of the result says which it was',
  driver: 'not available yet; driver of the result says which routine it was',
  method: 'not available yet',
  certify: 'not available yet',
  energy: 'not available yet',
  niter: 'not available yet',
  seed: 'not available yet',
  rank: 'only FactoredMatrix.svd has it so far',
  q: 'the number of triplets is rank, which only FactoredMatrix.svd has so far',
  k: 'the number of triplets is rank, which only FactoredMatrix.svd has so far',
  algorithm: 'only FactoredMatrix.svd has it',
  signal: 'only the functions whose names end in Async have it',
  onProgress: 'only the functions whose names end in Async have it',
};

/** The error for an option that does not exist: with the nearest that does, or what has its place here. */
export function missingOption(name: string, existing: readonly string[], of: string): SvdError {
  const all = existing.length > 0 ? `its options are ${existing.join(', ')}` : 'it has no options';
  return svdError(
    'ERR_SVD_ARGUMENT',
    `${of}: there is no option ${shown(name)}${advice(name, existing)} (${all})`,
  );
}

function advice(name: string, existing: readonly string[]): string {
  const meant = existing.filter((other) => other === synonyms[name] || plain(other) === plain(name));
  if (meant.length === 0 && Object.hasOwn(elsewhere, name)) return `: ${elsewhere[name]}`;
  const near = meant.length > 0 ? meant : nearest(name, existing);
  return near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
}

/** Names that mean an option although they are not like it. */
const synonyms: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  rcond: 'rtol',
  atol: 'tol',
  k: 'rank',
  q: 'rank',
});

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Those of `names` that `name` is most like: a third of its letters may be wrong. */
function nearest(name: string, names: readonly string[]): string[] {
  if (name.length > 40) return [];
  const distances = names.map((other) => editDistance(plain(name), plain(other)));
  const least = Math.min(...distances);
  return names.filter(
    (other, i) => distances[i] === least && 3 * least <= Math.max(name.length, other.length),
  );
}

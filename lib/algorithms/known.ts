import type { Dtype, FloatArray } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { leadingDims, type Tensor } from '../array/tensor.ts';
import { floats, ownedTensors } from '../native/owned.ts';
import type { Steps } from '../native/steps.ts';
import { matrixProduct } from './arithmetic.ts';
import type { ErrorOptions } from './blocks.ts';
import { canonicalSigns, copyOfSpectrum, copyOfSvd } from './derived.ts';
import { type Eigenvalues, eigenvaluesOf } from './eigenvalues.ts';
import { productNorm } from './norm.ts';
import type { StoredFactors } from './operands.ts';
import { productSvd } from './product.ts';
import { type PerMatrix, perMatrix, type Svd } from './result.ts';
import { type Norm, type Spectrum, schattenNorm } from './spectrum.ts';
import { threeSvd } from './three.ts';
import { truncatedProduct } from './truncated-product.ts';
import { isTruncation, type Truncation } from './truncation.ts';

/** How a product is decomposed. */
export interface Decomposition extends ErrorOptions, Truncation {
  /**
   * `'product'`: the balanced, sorted QR–QR–core decomposition. `'three-svd'`: the composition that TransformerLens
   * uses, for comparison.
   */
  readonly algorithm?: 'product' | 'three-svd' | undefined;
  /** As for `svd`: `'canonical'` fixes the signs, for people who look or plot. */
  readonly signs?: 'lapack' | 'canonical' | undefined;
}

/**
 * What has been computed of a product, so that it is computed once. With `foreign` the factors are read as asynchronous
 * computations have to.
 */
export class Known<D extends FloatArray, N extends PerMatrix> {
  /** As they are stored, which may be as 16-bit floats, or in another dtype than the other. */
  readonly #factors: StoredFactors;
  readonly #dtype: Dtype;
  /** Handed out as copies only: what is written into a result, or transferred away with it, changes no later answer. */
  #svd?: Svd<D, N>;
  #spectrum?: Spectrum<D, N>;
  #wasDecomposed = false;

  constructor(factors: StoredFactors, dtype: Dtype) {
    this.#factors = factors;
    this.#dtype = dtype;
  }

  /** What `svd` returns; with `foreign`, what `svdAsync` does. */
  *decomposition({ algorithm, signs, ...options }: Decomposition, foreign = false): Steps<Svd<D, N>> {
    const svd = yield* algorithm === 'three-svd'
      ? this.#threeSvd(options, foreign)
      : isTruncation(options)
        ? this.#truncated(options, foreign)
        : this.#handedOut(options, foreign);
    return signs === 'canonical' ? yield* canonicalSigns(svd) : svd;
  }

  *#truncated(options: Decomposition, foreign: boolean): Steps<Svd<D, N>> {
    const { A, B } = this.#factors;
    return (yield* truncatedProduct(A, B, { ...options, foreign })) as unknown as Svd<D, N>;
  }

  /** The leading triplets without the evidence for them. */
  leading(rank: number, foreign = false): Steps<Svd<D, N>> {
    return this.#computed({ rank, foreign });
  }

  /** The whole decomposition, in arrays that are kept nowhere else. */
  *#handedOut(options: ErrorOptions, foreign: boolean): Steps<Svd<D, N>> {
    if (this.#svd ?? this.#wasDecomposed) return yield* copyOfSvd(yield* this.whole(foreign));
    const svd = yield* this.#computed({ ...options, foreign });
    if (svd.errors.length > 0) return svd;
    this.#wasDecomposed = true;
    this.#spectrum ??= copyOfSpectrum(svd);
    return svd;
  }

  /** The whole decomposition, computed once; not to be handed out. */
  *whole(foreign = false): Steps<Svd<D, N>> {
    this.#svd ??= yield* this.#computed({ foreign });
    return this.#svd;
  }

  /** The singular values where they are known, else from a decomposition without vectors; not to be handed out. */
  *spectrum(foreign = false): Steps<Spectrum<D, N>> {
    this.#spectrum ??= this.#svd ?? (yield* this.#computed({ vectors: 'none', foreign }));
    return this.#spectrum;
  }

  *norm(ord: Norm, foreign = false): Steps<N> {
    if (ord !== 'fro') return schattenNorm(yield* this.spectrum(foreign), ord) as N;
    const { A, B } = this.#factors;
    return perMatrix(yield* productNorm(A, B, { foreign }), leadingDims(A)) as N;
  }

  /** The eigenvalues of B·A; always `foreign`. */
  *eigenvalues(): Steps<Eigenvalues> {
    const [A, B] = yield* this.#copies();
    return yield* eigenvaluesOf(yield* matrixProduct(B, A));
  }

  *#computed(options: Parameters<typeof productSvd>[2]): Steps<Svd<D, N>> {
    return (yield* productSvd(this.#factors.A, this.#factors.B, options)) as Svd<D, N>;
  }

  *#threeSvd(options: Decomposition, foreign: boolean): Steps<Svd<D, N>> {
    if (isTruncation(options) || options.onError === 'collect')
      throw svdError(
        'ERR_SVD_ARGUMENT',
        "svd: algorithm 'three-svd' takes neither rank, tol, energy nor onError: 'collect'",
      );
    const [A, B] = foreign ? yield* this.#copies() : yield* this.#widened();
    return (yield* threeSvd(A, B)) as Svd<D, N>;
  }

  /** For asynchronous computations that read the factors more than once or at different times. */
  #copies(): Steps<Tensor[]> {
    return ownedTensors([this.#factors.A, this.#factors.B], this.#dtype);
  }

  *#widened(): Steps<Tensor[]> {
    return [yield* floats(this.#factors.A, this.#dtype), yield* floats(this.#factors.B, this.#dtype)];
  }
}

import { distance } from 'fastest-levenshtein';
import type { ErrorOptions } from '../algorithms/blocks.ts';
import type { Routines } from '../algorithms/dense.ts';
import type { Decomposition } from '../algorithms/known.ts';
import type { Norm, Tolerance } from '../algorithms/spectrum.ts';
import type { Method } from '../algorithms/truncated.ts';
import type { Truncation } from '../algorithms/truncation.ts';
import { has, isRevoked } from '../array/describe.ts';
import { type SvdError, shown, svdError } from '../array/errors.ts';
import type { AsyncOptions, Progress } from '../native/steps.ts';

// Names that users of numpy, scipy and torch look for, and what has them here.

const routineOfSvd =
  'svd takes driver, for matrices that are not kept as a product: svd(M.AB, { driver }); driver of any result says which routine it was';

const ofPlain =
  'only svd of matrices that are not kept as a product: all singular values of a product are computed';

const elsewhere: Readonly<Record<string, string>> = {
  compute_uv: 'for singular values alone call svdvals',
  some: "torch's some: false is fullMatrices: true",
  hermitian: 'a symmetric matrix is decomposed like any other',
  UPLO: 'a symmetric matrix is given whole, and decomposed like any other',
  ord: "the kind of norm is an argument: norm('fro' | 'nuc' | 2)",
  rcond: "numpy's rcond is rtol, a multiple of the largest singular value",
  atol: "torch's atol is tol",
  rtol: 'a tolerance is an option of matrixRank, pinv and lstsq',
  tol: 'a tolerance is an option of svd and lowRank, of matrixRank, pinv and lstsq',
  energy: 'only svd and lowRank have it',
  method: ofPlain,
  certify: ofPlain,
  accuracy: ofPlain,
  seed: ofPlain,
  full_matrices: 'fullMatrices is an option of svd',
  fullMatrices: 'fullMatrices is an option of svd, for matrices that are not kept as a product',
  check_finite: 'every element is checked',
  overwrite_a: 'inputs are never modified',
  out: 'results are always new arrays',
  dtype: 'float32 stays float32 and float64 stays float64',
  keepdims: 'one number per matrix has the leading dimensions alone',
  lapack_driver: routineOfSvd,
  driver: routineOfSvd,
  niter: 'it goes on until its residuals are small enough: accuracy',
  q: 'the number of triplets is rank',
  k: 'the number of triplets is rank',
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

/** Names of options elsewhere that look different but mean the same. */
const synonyms: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  rcond: 'rtol',
  atol: 'tol',
  k: 'rank',
  q: 'rank',
  lapack_driver: 'driver',
});

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The names most like `name`; up to a third of the letters may differ. */
function nearest(name: string, names: readonly string[]): string[] {
  if (name.length > 40) return [];
  const distances = names.map((other) => distance(plain(name), plain(other)));
  const least = Math.min(...distances);
  return names.filter(
    (other, i) => distances[i] === least && 3 * least <= Math.max(name.length, other.length),
  );
}

// What the options of the public functions may be. Their types are interfaces, with a comment on every option; the
// tables below are checked against them by the compiler: none may be missing, none too many, none of another type.

/** What one option may be. */
export interface Kind<in out T> {
  /** For messages: `expected …`. */
  readonly expected: string;
  readonly accepts: (x: unknown) => x is T;
}

/** A kind for every option of `O`. */
export type OptionTable<O = Record<never, never>> = {
  readonly [K in keyof O]-?: Kind<Exclude<O[K], undefined>>;
};

export const flag: Kind<boolean> = {
  expected: 'true or false',
  accepts: (x): x is boolean => typeof x === 'boolean',
};

/** How many; only the computation knows the upper limit. */
export const count: Kind<number> = {
  expected: 'an integer ≥ 0',
  accepts: (x): x is number => Number.isSafeInteger(x) && (x as number) >= 0,
};

export const tolerance: Kind<number> = {
  expected: 'a number ≥ 0',
  accepts: (x): x is number => typeof x === 'number' && x >= 0,
};

export const share: Kind<number> = {
  expected: 'a number from 0 to 1',
  accepts: (x): x is number => typeof x === 'number' && x >= 0 && x <= 1,
};

const abortSignal: Kind<AbortSignal> = {
  expected: 'an AbortSignal',
  accepts: (x): x is AbortSignal => has(x, 'aborted', 'addEventListener', 'throwIfAborted'),
};

export const callback = <F extends (...args: never[]) => unknown>(): Kind<F> => ({
  expected: 'a function',
  accepts: (x): x is F => typeof x === 'function',
});

export const oneOf = <const T extends string | number>(...names: readonly T[]): Kind<T> => ({
  expected: names.map(shown).join(' or '),
  accepts: (x): x is T => names.includes(x as T),
});

/** The value itself. `ERR_SVD_ARGUMENT` unless it is of that kind. */
export function checkKind<T>(x: unknown, kind: Kind<T>, name: string): T {
  if (kind.accepts(x)) return x;
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected ${kind.expected}, got ${shown(x)}`);
}

/**
 * A copy of `options` in which each has been read once, without those that are `undefined`. Options by a symbol or that
 * are not enumerable are looked at like any other.
 *
 * @param of whose options they are, for messages
 * @throws `ERR_SVD_ARGUMENT` when it is no plain object, or an option does not exist or is of another kind
 */
export function checkOptions(options: unknown, table: OptionTable, of: string): Record<string, unknown> {
  if (!isPlain(options)) {
    const names = Object.keys(table).join(', ');
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${of}: options: expected an object, { ${names} }, got ${shown(options)}`,
    );
  }
  const out: Record<string, unknown> = {};
  for (const key of Reflect.ownKeys(options)) {
    const name = String(key);
    if (key !== name || !Object.hasOwn(table, name)) throw missingOption(name, Object.keys(table), of);
    const value = options[name];
    if (value === undefined) continue;
    const kind = (table as Record<string, Kind<unknown>>)[name];
    out[name] = checkKind(value, kind, `${of}: ${name}`);
  }
  return out;
}

/** `{ … }`, of this or another realm; not an instance of a class, which could be any other argument. */
export function isPlain(x: unknown): x is Record<string, unknown> {
  if (x === null || typeof x !== 'object' || isRevoked(x)) return false;
  const prototype = Object.getPrototypeOf(x);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

// The options of the public functions, as they are checked.

/**
 * Which singular values count as zero: those up to `tol`, and those up to `rtol`·σ₁. Default: up to max(l, r)·ε·σ₁, and
 * no less than their error bound.
 */
export interface ToleranceOptions extends Tolerance {
  /** Singular values up to this one count as zero. */
  readonly tol?: number | undefined;
  /** Singular values up to this multiple of the largest count as zero. */
  readonly rtol?: number | undefined;
}

/** Options of `FactoredMatrix.svd`. */
export interface ProductSvdOptions extends Decomposition {}

/**
 * One of them is given.
 *
 * @inline
 */
export type Truncating = {
  readonly [K in keyof Truncation]-?: { readonly [P in K]: NonNullable<Truncation[P]> };
}[keyof Truncation];

/** Options of `svd`. */
export interface SvdOptions extends ErrorOptions, Truncation, Method, Routines {
  /** Square U `[..., m, m]` and Vh `[..., n, n]` instead of the thin ones. Not for a `FactoredMatrix`. */
  readonly fullMatrices?: boolean | undefined;
  /**
   * `'lapack'` (default): as LAPACK leaves them. `'canonical'`: the largest |u| of every column of U is positive, of
   * several within 8ε the first. For people who look or plot; not a basis for comparison.
   */
  readonly signs?: 'lapack' | 'canonical' | undefined;
}

/** How much `lowRank` keeps: exactly one of the three. */
export interface LowRankOptions extends Truncation {
  /** This many singular triplets. */
  readonly rank?: number | undefined;
  /** As few as leave ‖a − A·B‖_F up to this. */
  readonly tol?: number | undefined;
  /** As few as hold this share of ‖a‖_F², from 0 to 1. */
  readonly energy?: number | undefined;
}

export const asyncOptions: OptionTable<AsyncOptions> = {
  signal: abortSignal,
  onProgress: callback<(progress: Progress) => void>(),
};

const errorOptions: OptionTable<ErrorOptions> = { onError: oneOf('throw', 'collect') };
const signs = oneOf('lapack', 'canonical');

const truncation: OptionTable<Truncation> = { rank: count, tol: tolerance, energy: share };

export const svdOptions: OptionTable<SvdOptions> = {
  fullMatrices: flag,
  driver: oneOf('auto', 'gesdd', 'gesvd', 'gejsv'),
  signs,
  ...truncation,
  method: oneOf('auto', 'full', 'gram', 'krylov'),
  certify: flag,
  accuracy: tolerance,
  seed: count,
  ...errorOptions,
};

export const productOptions: OptionTable<ProductSvdOptions> = {
  ...truncation,
  algorithm: oneOf('product', 'three-svd'),
  signs,
  ...errorOptions,
};

/** Which norm; an argument, not an option. */
export const norms = oneOf<Norm>('fro', 'nuc', 2);

export const toleranceOptions: OptionTable<ToleranceOptions> = { tol: tolerance, rtol: tolerance };

export const lowRankOptions: OptionTable<LowRankOptions> = { rank: count, tol: tolerance, energy: share };

/** Which triplets are asked for, if not all. `ERR_SVD_ARGUMENT` for options that contradict each other or have no meaning then. */
export function checkTruncation(options: SvdOptions & ProductSvdOptions, of: string): boolean {
  const given = (['rank', 'tol', 'energy'] as const).filter((name) => options[name] !== undefined);
  const how = (['method', 'certify', 'accuracy', 'seed'] as const).filter(
    (name) => options[name] !== undefined,
  );
  const wrong = (message: string) => svdError('ERR_SVD_ARGUMENT', `${of}: ${message}`);
  if (given.length > 1) throw wrong(`expected one of rank, tol and energy, got ${given.join(' and ')}`);
  if (given.length === 1 && options.fullMatrices)
    throw wrong(`fullMatrices and ${given[0]} exclude each other`);
  const { driver = 'auto', method = 'auto' } = options;
  if (driver !== 'auto' && method !== 'auto' && method !== 'full')
    throw wrong(`driver: ${shown(driver)} computes all of the decomposition: only with method: 'full'`);
  if (given.length === 0 && how.length > 0) throw wrong(`${how[0]}: only with one of rank, tol and energy`);
  return given.length === 1;
}

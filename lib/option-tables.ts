import type { ErrorOptions } from './batched-svd.ts';
import type { ProductSvdOptions, ToleranceOptions } from './factored-matrix.ts';
import { abortSignal, callback, count, flag, type OptionTable, oneOf, tolerance } from './options.ts';
import type { AsyncOptions, Progress } from './steps.ts';
import type { SvdOptions } from './svd.ts';

// The options of the public functions, as they are checked.

export const asyncOptions: OptionTable<AsyncOptions> = {
  signal: abortSignal,
  onProgress: callback<(progress: Progress) => void>(),
};

const errorOptions: OptionTable<ErrorOptions> = { onError: oneOf('throw', 'collect') };
const signs = oneOf('lapack', 'canonical');

export const svdOptions: OptionTable<SvdOptions> = { fullMatrices: flag, signs, ...errorOptions };

export const productOptions: OptionTable<ProductSvdOptions> = {
  rank: count,
  algorithm: oneOf('product', 'three-svd'),
  signs,
  ...errorOptions,
};

export const toleranceOptions: OptionTable<ToleranceOptions> = { tol: tolerance, rtol: tolerance };

import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions } from '../arguments/options.ts';
import { shown, svdError } from '../array/errors.ts';
import type { FloatArray } from '../array/tensor.ts';
import type { AsyncOptions } from '../native/steps.ts';
import { Adapter, withModules } from './adapter.ts';
import { checkKeep, type Keep, keepOptions, keptRank } from './keep.ts';
import { type Made, type ModuleReport, recompress } from './recompress.ts';

/** An adapter that was made of others, with what is known of each of its modules. */
export interface AdapterResult {
  /** Of the format, and with the metadata, of the first that it was made of. */
  readonly adapter: Adapter;
  /** By the names of its modules. */
  readonly report: ReadonlyMap<string, ModuleReport>;
}

/**
 * The best approximation of an adapter by one of smaller ranks: of every module the leading singular triplets, as many as
 * `rank` or a rule says (Eckart and Young, Psychometrika 1, 1936). The products are not formed. A module of smaller rank stays
 * as exact as its dtype.
 *
 * @throws `ERR_SVD_ARGUMENT` unless `rank` or one rule is given; `ERR_SVD_NON_FINITE` with the name of the module;
 *   `signal.reason` on abort
 * @function
 */
export const resize = exposedAsync(
  { takes: ['adapter'], options: { ...keepOptions, ...asyncOptions } },
  async function resize(adapter: Adapter, options: Keep & AsyncOptions): Promise<AdapterResult> {
    const { modules } = mustBeAdapter(adapter, 'resize: adapter');
    const { signal, onProgress, ...keep } = options ?? {};
    checkKeep(keep, 'resize', true);
    const sums = new Map([...modules].map(([name, matrix]) => [name, [{ matrix, weight: 1 }]]));
    const choice = { most: keep.rank, rankOf: (S: FloatArray) => keptRank(S, keep) };
    return resultOf(adapter, await recompress(sums, choice, { signal, onProgress }));
  },
);

export function mustBeAdapter(x: unknown, name: string): Adapter {
  if (x instanceof Adapter) return x;
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected an Adapter, got ${shown(x)}`);
}

/** Like `adapter`, with the modules that were made. */
export const resultOf = (adapter: Adapter, made: ReadonlyMap<string, Made>): AdapterResult => ({
  adapter: withModules(
    adapter,
    [...made].map(([name, { matrix }]) => [name, matrix]),
  ),
  report: new Map([...made].map(([name, { report }]) => [name, report])),
});

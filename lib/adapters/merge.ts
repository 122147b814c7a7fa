import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions } from '../arguments/options.ts';
import { type Dtype, formatOf } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { epsilon, type FloatArray, showShape } from '../array/tensor.ts';
import type { AsyncOptions } from '../native/steps.ts';
import type { StoredTensor } from '../weights/index.ts';
import { Adapter, type Module, type ModuleInfo } from './adapter.ts';
import { checkKeep, type Keep, keepOptions, keptRank } from './keep.ts';
import { inModule } from './module-error.ts';
import { recompress, type Term } from './recompress.ts';
import { type AdapterResult, mustBeAdapter, resultOf } from './resize.ts';

/**
 * The weighted sum of adapters, of every module exactly `Σ wᵢ·Bᵢ·Aᵢ = [B₁ B₂ …]·[w₁A₁; w₂A₂; …]`, and of that the leading
 * singular triplets: as many as `rank` or a rule says, without one as many as are no rounding of the terms: what cancels becomes zeros. Modules that only some of
 * the adapters have are kept; so are tensors that one of them has whole (`replaced`), whatever its weight. The result has the format, metadata
 * and config of the first, with the `modules_to_save` and `bias` of all.
 *
 * @param weights one for each adapter; negative ones subtract
 * @throws `ERR_SVD_ARGUMENT` for weights that are no finite numbers or not as many as adapters, for adapters of different formats, for
 *   tensors that two of them have whole, for two rules; `ERR_SVD_SHAPE` for modules of different shapes: all before any work. `ERR_SVD_NON_FINITE`,
 *   `ERR_SVD_OVERFLOW` with the name of the module; `signal.reason` on abort
 * @function
 */
export const mergeAdapters = exposedAsync(
  { takes: ['adapters', 'weights'], options: { ...keepOptions, ...asyncOptions } },
  async function mergeAdapters(
    adapters: readonly Adapter[],
    weights: readonly number[],
    options: Keep & AsyncOptions = {},
  ): Promise<AdapterResult> {
    const { signal, onProgress, ...keep } = options;
    checkKeep(keep, 'mergeAdapters', false);
    checkAdapters(adapters, weights);
    const all = combined(adapters);
    const sums = new Map<string, Term[]>();
    for (const [i, { modules }] of adapters.entries())
      for (const [name, matrix] of modules) {
        const terms = sums.get(name) ?? [];
        sums.set(name, terms);
        terms.push({ matrix, weight: weights[i] });
      }
    const isRuled = Object.keys(keep).length > 0;
    const sizes = new Map<string, number>();
    for (const [name, terms] of isRuled ? [] : sums)
      for (const { matrix, weight } of terms.length > 1 ? terms : [])
        sizes.set(
          name,
          (sizes.get(name) ?? 0) + Math.abs(weight) * ((await inModule(name, matrix.normAsync())) as number),
        );
    const rankOf = (S: FloatArray, bound: number, name: string) => {
      if (isRuled) return keptRank(S, keep);
      const rounding = Math.max(bound, epsilon(formatOf(S) as Dtype) * (sizes.get(name) ?? 0));
      return S.filter((s) => s > rounding).length;
    };
    const made = await recompress(sums, { most: keep.rank, rankOf }, { signal, onProgress });
    return resultOf(all, made);
  },
);

function checkAdapters(adapters: readonly Adapter[], weights: readonly number[]): void {
  const fail = (message: string): never => {
    throw svdError('ERR_SVD_ARGUMENT', `mergeAdapters: ${message}`);
  };
  if (!Array.isArray(adapters) || adapters.length === 0)
    fail(`adapters: expected an array of adapters, got ${shown(adapters)}`);
  for (const [i, adapter] of adapters.entries()) mustBeAdapter(adapter, `mergeAdapters: adapters[${i}]`);
  if (!Array.isArray(weights) || weights.length !== adapters.length)
    fail(`weights: expected ${adapters.length} numbers, got ${shown(weights)}`);
  for (const [i, w] of weights.entries())
    if (!Number.isFinite(w)) fail(`weights[${i}]: expected a finite number, got ${shown(w)}`);
  const [{ format }] = adapters;
  const other = adapters.find((adapter) => adapter.format !== format);
  if (other)
    fail(`adapters: their modules are named in different ways, as in ${format} and in ${other.format}`);
}

/** The adapter with the modules of all, of each that of the first that has it. `ERR_SVD_SHAPE` where another has another shape. */
function combined(adapters: readonly Adapter[]): Adapter {
  const modules = new Map<string, Module>();
  const replaced = new Map<string, StoredTensor>();
  for (const adapter of adapters) {
    for (const [name, matrix] of adapter.modules) {
      const info = adapter.info.get(name) as ModuleInfo;
      const first = modules.get(name)?.info ?? info;
      const [a, b] = [first, info].map((x) => showShape(x.weightShape));
      const problem =
        a !== b
          ? `weights of shapes ${a} and ${b}`
          : first.transposed !== info.transposed &&
            'one adapter is of a weight that is kept as [in, out] (fan_in_fan_out), another is not';
      if (problem) throw svdError('ERR_SVD_SHAPE', `mergeAdapters: module ${quote(name)}: ${problem}`);
      if (first === info) modules.set(name, { matrix, info });
    }
    for (const [name, x] of adapter.replaced) {
      if (replaced.has(name))
        throw svdError('ERR_SVD_ARGUMENT', `mergeAdapters: two adapters replace tensor ${quote(name)} whole`);
      replaced.set(name, x);
    }
  }
  const [{ format, metadata }] = adapters;
  return new Adapter({ format, metadata, config: configOf(adapters), modules, replaced });
}

/** The config of the first, with what the others say of tensors that they have whole. */
function configOf(adapters: readonly Adapter[]): Readonly<Record<string, unknown>> | undefined {
  const [{ config }] = adapters;
  if (config === undefined) return undefined;
  const whole = new Set(adapters.flatMap(({ config: own }) => own?.modules_to_save ?? []));
  const biases = adapters.map(({ config: own }) => own?.bias ?? 'none');
  return {
    ...config,
    ...(whole.size > 0 && { modules_to_save: [...whole] }),
    ...(biases.some((bias) => bias !== 'none') && { bias: biases.find((bias) => bias !== 'none') }),
  };
}

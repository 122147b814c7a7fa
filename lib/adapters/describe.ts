import { effectiveRankOf } from '../algorithms/spectrum.ts';
import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions } from '../arguments/options.ts';
import type { FloatArray } from '../array/elements.ts';
import type { AsyncOptions } from '../native/steps.ts';
import type { Adapter, ModuleInfo } from './adapter.ts';
import { keptRank } from './keep.ts';
import { inModule } from './module-error.ts';
import { mustBeAdapter } from './resize.ts';

/** What is known of a module, and what its singular values say of it, with its scale. */
export interface ModuleDescription extends ModuleInfo {
  /** Its singular values, as many as the rank or the smaller side of the weight. */
  readonly S: FloatArray;
  /** ‖W‖_F of what is added to the weight. */
  readonly norm: number;
  /** Largest singular value. */
  readonly sigma: number;
  /** Singular values that are more than rounding. */
  readonly numericalRank: number;
  /** exp of the entropy of the energies σ²/Σσ². */
  readonly effectiveRank: number;
  /** (‖W‖_F/σ₁)², 0 of a matrix of zeros. */
  readonly stableRank: number;
  /** How many singular triplets hold 90 %, and 99 %, of ‖W‖_F². */
  readonly energyRanks: readonly [ninety: number, ninetyNine: number];
}

/**
 * What every module of an adapter is, and what its singular values say of it: which ranks it needs.
 *
 * @throws `ERR_SVD_ARGUMENT`; `ERR_SVD_NO_CONVERGENCE`, `ERR_SVD_OVERFLOW` with the module; `signal.reason` on abort
 * @function
 */
export const describeAdapter = exposedAsync(
  { takes: ['adapter'], options: asyncOptions },
  async function describeAdapter(
    adapter: Adapter,
    { signal, onProgress }: AsyncOptions = {},
  ): Promise<ReadonlyMap<string, ModuleDescription>> {
    const { modules, info } = mustBeAdapter(adapter, 'describeAdapter: adapter');
    const out = new Map<string, ModuleDescription>();
    for (const [name, matrix] of modules) {
      const S = (await inModule(name, matrix.svdvalsAsync({ signal }))).data as FloatArray;
      const norm = Math.hypot(...S);
      out.set(name, {
        ...(info.get(name) as ModuleInfo),
        S,
        norm,
        sigma: S[0],
        numericalRank: (await matrix.rankAsync({ signal })) as number,
        effectiveRank: effectiveRankOf(S),
        stableRank: S[0] > 0 ? (norm / S[0]) ** 2 : 0,
        energyRanks: [keptRank(S, { energy: 0.9 }), keptRank(S, { energy: 0.99 })],
      });
      onProgress?.({ done: out.size, total: modules.size });
    }
    return out;
  },
);

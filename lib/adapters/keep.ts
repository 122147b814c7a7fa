import { count, type Kind, type OptionTable, share } from '../arguments/options.ts';
import { svdError } from '../array/errors.ts';
import { epsilon, type FloatArray } from '../array/tensor.ts';

/**
 * How many singular triplets of every module are kept: `rank` of them, or as many as one of the other rules asks for, of
 * which `rank` is the most then. There are no more than the module has, and one at the least.
 *
 * `ratio`, `cumulative` and `fro` mean what `sv_ratio`, `sv_cumulative` and `sv_fro` mean in kohya's `resize_lora.py`. Versions
 * of that script that are still in use count one triplet more than its rule asks for, and two at the least: here it is the number itself.
 */
export interface Keep {
  /** This many; the most, beside another rule. */
  readonly rank?: number | undefined;
  /** Those whose singular value is larger than σ₁/ratio; at least 1. */
  readonly ratio?: number | undefined;
  /** As few as hold this share of the sum of the singular values, from 0 to 1. */
  readonly cumulative?: number | undefined;
  /** As few as hold this share of ‖W‖_F, from 0 to 1. */
  readonly fro?: number | undefined;
  /** As few as hold this share of ‖W‖_F², from 0 to 1. */
  readonly energy?: number | undefined;
}

const atLeastOne: Kind<number> = {
  expected: 'a number ≥ 1',
  accepts: (x): x is number => typeof x === 'number' && x >= 1,
};

export const keepOptions: OptionTable<Keep> = {
  rank: { expected: 'an integer ≥ 1', accepts: (x): x is number => count.accepts(x) && x > 0 },
  ratio: atLeastOne,
  cumulative: share,
  fro: share,
  energy: share,
};

const rules = ['ratio', 'cumulative', 'fro', 'energy'] as const;

/** `ERR_SVD_ARGUMENT` for two rules, and for none where one is `needed`. */
export function checkKeep(keep: Keep, of: string, needed: boolean): void {
  const given = rules.filter((rule) => keep[rule] !== undefined);
  if (given.length > 1)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${of}: expected one of ${rules.join(', ')}, got ${given.join(' and ')}`,
    );
  if (needed && given.length === 0 && keep.rank === undefined)
    throw svdError('ERR_SVD_ARGUMENT', `${of}: expected rank or one of ${rules.join(', ')}`);
}

/** How many of the singular values `S`, which descend, are kept; none is not among the answers. */
export function keptRank(S: FloatArray, { rank = S.length, ...rule }: Keep): number {
  return Math.max(1, Math.min(rank, S.length, ruled(S, rule)));
}

function ruled(S: FloatArray, { ratio, cumulative, fro, energy }: Keep): number {
  if (ratio !== undefined) return S.filter((s) => s > S[0] / ratio).length;
  if (cumulative !== undefined) return fewest(S, cumulative, (s) => s);
  if (fro !== undefined) return fewest(S, fro * fro, (s) => s * s);
  if (energy !== undefined) return fewest(S, energy, (s) => s * s);
  return S.length;
}

/** The least number of values that hold a share of the sum of all, up to rounding. */
function fewest(S: FloatArray, share: number, term: (s: number) => number): number {
  const terms = Array.from(S, (s) => term(s / (S[0] || 1)));
  const wanted = (share - 4 * epsilon('float64')) * terms.reduce((sum, x) => sum + x, 0);
  let [sum, n] = [0, 0];
  while (n < terms.length && sum < wanted) sum += terms[n++];
  return n;
}

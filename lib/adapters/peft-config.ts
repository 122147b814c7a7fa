import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { Config } from '../weights/config.ts';
import type { Adapter, ModuleInfo } from './adapter.ts';
import { configName } from './open.ts';
import { nameTest } from './pattern.ts';
import { rulesOf } from './scaling.ts';

/** A module as it is written: its name in the base model, and its rank. */
export interface Target {
  readonly name: string;
  readonly rank: number;
  readonly info: ModuleInfo;
}

/**
 * `adapter_config.json` of an adapter whose modules all have alpha = rank: what PEFT's `LoraConfig.from_pretrained` needs, and of a
 * config that was read whatever else it says of the base and its use.
 * @throws `ERR_SVD_ARGUMENT` where only some of the linear weights are kept as `[in, out]`: PEFT has one flag for all
 */
export function peftConfig({ config = {} }: Adapter, targets: readonly Target[]): Record<string, unknown> {
  const linear = targets.filter(({ info }) => !info.embedding && info.weightShape.length === 2);
  const transposed = linear.filter(({ info }) => info.transposed).length;
  if (transposed > 0 && transposed < linear.length)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `writeAdapter: ${transposed} of ${linear.length} linear weights are [in, out]; in a config of PEFT all are, or none`,
    );
  const r = mostCommon(targets.map(({ rank }) => rank));
  const ranks = patternsOf(targets, r);
  const all = {
    auto_mapping: null,
    base_model_name_or_path: null,
    bias: 'none',
    lora_dropout: 0,
    modules_to_save: null,
    task_type: null,
    ...config,
    ...targetsOf(config, targets),
    peft_type: 'LORA',
    inference_mode: true,
    fan_in_fan_out: transposed > 0,
    init_lora_weights: true,
    use_rslora: false,
    r,
    lora_alpha: r,
    rank_pattern: ranks,
    alpha_pattern: ranks,
  };
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The smaller one of two that are equally common. */
function mostCommon(ranks: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const rank of ranks) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || a - b)[0]?.[0] ?? 1;
}

/**
 * Ranks other than `r`, by the names of the modules. PEFT takes a name as a regular expression for the end of names, so that
 * one of a module within another could match both: then all are written so that they match themselves alone.
 */
function patternsOf(targets: readonly Target[], r: number): Record<string, number> {
  const others = targets.filter(({ rank }) => rank !== r).sort((a, b) => b.name.length - a.name.length);
  const plain = Object.fromEntries(others.map(({ name, rank }) => [name, rank]));
  if (targets.every(({ name }) => /^[\w.-]{1,1024}$/.test(name)) && areRight(plain, targets, r)) return plain;
  return Object.fromEntries(others.map(({ name, rank }) => [`^${name.replace(/[^\w]/g, '\\$&')}`, rank]));
}

/**
 * Whether the first pattern that matches a module has its rank: in the order of an object, which has integers first. Not found out
 * where it would take long.
 */
function areRight(
  patterns: Readonly<Record<string, number>>,
  targets: readonly Target[],
  r: number,
): boolean {
  const others = Object.entries(patterns);
  if (others.length * targets.length > 1e6) return false;
  const unreachable = () => {
    throw new Error('a plain name is a known pattern');
  };
  const tests = others.map(([name, rank]) => ({ fits: nameTest(name, unreachable), rank }));
  return targets.every(({ name, rank }) => (tests.find(({ fits }) => fits(name))?.rank ?? r) === rank);
}

/** `ERR_SVD_ARGUMENT` unless the config, as it is read, has every module at its own rank and scale 1. */
export function checkConfig(config: Readonly<Record<string, unknown>>, targets: readonly Target[]): void {
  try {
    const { scaling } = rulesOf(new Config(configName, config));
    for (const { name, rank } of targets) {
      const { rank: read, scale } = scaling(name);
      if (read !== rank || scale !== 1)
        throw new Error(`module ${quote(name)} would be read with rank ${read}`);
    }
  } catch (error) {
    throw svdError('ERR_SVD_ARGUMENT', `writeAdapter: no config says the ranks: ${(error as Error).message}`);
  }
}

/** Which modules of the base have factors: as the config says that was read, where that is a list that names them all, else one by one. */
function targetsOf(
  { target_modules: list }: Readonly<Record<string, unknown>>,
  targets: readonly Target[],
): Record<string, unknown> {
  const names = targets.map(({ name }) => name);
  const isIn = (name: string, end: unknown) => name === end || name.endsWith(`.${end}`);
  if (
    Array.isArray(list) &&
    names.every((name) => list.some((end) => isIn(name, end))) &&
    list.every((end) => names.some((name) => isIn(name, end)))
  )
    return {};
  return { target_modules: names, exclude_modules: null, layers_to_transform: null, layers_pattern: null };
}

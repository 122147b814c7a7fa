import { isPlain } from '../arguments/options.ts';
import { shown } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { Config } from '../weights/config.ts';
import { fileError } from '../weights/file-errors.ts';
import { nameTest } from './pattern.ts';

/** What a config says of one module: the rank that its factors must have, and what their product is multiplied by. */
export interface Scaling {
  readonly rank: number;
  readonly alpha: number;
  readonly scale: number;
}

/** What a config of PEFT says. */
export interface Rules {
  /** Linear weights are kept as `[in, out]`. */
  readonly fanInFanOut: boolean;
  readonly scaling: (module: string) => Scaling;
}

/** Kinds of adapter for which PEFT's config has `peft_type: "LORA"`, too, but whose weights are more than scale·B·A. */
const more = {
  use_dora: 'DoRA, which scales every column of the changed weight',
  use_qalora: 'QALoRA, whose factors are grouped',
  use_bdlora: 'BD-LoRA, whose factors are blocks',
  kasa_config: 'KaSA, which changes the base weights, too',
  monteclora_config: 'MonteCLoRA, whose factors are random',
  lora_bias: 'biases of lora_B (lora_bias)',
  target_parameters: 'adapters of bare parameters (target_parameters)',
  trainable_token_indices: 'trained tokens (trainable_token_indices)',
} as const;

/** Ways to begin that change the base, too: the adapter is meant for that changed one. */
const changedBase = /^(pissa|olora|corda|loftq|lora_ga)/;

/**
 * What `adapter_config.json`, or the same in the metadata of a file of diffusers, says of the modules.
 * @throws `ERR_SVD_FILE` for anything but plain LoRA, and for what PEFT would not read either
 */
export function rulesOf(config: Config): Rules {
  const type = config.text('peft_type') ?? 'LORA';
  if (type !== 'LORA')
    return config.fail('peft_type', `recognised an adapter of kind ${quote(type)}; only "LORA" is read`);
  for (const [name, what] of Object.entries(more)) {
    const value = config.raw(name);
    if (
      value !== undefined &&
      value !== null &&
      value !== false &&
      !(Array.isArray(value) && value.length === 0)
    )
      config.fail(name, `recognised ${what}: only plain LoRA is read`);
  }
  const init = config.raw('init_lora_weights');
  if (typeof init === 'string' && changedBase.test(init))
    config.fail(
      'init_lora_weights',
      `recognised ${quote(init)}, which changes the base weights, too; convert it to a plain LoRA first (path_initial_model_for_weight_conversion of PEFT's save_pretrained)`,
    );
  for (const name of ['r', 'lora_alpha'])
    if ((config.raw(name) ?? null) === null) config.fail(name, 'is missing');
  const [rank, alpha] = [config.count('r', 0), config.number('lora_alpha', 0)];
  const [rankOf, alphaOf] = [patterns(config, 'rank_pattern'), patterns(config, 'alpha_pattern')];
  const root = config.flag('use_rslora', false);
  return {
    fanInFanOut: config.flag('fan_in_fan_out', false),
    scaling(module) {
      const own = { rank: rankOf(module) ?? rank, alpha: alphaOf(module) ?? alpha };
      if (!Number.isSafeInteger(own.rank))
        config.fail('rank_pattern', `expected positive integers, found ${own.rank}`);
      return { ...own, scale: own.alpha / (root ? Math.sqrt(own.rank) : own.rank) };
    },
  };
}

/** Steps of matching that patterns may take, of all modules together: a second or two. */
const mostWork = 2e7;

/** The number of the first pattern that a module's name matches. */
function patterns(config: Config, name: string): (module: string) => number | undefined {
  const values = config.raw(name) ?? {};
  if (!isPlain(values)) return config.fail(name, `expected an object, found ${shown(values)}`);
  let left = mostWork;
  const work = (steps: number) => {
    left -= steps;
    if (left < 0) config.fail(name, 'has more patterns than can be matched with the names of all modules');
  };
  const tests = Object.entries(values).map(([pattern, value]) => {
    if (!Number.isFinite(value) || (value as number) <= 0)
      config.fail(name, `${quote(pattern)}: expected a positive number, found ${shown(value)}`);
    const unknown = () =>
      config.fail(name, `the pattern ${quote(pattern)} has a form that is not known here`);
    const fits = nameTest(pattern, unknown, work);
    return { fits, value: value as number };
  });
  return (module) => {
    work(tests.length);
    return tests.find(({ fits }) => fits(module))?.value;
  };
}

/** In the metadata of files that diffusers writes: the configs of all models that the file has adapters for, as JSON. */
const metadataKey = 'lora_adapter_metadata';

/**
 * What the metadata of a file of diffusers says of its modules, by the model that their names begin with; `undefined` where it says
 * nothing. Of a file for one model alone neither may name it.
 */
export function rulesInMetadata(
  path: string,
  metadata: Readonly<Record<string, string>>,
): ((module: string) => { rules: Rules; name: string } | undefined) | undefined {
  const text = Object.hasOwn(metadata, metadataKey) ? metadata[metadataKey] : undefined;
  if (text === undefined) return undefined;
  const values = parsed(path, text);
  const parts = new Map<string, Record<string, unknown>>();
  for (const [key, value] of Object.entries(values)) {
    const dot = key.lastIndexOf('.');
    const prefix = key.slice(0, dot + 1);
    const part = parts.get(prefix) ?? Object.create(null);
    part[key.slice(dot + 1)] = value;
    parts.set(prefix, part);
  }
  const rules = [...parts]
    .sort(([a], [b]) => b.length - a.length)
    .filter(([, part]) => Object.hasOwn(part, 'lora_alpha') || Object.hasOwn(part, 'r'))
    .map(([prefix, part]) => ({
      prefix,
      rules: rulesOf(new Config(path, part, `metadata ${metadataKey}: ${prefix}`)),
    }));
  return (module) => {
    const found = rules.find(({ prefix }) => module.startsWith(prefix));
    return found && { rules: found.rules, name: module.slice(found.prefix.length) };
  };
}

function parsed(path: string, text: string): Record<string, unknown> {
  try {
    const values: unknown = JSON.parse(text);
    if (isPlain(values)) return values;
  } catch {}
  throw fileError(path, `metadata ${metadataKey}: expected JSON of an object, found ${shown(text)}`);
}

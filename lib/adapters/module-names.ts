import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { Adapter } from './adapter.ts';

/** How modules are to be called in a file. */
export interface NameOptions {
  /** What modules are called there, by the names that they have in the adapter; the others are called as `format` says. */
  readonly names?: Readonly<Record<string, string>> | undefined;
  /** Of `kohya`: what stands before the name of a module; by default `lora_te_` before `text_model…`, else `lora_unet_`. */
  readonly prefix?: string | undefined;
}

/** Models of a pipeline of diffusers. */
const models = /^(unet|transformer|prior|text_encoder(?:_\d)?)\./;

/**
 * What every module is called in a file of PEFT: as in the base model. Names that diffusers wrote lose that of their model, where
 * all are of the same; what kohya's names stand for cannot be known, as dots have become underscores.
 * @throws `ERR_SVD_ARGUMENT` for names that cannot be known, and where two would become one
 */
export function peftNames(adapter: Adapter, options: NameOptions): Map<string, string> {
  if (options.prefix !== undefined)
    throw svdError('ERR_SVD_ARGUMENT', "writeAdapter: prefix: only with format: 'kohya'");
  const parts = new Set([...adapter.modules.keys()].map((name) => models.exec(name)?.[0] ?? ''));
  const [model] = parts;
  return named(adapter, options, (name) => {
    if (adapter.format === 'peft') return name;
    if (adapter.format === 'kohya' || /^lora_(unet|te\d?|prior)_/.test(name))
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `writeAdapter: module ${quote(name)}: the name that it has in its model is not known from that of kohya, which has _ for . and _ alike: give it as names[${quote(name)}]`,
      );
    if (parts.size > 1)
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `writeAdapter: the adapter changes several models, ${[...parts].map(quote).join(' and ')}; a folder of PEFT is for one: give what its modules are called there as names, or write format: 'kohya'`,
      );
    return name.slice(model.length);
  });
}

/**
 * What every module is called in a file of kohya: names that kohya wrote as they are, of others the dots as underscores, after
 * `lora_unet_`, `lora_te_` and the like.
 * @throws `ERR_SVD_ARGUMENT` where two would become one
 */
export function kohyaNames(adapter: Adapter, options: NameOptions): Map<string, string> {
  const second = [...adapter.modules.keys()].some((name) => name.startsWith('text_encoder_2.'));
  return named(adapter, options, (name) => {
    if (adapter.format === 'kohya' || /^lora_(unet|te\d?|prior)_/.test(name)) return name;
    const model = adapter.format === 'diffusers' ? models.exec(name)?.[1] : undefined;
    const own = model === undefined ? name : name.slice(model.length + 1);
    const prefix = options.prefix ?? prefixOf(model, own, second);
    return prefix + own.replaceAll('.', '_');
  });
}

function prefixOf(model: string | undefined, name: string, second: boolean): string {
  if (model === 'prior') return 'lora_prior_';
  const te = /^text_encoder(?:_(\d))?$/.exec(model ?? '');
  if (te) return `lora_te${te[1] ?? (second ? '1' : '')}_`;
  return model === undefined && name.startsWith('text_model.') ? 'lora_te_' : 'lora_unet_';
}

function named(
  { modules }: Adapter,
  { names = {} }: NameOptions,
  nameOf: (name: string) => string,
): Map<string, string> {
  for (const [name, value] of Object.entries(names)) {
    if (!modules.has(name))
      throw svdError('ERR_SVD_ARGUMENT', `writeAdapter: names: the adapter has no module ${quote(name)}`);
    if (typeof value !== 'string' || value === '')
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `writeAdapter: names[${quote(name)}]: expected a name, got ${shown(value)}`,
      );
  }
  const out = new Map<string, string>();
  const from = new Map<string, string>();
  for (const name of modules.keys()) {
    const target = Object.hasOwn(names, name) ? names[name] : nameOf(name);
    const other = from.get(target);
    if (other !== undefined)
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `writeAdapter: modules ${quote(other)} and ${quote(name)} would both be called ${quote(target)}`,
      );
    from.set(target, name);
    out.set(name, target);
  }
  return out;
}

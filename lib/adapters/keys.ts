import { quote } from '../array/escape.ts';
import { fileError } from '../weights/file-errors.ts';
import { suggestNames } from '../weights/names.ts';
import { namesText } from '../weights/patterns.ts';

// The names that tensors of adapters have. What PEFT writes: huggingface/peft, utils/save_and_load.py; kohya: sd-scripts,
// networks/lora.py; diffusers: utils/state_dict_utils.py, with the names it had before, too.

/** The tensors of one module, by their names in the file. */
export interface ModuleKeys {
  /** A, of shape `[rank, in, …kernel]`. */
  down?: string;
  /** B, of shape `[out, rank]`. */
  up?: string;
  alpha?: string;
  /** `lora_embedding_A` and `lora_embedding_B`. */
  embedding: boolean;
}

/** A way to name factors. */
type Scheme = 'lora_A / lora_B' | 'lora_down / lora_up' | 'lora.down / lora.up';

/** What was found in the names of a file. */
export interface Keys {
  readonly scheme: Scheme;
  /** All names begin with that of PEFT. */
  readonly wrapped: boolean;
  readonly modules: ReadonlyMap<string, ModuleKeys>;
  /** Names of tensors, after PEFT's prefix, that are no part of a factor. */
  readonly others: ReadonlyMap<string, string>;
}

type Role = 'down' | 'up' | 'alpha';

interface Found {
  readonly module: string;
  readonly role: Role;
  readonly scheme?: Scheme;
  readonly embedding?: boolean;
}

const wrapper = 'base_model.model.';

const roles: Readonly<Record<string, Role>> = { A: 'down', B: 'up', down: 'down', up: 'up' };

/** Each with what it makes of a name, in the groups of the expression: module and part. */
const forms: readonly [RegExp, Omit<Found, 'module' | 'role'>, ((module: string) => string)?][] = [
  [/^(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight$/s, { scheme: 'lora_A / lora_B' }],
  [/^(.+)\.lora_embedding_(A|B)(?:\.[^.]+)?$/s, { scheme: 'lora_A / lora_B', embedding: true }],
  [/^(.+)\.lora_(down|up)\.weight$/s, { scheme: 'lora_down / lora_up' }],
  [/^(.+)\.lora\.(down|up)\.weight$/s, { scheme: 'lora.down / lora.up' }],
  [/^(.+)\.lora_linear_layer\.(down|up)\.weight$/s, { scheme: 'lora.down / lora.up' }],
  [/^(.+)_lora\.(down|up)\.weight$/s, { scheme: 'lora.down / lora.up' }, processed],
];

/** How such names end, for messages about others. */
const endings = [
  '.lora_A.weight',
  '.lora_B.weight',
  '.lora_embedding_A',
  '.lora_embedding_B',
  '.lora_down.weight',
  '.lora_up.weight',
  '.lora.down.weight',
  '.lora.up.weight',
  '.lora_linear_layer.down.weight',
  '.lora_linear_layer.up.weight',
  '.alpha',
];

/** Names of adapters of other kinds. */
const kinds: readonly [RegExp, string][] = [
  [/lora_magnitude_vector|dora_scale/, 'DoRA'],
  [/\.hada_/, 'LoHa, a product element by element'],
  [/\.lokr_/, 'LoKr, a Kronecker product'],
  [/\.(lora|glora)_mid\./, 'LoCon with a core between its factors (lora_mid)'],
  [/\.oft_|\.boft_/, 'OFT'],
  [/\.ia3_|\.on_input$/, 'IA³'],
  [/\.vera_|\.randlora_/, 'VeRA'],
  [/\.diff(_b)?$|\.(w|b)_norm$/, 'whole differences of weights (.diff)'],
  [/lora_(A|B|up|down)(\.[^.]+)?\.bias$/, 'biases of factors (lora_bias)'],
  [/trainable_tokens|token_adapter/, 'trained tokens'],
  [/^bundle_emb\./, 'embeddings of a textual inversion'],
  [/^(input_blocks|time_embed|lora_controlnet)\b|\.(down|up)$/, 'ControlLoRA'],
];

/**
 * Which tensors belong together.
 *
 * @param wholes whether tensors that are no factors may be there: whole ones of the model
 * @throws `ERR_SVD_FILE` for names that are not known, of other kinds of adapter, of several ways in one file, and for two
 * that mean the same
 */
export function readKeys(path: string, names: readonly string[], wholes: boolean): Keys {
  const wrapped = names.filter((name) => name.startsWith(wrapper)).length;
  if (wrapped > 0 && wrapped < names.length)
    throw fileError(
      path,
      `ambiguous: ${wrapped} of ${names.length} names begin with ${wrapper}, as those of PEFT, and ${quote(names.find((name) => !name.startsWith(wrapper)) as string)} does not`,
    );
  const modules = new Map<string, ModuleKeys>();
  const schemes = new Map<Scheme, string>();
  const others = new Map<string, string>();
  for (const name of names) {
    const short = wrapped > 0 ? name.slice(wrapper.length) : name;
    const found = findForm(short);
    for (const [pattern, kind] of kinds)
      if (!found && pattern.test(short))
        throw fileError(path, `tensor ${quote(name)}: recognised ${kind}; only plain LoRA is read`);
    if (!found) others.set(short, name);
    else {
      if (found.scheme && !schemes.has(found.scheme)) schemes.set(found.scheme, name);
      addTo(modules, found, name, path);
    }
  }
  const [scheme] = schemes.keys();
  const strange = [...others.keys()].filter(
    (name) => !wholes || /lora_|\.alpha$/.test(name) || !isWhole(name),
  );
  if (scheme === undefined || strange.length > 0) throw unknownKeys(path, names, strange, schemes);
  if (schemes.size > 1) {
    const seen = [...schemes].map(([of, name]) => `${of} (${quote(name)})`).join(' and ');
    throw fileError(path, `ambiguous: the names of its tensors are of several kinds: ${seen}`);
  }
  return { scheme, wrapped: wrapped > 0, modules, others };
}

const isWhole = (name: string): boolean => /\.(weight|bias)$/.test(name);

function findForm(name: string): Found | undefined {
  for (const [pattern, what, moduleOf] of forms) {
    const [, module, part] = pattern.exec(name) ?? [];
    if (module !== undefined) return { module: moduleOf?.(module) ?? module, role: roles[part], ...what };
  }
  const [, module] = /^(.+)\.alpha$/s.exec(name) ?? [];
  if (module === undefined) return undefined;
  const [, stem, old] = /^(.+?)(\.lora|\.lora_linear_layer|_lora)?$/s.exec(module) as RegExpExecArray;
  return { module: old === '_lora' ? processed(stem) : stem, role: 'alpha' };
}

/** The module that a processor of attention stood for: `…attn1.processor.to_q` → `…attn1.to_q`. */
function processed(name: string): string {
  const stem = name.replace('.processor.', '.');
  const [, before, which] = /^(.+)\.to_(q|k|v|out)$/s.exec(stem) ?? [];
  if (which === undefined) return stem;
  if (before.endsWith('self_attn')) return `${before}.${which}_proj`; // in text encoders
  return which === 'out' ? `${stem}.0` : stem;
}

function addTo(modules: Map<string, ModuleKeys>, found: Found, name: string, path: string): void {
  const { module, role, embedding } = found;
  const keys = modules.get(module) ?? { embedding: false };
  const before = keys[role];
  if (before !== undefined)
    throw fileError(path, `module ${quote(module)} is there twice: ${quote(before)} and ${quote(name)}`);
  keys[role] = name;
  keys.embedding ||= embedding === true;
  modules.set(module, keys);
}

function unknownKeys(
  path: string,
  names: readonly string[],
  strange: readonly string[],
  schemes: ReadonlyMap<Scheme, string>,
) {
  const which = strange.length > 0 ? strange : names;
  if (which.length === 0) return fileError(path, 'holds no tensors');
  const recognised =
    schemes.size === 0
      ? 'nothing was recognised'
      : `recognised ${[...schemes.keys()].join(' and ')} in ${names.length - strange.length} others`;
  const [ending] = /(\.[^.]+)?\.[^.]+$/s.exec(which[0]) ?? [which[0]];
  return fileError(
    path,
    `not the names of an adapter's tensors: ${namesText(which)}; ${recognised}; ${suggestNames(ending, endings)}`,
  );
}

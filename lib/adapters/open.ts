import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions, type OptionTable } from '../arguments/options.ts';
import type { Format } from '../array/elements.ts';
import { quote } from '../array/escape.ts';
import type { MatrixLike } from '../array/input.ts';
import { product } from '../array/tensor.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import { Config } from '../weights/config.ts';
import { isReadable } from '../weights/dtypes.ts';
import { fileError, filePath, shapeText } from '../weights/file-errors.ts';
import { openWeights, type StoredTensor, type TensorInfo, type Weights } from '../weights/index.ts';
import { Adapter, type Module, type ModuleInfo } from './adapter.ts';
import { type Keys, type ModuleKeys, readKeys } from './keys.ts';
import { inModule } from './module-error.ts';
import { countNonFinite } from './non-finite.ts';
import { type Rules, rulesInMetadata, rulesOf } from './scaling.ts';

/** Options of `openAdapter`. */
export interface OpenAdapterOptions {
  /** Aborts the reading. */
  readonly signal?: AbortSignal | undefined;
}

const openOptions: OptionTable<OpenAdapterOptions> = { signal: asyncOptions.signal };

/**
 * Reads a low-rank adapter: a folder that PEFT wrote (`adapter_config.json` and `adapter_model.safetensors`), or a safetensors file
 * with the names of kohya (`lora_down`, `lora_up`, `alpha`) or diffusers. Names, shapes, ranks and scales of all modules are
 * checked before the first tensor is read, and every element is finite.
 *
 * The scale, alpha/rank or alpha/√rank (`use_rslora`), is in the matrices. A module without alpha has that of kohya: its rank, so that
 * the scale is 1; PEFT's config has to say it.
 * @throws `ERR_SVD_FILE` for what is no such adapter, with the tensor and what was expected: names that are not known or of another
 * kind of adapter (DoRA, LoHa, …), a factor without its partner, ranks that do not agree with each other or the config, alpha that is no
 * number other than 0, NaN and infinities; `ERR_SVD_OVERFLOW` where the scale makes elements too large; `signal.reason` on abort
 * @function
 */
export const openAdapter = exposedAsync(
  { takes: ['path'], options: openOptions },
  async function openAdapter(path: string | URL, { signal }: OpenAdapterOptions = {}): Promise<Adapter> {
    const given = filePath(path);
    const { file, config } = await find(given);
    await using weights = await openWeights(file);
    const rules = config && rulesOf(config);
    const keys = readKeys(file, weights.names, config !== undefined);
    if (config === undefined && keys.wrapped)
      throw fileError(
        file,
        `its tensors are named as those of PEFT, but there is no ${configName} beside it, which says alpha`,
      );
    if (config !== undefined && keys.scheme !== 'lora_A / lora_B')
      throw fileError(
        file,
        `its tensors are named ${keys.scheme}; beside ${configName} they should be lora_A / lora_B`,
      );
    const plans = await plansOf(weights, keys, rules);
    const modules = new Map<string, Module>();
    for (const plan of plans) {
      signal?.throwIfAborted();
      modules.set(plan.name, await readModule(weights, plan));
    }
    const replaced = new Map<string, StoredTensor>();
    for (const [name, key] of keys.others) replaced.set(name, await readFinite(weights, key));
    const format = rules ? 'peft' : keys.scheme === 'lora_down / lora_up' ? 'kohya' : 'diffusers';
    return new Adapter({
      path: given,
      format,
      modules,
      replaced,
      metadata: weights.metadata,
      config: config?.values,
    });
  },
);

/** Names that PEFT gives to its two files. */
export const configName = 'adapter_config.json';
export const weightsName = 'adapter_model.safetensors';

/** The file of tensors, and the config that belongs to it. */
async function find(path: string): Promise<{ file: string; config?: Config }> {
  const inside = join(path, configName);
  if (await isThere(inside)) {
    const file = join(path, weightsName);
    const old = 'adapter_model.bin';
    if (!(await isThere(file)) && (await isThere(join(path, old))))
      throw fileError(
        path,
        `has only ${old}, a pickle of Python; save it with safe_serialization=True, as ${weightsName}`,
      );
    return { file, config: await Config.read(inside) };
  }
  const beside = join(dirname(path), configName);
  if (basename(path) === weightsName && (await isThere(beside)))
    return { file: path, config: await Config.read(beside) };
  return { file: path };
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A module as it will be read. */
interface Plan extends ModuleInfo {
  readonly name: string;
  readonly down: string;
  readonly up: string;
}

/** All that can be known of the modules without reading their factors, checked. */
async function plansOf(weights: Weights, { modules }: Keys, rules: Rules | undefined): Promise<Plan[]> {
  const inMetadata = rules ? undefined : rulesInMetadata(weights.path, weights.metadata);
  const plans: Plan[] = [];
  for (const [name, keys] of modules) {
    const { down, up } = paired(weights, name, keys);
    const { rank, weightShape } = shapesOf(weights, name, down, up);
    const said = rules ? { rules, name } : keys.alpha === undefined ? inMetadata?.(name) : undefined;
    const scaling = said?.rules.scaling(said.name);
    if (scaling && scaling.rank !== rank)
      throw fileError(
        weights.path,
        `module ${quote(name)}: its factors have rank ${rank}, its config says ${scaling.rank}`,
      );
    const alpha = scaling?.alpha ?? (keys.alpha === undefined ? rank : await readAlpha(weights, keys.alpha));
    const transposed = keys.embedding || (said?.rules.fanInFanOut === true && weightShape.length === 2);
    plans.push({
      name,
      down,
      up,
      keys: [down, up, ...(keys.alpha === undefined ? [] : [keys.alpha])],
      rank,
      alpha,
      scale: scaling?.scale ?? alpha / rank,
      weightShape: transposed ? weightShape.toReversed() : weightShape,
      embedding: keys.embedding,
      transposed,
      dtype: widest(infoOf(weights, down), infoOf(weights, up)),
    });
  }
  return plans;
}

const infoOf = ({ tensors }: Weights, key: string): TensorInfo => tensors.get(key) as TensorInfo;

/** Both factors of a module. */
function paired({ path }: Weights, name: string, { down, up, alpha }: ModuleKeys) {
  if (down !== undefined && up !== undefined) return { down, up };
  const there = (down ?? up ?? alpha) as string;
  const missing = [...(down === undefined ? ['A (down)'] : []), ...(up === undefined ? ['B (up)'] : [])];
  throw fileError(
    path,
    `module ${quote(name)}: has ${quote(there)}, but its factor ${missing.join(' and its factor ')} is missing`,
  );
}

/** Of a weight: those of a convolution of three. */
export const mostDimensions = 5;

/** What the shapes of the factors say: A `[rank, in, …kernel]`, B `[out, rank]` or `[out, rank, 1, …]`. */
function shapesOf(weights: Weights, name: string, down: string, up: string) {
  const [A, B] = [down, up].map((key) => infoOf(weights, key));
  const wrong = (problem: string) => fileError(weights.path, `module ${quote(name)}: ${problem}`);
  for (const [key, { dtype }] of [
    [down, A],
    [up, B],
  ] as const)
    if (!isReadable(dtype)) throw wrong(`${quote(key)} has dtype ${dtype}; expected F64, F32, F16 or BF16`);
  const shapes = `A ${shapeText(A.shape)} and B ${shapeText(B.shape)}`;
  const [rank, ...inputs] = A.shape;
  const [out, rankOfB, ...ones] = B.shape;
  const fits =
    A.shape.length >= 2 && A.shape.length <= mostDimensions && [2, A.shape.length].includes(B.shape.length);
  if (!fits || ones.some((n) => n !== 1))
    throw wrong(
      `${shapes} are no factors of a weight: expected [rank, in, …kernel] and [out, rank] or [out, rank, 1, …]`,
    );
  if (rank !== rankOfB) throw wrong(`the ranks of its factors, ${rank} and ${rankOfB}, differ: ${shapes}`);
  if (product(A.shape) * product(B.shape) === 0) throw wrong(`${shapes}: nothing may be 0`);
  return { rank, weightShape: [out, ...inputs] };
}

const bits = ({ dtype }: TensorInfo): number => Number(/\d+$/.exec(dtype)?.[0]);

const formats = { F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

/** What holds the elements of both. */
const widest = (a: TensorInfo, b: TensorInfo): Format =>
  a.dtype !== b.dtype && bits(a) === 16 && bits(b) === 16
    ? 'float32'
    : formats[(bits(a) >= bits(b) ? a : b).dtype as keyof typeof formats];

/** Alpha of a module, a tensor of one element. */
async function readAlpha(weights: Weights, key: string): Promise<number> {
  const { shape, dtype } = infoOf(weights, key);
  const wrong = (problem: string) => fileError(weights.path, `tensor ${quote(key)}: ${problem}`);
  if (product(shape) !== 1) throw wrong(`expected one number, found shape ${shapeText(shape)}`);
  const { data } = isReadable(dtype) ? await weights.read(key) : await weights.readStored(key);
  const alpha = Number(data[0]);
  if (Number.isFinite(alpha) && alpha !== 0) return alpha;
  throw wrong(`alpha is ${alpha}; expected a finite number other than 0`);
}

async function readModule(weights: Weights, plan: Plan): Promise<Module> {
  const { name: _, down, up, keys, ...info } = plan;
  const [A, B] = [await readFinite(weights, down), await readFinite(weights, up)];
  const [out, , ...ones] = B.shape;
  const left = { ...B, shape: ones.length > 0 ? [out, info.rank] : B.shape } as MatrixLike;
  const right = { ...A, shape: [info.rank, product(A.shape.slice(1))] } as MatrixLike;
  const matrix = new FactoredMatrix(left, right);
  const scaled = info.scale === 1 ? matrix : await inModule(plan.name, scaledBy(matrix, info.scale));
  return { matrix: info.transposed ? scaled.T : scaled, info: { ...info, keys } };
}

const scaledBy = async (matrix: FactoredMatrix, scale: number): Promise<FactoredMatrix> => matrix.mul(scale);

async function readFinite(weights: Weights, key: string): Promise<StoredTensor> {
  const tensor = await weights.readStored(key);
  const bad = countNonFinite(tensor);
  if (bad === 0) return tensor;
  throw fileError(
    weights.path,
    `tensor ${quote(key)}: ${bad} of its ${tensor.data.length} elements are NaN or infinite`,
  );
}

import { inspect } from 'node:util';
import type { Format } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { product, showShape } from '../array/tensor.ts';
import type { FactoredMatrix } from '../factored-matrix.ts';
import type { StoredTensor } from '../weights/index.ts';

/** Whose names the tensors of an adapter have: of Hugging Face's PEFT, of kohya's sd-scripts, of diffusers. */
export type AdapterFormat = 'peft' | 'kohya' | 'diffusers';

/** What is known of one module of an adapter besides its matrix. */
export interface ModuleInfo {
  /** Inner dimension of the product. */
  readonly rank: number;
  /** As the file or its config has it; the rank where neither does. */
  readonly alpha: number;
  /** What the product of the stored factors is multiplied by: alpha/rank, or alpha/√rank (rslora). It is in the matrix already. */
  readonly scale: number;
  /** Shape of the weight that the matrix is added to: `[out, in]`, of a convolution `[out, in, …kernel]`, of an embedding `[tokens, dim]`. */
  readonly weightShape: readonly number[];
  /** The weight is that of an embedding, whose factors have names of their own. */
  readonly embedding: boolean;
  /** The weight is kept as `[in, out]` (`fan_in_fan_out`; embeddings, too): the matrix is the transpose of what the factors make. */
  readonly transposed: boolean;
  /** What the factors are stored in. */
  readonly dtype: Format;
  /** The tensors that it was read from. */
  readonly keys: readonly string[];
}

/** A module that an adapter is made of. */
export interface Module {
  /** What is added to the weight, scale included: `[out, in·…kernel]`. */
  readonly matrix: FactoredMatrix;
  /** What is known of it besides. */
  readonly info: ModuleInfo;
}

/** What an adapter is made of. */
export interface AdapterParts {
  /** The file or folder it was read from, if any. */
  readonly path?: string | undefined;
  /** How its modules are named. */
  readonly format: AdapterFormat;
  /** Its modules by their names. */
  readonly modules: Iterable<readonly [name: string, module: Module]>;
  /** Tensors of the model that it has whole; none by default. */
  readonly replaced?: Iterable<readonly [name: string, tensor: StoredTensor]> | undefined;
  /** `__metadata__` of its file. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** `adapter_config.json`. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
}

/** A low-rank adapter in memory: for every module that it changes what is added to its weight. It does not change. */
export class Adapter {
  /** The file or folder it was read from, if any. */
  readonly path?: string | undefined;
  /** How its modules are named. */
  readonly format: AdapterFormat;
  /** What is added to the weight of each module, `[out, in·…kernel]`, by the name that the file has for the module. */
  readonly modules: ReadonlyMap<string, FactoredMatrix>;
  /** What is known of each module besides. */
  readonly info: ReadonlyMap<string, ModuleInfo>;
  /** Tensors of the model that the adapter has whole, in place of those of the base: `modules_to_save` of PEFT, and biases. */
  readonly replaced: ReadonlyMap<string, StoredTensor>;
  /** `__metadata__` of the file; empty where there is none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** `adapter_config.json` as it was read. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;

  /** Use `openAdapter`. */
  constructor({ path, format, modules, replaced = [], metadata = {}, config }: AdapterParts) {
    const entries = [...modules];
    for (const [name, { matrix, info }] of entries) checkShape(name, matrix, info.weightShape);
    this.path = path;
    this.format = format;
    this.modules = new Map(entries.map(([name, { matrix }]) => [name, matrix]));
    this.info = new Map(entries.map(([name, { info }]) => [name, Object.freeze({ ...info })]));
    this.replaced = new Map(replaced);
    this.metadata = Object.freeze({ ...metadata });
    this.config = config;
    Object.freeze(this);
  }

  /** @internal */
  [inspect.custom](): string {
    return `Adapter ${this.format}, ${this.modules.size} modules${this.path === undefined ? '' : `, ${this.path}`}`;
  }
}

function checkShape(name: string, { shape }: FactoredMatrix, weightShape: readonly number[]): void {
  const [rows, ...rest] = weightShape;
  const expected = [rows, product(rest)];
  if (shape.length !== 2 || shape[0] !== rows || shape[1] !== expected[1])
    throw svdError(
      'ERR_SVD_SHAPE',
      `module ${quote(name)}: a weight of shape ${showShape(weightShape)} takes a matrix ${showShape(expected)}, got ${showShape(shape)}`,
    );
}

/**
 * What is known of a module whose matrix was computed here: alpha is the rank, so that the scale is 1.
 *
 * @param like of what module of what kind; by default that of a linear layer
 */
export const infoOf = (matrix: FactoredMatrix, like: Partial<ModuleInfo> = {}): ModuleInfo => ({
  weightShape: matrix.shape,
  embedding: false,
  transposed: false,
  dtype: 'float32',
  keys: [],
  ...like,
  rank: matrix.mdim,
  alpha: matrix.mdim,
  scale: 1,
});

/** The adapter with other matrices, of the same shapes, for all or some of its modules; the others are left out. */
export const withModules = (
  { format, info, replaced, metadata, config }: Adapter,
  modules: Iterable<readonly [name: string, matrix: FactoredMatrix]>,
): Adapter =>
  new Adapter({
    format,
    replaced,
    metadata,
    config,
    modules: [...modules].map(([name, matrix]) => [name, { matrix, info: infoOf(matrix, info.get(name)) }]),
  });

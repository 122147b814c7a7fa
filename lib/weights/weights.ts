import { exposeMembers } from '../arguments/boundary.ts';
import type { Kind, OptionTable } from '../arguments/options.ts';
import { asyncDispose } from '../array/disposal.ts';
import { typedArrayName } from '../array/elements.ts';
import { shown, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { product, type Tensor, tensor } from '../array/tensor.ts';
import {
  arrayOf,
  isReadable,
  isStorable,
  readableDtypes,
  type StoredArray,
  type StoredTensor,
  storedName,
  whyUnreadable,
} from './dtypes.ts';
import { type Entry, fillPart, type Part, readBytes, readFloats, readStored } from './elements.ts';
import { fileError, fileStep, shapeText } from './file-errors.ts';
import type { SafetensorsInfo, TensorInfo } from './header.ts';
import { suggestNames } from './names.ts';
import { type OpenFile, type Reading, readAsync, readAtOnce } from './storage.ts';

/** Which part of a tensor is read. */
export interface ReadOptions {
  /** Indices `from … to` (without `to`) of the first dimension; all of it by default. */
  readonly rows?: readonly [from: number, to: number] | undefined;
}

const rowRange: Kind<readonly [number, number]> = {
  expected: '[from, to], integers with 0 ≤ from ≤ to',
  accepts: (x): x is readonly [number, number] =>
    Array.isArray(x) && x.length === 2 && x.every((i) => Number.isSafeInteger(i) && i >= 0) && x[0] <= x[1],
};

const readOptions: OptionTable<ReadOptions> = { rows: rowRange };

/** What was found when weights were opened. */
export interface Contents {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, Entry>;
  /** All that are open for it. */
  readonly files: readonly OpenFile[];
  /** The file that names them, if there is one. */
  readonly index?: string;
}

type Fill<T> = (
  weights: Weights,
  name: string,
  target: StoredArray,
  rows?: readonly [from: number, to: number],
) => T;

let filling: Fill<Reading>;

let bytesIn: (weights: Weights, name: string) => AsyncGenerator<Uint8Array, void, void>;

/** Open weights: the tensors of a file, or of the shards of a checkpoint. Close them with `close()` or `await using`. */
export class Weights<Info extends TensorInfo = TensorInfo> {
  /** What was opened, as it was named; of a URL its path. */
  readonly path: string;
  /** What the file says of itself: `__metadata__` of safetensors; empty where there is none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** dtype, shape and place of every tensor, in the order of the file. */
  readonly tensors: ReadonlyMap<string, Info>;
  readonly #contents: Contents;
  #closed = false;

  /** Use `openWeights`. */
  constructor(path: string, contents: Contents) {
    this.path = path;
    this.metadata = contents.metadata;
    // A caller who changes it changes nothing here.
    this.tensors = new Map([...contents.entries].map(([name, { info }]) => [name, info as Info]));
    this.#contents = contents;
  }

  /** Every file that belongs to what was opened: of a folder its shards and their index. */
  get files(): string[] {
    const { index, files } = this.#contents;
    return [...(index === undefined ? [] : [index]), ...files.map(({ path }) => path)];
  }

  /** Names of all tensors, in the order of the file. */
  get names(): string[] {
    return [...this.#contents.entries.keys()];
  }

  /**
   * Reads one tensor, or some of its rows, and of the file nothing else: F64 as float64, F32, F16 and BF16 as float32,
   * row-major.
   * @throws `ERR_SVD_FILE` if there is no such tensor, its dtype is another one, or the file has since changed;
   * `ERR_SVD_ARGUMENT` if it has not so many rows; `ERR_SVD_TOO_LARGE` if it does not fit in memory
   */
  async read(name: string, options: ReadOptions = {}): Promise<Tensor> {
    const part = this.#part(name, options);
    if (!isReadable(part.dtype))
      throw fileError(
        part.entry.info.file,
        `tensor ${quote(name)} has dtype ${part.dtype}; only ${readableDtypes.join(', ')} can be read as numbers`,
      );
    const { dtype } = part;
    return tensor(await readAsync(readFloats({ ...part, dtype }, `tensor ${quote(name)}`)), part.shape);
  }

  /**
   * Reads one tensor, or some of its rows, as it stands in the file: nothing is widened. 16-bit floats come as their bits
   * with a `dtype` that makes them legal input of every function; integers, booleans and 8-bit floats as what they are.
   * @throws as `read`; `ERR_SVD_FILE` for dtypes that no typed array holds (complex, or less than 8 bits)
   */
  async readStored(name: string, options: ReadOptions = {}): Promise<StoredTensor> {
    const part = this.#part(name, options);
    const data = await readAsync(readStored(part, `tensor ${quote(name)}`));
    return { data, shape: part.shape, dtype: storedName(part.dtype) } as StoredTensor;
  }

  /** Closes what was opened; a second call does nothing. Arrays that were read stay valid. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { path, handle } of this.#contents.files) await fileStep(path, 'close', () => handle.close());
  }

  /** `close()`, for `await using`. */
  async [asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The part that is asked for, checked. */
  #part(name: string, { rows }: ReadOptions): Part {
    if (typeof name !== 'string')
      throw svdError('ERR_SVD_ARGUMENT', `expected the name of a tensor, got ${shown(name)}`);
    const entry = this.#contents.entries.get(name);
    if (entry === undefined)
      throw fileError(this.path, `no tensor ${quote(name)}; ${suggestNames(name, this.names)}`);
    const { dtype, shape, file } = entry.info;
    if (this.#closed) throw fileError(this.path, `cannot read tensor ${quote(name)}: the file was closed`);
    if (!isStorable(dtype))
      throw fileError(file, `tensor ${quote(name)} has dtype ${dtype}, ${whyUnreadable(dtype)}`);
    if (rows === undefined) return { entry, dtype, from: 0, to: shape[0] ?? 1, shape };
    const [from, to] = rows;
    if (shape.length === 0 || to > shape[0])
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `rows [${from}, ${to}] of tensor ${quote(name)}, whose shape is ${shapeText(shape)}`,
      );
    return { entry, dtype, from, to, shape: [to - from, ...shape.slice(1)] };
  }

  static {
    filling = (weights, name, target, rows) => {
      const part = weights.#part(name, { rows });
      const array = arrayOf(part.dtype).name;
      const length = product(part.shape);
      if (typedArrayName(target) !== array || target.length !== length)
        throw svdError(
          'ERR_SVD_ARGUMENT',
          `tensor ${quote(name)}: expected ${array}(${length}) to be filled, got ${shown(target)}`,
        );
      return fillPart(part, target);
    };
    bytesIn = (weights, name) => readBytes(weights.#part(name, {}), `tensor ${quote(name)}`);
  }
}

exposeMembers(
  Weights,
  {
    read: { takes: ['name'], options: readOptions },
    readStored: { takes: ['name'], options: readOptions },
    close: {},
  },
  () => true,
);

/** An open safetensors file: `Weights`, of which every tensor has its place in that file. */
export type SafetensorsFile = Weights<SafetensorsInfo>;

/**
 * Reads a tensor, or rows `[from, to]` of it, into `target`: a typed array of the elements that the file has
 * (`readStored` says which), with exactly as many of them. They are row-major, in this machine's byte order, and
 * nothing is widened.
 * @throws as `readStored`; `ERR_SVD_ARGUMENT` for another kind or length of array
 */
export const fill: Fill<Promise<void>> = async (...args) => readAsync(filling(...args));

/** `fill` at once. */
export const fillSync: Fill<void> = (...args) => readAtOnce(filling(...args));

/**
 * The bytes of a tensor, row-major and in this machine's order, piece by piece, of which one is in memory; each is valid until the
 * next is asked for. Tensors of the same dtype and shape come in the same pieces.
 * @throws as `readStored`
 */
export const tensorBytes = (weights: Weights, name: string): AsyncGenerator<Uint8Array, void, void> =>
  bytesIn(weights, name);

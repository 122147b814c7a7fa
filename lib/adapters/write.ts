import { renameSync, rmSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions, isPlain, type OptionTable, oneOf } from '../arguments/options.ts';
import {
  bytesPerElement,
  type FloatArray,
  type Format,
  narrow,
  widenBfloat16,
  widenFloat16,
} from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { FactoredMatrix } from '../factored-matrix.ts';
import type { AsyncOptions } from '../native/steps.ts';
import { type StorableDtype, storableOf } from '../weights/dtypes.ts';
import { filePath, fileStep, fileStepSync } from '../weights/file-errors.ts';
import { forget, syncFolder, temporaryIn, writeAtomically } from '../weights/output.ts';
import { type Declared, type Writable, writeInTurn } from '../weights/writer.ts';
import type { Adapter, ModuleInfo } from './adapter.ts';
import { inModule } from './module-error.ts';
import { kohyaNames, type NameOptions, peftNames } from './module-names.ts';
import { configName, weightsName } from './open.ts';
import { checkConfig, peftConfig, type Target } from './peft-config.ts';
import { evenRoots } from './recompress.ts';
import { mustBeAdapter } from './resize.ts';

/** Options of `writeAdapter`. */
export interface WriteAdapterOptions extends NameOptions, AsyncOptions {
  /** `'peft'`: a folder with its two files; `'kohya'`: a safetensors file. By default as the adapter was read; of diffusers `'kohya'`. */
  readonly format?: 'peft' | 'kohya' | undefined;
  /** What elements are rounded to, to the nearest; by default what each module was stored in. */
  readonly dtype?: Format | undefined;
  /** `'even'` (default): B = U·√S and A = √S·Vh. `'up'`: B = U·S and A = Vh, as kohya's scripts write them. */
  readonly split?: Split | undefined;
}

/**
 * Which factor the singular values go into.
 *
 * @inline
 */
type Split = 'even' | 'up';

const writeOptions: OptionTable<WriteAdapterOptions> = {
  format: oneOf('peft', 'kohya'),
  dtype: oneOf<Format>('float32', 'float16', 'bfloat16', 'float64'),
  split: oneOf('even', 'up'),
  names: {
    expected: 'an object, { [name of a module]: its name in the file }',
    accepts: (x): x is Readonly<Record<string, string>> => isPlain(x),
  },
  prefix: { expected: 'a string', accepts: (x): x is string => typeof x === 'string' },
  ...asyncOptions,
};

/**
 * Writes an adapter as PEFT or kohya's scripts read it. The factors of every module are made of its singular value decomposition, and
 * alpha is its rank, so that the scale is 1; convolutions have their kernels again.
 *
 * What is there stays until all is written. Of PEFT's two files the config is written last, and an old one goes before: a folder without
 * it is no adapter, so that nothing is ever read with the alpha of another.
 *
 * Resolves to how far rounding took each module, ‖W − W′‖_F/‖W‖_F at most: 0 where nothing was rounded.
 * @param path the folder (`'peft'`, which is made if need be) or the file
 * @throws `ERR_SVD_ARGUMENT` for what the format cannot say, with the module: names that are not known, in kohya's files embeddings,
 *   weights kept as `[in, out]` and whole tensors; `ERR_SVD_OVERFLOW` for a number beyond the range of the dtype,
 *   and for a module all of which would be rounded to 0; `ERR_SVD_FILE`; `signal.reason` on abort. Then nothing was written
 * @function
 */
export const writeAdapter = exposedAsync(
  { takes: ['path', 'adapter'], options: writeOptions },
  async function writeAdapter(
    path: string | URL,
    adapter: Adapter,
    options: WriteAdapterOptions = {},
  ): Promise<ReadonlyMap<string, number>> {
    const target = filePath(path);
    mustBeAdapter(adapter, 'writeAdapter: adapter');
    if (adapter.modules.size === 0)
      throw svdError('ERR_SVD_ARGUMENT', 'writeAdapter: the adapter has no modules');
    const { format = adapter.format === 'peft' ? 'peft' : 'kohya' } = options;
    const write = format === 'peft' ? writePeft : writeKohya;
    return (await write(target, adapter, options)).rounding;
  },
);

async function writePeft(folder: string, adapter: Adapter, options: WriteAdapterOptions): Promise<Tensors> {
  const names = peftNames(adapter, options);
  const tensors = new Tensors(adapter, options);
  const targets: Target[] = [];
  for (const [own, name] of names) {
    const ends = infoOf(adapter, own).embedding
      ? ['.lora_embedding_A', '.lora_embedding_B']
      : ['.lora_A.weight', '.lora_B.weight'];
    targets.push(tensors.add(own, name, `${wrapper}${name}${ends[0]}`, `${wrapper}${name}${ends[1]}`));
  }
  for (const [name, tensor] of adapter.replaced) tensors.addWhole(`${wrapper}${name}`, tensor);
  const values = peftConfig(adapter, targets);
  checkConfig(values, targets);
  const config = `${JSON.stringify(values, null, 2)}\n`;
  const made = await fileStep(folder, 'make the folder', () => mkdir(folder, { recursive: true }));
  const [weights, said] = [temporaryIn(folder), temporaryIn(folder)];
  let isWritten = false;
  try {
    await tensors.write(weights, { ...adapter.metadata, format: 'pt' });
    await writeAtomically(said, (append) => append(Buffer.from(config)));
    const old = await readFile(join(folder, configName), 'utf8').catch(() => undefined);
    // At once: what kills it in between leaves tensors without a config, unless that is the same as before.
    fileStepSync(folder, 'write', () => {
      if (old !== config) rmSync(join(folder, configName), { force: true });
      renameSync(weights, join(folder, weightsName));
      renameSync(said, join(folder, configName));
    });
    isWritten = true;
  } finally {
    for (const path of [weights, said]) {
      await rm(path, { force: true });
      forget(path);
    }
    if (made !== undefined && !isWritten) await removeEmpty(folder, made);
  }
  await fileStep(folder, 'sync', () => syncFolder(folder));
  return tensors;
}

/** Removes folders from the inner one to the outer one, as far as they are empty. */
async function removeEmpty(inner: string, outer: string): Promise<void> {
  const last = dirname(resolve(outer));
  try {
    for (let path = resolve(inner); path !== last; path = dirname(path)) await rmdir(path);
  } catch {}
}

const wrapper = 'base_model.model.';

async function writeKohya(path: string, adapter: Adapter, options: WriteAdapterOptions): Promise<Tensors> {
  const impossible = (what: string) =>
    svdError(
      'ERR_SVD_ARGUMENT',
      `writeAdapter: ${what} has no place in a file of kohya; write format: 'peft'`,
    );
  for (const name of adapter.replaced.keys()) throw impossible(`the whole tensor ${quote(name)}`);
  for (const [name, { embedding, transposed }] of adapter.info)
    if (embedding || transposed)
      throw impossible(`module ${quote(name)}, ${embedding ? 'an embedding' : 'whose weight is [in, out]'},`);
  const tensors = new Tensors(adapter, options);
  const ranks = new Set<number>();
  for (const [own, name] of kohyaNames(adapter, options)) {
    const { rank } = tensors.add(own, name, `${name}.lora_down.weight`, `${name}.lora_up.weight`);
    tensors.addWhole(`${name}.alpha`, { data: Float32Array.of(rank), shape: [], dtype: 'float32' });
    ranks.add(rank);
  }
  const dim = ranks.size === 1 ? String([...ranks][0]) : 'Dynamic'; // as kohya's resize_lora.py says it
  await tensors.write(path, {
    ss_network_module: 'networks.lora',
    ...adapter.metadata,
    ss_network_dim: dim,
    ss_network_alpha: dim,
  });
  return tensors;
}

const infoOf = ({ info }: Adapter, name: string): ModuleInfo => info.get(name) as ModuleInfo;

/** In metadata what was true of the tensors that were read alone: hashes, and configs of diffusers. */
const stale = ['sshs_model_hash', 'sshs_legacy_hash', 'lora_adapter_metadata'];

const dtypes = { float64: 'F64', float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const;

/** The tensors of a file, whose factors are made when it is their turn: those of one module are in memory. */
class Tensors {
  readonly #adapter: Adapter;
  readonly #options: WriteAdapterOptions;
  readonly #declared = new Map<string, Declared>();
  readonly #make = new Map<string, () => Promise<Writable> | Writable>();
  /** Of every module that was written how far rounding took it, ‖W − W′‖_F/‖W‖_F at most. */
  readonly rounding = new Map<string, number>();
  #done = 0;

  constructor(adapter: Adapter, options: WriteAdapterOptions) {
    this.#adapter = adapter;
    this.#options = options;
  }

  /** Both factors of a module, by their names in the file. */
  add(own: string, name: string, down: string, up: string): Target {
    const info = infoOf(this.#adapter, own);
    const matrix = this.#adapter.modules.get(own) as FactoredMatrix;
    const { ldim, mdim, rdim, T } = matrix;
    const rank = Math.min(ldim, mdim, rdim);
    const dtype: StorableDtype = dtypes[this.#options.dtype ?? info.dtype];
    const [out, ...inputs] = info.transposed ? info.weightShape.toReversed() : info.weightShape;
    const shapes = { A: [rank, ...inputs], B: [out, rank, ...inputs.slice(1).map(() => 1)] };
    const { split = 'even', signal } = this.#options;
    let made: Factors | undefined;
    const factor = (which: 'A' | 'B') => async () => {
      made ??=
        (info.transposed ? undefined : knownFactors(matrix, split)) ??
        (await factorsOf(info.transposed ? T : matrix, split, own, signal));
      if (which === 'A') {
        checkUnderflow(own, made, rank, smallest[dtype]);
        this.rounding.set(own, roundingOf(made, rank, this.#options.dtype ?? info.dtype));
      }
      const data = made[which];
      if (which === 'B') {
        made = undefined; // it comes after A
        this.#options.onProgress?.({ done: ++this.#done, total: this.#adapter.modules.size });
      }
      return { data, shape: shapes[which] };
    };
    this.#add(down, { dtype, shape: shapes.A }, factor('A'));
    this.#add(up, { dtype, shape: shapes.B }, factor('B'));
    return { name, rank, info };
  }

  addWhole(name: string, tensor: Writable & { dtype: string; shape: readonly number[] }): void {
    this.#add(
      name,
      { dtype: storableOf.get(tensor.dtype) as StorableDtype, shape: tensor.shape },
      () => tensor,
    );
  }

  /** Writes them; `ERR_SVD_OVERFLOW` with the tensor. */
  async write(path: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const own = Object.fromEntries(Object.entries(metadata).filter(([key]) => !stale.includes(key)));
    const make = async (name: string) => (this.#make.get(name) as () => Writable)();
    await writeInTurn(path, this.#declared, make, own, this.#options.signal);
  }

  #add(name: string, declared: Declared, make: () => Promise<Writable> | Writable): void {
    if (this.#declared.has(name))
      throw svdError('ERR_SVD_ARGUMENT', `writeAdapter: two tensors would be called ${quote(name)}`);
    this.#declared.set(name, declared);
    this.#make.set(name, make);
  }
}

/** How far `B·A` is from the product of the rounded factors, relative to it: at most, to first order, as both are orthogonal but for lengths. */
function roundingOf({ A, B }: Factors, rank: number, format: Format): number {
  if (A.BYTES_PER_ELEMENT <= bytesPerElement(format)) return 0;
  const columns = A.length / rank;
  const [rows, ofRows] = lengths(A, format, rank, (i) => Math.floor(i / columns));
  const [cols, ofCols] = lengths(B, format, rank, (i) => i % rank);
  const times = (x: Float64Array, y: Float64Array) => Math.hypot(...x.map((length, k) => length * y[k]));
  const norm = times(rows, cols);
  return norm > 0 ? (times(ofRows, cols) + times(rows, ofCols)) / norm : 0;
}

/** ‖xₖ‖ of every part of `x`, and of what rounding changes of it. */
function lengths(x: FloatArray, format: Format, count: number, partOf: (i: number) => number) {
  const { data } = narrow(x, format);
  const wide =
    format === 'bfloat16'
      ? widenBfloat16(data as Uint16Array)
      : format === 'float16'
        ? widenFloat16(data as Uint16Array)
        : (data as FloatArray);
  const [all, changed] = [new Float64Array(count), new Float64Array(count)];
  for (let i = 0; i < x.length; i++) {
    const k = partOf(i);
    all[k] += x[i] ** 2;
    changed[k] += (x[i] - wide[i]) ** 2;
  }
  return [all.map(Math.sqrt), changed.map(Math.sqrt)];
}

/** Half of the smallest number of a dtype: up to this, numbers are rounded to 0. */
const smallest: Partial<Record<StorableDtype, number>> = { F16: 2 ** -25, BF16: 2 ** -134, F32: 2 ** -150 };

/** `ERR_SVD_OVERFLOW` where all triplets of a module that is no matrix of zeros become 0 by rounding. */
function checkUnderflow(module: string, { A, B }: Factors, rank: number, zero = 0): void {
  const columns = A.length / rank;
  const isLeft = (least: number) =>
    Array.from({ length: rank }).some(
      (_, k) =>
        A.subarray(k * columns, (k + 1) * columns).some((x) => Math.abs(x) > least) &&
        B.some((x, i) => i % rank === k && Math.abs(x) > least),
    );
  if (isLeft(0) && !isLeft(zero))
    throw svdError(
      'ERR_SVD_OVERFLOW',
      `writeAdapter: module ${quote(module)}: below the range of the dtype: all of it would be rounded to 0`,
    );
}

interface Factors {
  readonly A: FloatArray;
  readonly B: FloatArray;
}

/** A and B of a matrix whose factors were made of its decomposition. */
function knownFactors(matrix: FactoredMatrix, split: Split): Factors | undefined {
  const roots = evenRoots(matrix);
  if (!roots) return undefined;
  const [B, A] = [matrix.A.data, matrix.B.data];
  if (split === 'even') return { A, B };
  if (!roots.every((root) => root > 0)) return undefined; // Vh is not in its factor
  const { mdim, rdim } = matrix;
  return { A: A.map((x, i) => x / roots[Math.floor(i / rdim)]), B: B.map((x, i) => x * roots[i % mdim]) };
}

/** A and B, row-major, of the product that a matrix is. */
async function factorsOf(
  matrix: FactoredMatrix,
  split: Split,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Factors> {
  const { U, S, Vh } = await inModule(name, matrix.svdAsync({ signal }));
  const [B, A] = [U.data as FloatArray, Vh.data as FloatArray]; // row-major, and nobody else's
  const [p] = S.shape;
  const [left, right] =
    split === 'even' ? [S.data.map(Math.sqrt), S.data.map(Math.sqrt)] : [S.data, undefined];
  for (let i = 0; i < B.length; i++) B[i] *= left[i % p];
  const columns = Vh.shape[1];
  if (right) for (let i = 0; i < A.length; i++) A[i] *= right[Math.floor(i / columns)];
  return { A, B };
}

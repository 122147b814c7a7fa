import { createHash } from 'node:crypto';
import { type Dtype, widenBfloat16, widenFloat16 } from '../array/elements.ts';
import { isOwnError, svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { MatrixLike } from '../array/input.ts';
import { product, type Tensor } from '../array/tensor.ts';
import { svdAsync, svdvalsAsync } from '../svd.ts';
import * as bounds from '../testing/bounds.ts';
import { type Check, exact, measured, type Report, report, undeterminedCheck } from '../testing/report.ts';
import { isReadable, isStorable } from '../weights/dtypes.ts';
import type { TensorInfo, Weights } from '../weights/index.ts';
import { type Matrices, matricesOf } from '../weights/matrices.ts';
import { match } from '../weights/patterns.ts';
import { tensorBytes } from '../weights/weights.ts';
import { compareSpectrum } from './compare.ts';
import { type ItemRecord, recordSpectrum } from './record.ts';
import { compareSpectra, digits, type Spectrum, spectraOf } from './spectra.ts';
import { type NonFinite, SignedSums, sumsApart } from './sums.ts';

/** What is kept of the elements of a tensor of floats. */
export interface Elements {
  /** All numbers are in units of 2^`exponent`; 0 unless their squares would be beyond the range of float64. */
  readonly exponent?: number | undefined;
  /** ‖W‖_F */
  readonly norm: number;
  /** max |w| */
  readonly largest: number;
  /** Where some are NaN or infinite. */
  readonly nonFinite?: NonFinite | undefined;
  readonly sums: Float64Array;
}

/** What is kept of one tensor. */
export interface TensorRecord {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Of its bytes, row-major; missing for dtypes that no typed array holds. */
  readonly sha256?: string;
  /** Missing for what is no float. */
  readonly elements?: Elements;
  /** One for each of its matrices; missing where it has none, where elements are not finite or results would not be, or none were asked for. */
  readonly spectra?: readonly Spectrum[];
  /** In their stead where whole decompositions were asked for. */
  readonly items?: readonly ItemRecord[];
}

/** Which tensors, and how much of their spectra is kept. */
export interface Selection {
  /** Singular values kept of every matrix; 0: nothing is decomposed. */
  readonly leading: number;
  /** Whole decompositions: all singular values, and fingerprints of the vectors. */
  readonly full: boolean;
  /** Patterns of names; empty: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** What else a walk through a checkpoint takes. */
export interface Walk {
  readonly signal?: AbortSignal | undefined;
  /** Counts tensors or layers. */
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** What an earlier run has finished, and what this one adds. */
export interface Kept<T> {
  get(name: string): T | undefined;
  add(name: string, record: T): Promise<void>;
}

/** Names that are selected, in the order of the file. */
function selectedNames({ names }: Weights, { include, exclude }: Selection): string[] {
  const some = (patterns: readonly string[], name: string) =>
    patterns.some((pattern) => pattern === name || match(pattern, name) !== undefined);
  return names.filter((name) => (include.length === 0 || some(include, name)) && !some(exclude, name));
}

/** Records every tensor that is selected, one after the other. `ERR_SVD_FILE`, `ERR_SVD_ARGUMENT` where there is none */
export async function recordTensors(
  weights: Weights,
  selection: Selection,
  { signal, onProgress }: Walk,
  kept?: Kept<TensorRecord>,
): Promise<TensorRecord[]> {
  const names = selectedNames(weights, selection);
  if (names.length === 0) throw svdError('ERR_SVD_ARGUMENT', 'nothing to record: no tensor is selected');
  const records: TensorRecord[] = [];
  for (const [i, name] of names.entries()) {
    onProgress?.({ done: i, total: names.length });
    const known = kept?.get(name);
    const isStill = known?.sha256 && known.sha256 === (await hash(weights, name, undefined, signal));
    const record = isStill ? known : await recordTensor(weights, name, selection, signal);
    if (!known) await kept?.add(name, record);
    records.push(record);
  }
  onProgress?.({ done: names.length, total: names.length });
  return records;
}

/** @param exponent of units that numbers are compared in; by default such that they are in range */
async function recordTensor(
  weights: Weights,
  name: string,
  selection: Pick<Selection, 'leading' | 'full'>,
  signal: AbortSignal | undefined,
  exponent?: number,
): Promise<TensorRecord> {
  const { dtype, shape } = weights.tensors.get(name)!;
  const outline = { name, dtype, shape };
  if (!isStorable(dtype)) return outline;
  if (!isReadable(dtype)) return { ...outline, sha256: await hash(weights, name, undefined, signal) };
  const read = async (exponent: number) => {
    const sums = new SignedSums(product(shape), exponent);
    const sha256 = await hash(weights, name, sums, signal);
    const { norm, largest, nonFinite, values } = sums;
    const units = exponent === 0 ? {} : { exponent };
    return { ...outline, sha256, elements: { ...units, norm, largest, nonFinite, sums: values } };
  };
  const first = await read(exponent ?? 0);
  const units = exponent ?? unitsOf(first.elements);
  const record = units === (exponent ?? 0) ? first : await read(units);
  if (record.elements.nonFinite || (selection.leading === 0 && !selection.full)) return record;
  return { ...record, ...(await decomposition(weights, name, selection, signal)) };
}

/** Such that numbers and sums of their squares are in range; 0 where they are. */
function unitsOf({ norm, largest }: Elements): number {
  if (largest === 0 || (norm > 1e-140 && norm < 1e140)) return 0;
  return Math.max(-1000, Math.floor(Math.log2(largest)));
}

const views = {
  F64: (b: Uint8Array) => new Float64Array(b.buffer, b.byteOffset, b.length / 8),
  F32: (b: Uint8Array) => new Float32Array(b.buffer, b.byteOffset, b.length / 4),
  F16: (b: Uint8Array) => widenFloat16(new Uint16Array(b.buffer, b.byteOffset, b.length / 2)),
  BF16: (b: Uint8Array) => widenBfloat16(new Uint16Array(b.buffer, b.byteOffset, b.length / 2)),
};

/** SHA-256 of the bytes of a tensor, whose elements are added to `sums`. */
async function hash(
  weights: Weights,
  name: string,
  sums: SignedSums | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { dtype } = weights.tensors.get(name)!;
  const sha256 = createHash('sha256');
  for await (const bytes of tensorBytes(weights, name)) {
    signal?.throwIfAborted();
    sha256.update(bytes);
    if (sums) sums.add(views[dtype as keyof typeof views](bytes));
  }
  return sha256.digest('hex');
}

/** The spectra of the matrices of a tensor, or their decompositions; nothing where numbers are beyond the range of their dtype. */
async function decomposition(
  weights: Weights,
  name: string,
  { leading, full }: Pick<Selection, 'leading' | 'full'>,
  signal: AbortSignal | undefined,
): Promise<Pick<TensorRecord, 'spectra' | 'items'>> {
  const matrices = matricesOf(weights.tensors.get(name)!.shape);
  if (!matrices) return {};
  const stored = await readMatrices(weights, name, matrices);
  if (full)
    return {
      items: (await inRange(name, async () => recordSpectrum(await svdAsync(stored, { signal }))))?.items,
    };
  const S = (await inRange(name, () => svdvalsAsync(stored, { signal }))) as Tensor | undefined;
  if (!S) return {};
  const dtype = widenedDtype(weights.tensors.get(name)!);
  const bound = (s: Float64Array) => bounds.denseBound(dtype, matrices.rows, matrices.cols, s[0]);
  return { spectra: spectraOf(S, bound, leading) };
}

/** `undefined` for results beyond the range of their dtype; other errors name the tensor. */
async function inRange<T>(name: string, make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!isOwnError(error)) throw error;
    if (error.code === 'ERR_SVD_OVERFLOW') return undefined;
    const { code, message, ...details } = error;
    throw svdError(code, `${quote(name)}: ${message}`, details);
  }
}

async function readMatrices(weights: Weights, name: string, matrices: Matrices): Promise<MatrixLike> {
  const { data, dtype } = await weights.readStored(name);
  return { data, dtype, shape: shapeOf(matrices) } as MatrixLike;
}

const shapeOf = ({ count, rows, cols }: Matrices): number[] =>
  count === 1 ? [rows, cols] : [count, rows, cols];

/** What a tensor is computed in. */
const widenedDtype = ({ dtype }: { readonly dtype: string }): Dtype =>
  dtype === 'F64' ? 'float64' : 'float32';

/** How a checkpoint is compared with a record. */
export interface Tolerance {
  /** ‖W′ − W‖_F may be this share of ‖W‖_F; by default whatever rounding may do. */
  readonly within?: number | undefined;
}

/** The name of a check. */
export const sameBytes = 'same bytes';

/** One tensor, or what there is to say of all. */
export interface Part {
  /** For messages: not escaped. */
  readonly title: string;
  readonly report: Report;
}

/** Compares what is selected with the record, one tensor after the other. What has the same bytes is not decomposed. */
export async function* compareTensors(
  weights: Weights,
  tensors: readonly TensorRecord[],
  selection: Selection,
  options: Tolerance & Walk,
): AsyncGenerator<Part, void, void> {
  const { onProgress } = options;
  const total = tensors.length;
  for (const [done, record] of tensors.entries()) {
    onProgress?.({ done, total });
    yield { title: record.name, report: report(await compareTensor(weights, record, options)) };
  }
  onProgress?.({ done: total, total });
  const known = new Set(tensors.map(({ name }) => name));
  for (const name of selectedNames(weights, selection))
    if (!known.has(name))
      yield { title: name, report: report([exact('recorded', 1, { detail: 'it is new' })]) };
}

async function compareTensor(
  weights: Weights,
  then: TensorRecord,
  { within, signal }: Tolerance & Walk,
): Promise<Check[]> {
  const info = weights.tensors.get(then.name);
  if (!info) return [exact('there', 1, { detail: 'it is missing' })];
  const outline = compareOutline(info, then, within !== undefined);
  if (outline.some(({ pass }) => !pass)) return outline;
  if (then.sha256 === undefined)
    return [...outline, undeterminedCheck('bytes', 0, Number.POSITIVE_INFINITY, { detail: unread }, true)];
  const floats = isReadable(info.dtype) && then.elements !== undefined;
  const sameDtype = info.dtype === then.dtype;
  if (sameDtype && (await hash(weights, then.name, undefined, signal)) === then.sha256)
    return [...outline, exact(sameBytes, 0)];
  if (!floats || (within === 0 && sameDtype))
    return [...outline, exact(sameBytes, 1, { detail: 'they have changed' })];
  const leading = within === undefined ? (then.spectra?.[0]?.leading.length ?? 0) : 0;
  const now = await recordTensor(
    weights,
    then.name,
    { leading, full: false },
    signal,
    then.elements!.exponent ?? 0,
  );
  const checks = [...outline, ...compareElements(now.elements!, then, within)];
  if (within !== undefined || now.elements!.nonFinite) return checks;
  return [...checks, ...(await compareDecomposition(weights, now, then, signal))];
}

const unread = 'elements of this dtype are not read';

function compareOutline({ dtype, shape }: TensorInfo, then: TensorRecord, anyFloat: boolean): Check[] {
  const sameShape = shape.join() === then.shape.join();
  const sameDtype = dtype === then.dtype || (anyFloat && isReadable(dtype) && isReadable(then.dtype));
  return [
    exact('dtype', sameDtype ? 0 : 1, { detail: `it is ${dtype}, was ${then.dtype}` }),
    exact('shape', sameShape ? 0 : 1, { detail: `it is [${shape}], was [${then.shape}]` }),
  ];
}

/** The furthest that one sum may move: four times what an error all over the tensor moves it by, or by its largest element. */
const oneSum = ({ norm, largest, sums }: Elements): number => (4 * norm) / Math.sqrt(sums.length) + largest;

function compareElements(now: Elements, { elements, shape, dtype }: TensorRecord, within?: number): Check[] {
  const then = elements!;
  const { all, one } = sumsApart(now.sums, then.sums, product(shape));
  const matrices = matricesOf(shape) ?? { rows: 1, cols: product(shape) };
  const [computed, tiny] = [widenedDtype({ dtype }), 2 ** -(then.exponent ?? 0)];
  const rounding =
    bounds.reconstruction(computed, then.norm, 0, 0) +
    bounds.reconstruction(computed, 0, matrices.rows, matrices.cols) * tiny;
  const limit = within === undefined ? rounding : within * then.norm;
  const largest = within === undefined ? limit : within * oneSum(then);
  const moved = (name: string, key: 'norm' | 'largest', bound: number) =>
    measured(name, Math.abs(now[key] - then[key]), bound, {
      detail: `it is ${digits(now[key])}, was ${digits(then[key])}`,
    });
  const checks = [
    compareNonFinite(now.nonFinite, then.nonFinite),
    measured('change ‖W′ − W‖_F, estimated', all, limit),
    moved('norm', 'norm', limit),
    moved('largest element', 'largest', largest),
  ];
  return within === undefined
    ? checks
    : [...checks, measured('change of few elements', one, within * oneSum(then))];
}

const none: NonFinite = { nan: 0, positive: 0, negative: 0, places: 0 };

function compareNonFinite(now = none, then = none): Check {
  const kinds = ['nan', 'positive', 'negative'] as const;
  const counts = kinds.reduce((sum, kind) => sum + Math.abs(now[kind] - then[kind]), 0);
  const text = ({ nan, positive, negative }: NonFinite) => `${nan} NaN, ${positive} ∞, ${negative} −∞`;
  const detail = counts > 0 ? `there are ${text(now)}, were ${text(then)}` : 'they are as many, elsewhere';
  return exact('NaN and infinite elements', counts || Number(now.places !== then.places), { detail });
}

async function compareDecomposition(
  weights: Weights,
  now: TensorRecord,
  then: TensorRecord,
  signal: AbortSignal | undefined,
): Promise<Check[]> {
  const matrices = matricesOf(then.shape);
  if (!matrices) return [];
  const dtype = widenedDtype(then);
  const beyond = exact('singular values', 1, { detail: 'some are beyond the range of the dtype' });
  if (then.items) {
    const stored = await readMatrices(weights, then.name, matrices);
    const shape = shapeOf(matrices);
    const svd = await inRange(then.name, () => svdAsync(stored, { signal }));
    return svd ? [...compareSpectrum(svd, { shape, dtype, items: then.items }).checks] : [beyond];
  }
  if (!then.spectra) return [];
  if (!now.spectra) return [beyond];
  const p = Math.min(matrices.rows, matrices.cols);
  return then.spectra.flatMap((spectrum, i) =>
    compareSpectra(now.spectra![i], spectrum, { p, dtype, batchIndex: matrices.count > 1 ? [i] : undefined }),
  );
}

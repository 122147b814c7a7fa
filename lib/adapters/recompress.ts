import { readFactors, type StoredFactors } from '../algorithms/operands.ts';
import { productSvd } from '../algorithms/product.ts';
import type { Svd } from '../algorithms/result.ts';
import { bytesPerElement, type Dtype, type FloatArray, formatOf } from '../array/elements.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { cols, dtypeOf, type Input, product, promote, rows, type Tensor, tensor } from '../array/tensor.ts';
import { turn } from '../array/turns.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import { type Batch, batchOf, colRange, items, packed, rowRange } from '../native/batch.ts';
import { copyAlone, packInto } from '../native/kernels.ts';
import { ownedTensors } from '../native/owned.ts';
import { type AsyncOptions, asPart, runAsync, runSync, type Steps } from '../native/steps.ts';
import { inWorkspace, scratch, Workspace } from '../native/workspace.ts';

/** A product, and what it is multiplied by. */
export interface Term {
  readonly matrix: FactoredMatrix;
  readonly weight: number;
}

/** What was made of a module, and how far it is from what it was made of. */
export interface ModuleReport {
  /** Inner dimension before. */
  readonly rankBefore: number;
  /** Inner dimension now. */
  readonly rank: number;
  /** ‖W‖_F of the matrix before. */
  readonly norm: number;
  /** Its largest singular value. */
  readonly sigma: number;
  /** ‖W − W′‖_F/‖W‖_F, W′ being the matrix now; 0 for a matrix of zeros. */
  readonly error: number;
  /** ‖W′‖_F/‖W‖_F; 1 for a matrix of zeros. */
  readonly retained: number;
}

/** A module that was made. */
export interface Made {
  readonly matrix: FactoredMatrix;
  readonly report: ModuleReport;
}

/** How many singular triplets are kept. */
export interface Choice {
  /** No more than these, whatever `rankOf` says. */
  readonly most: number | undefined;
  /** Of a module with these singular values, whose errors are up to `bound`; 0 where all of it is rounding: then it is one of zeros. */
  readonly rankOf: (S: FloatArray, bound: number, name: string) => number;
}

/** A module, as the sum of products of one shape. */
interface Sum {
  readonly name: string;
  readonly terms: readonly { readonly factors: StoredFactors; readonly weight: number }[];
  /** Rows, inner dimension of all products side by side, columns. */
  readonly l: number;
  readonly k: number;
  readonly r: number;
  readonly dtype: Dtype;
}

/** Bytes of factors that are decomposed together: what a cache of the last level may hold. */
const batchBytes = 32 * 2 ** 20;

/** Modules that are: of small ones, as many as the decomposition takes at a time. */
const batchItems = 512;

/**
 * Sums of products `Σ wᵢ·Bᵢ·Aᵢ` as products of their leading triplets `(U·√S)·(√S·Vh)`. A sum is itself a product,
 * `[B₁ B₂ …]·[w₁A₁; w₂A₂; …]`, which is decomposed without forming it; those of one shape together.
 *
 * @param sums at least one term of each; all terms of one have its shape
 * @throws as `svd`, with the name of the module
 */
export async function recompress(
  sums: ReadonlyMap<string, readonly Term[]>,
  choice: Choice,
  { signal, onProgress }: AsyncOptions,
): Promise<Map<string, Made>> {
  const batches = batched([...sums].map(([name, terms]) => sumOf(name, terms)));
  const made = new Map<string, Made | undefined>([...sums.keys()].map((name) => [name, undefined]));
  const workspace = new Workspace();
  let done = 0;
  for (const batch of batches) {
    const results = await runAsync(inWorkspace(workspace, recompressed(batch, choice)), {
      signal,
    });
    for (const [i, { name }] of batch.entries()) made.set(name, results[i]);
    done += batch.length;
    onProgress?.({ done, total: sums.size });
  }
  return made as Map<string, Made>;
}

function sumOf(name: string, terms: readonly Term[]): Sum {
  const read = terms.map(({ matrix, weight }) => ({ factors: runSync(readFactors(matrix, name)), weight }));
  const dtype = read.flatMap(({ factors: { A, B } }) => [dtypeOf(A), dtypeOf(B)]).reduce(promote);
  const k = read.reduce((sum, { factors }) => sum + cols(factors.A), 0);
  const [{ factors }] = read;
  return { name, terms: read, l: rows(factors.A), k, r: cols(factors.B), dtype };
}

/** Those of one shape together, as many as fit. */
function batched(sums: readonly Sum[]): Sum[][] {
  const open = new Map<string, Sum[]>();
  const batches: Sum[][] = [];
  for (const sum of sums) {
    const { l, k, r, dtype } = sum;
    const key = `${l} ${k} ${r} ${dtype}`;
    const most = Math.min(batchItems, Math.floor(batchBytes / ((l + r) * k * bytesPerElement(dtype))));
    let batch = open.get(key);
    if (!batch || batch.length >= most) {
      batch = [];
      open.set(key, batch);
      batches.push(batch);
    }
    batch.push(sum);
  }
  return batches;
}

function* recompressed(batch: readonly Sum[], { most, rankOf }: Choice): Steps<Made[]> {
  const { A, B } = yield* stacked(batch);
  const [{ l, k, r }] = batch;
  const cap = Math.min(l, k, r, most ?? 0);
  // Without a limit the singular values come first, and say how many vectors there will be.
  const first = yield* asPart(productSvd(A, B, { ...vectorsOf(cap), onError: 'collect' }));
  const [error] = first.errors;
  if (error) {
    const { name } = batch[error.batchIndex?.[0] ?? 0];
    throw svdError(error.code, `module ${quote(name)}: ${error.message}`);
  }
  const bounds = (first.bound as Tensor).data;
  const values = batch.map((_, i) => vectorOf(first.S, i));
  const ranks = values.map((S, i) => rankOf(S, bounds[i], batch[i].name));
  const leading = cap > 0 ? first : yield* asPart(productSvd(A, B, { rank: Math.max(1, ...ranks) }));
  return batch.map((_, i) => {
    const [item, S] = [itemOf(leading, i), values[i]];
    if (ranks[i] === 0) for (const { data } of [item.S, { data: S }]) data.fill(0);
    const rank = Math.max(1, ranks[i]);
    return { matrix: evenFactors(item, rank), report: reportOf(S, rank, k) };
  });
}

/** So many vectors, and all singular values. */
const vectorsOf = (rank: number) =>
  rank > 0 ? ({ rank, allValues: true } as const) : ({ vectors: 'none' } as const);

/** The sums as products in memory of this package: `[b, l, k]` and `[b, k, r]`. */
function* stacked(batch: readonly Sum[]): Steps<{ A: Tensor; B: Tensor }> {
  const [{ l, k, r, dtype }] = batch;
  const n = batch.length;
  const [a, b] = [scratch(dtype, [n, l, k]), scratch(dtype, [n, k, r])];
  const [left, right] = [packed(a, n, l, k), packed(b, n, k, r)];
  for (const [i, { terms }] of batch.entries()) {
    let from = 0;
    for (const { factors, weight } of terms) {
      const to = from + cols(factors.A);
      yield* put(factors.A, colRange(items(left, i, i + 1), from, to));
      const part = rowRange(items(right, i, i + 1), from, to);
      yield* put(factors.B, part);
      if (weight !== 1) yield* packInto(part, part, { alpha: weight });
      from = to;
    }
  }
  return { A: tensor(a, [n, l, k]), B: tensor(b, [n, k, r]) };
}

/** Bytes that are copied without a turn of the event loop in between: less than a millisecond. */
const sliceBytes = 2 * 2 ** 20;

/** A factor, which is the caller's, into its place in a stack. */
function* put(x: Input, out: Batch): Steps<void> {
  if (formatOf(x.data) !== formatOf(out.data)) {
    const [own] = yield* ownedTensors([x]);
    yield* packInto(batchOf(own, []), out);
    return;
  }
  const lines = Math.max(1, Math.floor(sliceBytes / (out.cols * bytesPerElement(formatOf(out.data)))));
  for (let from = 0; from < out.rows; from += lines) {
    const to = Math.min(out.rows, from + lines);
    yield* copyAlone(rowRange(batchOf(x, []) as Batch, from, to), rowRange(out, from, to));
    if (4 * out.rows > lines) yield turn; // small ones: many at a time
  }
}

/** Vector i, or the elements of matrix i, of a stack. */
function vectorOf({ data, shape }: Tensor, i: number): FloatArray {
  const size = product(shape.slice(1));
  return data.subarray(i * size, (i + 1) * size);
}

const itemOf = ({ U, S, Vh }: Svd, i: number) => {
  const [u, s, vh] = [U, S, Vh].map((x: Tensor) => tensor(vectorOf(x, i), x.shape.slice(1)));
  return { U: u, S: s, Vh: vh };
};

/** `(U·√S)·(√S·Vh)` of the leading triplets. */
export function evenFactors({ U, S, Vh }: Pick<Svd, 'U' | 'S' | 'Vh'>, rank: number): FactoredMatrix {
  const [[l, p], [, r]] = [U.shape, Vh.shape];
  const [u, vh, roots] = [U.data, Vh.data, S.data.map(Math.sqrt)];
  const array = u.constructor as new (length: number) => FloatArray;
  const [left, right] = [new array(l * rank), new array(rank * r)];
  for (let row = 0; row < l; row++)
    for (let j = 0, at = row * rank, from = row * p; j < rank; j++) left[at + j] = u[from + j] * roots[j];
  for (let j = 0; j < rank; j++)
    for (let column = 0; column < r; column++) right[j * r + column] = vh[j * r + column] * roots[j];
  const [A, B] = [tensor(left, [l, rank]), tensor(right, [rank, r])];
  return evenProduct(A, B, roots.subarray(0, rank));
}

/** The product of `U·√S` and `√S·Vh`, both row-major, by √S. */
export function evenProduct(A: Tensor, B: Tensor, roots: FloatArray): FactoredMatrix {
  const matrix = new FactoredMatrix(A, B);
  rootsOf.set(matrix, roots);
  return matrix;
}

/** √S of matrices whose factors are `U·√S` and `√S·Vh`, row-major. */
const rootsOf = new WeakMap<FactoredMatrix, FloatArray>();

/** √S where the factors of `matrix` are known to be `U·√S` and `√S·Vh`, row-major: it need not be decomposed again. */
export const evenRoots = (matrix: FactoredMatrix): FloatArray | undefined => rootsOf.get(matrix);

function reportOf(S: FloatArray, rank: number, rankBefore: number): ModuleReport {
  const [kept, lost] = [Math.hypot(...S.subarray(0, rank)), Math.hypot(...S.subarray(rank))];
  const norm = Math.hypot(kept, lost);
  return {
    rankBefore,
    rank,
    norm,
    sigma: S[0],
    error: norm > 0 ? lost / norm : 0,
    retained: norm > 0 ? kept / norm : 1,
  };
}

import { matrixProduct } from '../algorithms/arithmetic.ts';
import type { OptionTable } from '../arguments/options.ts';
import { asyncOptions, count, oneOf } from '../arguments/options.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import type { MatrixLike } from '../array/input.ts';
import { allocate, zeros } from '../array/memory.ts';
import { dtypeOf, showShape, sliceAxis, swapLast, type Tensor, tensor } from '../array/tensor.ts';
import { asTensor } from '../native/owned.ts';
import { type AsyncOptions, runAsync } from '../native/steps.ts';
import { vectorItems } from '../testing/decomposition.ts';
import { fileError } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

/** Options of `tokens`. */
export interface TokensOptions extends AsyncOptions {
  /** How many tokens at either end. Default: 10. */
  readonly k?: number | undefined;
  /**
   * `'write'` (default): through the unembedding, for directions that are written: what they do to the output. Through the
   * embedding where the checkpoint has no other. `'read'`: through the embedding, for directions that are read: who has them.
   */
  readonly side?: 'read' | 'write' | undefined;
}

export const tokensOptions: OptionTable<TokensOptions> = {
  k: count,
  side: oneOf('read', 'write'),
  ...asyncOptions,
};

/** One token and its share in a direction. */
export interface TokenScore {
  /** Row of the embedding. */
  readonly id: number;
  /** What the tokenizer calls it, decoded, whatever characters that has; the id where it has no name. */
  readonly token: string;
  /** Inner product of its row and the direction. */
  readonly score: number;
}

/** The tokens at both ends of a direction. */
export interface DirectionTokens {
  /** Those with the largest scores, largest first; of equal ones the one with the lower id. */
  readonly top: readonly TokenScore[];
  /** Those with the smallest, smallest first. */
  readonly bottom: readonly TokenScore[];
}

/** What is needed of a checkpoint. */
interface WithTokens {
  readonly weights: Weights;
  readonly folder: string;
  readonly modelType: string;
  readonly dModel: number;
  readonly embedding: string | undefined;
  readonly unembedding: string | undefined;
  readonly state: { readonly biases: boolean };
}

const vocabularies = new WeakMap<object, Promise<Vocabulary>>();

/** The names of a checkpoint, read once. */
function vocabularyOf({ weights, folder }: WithTokens): Promise<Vocabulary> {
  const known = vocabularies.get(weights) ?? readVocabulary(folder);
  vocabularies.set(weights, known);
  return known;
}

/**
 * The tokens at both ends of directions in the stream, `[..., d]`, one a row: those whose rows of the embedding, or of the
 * unembedding, have the largest and the smallest inner products with it. That matrix is read in parts of at most 2²² numbers,
 * and no norm is applied to it. With `biases` a direction may have the coordinate of the constant, which all scores share.
 *
 * @returns one entry for each direction, in row-major order
 * @throws `ERR_SVD_SHAPE` for directions of another length; `ERR_SVD_FILE` where the checkpoint has no such matrix, or a
 *   vocabulary that cannot be read; `ERR_SVD_NON_FINITE`, `ERR_SVD_ARGUMENT`; `signal.reason` on abort
 */
export async function tokensOf(
  model: WithTokens,
  directions: MatrixLike,
  { k = 10, side = 'write', signal, onProgress }: TokensOptions = {},
): Promise<DirectionTokens[]> {
  signal?.throwIfAborted();
  const matrix = matrixOf(model, side);
  const { rows, constants } = readDirections(directions, matrix, model.state.biases);
  const ends = constants.map(() => ({ top: new Largest(k), bottom: new Largest(k) }));
  if (ends.length === 0) return [];
  for await (const { scores, direction, token, done } of scoresOf(model.weights, matrix, rows, signal)) {
    const [some, tokens] = scores.shape;
    for (let i = 0; i < some; i++) {
      const { top, bottom } = ends[direction + i];
      for (let j = 0; j < tokens; j++) {
        const score = scores.data[i * tokens + j] + constants[direction + i];
        if (score > top.least) top.take(token + j, score);
        if (-score > bottom.least) bottom.take(token + j, -score);
      }
    }
    onProgress?.({ done, total: 1 });
  }
  const names = await vocabularyOf(model);
  const named = (list: Largest, sign: number) =>
    list.entries.map(({ id, score }) => ({ id, token: names.nameOf(id), score: sign * score + 0 })); // 0, not −0
  return ends.map(({ top, bottom }) => ({ top: named(top, 1), bottom: named(bottom, -1) }));
}

/** The matrix that leads from the stream to the tokens: [vocab, d], or its transpose. */
interface TokenMatrix {
  readonly name: string;
  readonly vocab: number;
  readonly d: number;
  readonly transposed: boolean;
}

function matrixOf(
  { weights, embedding, unembedding, dModel, modelType }: WithTokens,
  side: 'read' | 'write',
): TokenMatrix {
  const name = side === 'write' ? (unembedding ?? embedding) : embedding;
  if (name === undefined)
    throw fileError(
      weights.path,
      side === 'read' ? 'has no embedding' : 'has no unembedding and no embedding',
    );
  const [rows, cols] = weights.tensors.get(name)!.shape;
  const inColumns = modelType === 'transformer_lens' && name !== embedding; // W_U is [dModel, vocabulary]
  const transposed = rows === cols ? inColumns : cols !== dModel && rows === dModel;
  return { name, transposed, ...(transposed ? { vocab: cols, d: rows } : { vocab: rows, d: cols }) };
}

/** Whether directions of that length can be read so. */
export function canRead(model: WithTokens, width: number, side: 'read' | 'write'): boolean {
  const { embedding, unembedding, state } = model;
  if (embedding === undefined && (side === 'read' || unembedding === undefined)) return false;
  return fits(width, matrixOf(model, side), state.biases);
}

const fits = (width: number, { d }: TokenMatrix, biases: boolean): boolean =>
  width === d || (biases && width === d + 1);

/** The directions as rows [n, d] in memory of their own, and what the constant of the biases adds to the scores of each. */
function readDirections(given: MatrixLike, matrix: TokenMatrix, biases: boolean) {
  const { name, d } = matrix;
  const x = asTensor(given, 'directions', 1);
  const width = x.shape[x.shape.length - 1];
  if (!fits(width, matrix, biases))
    throw svdError(
      'ERR_SVD_SHAPE',
      `tokens: directions of shape ${showShape(x.shape)}, but ${quote(name)} has ${d} numbers for each token`,
    );
  const vectors = vectorItems(x);
  const rows = tensor(allocate(dtypeOf(x), [vectors.length, d], 'directions'), [vectors.length, d]);
  vectors.forEach((v, i) => {
    rows.data.set(v.subarray(0, d), i * d);
  });
  return { rows, constants: vectors.map((v) => (width > d ? v[d] : 0)) };
}

/** Scores [some directions, some tokens], the first of both, and the share of all that is done with them. */
interface Scores {
  readonly scores: Tensor;
  readonly direction: number;
  readonly token: number;
  readonly done: number;
}

const blockElements = 2 ** 22;

/** All scores, part by part. */
async function* scoresOf(
  weights: Weights,
  { name, vocab, d, transposed }: TokenMatrix,
  directions: Tensor,
  signal?: AbortSignal,
): AsyncGenerator<Scores, void> {
  const n = directions.shape[0];
  if (!transposed) {
    const step = Math.max(1, Math.floor(blockElements / Math.max(n, d)));
    for (let token = 0; token < vocab; token += step) {
      const end = Math.min(vocab, token + step);
      const rows = await weights.read(name, { rows: [token, end] });
      const scores = await runAsync(matrixProduct(directions, swapLast(rows)), { signal });
      yield { scores, direction: 0, token, done: end / vocab };
    }
    return;
  }
  // Only rows can be read, and each has one coordinate of every token: the scores of some directions are summed up.
  const step = Math.max(1, Math.floor(blockElements / vocab));
  for (let direction = 0; direction < n; direction += step) {
    const some = Math.min(step, n - direction);
    const own = sliceAxis(directions, 0, direction, some);
    const scores = tensor(zeros(Float64Array, [some, vocab], 'scores'), [some, vocab]);
    for (let from = 0; from < d; from += step) {
      const to = Math.min(d, from + step);
      const rows = await weights.read(name, { rows: [from, to] });
      const part = await runAsync(matrixProduct(sliceAxis(own, 1, from, to - from), rows), { signal });
      for (let e = 0; e < part.data.length; e++) scores.data[e] += part.data[e];
    }
    yield { scores, direction, token: 0, done: (direction + some) / n };
  }
}

interface Entry {
  readonly id: number;
  readonly score: number;
}

/** The k largest of the scores that were taken, largest first; of equal ones those that came first. */
class Largest {
  readonly entries: Entry[] = [];
  /** Only larger ones count from here on. */
  least: number;
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
    this.least = k > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  take(id: number, score: number): void {
    const { entries } = this;
    let at = entries.length;
    while (at > 0 && entries[at - 1].score < score) at--;
    entries.splice(at, 0, { id, score });
    entries.splice(this.#k);
    if (entries.length === this.#k) this.least = entries[this.#k - 1].score;
  }
}

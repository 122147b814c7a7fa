import { type Halves, halvesOf, scoresOf } from '../algorithms/composition.ts';
import { exposed, exposedAsync } from '../arguments/boundary.ts';
import { asyncOptions, checkKind, oneOf } from '../arguments/options.ts';
import { has } from '../array/describe.ts';
import { shown, svdError } from '../array/errors.ts';
import { allocate } from '../array/memory.ts';
import { type Dtype, dropAxis, dtypeOf, promote, swapLast, type Tensor, tensor } from '../array/tensor.ts';
import type { Matrix } from '../array/types.ts';
import type { FactoredMatrix } from '../factored-matrix.ts';
import { dtypeOfBatch } from '../native/batch.ts';
import { type AsyncOptions, runAsync } from '../native/steps.ts';
import type { CircuitKind } from './attention.ts';
import type { Checkpoint } from './checkpoint.ts';

/** For what the later head reads: its queries, its keys or its values. */
export type CompositionKind = 'Q' | 'K' | 'V';

const kinds = oneOf<CompositionKind>('Q', 'K', 'V');

/** What a later head reads with, N = QK, QKᵀ or OV: of which circuit, and whether Nᵀ is the transpose of that. */
const reading = {
  Q: { circuit: 'QK', transposed: true },
  K: { circuit: 'QK', transposed: false },
  V: { circuit: 'OV', transposed: true },
} as const;

/**
 * How much of what a head writes a later head reads, for all pairs of heads: ‖OV₁·QK₂‖_F/(‖OV₁‖_F·‖QK₂‖_F) for its queries,
 * with QK₂ᵀ for its keys, OV₂ for its values. (Elhage et al., "A mathematical framework for transformer circuits", 2021;
 * `all_composition_scores` of TransformerLens.) `randomCompositionScore` is what chance gives.
 *
 * No d×d matrix is formed: with A₁ = Q·R₁ and B₂ᵀ = Q'·R₂ it is ‖(R₁·B₁)·(A₂·R₂ᵀ)‖_F, one product for each pair of layers, in
 * the dtype of the weights; its factors are computed in float64. At most 256 MiB of layers are kept, or one; of more than that
 * the later ones are read again. docs/numerics.md has the bound for the error.
 *
 * The circuits are those of the state that the checkpoint was opened in. With `biases` the stream has one more coordinate, the
 * constant 1, into which no head writes: the row of biases counts in the norms alone. QK is not rotated.
 *
 * @param model what `openCheckpoint` gives
 * @param kind what the later head does with it
 * @returns `[layers·heads, layers·heads]`, head h of layer l at l·heads + h: the row is the earlier head, which writes, the column
 *   the later one; 0 where the column is in no later layer, as in TransformerLens, and for heads that are zero
 * @throws `ERR_SVD_ARGUMENT`, also for keys and values of cross attention, which reads another stream; `ERR_SVD_SHAPE` (the stream
 *   has another width in the later layer), `ERR_SVD_NON_FINITE`, `ERR_SVD_FILE`; `signal.reason` on abort. `onProgress` counts
 *   pairs of layers.
 * @function
 */
export const compositionScores = exposedAsync(
  { takes: ['model', 'kind'], options: asyncOptions },
  async function compositionScores(
    model: Checkpoint,
    kind: CompositionKind,
    { signal, onProgress }: AsyncOptions = {},
  ): Promise<Matrix> {
    checkModel(model, 'compositionScores');
    checkKind(kind, kinds, 'compositionScores: kind');
    if (model.state.stack === 'cross' && kind !== 'Q')
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `compositionScores: kind: the keys and values of cross attention read the encoder's stream, got '${kind}'`,
      );
    const { layers, heads } = model;
    const n = layers * heads;
    const layer = async (circuit: CircuitKind, l: number) =>
      oneLayer(await model.circuit(circuit, { layers: [l, l + 1], signal }));
    const halves = ({ A, B }: Factors) =>
      runAsync(halvesOf(A, B, promote(dtypeOf(A), dtypeOf(B))), { signal });
    const { circuit, transposed } = reading[kind];
    const progress = progressOf((layers * (layers - 1)) / 2, onProgress);
    const rows: Float64Array[] = Array.from({ length: n }, () => new Float64Array(n));
    let dtype: Dtype = 'float32';

    for (let first = 0, end = 0; first < layers - 1; first = end) {
      const written: Halves[] = [];
      for (let bytes = 0; end < layers - 1 && bytes < keptBytes; end++) {
        const writes = await halves(await layer('OV', end));
        written.push(writes);
        bytes += writes.P.data.byteLength;
        dtype = promote(dtype, dtypeOfBatch(writes.P));
      }
      for (let later = first + 1; later < layers; later++) {
        const read = await layer(circuit, later);
        const reads = await halves(transposed ? swapped(read) : read);
        dtype = promote(dtype, dtypeOfBatch(reads.P));
        for (let earlier = first; earlier < Math.min(end, later); earlier++) {
          const writes = written[earlier - first];
          mustMeet(writes, reads, model, [earlier, later]);
          const scores = await runAsync(scoresOf(writes, reads), { signal });
          for (let h = 0; h < heads; h++)
            rows[earlier * heads + h].set(scores.subarray(h * heads, (h + 1) * heads), later * heads);
          progress();
        }
      }
    }
    const out = allocate(dtype, [n, n], 'composition scores');
    rows.forEach((row, i) => {
      out.set(row, i * n);
    });
    return tensor(out, [n, n]) as Matrix;
  },
);

const keptBytes = 2 ** 28;

interface Factors {
  readonly A: Tensor;
  readonly B: Tensor;
}

/** The factors of the heads of the one layer that was read. */
function oneLayer({ A, B }: FactoredMatrix): Factors {
  const heads = (x: Tensor) => (x.shape.length > 3 ? dropAxis(x, 0) : x);
  return { A: heads(A), B: heads(B) };
}

/** (A·B)ᵀ */
const swapped = ({ A, B }: Factors): Factors => ({ A: swapLast(B), B: swapLast(A) });

/** Counts to `total`, and tells of it as every `onProgress` is told. */
function progressOf(total: number, onProgress: AsyncOptions['onProgress']): () => void {
  let [done, last] = [0, Number.NEGATIVE_INFINITY];
  return () => {
    done++;
    const now = performance.now();
    if (done < total && now - last < 50) return;
    last = now;
    onProgress?.({ done, total });
  };
}

/** `ERR_SVD_SHAPE` unless what is written has as many coordinates as what is read, but for the constant of the biases. */
function mustMeet(
  { P }: Halves,
  { P: G }: Halves,
  { state }: Checkpoint,
  [earlier, later]: readonly [number, number],
): void {
  if (P.cols === G.cols || (state.biases && Math.abs(P.cols - G.cols) === 1)) return;
  throw svdError(
    'ERR_SVD_SHAPE',
    `compositionScores: layer ${earlier} writes ${P.cols} coordinates, but layer ${later} reads ${G.cols}`,
  );
}

/**
 * The score that chance gives: 1/√d, d the coordinates of the stream, with `biases` the constant among them. It is the root
 * mean square of the score where the directions that the later head reads are random, whatever its spectrum and whatever the
 * earlier head does: the mean of X·Xᵀ over all rotations of the stream is ‖X‖_F²/d·I, so that of ‖M·X‖_F² is ‖M‖_F²·‖X‖_F²/d.
 * Gaussian weights are an example of that, for queries, keys and values alike.
 *
 * @param model what `openCheckpoint` gives
 * @throws `ERR_SVD_ARGUMENT`
 * @function
 */
export const randomCompositionScore = exposed(
  { takes: ['model'] },
  function randomCompositionScore(model: Checkpoint): number {
    checkModel(model, 'randomCompositionScore');
    return 1 / Math.sqrt(model.dModel + (model.state.biases ? 1 : 0));
  },
);

function checkModel(model: unknown, of: string): asserts model is Checkpoint {
  if (!has(model, 'circuit', 'layers', 'heads', 'state'))
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${of}: model: expected what openCheckpoint gives, got ${shown(model)}`,
    );
}

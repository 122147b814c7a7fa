import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ndarray from 'ndarray';
import { describe, expect, test } from 'vitest';
import { gaussianMatrix } from '../../lib/algorithms/random.ts';
import { type Dtype, dtypeOf, type Tensor, tensor } from '../../lib/array/tensor.ts';
import { compositionScores, randomCompositionScore } from '../../lib/circuits/composition.ts';
import { type Checkpoint, openCheckpoint } from '../../lib/circuits/index.ts';
import { FactoredMatrix, setThreads, threads } from '../../lib/index.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import {
  betaOf,
  bits,
  checkArray,
  checkError,
  frobenius,
  matrixAt,
  multiplyRows,
  type Rows,
  rejectionOf,
  transposeRows,
} from '../support/checks.ts';
import { array, dtypes, mapMatrix, randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { safetensors, tinyLlama, writeCheckpoint } from './support/checkpoints.ts';

/** The weights of one layer, [heads, …]. */
interface Layer {
  W_Q: Tensor;
  W_K: Tensor;
  W_V: Tensor;
  W_O: Tensor;
}

interface Size {
  layers: number;
  heads: number;
  d: number;
  D: number;
}

const size: Size = { layers: 3, heads: 2, d: 7, D: 3 };

const randomLayers = (seed: number, { layers, heads, d, D }: Size, dtype: Dtype = 'float64'): Layer[] =>
  Array.from({ length: layers }, (_, l) => ({
    W_Q: randomMatrix(seed + 10 * l, [heads, d, D], dtype),
    W_K: randomMatrix(seed + 10 * l + 1, [heads, d, D], dtype),
    W_V: randomMatrix(seed + 10 * l + 2, [heads, d, D], dtype),
    W_O: randomMatrix(seed + 10 * l + 3, [heads, D, d], dtype),
  }));

const transposed = (x: Tensor) => x.transpose(0, 2, 1);

/** What the scores need of a checkpoint. */
function modelOf(layers: Layer[], biases = false): Checkpoint {
  const [heads, d] = layers[0].W_Q.shape;
  return {
    layers: layers.length,
    heads,
    dModel: d - (biases ? 1 : 0),
    state: { biases },
    async circuit(kind: 'OV' | 'QK', { layers: [from] }: { layers: readonly [number, number] }) {
      const { W_Q, W_K, W_V, W_O } = layers[from];
      return kind === 'OV' ? new FactoredMatrix(W_V, W_O) : new FactoredMatrix(W_Q, transposed(W_K));
    },
  } as Partial<Checkpoint> as Checkpoint;
}

/** One head as `n` that share its memory. */
const ndarrayOf = ({ data, shape, stride, offset }: Tensor, n: number): Tensor =>
  ndarray(data, [n, ...shape.slice(1)], [0, ...stride.slice(1)], offset);

const gaussian = (rows: number, cols: number, seed: number) =>
  runSync(gaussianMatrix(rows, cols, seed)).data as Float64Array;

interface Product {
  M: Rows;
  /** Σ‖a_j‖·‖b_j‖/‖M‖_F, from 1 on. */
  beta: number;
}

const product = (A: Rows, B: Rows): Product => {
  const M = multiplyRows(A, B);
  return { M, beta: betaOf(A, B) / frobenius(M) };
};

/** Row of the earlier head's OV and the matrix that the later one reads with, both formed. */
function pair(layers: Layer[], kind: 'Q' | 'K' | 'V', [l1, h1]: number[], [l2, h2]: number[]) {
  const OV = (l: number, h: number) => product(matrixAt(layers[l].W_V, [h]), matrixAt(layers[l].W_O, [h]));
  const QK = (l: number, h: number) =>
    product(matrixAt(layers[l].W_Q, [h]), matrixAt(transposed(layers[l].W_K), [h]));
  const writes = OV(l1, h1);
  const reads = kind === 'V' ? OV(l2, h2) : QK(l2, h2);
  return { writes, reads: kind === 'K' ? { ...reads, M: transposeRows(reads.M) } : reads };
}

/** Checks every score against the formed matrices. */
function checkScores(scores: Tensor, layers: Layer[], kind: 'Q' | 'K' | 'V'): void {
  const [heads, d] = layers[0].W_Q.shape;
  const dtype = dtypeOf(layers[0].W_Q);
  const n = layers.length * heads;
  checkArray(scores, [n, n], dtype, 'scores');
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const [l1, l2] = [Math.floor(i / heads), Math.floor(j / heads)];
      if (l1 >= l2) {
        expect(scores.get(i, j), `no later layer: [${i}, ${j}]`).toBe(0);
        continue;
      }
      const { writes, reads } = pair(layers, kind, [l1, i % heads], [l2, j % heads]);
      const exact = frobenius(multiplyRows(writes.M, reads.M)) / (frobenius(writes.M) * frobenius(reads.M));
      const bound = bounds.compositionScore(dtype, d, writes.beta + reads.beta);
      expect(Math.abs(scores.get(i, j) - exact), `score [${i}, ${j}] of ${exact}`).toBeLessThanOrEqual(bound);
    }
}

const folder = temporaryFolder();
const kinds = ['Q', 'K', 'V'] as const;

describe('composition scores are those of the formed matrices, within the bound of docs/numerics.md', () => {
  for (const kind of kinds)
    for (const dtype of dtypes)
      test(`${kind}, ${dtype}`, async () => {
        const layers = randomLayers(1, size, dtype);
        checkScores(await compositionScores(modelOf(layers), kind), layers, kind);
      });

  test('heads wider than the stream, and of one column', async () => {
    for (const D of [1, 9]) {
      const layers = randomLayers(2, { ...size, D });
      for (const kind of kinds) checkScores(await compositionScores(modelOf(layers), kind), layers, kind);
    }
  });

  test('factors of sizes that no dtype could hold the product of', async () => {
    for (const [dtype, huge] of [
      ['float64', 1e200],
      ['float32', 1e30],
    ] as const)
      for (const scale of [huge, 1 / huge]) {
        const plain = randomLayers(3, size, dtype);
        const layers = plain.map((layer) => ({
          W_Q: mapMatrix(layer.W_Q, (x) => x * scale),
          W_K: mapMatrix(layer.W_K, (x) => x * scale),
          W_V: mapMatrix(layer.W_V, (x) => x * scale),
          W_O: mapMatrix(layer.W_O, (x) => x * scale),
        }));
        const limit = 4 * bounds.compositionScore(dtype, size.d, 2);
        for (const kind of kinds) {
          const [scores, same] = await Promise.all(
            [layers, plain].map((weights) => compositionScores(modelOf(weights), kind)),
          );
          scores.data.forEach((score, i) => {
            expect(Math.abs(score - same.data[i])).toBeLessThanOrEqual(limit);
          });
        }
      }
  });

  test('of a checkpoint in bfloat16, with heads that share keys and values', async () => {
    const { config, tensors } = tinyLlama();
    const path = writeCheckpoint(folder('llama'), config, tensors, { dtype: 'BF16', shards: 3 });
    await using model = await openCheckpoint(path);
    const { OV, QK } = model;
    const layers = Array.from({ length: model.layers }, (_, l) => ({
      W_Q: QK.A.pick(l, null, null, null),
      W_K: transposed(QK.B.pick(l, null, null, null)),
      W_V: OV.A.pick(l, null, null, null),
      W_O: OV.B.pick(l, null, null, null),
    }));
    for (const kind of kinds) checkScores(await compositionScores(model, kind), layers, kind);
    expect(randomCompositionScore(model)).toBe(1 / Math.sqrt(model.dModel));
  });

  test('negative control: Q is not K, and the two orders of a pair differ', async () => {
    const layers = randomLayers(4, size);
    const Q = await compositionScores(modelOf(layers), 'Q');
    expect(() => checkScores(Q, layers, 'K')).toThrow(/score/);
    expect(() => checkScores(Q.transpose(1, 0), layers, 'Q')).toThrow();
  });
});

describe('composition scores of special heads', () => {
  test('a head that writes or reads nothing scores 0, and every score is finite', async () => {
    const [first, second] = randomLayers(5, { ...size, layers: 2 });
    const silent = { ...first, W_O: mapMatrix(first.W_O, () => 0) };
    const blind = { ...second, W_Q: mapMatrix(second.W_Q, () => 0) };
    for (const layers of [
      [silent, second],
      [first, blind],
    ]) {
      const { data } = await compositionScores(modelOf(layers), 'Q');
      expect(data.every((score) => score === 0)).toBe(true);
    }
  });

  test('a later head that reads just what the earlier one writes scores 1 where that is one direction', async () => {
    const [first, second] = randomLayers(6, { ...size, layers: 2, D: 1 });
    const reads = { ...second, W_Q: transposed(first.W_O) };
    const scores = await compositionScores(modelOf([first, reads]), 'Q');
    for (let h = 0; h < size.heads; h++)
      expect(Math.abs(scores.get(h, size.heads + h) - 1)).toBeLessThanOrEqual(
        bounds.compositionScore('float64', size.d, 2),
      );
  });

  test('keys and values that heads share are read where they lie, stride 0', async () => {
    const layers = randomLayers(7, { ...size, heads: 1 });
    const shared = (x: Tensor) => ndarrayOf(x, 2);
    const grouped = layers.map((layer, l) => ({
      ...randomLayers(8 + l, { ...size, layers: 1 })[0],
      W_K: shared(layer.W_K),
      W_V: shared(layer.W_V),
    }));
    for (const kind of kinds) checkScores(await compositionScores(modelOf(grouped), kind), grouped, kind);
  });

  test('the row of biases counts in the norms, and nothing is written into its coordinate', async () => {
    const plain = randomLayers(9, size);
    const biased = plain.map((layer, l) => {
      const withRow = (x: Tensor, seed: number) => {
        const [heads, d, D] = x.shape;
        const b = randomMatrix(seed, [heads, 1, D]);
        return array(
          Array.from({ length: heads }, (_, h) => [...matrixAt(x, [h]), ...matrixAt(b, [h])].flat()).flat(),
          [heads, d + 1, D],
        );
      };
      return {
        W_Q: withRow(layer.W_Q, 50 + l),
        W_K: withRow(layer.W_K, 60 + l),
        W_V: withRow(layer.W_V, 70 + l),
        W_O: layer.W_O,
      };
    });
    // The same with a column of zeros to what is written: no head writes the constant.
    const whole = biased.map((layer) => ({
      ...layer,
      W_O: array(
        Array.from({ length: size.heads }, (_, h) => matrixAt(layer.W_O, [h]).map((row) => [...row, 0])).flat(
          2,
        ),
        [size.heads, size.D, size.d + 1],
      ),
    }));
    for (const kind of kinds) checkScores(await compositionScores(modelOf(biased, true), kind), whole, kind);
    checkError(
      await rejectionOf(compositionScores(modelOf(biased), 'Q')),
      'ERR_SVD_SHAPE',
      'layer 0 writes 7 coordinates, but layer 1 reads 8',
    );
  });
});

describe('what chance gives', () => {
  const draws = 200;
  const { d, D } = { d: 6, D: 2 };

  test('the root mean square of the scores of Gaussian weights is 1/√d, whatever the earlier head is', async () => {
    const [first] = randomLayers(10, { layers: 1, heads: 1, d, D });
    const squares: number[] = [];
    for (let i = 0; i < draws; i++) {
      const W_Q = tensor(gaussian(d, D, i), [1, d, D]);
      const model = modelOf([first, { ...first, W_Q }]);
      squares.push((await compositionScores(model, 'Q')).get(0, 1) ** 2);
    }
    const mean = squares.reduce((sum, x) => sum + x, 0) / draws;
    const variance = squares.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (draws - 1);
    const [expected, deviation] = [
      randomCompositionScore(modelOf([first])) ** 2,
      Math.sqrt(variance / draws),
    ];
    expect(Math.abs(mean - expected)).toBeLessThanOrEqual(5 * deviation);
    expect(
      Math.abs(mean - 1 / D),
      'negative control: the inner dimension is not what counts',
    ).toBeGreaterThan(5 * deviation);
  });
});

describe('composition scores off the event loop', () => {
  test('the same bits for any number of threads', async () => {
    const before = threads();
    const layers = randomLayers(11, { layers: 3, heads: 3, d: 40, D: 8 }, 'float32');
    try {
      const all: string[] = [];
      for (const n of [1, 2, 3]) {
        setThreads(n);
        all.push(bits(await compositionScores(modelOf(layers), 'V')));
      }
      expect(new Set(all).size).toBe(1);
    } finally {
      setThreads(before);
    }
  });

  test('progress counts pairs of layers, and ends with all of them', async () => {
    const told: { done: number; total: number }[] = [];
    await compositionScores(modelOf(randomLayers(12, { ...size, layers: 4 })), 'K', {
      onProgress: (progress) => told.push(progress),
    });
    expect(told.at(-1)).toEqual({ done: 6, total: 6 });
    expect(told.every(({ done }, i) => i === 0 || done > told[i - 1].done)).toBe(true);
  });

  test('aborting rejects with the reason', async () => {
    const controller = new AbortController();
    const model = modelOf(randomLayers(13, size));
    const running = compositionScores(model, 'Q', { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await rejectionOf(running)).toBe(reason);
  });

  test('a weight that is not finite is found', async () => {
    const layers = randomLayers(14, size);
    layers[1].W_K.set(1, 2, 0, Number.NaN);
    checkError(await rejectionOf(compositionScores(modelOf(layers), 'Q')), 'ERR_SVD_NON_FINITE');
  });

  test('wrong arguments', async () => {
    const model = modelOf(randomLayers(15, size));
    const call = compositionScores as (...args: unknown[]) => Promise<unknown>;
    checkError(await rejectionOf(call(model, 'O')), 'ERR_SVD_ARGUMENT', "'Q' or 'K' or 'V'");
    checkError(await rejectionOf(call(model)), 'ERR_SVD_ARGUMENT', "'Q' or 'K' or 'V'");
    const cross = { ...model, state: { ...model.state, stack: 'cross' } };
    checkError(await rejectionOf(call(cross, 'V')), 'ERR_SVD_ARGUMENT', 'encoder');
    checkError(await rejectionOf(call({}, 'Q')), 'ERR_SVD_ARGUMENT', 'openCheckpoint');
    checkError(await rejectionOf(call(model, 'Q', { k: 1 })), 'ERR_SVD_ARGUMENT');
  });
});

test('layers of two dtypes have the scores of the wider one', async () => {
  const { config, tensors } = tinyLlama({ layers: 3 });
  const wide = Object.entries(tensors).filter(([name]) => name.includes('layers.1.'));
  const rest = Object.entries(tensors).filter(([name]) => !name.includes('layers.1.'));
  const path = writeCheckpoint(folder('mixed'), config, {}, {});
  rmSync(join(path, 'model.safetensors'));
  writeFileSync(join(path, 'model-00001-of-00002.safetensors'), safetensors(wide, 'F64'));
  writeFileSync(join(path, 'model-00002-of-00002.safetensors'), safetensors(rest, 'F32'));
  writeCheckpoint(folder('alike'), config, tensors, { dtype: 'F64' });
  await using mixed = await openCheckpoint(path);
  await using alike = await openCheckpoint(folder('alike'));
  for (const kind of ['Q', 'K', 'V'] as const) {
    const [scores, expected] = [await compositionScores(mixed, kind), await compositionScores(alike, kind)];
    expect(dtypeOf(scores)).toBe('float64');
    for (let i = 0; i < scores.data.length; i++)
      expect(Math.abs(scores.data[i] - expected.data[i])).toBeLessThan(64 * 2 ** -23);
  }
});

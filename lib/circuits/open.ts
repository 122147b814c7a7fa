import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exposedAsync } from '../arguments/boundary.ts';
import { flag, isPlain, type Kind, type OptionTable, oneOf } from '../arguments/options.ts';
import { svdError } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { Config } from '../weights/config.ts';
import { fileError, filePath } from '../weights/file-errors.ts';
import { openWeights, type Weights } from '../weights/index.ts';
import { AttentionWeights, type CircuitState } from './attention.ts';
import { Checkpoint } from './checkpoint.ts';
import { type DeclaredLayout, declaredFamily, transformerLens } from './declared.ts';
import { type Family, families, type Stack, severalStacks, stacks } from './families.ts';
import { findLayout, type Layout, seen } from './layout.ts';

/** Options of `openCheckpoint`. */
export interface CheckpointOptions {
  /**
   * The weight of the norm that reads the stream goes into W_Q, W_K and W_V: diag(w)·W, of Gemma diag(1 + w)·W; of a LayerNorm
   * their mean over the stream is then subtracted. Nothing where a norm follows the attention (BERT). Default false.
   */
  readonly foldNorms?: boolean | undefined;
  /** The mean over the stream is subtracted from W_O, in models with LayerNorm. Default false. */
  readonly centerWriting?: boolean | undefined;
  /** The biases become one more row of W_Q, W_K and W_V, zeros where a model has none. Default false. */
  readonly biases?: boolean | undefined;
  /** Where the attention stands, for models that are not known. */
  readonly layout?: DeclaredLayout | undefined;
  /** Which attention of T5 and Whisper; default `'decoder'`. */
  readonly stack?: Stack | undefined;
}

const layoutKind: Kind<DeclaredLayout> = {
  expected: 'an object, { heads, dModel, layer, attention }',
  accepts: (x): x is DeclaredLayout => isPlain(x),
};

const checkpointOptions: OptionTable<CheckpointOptions> = {
  foldNorms: flag,
  centerWriting: flag,
  biases: flag,
  layout: layoutKind,
  stack: oneOf(...stacks),
};

/**
 * Opens the checkpoint of a transformer: a folder in the Hugging Face layout (`config.json` and safetensors files), a file, or an
 * index of shards. Known are the families of README's list, files with TransformerLens' names, and whatever `layout` declares.
 * Of the weights only headers are read, and the norms and biases that the options ask for.
 *
 * @returns a `Checkpoint`; close it with `close()` or `await using`
 * @throws `ERR_SVD_FILE` where a file is missing or damaged, the model is not known, or its tensors are not what its config says;
 * `ERR_SVD_ARGUMENT`
 * @function
 */
export const openCheckpoint = exposedAsync(
  { takes: ['path'], options: checkpointOptions },
  async function openCheckpoint(path: string | URL, options: CheckpointOptions = {}): Promise<Checkpoint> {
    const file = filePath(path);
    const weights = await openWeights(file);
    try {
      const folder = (await stat(file)).isDirectory() ? file : dirname(file);
      const { family, modelType } = await familyOf(weights, folder, options);
      const layout = findLayout(weights, family);
      const state = stateOf(options, layout, modelType);
      const attention = await AttentionWeights.open(weights, layout, state);
      return new Checkpoint({ weights, folder, modelType, layout, state, attention });
    } catch (error) {
      await weights.close();
      throw error;
    }
  },
);

async function familyOf(weights: Weights, folder: string, { layout, stack }: CheckpointOptions) {
  const onlyOne = (family: Family, modelType: string) => {
    if (stack !== undefined && !severalStacks.has(modelType))
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `openCheckpoint: stack: ${modelType} has one attention for each layer`,
      );
    return { family, modelType };
  };
  if (layout !== undefined) return onlyOne(declaredFamily(layout, weights), 'declared');
  const path = join(folder, 'config.json');
  const there = await stat(path).then(
    () => true,
    () => false,
  );
  if (!there) {
    const family = transformerLens(weights);
    if (family) return onlyOne(family, 'transformer_lens');
    throw fileError(
      path,
      `is not there, and the tensors are not named as in TransformerLens: ${seen(weights)}. ${howToDeclare}`,
    );
  }
  const config = await Config.read(path);
  const modelType = config.text('model_type');
  if (modelType === undefined)
    return config.fail('model_type', `is missing; ${seen(weights)}. ${howToDeclare}`);
  if (!Object.hasOwn(families, modelType))
    return config.fail(
      'model_type',
      `${quote(modelType)} is not one of the models that are known (${Object.keys(families).join(', ')}); ${seen(weights)}. ${howToDeclare}`,
    );
  return onlyOne(families[modelType](config, stack ?? 'decoder'), modelType);
}

const howToDeclare =
  "Declare where its attention stands: openCheckpoint(path, { layout: { heads: 12, dModel: 768, layer: 'blocks.N.', attention: { q: 'attn.q', k: 'attn.k', v: 'attn.v', o: 'attn.out' } } })";

function stateOf(
  { foldNorms = false, centerWriting = false, biases = false, stack }: CheckpointOptions,
  { centred }: Layout,
  modelType: string,
): CircuitState {
  if (centerWriting && !centred)
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `openCheckpoint: centerWriting: the norms of ${modelType} do not take the mean away, so it matters`,
    );
  return Object.freeze({
    foldNorms,
    centerWriting,
    biases,
    ...(severalStacks.has(modelType) && { stack: stack ?? 'decoder' }),
  });
}

import { mergeAdapters, openAdapter, writeAdapter } from 'factored-svd/adapters';

/**
 * Adds adapters up, each with its weight, and keeps of the sum what `rank` and `energy` say.
 *
 * @param {readonly { path: string, weight: number }[]} inputs
 * @param {string} out where the result is written, in the format of the first adapter: a folder for PEFT, a file for kohya
 * @param {{ rank: number, energy?: number }} keep at most so many singular triplets of a module, and as few of those as have this
 *   share of its energy
 * @returns of every module what its rank was and is, and the relative error
 */
export async function shrink(inputs, out, keep) {
  const adapters = await Promise.all(inputs.map(({ path }) => openAdapter(path)));
  const weights = inputs.map(({ weight }) => weight);
  const { adapter, report } = await mergeAdapters(adapters, weights, keep);
  const format = adapter.format === 'peft' ? 'peft' : 'kohya';
  await writeAdapter(out, adapter, { format, dtype: 'bfloat16' });
  return [...report].map(([module, { rankBefore, rank, error }]) => ({ module, rankBefore, rank, error }));
}

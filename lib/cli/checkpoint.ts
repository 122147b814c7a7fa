import { type Command, InvalidArgumentError, Option } from 'commander';
import { isPlain } from '../arguments/options.ts';
import { stacks } from '../circuits/families.ts';
import type { Checkpoint, DeclaredLayout, Stack } from '../circuits/index.ts';
import { openCheckpoint } from '../circuits/open.ts';
import { fileError } from '../weights/file-errors.ts';
import { readJson } from '../weights/storage.ts';

/** The options that say what goes into the circuits of a checkpoint. */
export interface CheckpointChoices {
  fold?: boolean;
  center?: boolean;
  biases?: boolean;
  rotaryOffset?: number;
  stack?: Stack;
  /** A file. */
  layout?: string;
}

export function addCheckpointOptions(command: Command): Command {
  return command
    .option('--fold', 'fold the norm in front of the attention into W_Q, W_K and W_V')
    .option('--center', 'take the mean over the stream from W_O (models with LayerNorm)')
    .option('--biases', 'append the biases as one more row')
    .option(
      '--rotary-offset <n>',
      'QK of a query and a key n positions after it (before it: −n), in models that rotate',
      parseOffset,
    )
    .addOption(
      new Option('--stack <name>', 'which attention of T5 or Whisper (default: decoder)').choices(stacks),
    )
    .option('--layout <file>', 'JSON that says where the attention stands, for models that are not known');
}

function parseOffset(text: string): number {
  const offset = Number(text);
  if (text.trim() === '' || !Number.isFinite(offset)) throw new InvalidArgumentError('Expected a number.');
  return offset + 0; // −0 is 0
}

/** Opens the checkpoint as the options say. `ERR_SVD_FILE`, `ERR_SVD_ARGUMENT` */
export async function openChosen(
  path: string,
  { fold, center, biases, stack, layout: file }: CheckpointChoices,
): Promise<{ checkpoint: Checkpoint; layout: DeclaredLayout | undefined }> {
  const layout = file === undefined ? undefined : await readLayout(file);
  const checkpoint = await openCheckpoint(path, {
    foldNorms: fold,
    centerWriting: center,
    biases,
    layout,
    stack,
  });
  return { checkpoint, layout };
}

/** Bytes of a declared layout at most. */
const mostLayoutBytes = 2 ** 20;

/** A declared layout. `ERR_SVD_FILE` */
export async function readLayout(path: string): Promise<DeclaredLayout> {
  const value = await readJson(path, mostLayoutBytes);
  if (!isPlain(value)) throw fileError(path, 'expected an object, { heads, dModel, layer, attention }');
  return value as unknown as DeclaredLayout;
}

import type { Command } from 'commander';
import { mergeShards } from '../circuits/run/index.ts';
import { shownPath } from '../weights/file-errors.ts';
import { Progress, print, type Streams } from './streams.ts';

/** `factored-svd merge DIR…`: one run from its shards. */
export function mergeCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  command
    .description('make one run of the shards that circuits --shard wrote')
    .argument('<folders...>', 'folders with the shards: one for each, or one for all')
    .requiredOption('--out <folder>', 'folder of the run; it may be the one that all shards are in')
    .addHelpText(
      'after',
      '\nThe bytes are those of a run that was not divided. Shards that are missing, double, not finished or of different runs\n' +
        'are refused, and so are files that are not as they were written. Files are linked where the file system can.',
    )
    .action(async (folders: string[], { out }: { out: string }) => {
      const progress = new Progress(streams.stderr, { unit: 'files checked' });
      const merged = await mergeShards(folders, out, {
        signal,
        onProgress: (state) => progress.update(state),
      }).finally(() => progress.stop());
      const { shards, files, kernels } = merged;
      if (kernels.length > 1)
        await print(
          streams.stderr,
          `factored-svd: computed by different kernels (${kernels.join(', ')}): within the bounds the same, not to the bit\n`,
        );
      await print(streams.stdout, `merged ${shards} shards, ${files} files, into ${shownPath(out)}\n`);
    });
}

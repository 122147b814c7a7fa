import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { openCheckpoint } from '../circuits/open.ts';
import { type Run, readRun } from '../circuits/run/index.ts';
import { findManifests } from '../circuits/run/manifest.ts';
import { type CollectOptions, collectReport } from '../report/collect.ts';
import type { ReportData } from '../report/data.ts';
import { reportPage } from '../report/page.ts';
import { fileStep, shownPath } from '../weights/file-errors.ts';
import { sameFile, writeAtomically } from '../weights/output.ts';
import { addCheckpointOptions, type CheckpointChoices, openChosen, readLayout } from './checkpoint.ts';
import { bytesText, outputProblem } from './format.ts';
import { Progress, print, type Streams } from './streams.ts';

interface PageOptions extends CheckpointChoices {
  out: string;
  title?: string;
  checkpoint?: string;
}

/** `factored-svd report CHECKPOINT|DIR --out page.html`: a page to look at. */
export function reportCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  const described = command
    .description('one page of the attention circuits of a checkpoint: an HTML file that loads nothing')
    .argument('<checkpoint>', 'a checkpoint, as circuits takes it, or a folder that circuits --out wrote')
    .requiredOption('--out <file>', 'write the page to this file')
    .option('--title <text>', 'heading of the page (default: the name of the checkpoint)')
    .option('--checkpoint <path>', 'of a folder that circuits --out wrote: the checkpoint that it is of');
  addCheckpointOptions(described)
    .addHelpText(
      'after',
      '\nThe page has the spectrum of every head beside that of random factors, maps by layer and head, composition scores,\n' +
        'tokens of singular directions where there is a tokenizer.json, and all numbers, to sort, filter and download. Of a\n' +
        'folder that circuits --out wrote nothing is decomposed again; composition and tokens need --checkpoint, too.',
    )
    .action(async (path: string, options: PageOptions) => {
      const run = await isRun(path);
      const problem = run
        ? (choiceProblem(options) ?? (await runProblem(path, options)))
        : options.checkpoint === undefined
          ? await outputProblem(options.out, [path])
          : '--checkpoint is for a folder that circuits --out wrote';
      if (problem !== undefined) command.error(`error: ${problem}`);
      await writePage(path, run, options, streams, signal);
    });
}

/** Whether `path` is a folder that `circuits --out` or `merge` wrote. */
async function isRun(path: string): Promise<boolean> {
  const folder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false, // who opens it says what is wrong
  );
  return folder && (await findManifests(path)).length > 0;
}

/** What has no meaning for a run: only how the weights are laid out is not in it. */
function choiceProblem({ fold, center, biases, rotaryOffset, stack }: PageOptions): string | undefined {
  const chosen = Object.entries({ fold, center, biases, 'rotary-offset': rotaryOffset, stack }).find(
    ([, value]) => value !== undefined,
  );
  return (
    chosen &&
    `--${chosen[0]} cannot be chosen for a run that is there: its circuits are what they were made of`
  );
}

async function runProblem(path: string, { out, checkpoint }: PageOptions): Promise<string | undefined> {
  const files = await fileStep(path, 'read', () => readdir(path));
  const own = await sameFile(
    out,
    files.map((file) => join(path, file)),
  );
  if (own !== undefined) return `--out would overwrite ${shownPath(own)}, a file of the run`;
  return await outputProblem(out, checkpoint === undefined ? [] : [checkpoint]);
}

async function writePage(
  path: string,
  run: boolean,
  options: PageOptions,
  streams: Streams,
  signal: AbortSignal,
) {
  const progress = new Progress(streams.stderr, { unit: 'layers' });
  const settings = {
    title: options.title,
    signal,
    onProgress: (state: { done: number; total: number }) => progress.update(state),
  };
  const collect = run ? ofRun(await readRun(path), options, settings) : ofCheckpoint(path, options, settings);
  const data = await collect.finally(() => progress.stop());
  signal.throwIfAborted();
  const page = Buffer.from(reportPage(data));
  await writeAtomically(options.out, (append) => append(page), signal);
  await print(
    streams.stdout,
    `wrote a page of ${data.circuits.length} circuits to ${shownPath(options.out)}, ${bytesText(page.length)} bytes\n`,
  );
}

async function ofCheckpoint(
  path: string,
  options: PageOptions,
  settings: CollectOptions,
): Promise<ReportData> {
  await using checkpoint = (await openChosen(path, options)).checkpoint;
  return await collectReport(checkpoint, { ...settings, rotaryOffset: options.rotaryOffset });
}

/** With the checkpoint of the run, where it is named, as the run had it. */
async function ofRun(run: Run, options: PageOptions, settings: CollectOptions): Promise<ReportData> {
  if (options.checkpoint === undefined) return await collectReport(run, settings);
  const { foldNorms, centerWriting, biases, stack } = run.plan.state;
  const layout = options.layout === undefined ? undefined : await readLayout(options.layout);
  await using checkpoint = await openCheckpoint(options.checkpoint, {
    foldNorms,
    centerWriting,
    biases,
    stack,
    layout,
  });
  return await collectReport(run, { ...settings, checkpoint });
}

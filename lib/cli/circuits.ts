import { realpath } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { svdError } from '../array/errors.ts';
import { escaped, escapedJson } from '../array/escape.ts';
import type { CircuitKind } from '../circuits/index.ts';
import {
  type PartSpectra,
  type Plan,
  planOf,
  type RunResult,
  runCircuits,
  type Shard,
  shardText,
} from '../circuits/run/index.ts';
import { versions } from '../index.ts';
import { fileError, shownPath } from '../weights/file-errors.ts';
import { addCheckpointOptions, type CheckpointChoices, openChosen } from './checkpoint.ts';
import { numberText, spectrumText, table } from './format.ts';
import type { SpectrumSummary } from './report.ts';
import { chosenShard, type ShardChoice, shardHelp } from './shard.ts';
import { Progress, print, type Streams } from './streams.ts';
import { parseRank, summarizeSpectrum } from './svd.ts';

interface CircuitsOptions extends CheckpointChoices {
  kind: CircuitKind[];
  layers?: [from: number, to: number];
  rank?: number;
  out?: string;
  json?: boolean;
  shard?: string;
}

/** `factored-svd circuits CHECKPOINT`: decomposes OV and QK of every head, layer by layer. */
export function circuitsCommand(command: Command, streams: Streams, signal: AbortSignal): void {
  const described = command
    .description(
      'singular value decompositions of the attention circuits of a checkpoint, W_V·W_O and W_Q·W_Kᵀ',
    )
    .argument('<checkpoint>', 'folder with config.json and safetensors files, a file, or an index of shards')
    .option('--kind <kinds>', 'OV, QK or both', parseKinds, ['OV', 'QK'])
    .option(
      '--layers <range>',
      'only these layers, counted from 0: 5, or 0-3 for the first four',
      parseLayers,
    )
    .option('--rank <n>', 'keep the n largest singular values of every head', parseRank);
  addCheckpointOptions(described)
    .option(
      '--out <folder>',
      'keep the decompositions there; the same command again goes on where it was stopped',
    )
    .option('--json', 'print JSON, with all singular values that were computed')
    .option('--shard <i/n>', shardHelp)
    .addHelpText(
      'after',
      '\nThe folder gets a safetensors file with U, S and Vh of every kind and layer, and circuits.json, which lists those that\n' +
        'are finished. It belongs to one checkpoint and one set of options; another run is refused, and nothing overwritten.\n' +
        '\nWithout --shard, the environment of sbatch --array, srun, mpirun and Kubernetes says which part is done; Kubernetes\n' +
        'does not say of how many: --shard auto/n. factored-svd merge makes one run of the shards.',
    )
    .action(async (path: string, options: CircuitsOptions) => {
      let choice: ShardChoice = {};
      try {
        if (options.rotaryOffset && !options.kind.includes('QK'))
          throw new Error('--rotary-offset: only QK is rotated, and --kind names OV alone');
        choice = chosenShard(options.shard, process.env);
      } catch (error) {
        command.error(`error: ${(error as Error).message}`);
      }
      if (choice.note !== undefined) await print(streams.stderr, `factored-svd: ${choice.note}\n`);
      await decomposeCheckpoint(path, options, choice.shard, streams, signal);
    });
}

export function parseKinds(text: string): CircuitKind[] {
  const kinds = text.split(',');
  if (!kinds.every((kind) => kind === 'OV' || kind === 'QK'))
    throw new InvalidArgumentError('Expected OV, QK or OV,QK.');
  return kinds as CircuitKind[];
}

function parseLayers(text: string): [from: number, to: number] {
  const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  if (first === undefined || Number(last) < Number(first))
    throw new InvalidArgumentError('Expected a layer, 5 say, or the first and the last, 0-3.');
  return [Number(first), Number(last) + 1];
}

async function decomposeCheckpoint(
  path: string,
  options: CircuitsOptions,
  shard: Shard | undefined,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
) {
  const { out, rank, rotaryOffset } = options;
  const opened = await openChosen(path, options);
  const { layout } = opened;
  await using checkpoint = opened.checkpoint;
  if (out !== undefined) await mustBeElsewhere(out, path);
  mustHaveLayers(options.layers, checkpoint.layers);
  const plan = await planOf(checkpoint, {
    kinds: options.kind,
    layers: options.layers,
    rank,
    rotaryOffset,
    layout,
  });
  signal.throwIfAborted();
  const start = performance.now();
  const checking = new Progress(stderr, { unit: 'files checked' });
  const progress = new Progress(stderr, { unit: plan.kinds.length > 1 ? 'layers of OV and QK' : 'layers' });
  const result = await runCircuits(checkpoint, plan, {
    shard,
    out,
    signal,
    onCheck: (state) => checking.update(state),
    onProgress: (state) => {
      checking.stop();
      progress.update(state);
    },
  }).finally(() => {
    checking.stop();
    progress.stop();
  });
  signal.throwIfAborted();
  const report = { checkpoint: path, plan, shard, result, out, milliseconds: performance.now() - start };
  await print(stdout, options.json ? json(report) : text(report));
}

/** Files of weights in the folder of a checkpoint would become part of it. */
async function mustBeElsewhere(out: string, checkpoint: string): Promise<void> {
  const [a, b] = await Promise.all([out, checkpoint].map((path) => realpath(path).catch(() => undefined)));
  if (a !== undefined && a === b) throw fileError(out, 'is the checkpoint itself: name another folder');
}

function mustHaveLayers(layers: CircuitsOptions['layers'], count: number): void {
  if (layers === undefined || layers[1] <= count) return;
  const [from, to] = [layers[0], layers[1] - 1];
  throw svdError(
    'ERR_SVD_ARGUMENT',
    `--layers ${from === to ? from : `${from}-${to}`}: the checkpoint has the layers 0 to ${count - 1}`,
  );
}

interface Report {
  checkpoint: string;
  plan: Plan;
  shard: Shard | undefined;
  result: RunResult;
  out: string | undefined;
  milliseconds: number;
}

/** One head. What takes all singular values is missing where only the leading ones were computed. */
interface HeadReport extends Partial<SpectrumSummary> {
  kind: CircuitKind;
  layer: number;
  head: number;
  S: ArrayLike<number>;
  bound: number;
  /** ‖M‖_F */
  norm: number;
  /** ‖M − U·diag(S)·Vh‖_F / ‖M‖_F of leading triplets. */
  residual?: number;
}

function headsOf({ kind, layer, S, bound, truncationError }: PartSpectra): HeadReport[] {
  const p = S.shape[1];
  return bound.map((error, head) => {
    const values = S.data.subarray(S.offset + head * p, S.offset + (head + 1) * p);
    const of = { kind, layer, head, S: values, bound: error };
    const summary = summarizeSpectrum(values);
    if (truncationError === undefined) return { ...of, ...summary };
    const norm = Math.hypot(summary.norm, truncationError[head]);
    return { ...of, norm, residual: truncationError[head] === 0 ? 0 : truncationError[head] / norm };
  });
}

const allHeads = ({ result }: Report): HeadReport[] => result.spectra.flatMap(headsOf);

/** For programs. JSON has neither infinity nor NaN: an infinite condition is null. */
function json(report: Report): string {
  const { checkpoint, plan, shard, out, milliseconds, result } = report;
  const { modelType, layers, heads, kvHeads, dModel, dHead } = plan.checkpoint;
  const head = {
    checkpoint,
    model: { modelType, layers, heads, kvHeads, dModel, dHead },
    state: plan.state,
    kinds: plan.kinds,
    layers: plan.layers,
    rank: plan.rank ?? undefined,
    shard: shard && [shard.index, shard.count],
    milliseconds,
    kept: result.kept,
    out,
    versions: versions(),
  };
  const items = allHeads(report).map((item) => escapedJson({ ...item, S: Array.from(item.S) }));
  return `${escapedJson(head).slice(0, -1)},"items":[${items.join(',')}]}\n`;
}

/** For people: a heading, one row per head, what the columns mean, and where the rest is. */
function text(report: Report): string {
  const { checkpoint, plan, shard, result, out, milliseconds } = report;
  const { modelType, layers, heads, kvHeads, dModel, dHead } = plan.checkpoint;
  const all = allHeads(report);
  const whole = plan.rank === null;
  const columns = [
    'kind',
    'layer',
    'head',
    'singular values',
    ...(whole ? ['effective rank', 'condition'] : ['residual']),
  ];
  const rows = all.map(({ kind, layer, head, S, effectiveRank = 0, condition = 0, residual = 0 }) => [
    kind,
    String(layer),
    String(head),
    spectrumText(S),
    ...(whole ? [numberText(effectiveRank), numberText(condition)] : [numberText(residual)]),
  ]);
  const shared = kvHeads === heads ? '' : ` (${kvHeads} of keys and values)`;
  const kept = result.kept > 0 ? `, ${result.kept} of ${result.spectra.length} files were there` : '';
  return [
    `${shownPath(checkpoint)}: ${escaped(modelType)}, ${layers} layers of ${heads} heads${shared}, width ${dModel}, ${dHead} a head\n`,
    `${stateText(plan)}${shard ? `, ${shardText(shard)}` : ''}, ${(milliseconds / 1000).toFixed(1)} s${kept}\n\n`,
    rows.length > 0 ? `${table(columns, rows)}\n` : 'This shard has no layers.\n\n',
    whole
      ? 'effective rank: exp of the entropy of σ²/Σσ²; condition: σ₁/σ_p\n'
      : `residual: that of the truncation to rank ${plan.rank}, ‖M − M_${plan.rank}‖/‖M‖\n`,
    out === undefined ? '' : `U, S, Vh of every layer are in ${shownPath(out)}\n`,
  ].join('');
}

/** `OV and QK of layers 0-3, norms folded`. */
function stateText({ kinds, layers, state }: Plan): string {
  const [from, to] = [layers[0], layers[1] - 1];
  const choices = [
    state.stack,
    state.foldNorms ? 'norms folded' : undefined,
    state.centerWriting ? 'writing centred' : undefined,
    state.biases ? 'with biases' : undefined,
    state.rotaryOffset === 0 ? undefined : `rotary offset ${state.rotaryOffset}`,
    state.qkNormGains && kinds.includes('QK') ? 'QK with the gains of its norms' : undefined,
  ];
  const where = from === to ? `layer ${from}` : `layers ${from}-${to}`;
  return [`${kinds.join(' and ')} of ${where}`, ...choices.filter((choice) => choice !== undefined)].join(
    ', ',
  );
}

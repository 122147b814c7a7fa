import cliProgress from 'cli-progress';
import { Command, CommanderError } from 'commander';
import { escapedLines } from '../array/escape.ts';
import { compareCommand } from './compare.ts';
import { goldenCommand } from './golden.ts';
import { inspectCommand } from './inspect.ts';
import { svdCommand } from './svd.ts';

/** Message, with the code at the end of its first line; with FACTORED_SVD_DEBUG in the environment the stack, too. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return escapedLines(String(error));
  const message = 'code' in error ? error.message.replace(/$/m, ` [${error.code}]`) : error.message;
  return escapedLines(process.env.FACTORED_SVD_DEBUG ? `${message}\n${error.stack}` : message);
}

/** Where a command writes: results to `stdout`, everything else to `stderr`. */
export interface Streams {
  stdout: OutputStream;
  stderr: OutputStream;
}

export type OutputStream = NodeJS.WritableStream & { isTTY?: boolean };

/** Lets a command run on when the reader of its output has gone away (`factored-svd … | head`). */
export function outliveClosedPipes({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosedPipe);
}

/** Writes `text`; rejects if that fails for any reason but a reader that has gone away. */
export function print(stream: OutputStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error && !isClosedPipe(error) ? reject(error) : resolve()));
  });
}

const isClosedPipe = (error: Error): boolean =>
  ['EPIPE', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');

// What `print` rejects with arrives here as well.
const ignoreClosedPipe = (): void => {};

/** A batch shorter than this shows no bar. */
const patience = 1000;

/** Shows how far a batch has come: a bar on `stderr` once it has taken a second, if that is a terminal. */
export class Progress {
  readonly #stderr: OutputStream;
  readonly #start = performance.now();
  #bar: cliProgress.SingleBar | undefined;

  constructor(stderr: OutputStream) {
    this.#stderr = stderr;
  }

  update({ done, total }: { done: number; total: number }): void {
    if (!this.#stderr.isTTY || total < 2 || performance.now() - this.#start < patience) return;
    if (this.#bar === undefined) {
      const format = '{bar} {value}/{total} matrices, {eta_formatted} left';
      // The command answers Ctrl-C itself.
      const options = { format, stream: this.#stderr, clearOnComplete: true, gracefulExit: false };
      this.#bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic);
      this.#bar.start(total, done);
    }
    this.#bar.update(Math.floor(done));
  }

  stop(): void {
    this.#bar?.stop();
  }
}

import packageJson from '../../package.json' with { type: 'json' };

/** Exit codes of the command. One that a signal stopped has those that a shell gives. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const stoppedBy = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/**
 * Runs the command `factored-svd`.
 * @param argv the arguments after the name of the command
 * @returns the exit code: 0 done; 1 the computation or a file failed, for `compare` a record that does not hold;
 * 2 wrong usage, for `compare` whatever kept it from comparing; 128 and the number of the signal that stopped it
 */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  outliveClosedPipes(streams);
  const interrupt = new AbortController();
  let code: number = exitCodes.ok;
  const onSignal = (name: (typeof stoppedBy)[number]) => {
    code = exitCodes[name];
    interrupt.abort();
  };
  for (const name of stoppedBy) process.once(name, onSignal);
  try {
    const work = program(streams, interrupt.signal).parseAsync(argv, { from: 'user' });
    await Promise.race([work, rejectionOnAbort(interrupt.signal)]);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return code;
    await print(streams.stderr, `factored-svd: ${describeFailure(error)}\n`).catch(() => {}); // whom to tell?
    return exitCodes.failed;
  } finally {
    for (const name of stoppedBy) process.off(name, onSignal);
  }
}

/** What is under way when a signal arrives, reading a large file say, is not waited for. */
const rejectionOnAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

function program(streams: Streams, signal: AbortSignal): Command {
  const command = new Command('factored-svd')
    .description(
      'Singular value decomposition of weight matrices, and of products A·B without forming large ones.',
    )
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(escapedLines(text)), // it repeats arguments
      outputError: (text, write) => write(text.replace(/^error: /, 'factored-svd: ')),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the computation or a file failed, 2 wrong usage, 130 interrupted, 143 terminated.\n' +
        'Of compare: 0 every record holds, 1 one does not, 2 it could not compare.',
    );
  inspectCommand(command.command('inspect'), streams);
  svdCommand(command.command('svd'), streams, signal);
  goldenCommand(command.command('golden'), streams, signal);
  compareCommand(command.command('compare'), streams, signal);
  return command;
}

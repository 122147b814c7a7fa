import cliProgress from 'cli-progress';
import { escapedLines } from '../array/escape.ts';

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

/** Milliseconds before a bar is shown. */
const patience = 1000;

/** Shows how far a batch or one large matrix has come: a bar on `stderr` once it has taken a second, if that is a terminal. */
export class Progress {
  readonly #stderr: OutputStream;
  readonly #start = performance.now();
  #bar: cliProgress.SingleBar | undefined;

  constructor(stderr: OutputStream) {
    this.#stderr = stderr;
  }

  update({ done, total }: { done: number; total: number }): void {
    if (!this.#stderr.isTTY || performance.now() - this.#start < patience) return;
    const one = total === 1;
    if (this.#bar === undefined) {
      const format = `{bar} ${one ? '{percentage}%' : '{value}/{total} matrices'}, {eta_formatted} left`;
      // The command answers Ctrl-C itself.
      const options = { format, stream: this.#stderr, clearOnComplete: true, gracefulExit: false };
      this.#bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic);
      this.#bar.start(one ? 100 : total, 0);
    }
    this.#bar.update(Math.floor(one ? 100 * done : done));
  }

  stop(): void {
    this.#bar?.stop();
  }
}

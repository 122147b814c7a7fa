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

/** Shows how far long work has come: a bar on `stderr` once it has taken a second, with rate and time left, if that is a terminal. */
export class Progress {
  readonly #stderr: OutputStream;
  readonly #unit: string;
  readonly #start = performance.now();
  #first: { done: number; time: number } | undefined;
  #bar: cliProgress.SingleBar | undefined;

  /** @param unit what is counted */
  constructor(stderr: OutputStream, { unit = 'matrices' }: { unit?: string } = {}) {
    this.#stderr = stderr;
    this.#unit = unit;
  }

  /** `done` may have a fraction; what was done at the first call is not counted in the rate. */
  update({ done, total }: { done: number; total: number }): void {
    const time = performance.now();
    this.#first ??= { done, time };
    if (!this.#stderr.isTTY || time - this.#start < patience) return;
    const rate = (done - this.#first.done) / ((time - this.#first.time) / 1000);
    const one = total === 1;
    const count = one ? `${Math.floor(100 * done)}%` : `${Math.floor(done)}/${total} ${this.#unit}`;
    const speed = one || !(rate > 0) ? '' : `, ${Number(rate.toPrecision(3))}/s`;
    const left = rate > 0 ? `, ${durationText((total - done) / rate)} left` : '';
    const text = { text: count + speed + left };
    if (this.#bar === undefined) {
      // The command answers Ctrl-C itself.
      const options = { stream: this.#stderr, clearOnComplete: true, gracefulExit: false };
      this.#bar = new cliProgress.SingleBar(
        { ...options, format: '{bar} {text}' },
        cliProgress.Presets.shades_classic,
      );
      this.#bar.start(total, done, text);
    }
    this.#bar.update(done, text);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

/** 42s, 3m 20s, 1h 5m */
function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`;
}

import cliProgress from 'cli-progress';
import type { OutputStream } from './streams.ts';

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
